"""A run as a table for other programs: CSV, Parquet, JSON and LaTeX."""
