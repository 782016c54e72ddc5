"""The report: from stored records to a page. Imports no MLX."""
