from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

GIB = 1 << 30
MATRIX = """\
matrix: m
prompt: A red kite
defaults: {frames: 1, size: 64x64}
cases: [{name: one}, {name: two, seed: 1}]
"""
SCRIPT = {
    "default": {
        "steps": [1.0],
        "memory": {"decode": {"active_bytes": 2 * GIB, "peak_bytes": 3 * GIB}},
    },
    "cases": {"two": {"failure": {"kind": "raise"}}},
}


def run_pytest(folder: Path, body: str, *options: str) -> subprocess.CompletedProcess[str]:
    (folder / "m.yaml").write_text(MATRIX)
    (folder / "script.json").write_text(json.dumps(SCRIPT))
    (folder / "test_it.py").write_text(body)
    here = str(Path(__file__).parents[2])
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "ltxbench.pytest_plugin", "-p", "no:cacheprovider", *options],
        cwd=folder,
        # Installed or not, the plugin is loaded once.
        env={**os.environ, "PYTHONPATH": here, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_case_over_its_limits_fails_with_one_line_a_figure(tmp_path: Path) -> None:
    body = """
def measure(ltxbench, **limits):
    return ltxbench.run("m.yaml", engine="scripted:script.json", **limits)

def test_within(ltxbench):
    run = measure(ltxbench, case="one", max_peak_gib=64, max_generation_s=100)
    assert run.cases[0].times.generation_s > 1

def test_over(ltxbench):
    measure(ltxbench, case="one", max_peak_gib=1.5, max_generation_s=2)

def test_failed(ltxbench):
    measure(ltxbench, case="two")

def test_unknown(ltxbench):
    measure(ltxbench, case="three")
"""
    result = run_pytest(tmp_path, body)
    out = result.stdout
    assert "3 failed, 1 passed" in out, out
    assert "over the limit of 1.5 GiB" in out
    assert "over the limit of 2 s" in out
    assert "two: 1 of 1 rounds ended as failed" in out
    assert "three" in out
    assert "Traceback" not in out
    assert "During handling" not in out, "an error is told once"


def test_a_name_is_looked_up_in_the_roots_matrices_wherever_pytest_was_started(tmp_path: Path) -> None:
    (tmp_path / "matrices").mkdir()
    (tmp_path / "matrices" / "named.yaml").write_text(MATRIX)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "sub").mkdir()
    body = f"""
def test_named(ltxbench):
    ltxbench.run("named", case="one", engine="scripted:{tmp_path}/sub/script.json")
"""
    result = run_pytest(tmp_path / "sub", body)
    assert "1 passed" in result.stdout, result.stdout


def test_a_matrix_that_comes_with_ltxbench_is_there_in_any_project_unless_it_has_its_own(tmp_path: Path) -> None:
    body = """
def test_shipped(ltxbench):
    run = ltxbench.run("beaver-dam", case="distilled", engine="scripted:script.json")
    assert len(run.record.matrix.cases) == 8
"""
    assert "1 passed" in run_pytest(tmp_path, body).stdout
    (tmp_path / "matrices").mkdir()
    (tmp_path / "matrices" / "beaver-dam.yaml").write_text(MATRIX)
    assert "has no case `distilled`" in run_pytest(tmp_path, body).stdout


def test_a_baseline_is_asked_where_it_is_given(tmp_path: Path) -> None:
    body = """
import pytest
from ltxbench.regression import folder
from ltxbench.regression.take import take_run

def test_slower(ltxbench):
    run = ltxbench.run("m.yaml", case="one", engine="scripted:script.json")
    entry = take_run(run)
    small = {"mlx_peak_bytes": (1.0,)}
    case = entry.cases[0].model_copy(update={"samples": entry.cases[0].samples | small})
    folder.add(ltxbench.root / "base", entry.model_copy(update={"cases": (case,), "id": "earlier"}))
    ltxbench.run("m.yaml", case="one", engine="scripted:script.json", baseline="base")
"""
    out = run_pytest(tmp_path, body).stdout
    assert "one, MLX peak: regressed" in out


def test_who_does_not_use_it_neither_sees_nor_pays_for_it(tmp_path: Path) -> None:
    body = """
import sys
def test_nothing():
    heavy = {"numpy", "scipy", "mlx", "pydantic", "pandas", "av"} & set(sys.modules)
    assert not heavy, heavy
    assert "ltxbench.pytest_fixture" not in sys.modules
"""
    environment = ("-p", "no:benchmark", "-p", "no:hypothesispytest", "-W", "error")
    result = run_pytest(tmp_path, body, *environment)
    assert result.returncode == 0, result.stdout
    assert "ltxbench" not in result.stdout


@pytest.mark.parametrize("limit", [0, -1, float("nan")])
def test_a_limit_that_is_none_is_refused(tmp_path: Path, limit: float) -> None:
    from ltxbench.pytest_fixture import Bench

    with pytest.raises(ValueError, match="no limit"):
        Bench(tmp_path, tmp_path).run("m.yaml", max_peak_gib=limit)


def test_the_entry_point_names_the_plugin() -> None:
    import tomllib

    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"ltxbench": "ltxbench.pytest_plugin"}
