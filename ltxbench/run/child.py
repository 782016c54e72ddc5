"""A case's process from its first moment: bound to its parent before the libraries, whose import takes seconds.

    python -m ltxbench.run.child EVENTS LIFELINE < job.json

Both are file descriptors: see run.worker and run.lifeline.
"""

from __future__ import annotations

import sys

from ltxbench.run.lifeline import end_with_the_parent


def main() -> int:
    end_with_the_parent(int(sys.argv[2]))
    from ltxbench.run.worker import work

    return work(int(sys.argv[1]))


if __name__ == "__main__":
    sys.exit(main())
