from __future__ import annotations

from pathlib import Path

import pytest

from ltxbench.sensors.control_group import Limits, parse_cgroup, parse_cpu_max, parse_cpu_stat, read_limits
from ltxbench.sensors.virtual import Virtual, parse_cpuinfo, read_linux

FLAGS = "processor\t: 0\nflags\t\t: fpu vme sse2 {} lm\n"


def write(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


@pytest.mark.parametrize(
    ("text", "virtual"),
    [(FLAGS.format("hypervisor"), True), (FLAGS.format("ht"), False), ("Features\t: fp asimd\n", None), (None, None)],
)
def test_the_x86_cpu_tells_that_it_is_virtual_and_others_do_not_say(text, virtual):
    assert parse_cpuinfo(text) is virtual


def test_systemd_s_word_comes_first_and_the_firmware_s_second(tmp_path):
    write(tmp_path, "proc/cpuinfo", FLAGS.format("hypervisor"))
    assert read_linux(tmp_path, "kvm\n") == Virtual(True, "kvm")
    assert read_linux(tmp_path) == Virtual(True, None)
    write(tmp_path, "sys/class/dmi/id/sys_vendor", "Amazon EC2\n")
    write(tmp_path, "sys/class/dmi/id/product_name", "g5.xlarge\n")
    assert read_linux(tmp_path) == Virtual(True, "amazon ec2")


def test_a_bare_metal_machine_of_a_cloud_is_not_virtual(tmp_path):
    write(tmp_path, "proc/cpuinfo", FLAGS.format("ht"))
    write(tmp_path, "sys/class/dmi/id/sys_vendor", "Amazon EC2\n")
    write(tmp_path, "sys/class/dmi/id/product_name", "g4dn.metal\n")
    assert read_linux(tmp_path) == Virtual(False)


@pytest.mark.parametrize("detected", ["none\n", "", "Failed to connect to bus: No such file", None])
def test_what_systemd_does_not_say_is_left_to_others(tmp_path, detected):
    assert read_linux(tmp_path, detected) == Virtual()


@pytest.mark.parametrize(
    ("path", "text", "name"),
    [
        (".dockerenv", "", "docker"),
        ("run/.containerenv", "", "podman"),
        ("run/systemd/container", "lxc", "lxc"),
        ("proc/1/cgroup", "12:memory:/kubepods/burstable/pod1", "kubepods"),
    ],
)
def test_containers_are_known_by_their_marks(tmp_path, path, text, name):
    write(tmp_path, path, text)
    assert read_linux(tmp_path).container == name


def test_the_tightest_limit_on_the_way_up_counts(tmp_path):
    write(tmp_path, "proc/self/cgroup", "0::/system.slice/bench.service\n")
    write(tmp_path, "sys/fs/cgroup/system.slice/cpu.max", "150000 100000\n")
    write(tmp_path, "sys/fs/cgroup/system.slice/bench.service/cpu.max", "max 100000\n")
    write(tmp_path, "sys/fs/cgroup/system.slice/bench.service/memory.max", "max\n")
    write(tmp_path, "sys/fs/cgroup/system.slice/memory.max", f"{8 << 30}\n")
    write(tmp_path, "sys/fs/cgroup/system.slice/cpu.stat", "usage_usec 5\nthrottled_usec 2500000\n")
    assert read_limits(tmp_path) == Limits(cpu_cores=1.5, memory_bytes=8 << 30, throttled_s=2.5)


def test_a_container_sees_its_group_at_the_mount_under_a_path_of_the_host(tmp_path):
    write(tmp_path, "proc/self/cgroup", "0::/docker/f00\n")
    write(tmp_path, "sys/fs/cgroup/cpu.max", "50000 100000\n")
    assert read_limits(tmp_path) == Limits(cpu_cores=0.5)


def test_version_1_has_a_folder_for_each_controller_and_a_number_for_no_limit(tmp_path):
    write(tmp_path, "proc/self/cgroup", "4:memory:/box\n3:cpuset:/\n1:cpu,cpuacct:/box\n")
    write(tmp_path, "sys/fs/cgroup/cpu/box/cpu.cfs_quota_us", "400000\n")
    write(tmp_path, "sys/fs/cgroup/cpu/box/cpu.cfs_period_us", "100000\n")
    write(tmp_path, "sys/fs/cgroup/memory/box/memory.limit_in_bytes", "9223372036854771712\n")
    assert read_limits(tmp_path) == Limits(cpu_cores=4.0)
    write(tmp_path, "sys/fs/cgroup/cpu/box/cpu.cfs_quota_us", "-1\n")
    assert read_limits(tmp_path) == Limits()


@pytest.mark.parametrize("text", ["", "max 100000", "100000", "1 0", "a b", None])
def test_no_quota_is_no_limit(text):
    assert parse_cpu_max(text) is None
    assert parse_cpu_stat(text) is None
    assert parse_cgroup("no colons\n:x\n") == {}
