"""The machine that a run was made on, as far as it can be told without privileges."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import ltxbench
from ltxbench.run.records import Machine

PACKAGES = (
    "mlx",
    "mlx-metal",
    "mlx-cpu",
    "mlx-cuda-13",
    "mlx-lm",
    "numpy",
    "safetensors",
    "scipy",
    "transformers",
    "tokenizers",
    "av",
)
UNKNOWN = "unknown"
_TIMEOUT_S = 10


def describe_machine(accelerator: str | None) -> Machine:
    """`accelerator` is asked of the worker: this process must not import MLX."""
    import psutil

    commit, dirty = git_state(Path(ltxbench.__file__).parent)
    return Machine(
        chip=chip(),
        memory_bytes=psutil.virtual_memory().total,
        os=operating_system(),
        arch=platform.machine(),
        accelerator=accelerator,
        cpu_cores=usable_cores(),
        python=platform.python_version(),
        packages=package_versions(),
        git_commit=commit,
        git_dirty=dirty,
        environment={name: value for name, value in sorted(os.environ.items()) if name.startswith("MLX_")},
    )


def usable_cores() -> int:
    """Those this process may run on; where the system doesn't say, all."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def chip() -> str:
    if sys.platform == "darwin":
        return _printed_by("sysctl", "-n", "machdep.cpu.brand_string") or UNKNOWN
    try:
        return parse_cpuinfo(Path("/proc/cpuinfo").read_text()) or platform.processor() or UNKNOWN
    except OSError:
        return platform.processor() or UNKNOWN


def parse_cpuinfo(text: str) -> str | None:
    """From /proc/cpuinfo: `model name` on x86-64; boards with ARM chips tell `Hardware` or `Model`, servers nothing."""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        name, separator, value = line.partition(":")
        if separator:
            fields.setdefault(name.strip(), value.strip())
    return next((fields[name] for name in ("model name", "Hardware", "Model") if fields.get(name)), None)


def operating_system() -> str:
    if sys.platform == "darwin":
        return parse_sw_vers(_printed_by("sw_vers") or "") or f"macOS {platform.mac_ver()[0]}"
    try:
        name = platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        name = platform.system()
    return f"{name}, kernel {platform.release()}"


def parse_sw_vers(text: str) -> str | None:
    """`macOS 15.1 (24B83)` from what `sw_vers` prints."""
    fields = dict(re.findall(r"^(\w+):\s*(.+?)\s*$", text, re.MULTILINE))
    if "ProductVersion" not in fields:
        return None
    build = f" ({fields['BuildVersion']})" if "BuildVersion" in fields else ""
    return f"{fields.get('ProductName', 'macOS')} {fields['ProductVersion']}{build}"


def package_versions() -> dict[str, str]:
    """Of the installed ones among PACKAGES."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def git_state(package: Path) -> tuple[str | None, bool | None]:
    """Commit, and whether the code differs from it; both None when `package` is not part of a work tree.

    An installed copy inside some other project's tree is not that project's commit, so the file must be tracked.
    """
    git = ("git", "--no-optional-locks", "-C", str(package))
    if _printed_by(*git, "ls-files", "--error-unmatch", "__init__.py") is None:
        return None, None
    commit = _printed_by(*git, "rev-parse", "HEAD")
    changes = _printed_by(*git, "status", "--porcelain", "--", ".", "../pyproject.toml")
    return commit or None, None if changes is None else bool(changes)


def _printed_by(*command: str) -> str | None:
    """None when the program is missing or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
