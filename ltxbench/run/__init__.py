"""The running: engine, worker process, runner and store. Only the modules called mlx_* import MLX."""
