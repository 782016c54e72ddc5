from __future__ import annotations

from typing import Any

import pytest

from ltxbench.errors import UsageError
from ltxbench.matrix.case import Quantization
from ltxbench.run.conditions import Conditions
from ltxbench.run.records import Schedule, Weights
from ltxbench.run.store import RunFolder
from ltxbench.trust.comparability import Effect, differences
from tests.trust.runs import rounds, run_of, with_machine, with_records, with_run

RUN = run_of(case=rounds(4))


def effects(old: RunFolder, new: RunFolder, *allow: str) -> dict[str, Effect]:
    return {each.field: each.effect for each in differences(old, new, "case", allow=allow)}


def test_two_runs_of_the_same_do_not_differ() -> None:
    assert effects(RUN, run_of(case=rounds(6))) == {}
    assert effects(RUN, RUN, "os") == {}


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("chip", {"chip": "other"}),
        ("os", {"os": "other"}),
        ("accelerator", {"accelerator": "GPU"}),
        ("cores", {"cpu_cores": 2}),
        ("memory", {"memory_bytes": 1 << 36}),
        ("environment", {"environment": {"MLX_MAX_OPS_PER_BUFFER": "10"}}),
    ],
)
def test_another_machine_separates_two_runs_unless_allowed(field: str, changes: dict[str, Any]) -> None:
    other = with_machine(RUN, **changes)
    assert effects(RUN, other) == {field: Effect.SEPARATES}
    assert effects(RUN, other, field) == {field: Effect.UNDER_TEST}


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("engine", {"engine": "package.module"}),
        ("conditioning", {"conditioning_sha256": "1" * 64}),
        ("weights", {"weights": Weights(kind="official", synthetic=False)}),
        ("schedule", {"schedule": Schedule(repeats=4, warm_up=True)}),
    ],
)
def test_other_work_separates_two_runs(field: str, changes: dict[str, Any]) -> None:
    assert effects(RUN, with_run(RUN, **changes)) == {field: Effect.SEPARATES}


def test_weights_of_one_kind_differ_by_their_digest() -> None:
    one, two = (
        with_run(RUN, weights=Weights(kind="official", synthetic=False, digest=digit * 64)) for digit in ("1", "2")
    )
    assert effects(one, two) == {"weights digest": Effect.SEPARATES}
    assert effects(one, two, "weights") == {"weights digest": Effect.UNDER_TEST}
    unread = with_run(RUN, weights=Weights(kind="official", synthetic=False))
    assert effects(one, unread) == {"weights digest": Effect.UNKNOWN}


@pytest.mark.parametrize(("field", "fact"), [("noise", "noise_sha256"), ("dtype", "dtype")])
def test_what_the_engine_reports_separates_too(field: str, fact: str) -> None:
    one, two = (with_records(RUN, lambda _, v=value: {"facts": {fact: v}}) for value in ("a", "b"))
    assert effects(one, two) == {field: Effect.SEPARATES}
    assert effects(one, RUN) == {field: Effect.UNKNOWN}


def test_the_power_source_separates() -> None:
    mains, battery = (
        with_records(RUN, lambda _, s=source: {"before": Conditions(power_source=s)}) for source in ("ac", "battery")
    )
    assert effects(mains, battery) == {"power source": Effect.SEPARATES}
    assert effects(mains, battery, "power-source") == {"power source": Effect.UNDER_TEST}


def test_versions_of_ltxbench_are_under_test_and_those_of_mlx_where_they_are_allowed() -> None:
    old = with_machine(RUN, packages={"mlx": "0.31.0", "numpy": "2.0"})
    new = with_machine(with_run(RUN, ltxbench_version="1"), packages={"mlx": "0.32.4", "numpy": "2.1"})
    assert effects(old, new) == {"mlx": Effect.SEPARATES, "ltxbench": Effect.UNDER_TEST}
    assert effects(old, new, "mlx") == {"mlx": Effect.UNDER_TEST, "ltxbench": Effect.UNDER_TEST}
    assert differences(old, new, "case")[0].sentence == "mlx: mlx 0.31.0, then mlx 0.32.4"


def test_a_case_with_other_settings_is_another_case_and_its_words_do_not_matter() -> None:
    def with_case(**changes: object) -> RunFolder:
        case = RUN.record.matrix.cases[0].model_copy(update=changes)
        return with_run(RUN, matrix=RUN.record.matrix.model_copy(update={"cases": (case,)}))

    assert effects(RUN, with_case(quantization=Quantization.INT4)) == {"case (quantization)": Effect.SEPARATES}
    assert effects(RUN, with_case(quantization=Quantization.INT4), "case") == {"case (quantization)": Effect.UNDER_TEST}
    assert effects(RUN, with_case(title="New words", notes=("a note",))) == {}


def test_a_field_that_there_is_not_cannot_be_allowed() -> None:
    with pytest.raises(UsageError, match="'colour'"):
        differences(RUN, RUN, "case", allow=["colour"])


def test_a_case_that_one_run_lacks_has_no_differences() -> None:
    assert differences(RUN, RUN, "other") == ()
