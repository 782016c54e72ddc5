"""The running: engine, worker process, runner and store. Only the MLX engine imports MLX."""
