"""Statistics for slow runs: pure functions over floats. What each word means stands in docs/statistics.md."""
