"""How much a process may map at all: where that is limited, an allocation fails and no process is killed for it."""

from __future__ import annotations

import resource


def allowed_bytes() -> int | None:
    """As `ulimit -v` and `-d` have it, for this process and those it starts; None without a limit."""
    soft = (resource.getrlimit(kind)[0] for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA))
    return min((limit for limit in soft if limit != resource.RLIM_INFINITY), default=None)
