"""Whether this machine is a virtual one, or this process in a container."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

from ltxbench.sensors import macos_kernel
from ltxbench.sensors.texts import printed_by, text_of

HYPERVISORS = {
    # System vendor or product of the DMI tables, as systemd and facter know them.
    "QEMU": "qemu",
    "KVM": "kvm",
    "VMware": "vmware",
    "VirtualBox": "virtualbox",
    "innotek": "virtualbox",
    "Xen": "xen",
    "Microsoft Corporation Virtual Machine": "hyper-v",
    "Parallels": "parallels",
    "Google Compute Engine": "google compute engine",
    "Amazon EC2": "amazon ec2",
    "Apple Virtualization": "apple",
}


@dataclass(frozen=True)
class Virtual:
    """None is "not read"."""

    machine: bool | None = None
    hypervisor: str | None = None
    container: str | None = None


def read_virtual() -> Virtual:
    if sys.platform == "darwin":
        return Virtual(machine=macos_kernel.virtual())
    if sys.platform == "linux":
        return read_linux(Path("/"), printed_by("systemd-detect-virt", "--vm"))
    return Virtual()


def read_linux(root: Path, detected: str | None = None) -> Virtual:
    """`detected` is what `systemd-detect-virt --vm` prints; it fails, and so prints nothing here, on real hardware."""
    container = _container(root)
    named = (detected or "").strip()
    if re.fullmatch(r"[a-z0-9-]{2,20}", named) and named != "none":
        return Virtual(True, named, container)
    dmi = root / "sys/class/dmi/id"
    product = " ".join((text_of(dmi / name) or "").strip() for name in ("sys_vendor", "product_name"))
    for known, hypervisor in HYPERVISORS.items():
        # Amazon's bare-metal machines carry the same vendor.
        if known in product and ".metal" not in product:
            return Virtual(True, hypervisor, container)
    return Virtual(parse_cpuinfo(text_of(root / "proc/cpuinfo")), None, container)


def parse_cpuinfo(text: str | None) -> bool | None:
    """The x86 CPU's own flag. Without the flag there is no hypervisor; without flags at all nothing is known."""
    found = re.search(r"^flags\s*:(.*)$", text or "", re.MULTILINE)
    return None if found is None else "hypervisor" in found[1].split()


def _container(root: Path) -> str | None:
    for mark, name in ((".dockerenv", "docker"), ("run/.containerenv", "podman")):
        if (root / mark).exists():
            return name
    named = (text_of(root / "run/systemd/container") or "").strip()
    if named:
        return named
    groups = text_of(root / "proc/1/cgroup") or ""
    found = re.search(r"/(docker|kubepods|lxc|libpod|containerd)\b", groups)
    return found[1] if found else None
