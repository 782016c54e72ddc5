"""What to run: a YAML matrix becomes a list of resolved cases. Imports no MLX."""
