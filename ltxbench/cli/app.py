"""The command `ltxbench`."""

from __future__ import annotations


def main() -> None:
    """Entry point."""
