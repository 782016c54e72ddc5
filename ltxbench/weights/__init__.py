"""The weights: which files a model needs, where they come from, and whether they are what they should be."""
