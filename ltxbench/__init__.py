"""Benchmarking and reproducibility harness for LTX-2 text-to-video generation on MLX."""

__version__ = "0.1.0"
