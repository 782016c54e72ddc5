"""The program: Ctrl-C is answered for before the command line is imported."""

from __future__ import annotations

import sys

from ltxbench.errors import INTERRUPTED


def main() -> None:
    """As ltxbench.cli.app.main."""
    try:
        from ltxbench.cli import app
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    app.main()


if __name__ == "__main__":
    main()
