"""LTX-2 in MLX, one component a file."""
