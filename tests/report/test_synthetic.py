"""A page of random weights says so where it is looked at: title, top, table and stills."""

from __future__ import annotations

import pytest

from ltxbench.report.build import RANDOM_NOTE, build
from ltxbench.report.render import render
from ltxbench.report.results import Results
from ltxbench.run.records import Weights
from tests.report.runs import BEAVER, bare, make_matrix, make_record, make_run


def page_with(weights: Weights) -> str:
    record = bare(make_record(BEAVER[0], 1))
    run = make_run(make_matrix([record.case])).model_copy(update={"weights": weights})
    return render(build(Results(run, (record,)), {}, []))


@pytest.mark.parametrize("kind", ["random", "random:small", "random, from disk"])
def test_title_top_and_table_name_random_weights(kind):
    page = page_with(Weights(kind=kind, synthetic=True))
    assert page.startswith(f"# Beaver Dam, {kind} weights\n")
    top, table = page.split("## Performance")[0], page.split("## Performance")[1].split("## ")[0]
    assert f"Synthetic weights ({kind})" in top
    assert RANDOM_NOTE in table


def test_only_the_full_size_is_said_to_cost_what_the_19b_costs():
    def top(kind: str) -> str:
        return page_with(Weights(kind=kind, synthetic=True)).split("**Prompt**")[0]

    assert "LTX-2 19B at full size" in top("random")
    assert "LTX-2 19B at full size" in top("random, from disk")
    assert "LTX-2 19B at full size" not in top("random:small")
    assert "not LTX-2 19B's" in top("random:small")


def test_real_weights_and_a_folder_called_random_are_not_taken_for_random_ones():
    page = page_with(Weights(kind="random", synthetic=False))
    assert page.startswith("# Beaver Dam\n")
    assert RANDOM_NOTE not in page
