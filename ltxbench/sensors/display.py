"""Whether a display is attached and awake: it costs the GPU work, and a Mac without one behaves otherwise."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from ltxbench.sensors import macos_kernel
from ltxbench.sensors.texts import folders_in, printed_by, text_of

PROFILER_TIMEOUT_S = 15.0  # system_profiler takes a second, more on a busy machine


@dataclass(frozen=True)
class Display:
    """None is "not read"."""

    attached: tuple[str, ...] | None = None
    """Names, or empty without one."""
    asleep: bool | None = None


def read_display() -> Display:
    if sys.platform == "darwin":
        text = printed_by("/usr/sbin/system_profiler", "SPDisplaysDataType", "-json", timeout_s=PROFILER_TIMEOUT_S)
        return Display(parse_system_profiler(text), macos_kernel.display_asleep())
    if sys.platform == "linux":
        return read_linux(Path("/sys/class/drm"))
    return Display()


def parse_system_profiler(text: str | None) -> tuple[str, ...] | None:
    """Names of the displays from `system_profiler SPDisplaysDataType -json`; None when it lists no GPU either."""
    try:
        gpus = json.loads(text or "")["SPDisplaysDataType"]
        if not gpus:
            return None
        displays = [display for gpu in gpus for display in gpu.get("spdisplays_ndrvs", [])]
        online = [display for display in displays if display.get("spdisplays_online") != "spdisplays_no"]
        return tuple(str(display.get("_name", "display")) for display in online)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def read_linux(folder: Path) -> Display:
    """From the connectors of the kernel's display drivers."""
    connectors = folders_in(folder, "card*-*")
    connected = [path for path in connectors if (text_of(path / "status") or "").strip() == "connected"]
    if not connectors:
        return Display(None if not folder.exists() else ())
    power = {(text_of(path / "dpms") or "").strip() for path in connected} - {""}
    return Display(tuple(path.name.split("-", 1)[1] for path in connected), "On" not in power if power else None)
