from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ltxbench.cli.matrix import app
from ltxbench.errors import MatrixError

SMOKE = str(Path(__file__).parents[2] / "matrices" / "smoke.yaml")
BEAVER_DAM = str(Path(__file__).parents[2] / "matrices" / "beaver-dam.yaml")


def test_check_lists_the_cases_and_the_warnings() -> None:
    result = CliRunner().invoke(app, ["check", BEAVER_DAM])
    assert result.exit_code == 0
    assert "dev-upscaler" in result.stdout
    assert "warning: dev-upscaler: Stage 2 refines" in result.stderr


def test_check_passes_a_matrix_error_on_with_exit_code_3(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("matrix: m\n")
    result = CliRunner().invoke(app, ["check", str(path)])
    assert isinstance(result.exception, MatrixError)
    assert result.exception.exit_code == 3


def test_show_prints_the_resolved_matrix_as_json() -> None:
    result = CliRunner().invoke(app, ["show", SMOKE, "--json"])
    document = json.loads(result.stdout)
    assert document["name"] == "smoke"
    assert [case["steps"] for case in document["cases"]] == [8, 3, 8, 2, 8, 8]


def test_show_tells_what_the_cases_share_and_where_they_differ() -> None:
    lines = CliRunner().invoke(app, ["show", SMOKE]).stdout.splitlines()
    assert next(line for line in lines if line.startswith("all cases")).endswith("upscale_adain 0")
    assert lines[lines.index("distilled-int4") + 1].endswith("quantization int4")


@pytest.mark.parametrize("command", ["check", "show"])
def test_commands_explain_themselves(command: str) -> None:
    assert "MATRIX" in CliRunner().invoke(app, [command, "--help"]).stdout


def test_no_text_of_a_matrix_reorders_the_terminals_line(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(
        'matrix: m\ntitle: "a\u202eb"\nprompt: "c\u202ed 👩\u200d🚀"\ncases: [{name: a, loras: ["e\u202ef"]}]\n'
    )
    for command in ("check", "show"):
        result = CliRunner().invoke(app, [command, str(path)])
        assert result.exit_code == 0
        assert "\u202e" not in result.stdout
    assert "c\ufffdd 👩\u200d🚀" in result.stdout
