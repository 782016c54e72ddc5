"""Kernels for MLX's CUDA backend where its own operations pass over memory too often."""
