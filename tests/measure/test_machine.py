from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

import ltxbench
from ltxbench.measure.machine import describe_machine, git_state, parse_cpuinfo, parse_sw_vers

X86 = """processor\t: 0
vendor_id\t: GenuineIntel
model\t\t: 106
model name\t: Intel(R) Xeon(R) Platinum 8375C CPU @ 2.90GHz

processor\t: 1
model name\t: Intel(R) Xeon(R) Platinum 8375C CPU @ 2.90GHz
"""
RASPBERRY = """processor\t: 0
BogoMIPS\t: 108.00
CPU implementer\t: 0x41
Revision\t: c04170
Model\t\t: Raspberry Pi 5 Model B Rev 1.0
"""
GRAVITON = """processor\t: 0
BogoMIPS\t: 243.75
CPU implementer\t: 0x41
CPU part\t: 0xd0c
"""
SW_VERS = "ProductName:\t\tmacOS\nProductVersion:\t\t15.1\nBuildVersion:\t\t24B83\n"


@pytest.mark.parametrize(
    ("text", "chip"),
    [
        (X86, "Intel(R) Xeon(R) Platinum 8375C CPU @ 2.90GHz"),
        (RASPBERRY, "Raspberry Pi 5 Model B Rev 1.0"),
        (GRAVITON, None),
        ("", None),
    ],
)
def test_the_chip_is_read_from_cpuinfo(text, chip):
    assert parse_cpuinfo(text) == chip


def test_macos_is_named_with_version_and_build():
    assert parse_sw_vers(SW_VERS) == "macOS 15.1 (24B83)"
    assert parse_sw_vers("ProductVersion: 26.0") == "macOS 26.0"
    assert parse_sw_vers("command not found") is None


def test_this_machine_is_described_with_its_packages_and_mlx_settings(monkeypatch):
    monkeypatch.setenv("MLX_MAX_OPS_PER_BUFFER", "8")
    monkeypatch.setenv("UNRELATED", "secret")
    machine = describe_machine("Apple M3 Max")
    assert machine.accelerator == "Apple M3 Max"
    assert machine.memory_bytes > 1 << 28
    assert machine.packages["mlx"]
    assert machine.environment["MLX_MAX_OPS_PER_BUFFER"] == "8"
    assert "UNRELATED" not in machine.environment
    assert machine.chip
    assert machine.cpu_cores >= 1


@pytest.fixture
def package(tmp_path) -> Path:
    """A package in a work tree of its own, not yet tracked."""
    folder = tmp_path / "tree" / "package"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder.parent / "pyproject.toml").write_text("")
    git(folder.parent, "init", "-q")
    return folder


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_the_commit_is_that_of_a_tree_the_package_is_part_of(package):
    assert git_state(package) == (None, None)
    git(package.parent, "add", ".")
    git(package.parent, "commit", "-q", "-m", "first")
    commit, dirty = git_state(package)
    assert len(commit) == 40
    assert dirty is False
    (package.parent / "result.txt").write_text("")
    assert git_state(package) == (commit, False)
    (package / "__init__.py").write_text("changed = True")
    assert git_state(package) == (commit, True)


def test_outside_of_a_work_tree_there_is_no_commit(tmp_path):
    (tmp_path / "__init__.py").write_text(Path(ltxbench.__file__).read_text())
    assert git_state(tmp_path) == (None, None)
