"""Which start of the machine this is: a run that finds another one knows that the machine went down in between."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def boot_id() -> str | None:
    """The kernel's own identifier; None where there is none. Unconfirmed on a Mac."""
    if sys.platform == "darwin":
        try:
            done = subprocess.run(
                ["/usr/sbin/sysctl", "-n", "kern.bootsessionuuid"], capture_output=True, text=True, timeout=10
            )
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip() or None
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip() or None
    except OSError:
        return None
