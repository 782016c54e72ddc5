"""Whether a run's figures can be trusted, and what may be concluded from them: rules over the stored records."""
