from __future__ import annotations

import json
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from ltxbench.cli.export import export
from ltxbench.exports import FORMATS
from tests.regression.runs import case, entry, stored_run

STEPS = (8.0, 9.0, 8.5)
ODD = 'q"uo\\te\nline {x="y"} # EOF'


def some() -> object:
    samples = {
        "generation_s": (84.0, 80.0, 88.0),
        "step_1_s": STEPS,
        "step_2_s": (2.5,),
        "mlx_peak_bytes": (float(20 << 30),),
    }
    return entry(1, [case("one", samples=samples), case(ODD, samples={"generation_s": (1.25,)})], weights="tiny")


def test_github_action_benchmark_gets_name_unit_value_and_range() -> None:
    rows = json.loads(FORMATS["github-action"](some()))
    assert rows[0] == {
        "name": "one: generation",
        "unit": "s",
        "value": 84.0,
        "range": "± 4",
        "extra": "matrix small, run run-001, 3 rounds, Apple M3 Max",
    }
    assert "range" not in rows[2]
    assert [row["name"] for row in rows] == [
        "one: generation",
        "one: step, stage 1",
        "one: step, stage 2",
        "one: MLX peak",
        f"{ODD}: generation",
    ]


def test_bencher_gets_measures_with_their_bounds() -> None:
    found = json.loads(FORMATS["bencher"](some()))
    assert found["small/one"]["generation-seconds"] == {"value": 84.0, "lower_value": 80.0, "upper_value": 88.0}
    assert found["small/one"]["step-2-seconds"] == {"value": 2.5}
    assert set(found["small/one"]) == {"generation-seconds", "step-1-seconds", "step-2-seconds", "mlx-peak-bytes"}


def test_openmetrics_is_read_by_prometheus_own_parser_with_units_and_labels() -> None:
    text = FORMATS["openmetrics"](some()).decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    steps = families["ltxbench_step_seconds"]
    assert (steps.type, steps.unit) == ("gauge", "seconds")
    assert [(each.labels["stage"], each.value) for each in steps.samples] == [("1", 8.5), ("2", 2.5)]
    assert families["ltxbench_mlx_peak_bytes"].unit == "bytes"
    odd = [each for each in families["ltxbench_generation_seconds"].samples if each.value == 1.25]
    assert odd[0].labels["case"] == ODD
    assert text.endswith("# EOF\n")
    assert families["ltxbench_measured_timestamp_seconds"].samples[0].value == 1767229200.0


def test_a_figure_that_was_not_measured_is_absent() -> None:
    nothing = entry(1, [case("one", samples={})])
    assert json.loads(FORMATS["github-action"](nothing)) == []
    assert json.loads(FORMATS["bencher"](nothing)) == {}
    assert "generation" not in FORMATS["openmetrics"](nothing).decode()


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_the_command_exports_a_run(form: str, tmp_path: Path) -> None:
    from ltxbench.cli.export import Format

    export(stored_run(tmp_path / "runs").path, Format(form), output=tmp_path / "out")
    assert b"one" in (tmp_path / "out").read_bytes()
