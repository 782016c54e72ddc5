"""The measuring: clock, memory, machine."""
