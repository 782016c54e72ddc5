from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from ltxbench.measure.thinning import ThinnedSeries
from ltxbench.run.records import Phase

values = st.none() | st.integers(0, 50)
phases = st.sampled_from([None, Phase.LOAD, Phase.DENOISE_1, Phase.DECODE])


def series(of: list, limit: int) -> ThinnedSeries:
    thinned = ThinnedSeries(limit)
    thinned.extend(of)
    return thinned


def samples(parts: list) -> list:
    """Phases one after the other, each with its samples."""
    rows = [(phase, row) for phase, rows in parts for row in rows]
    return [(float(index), phase, *row) for index, (phase, row) in enumerate(rows)]


parts = st.lists(
    st.tuples(phases, st.lists(st.tuples(values, values, values, values, values), min_size=1, max_size=300)),
    min_size=1,
    max_size=5,
).map(samples)


def test_up_to_the_limit_every_sample_is_kept():
    of = samples([(Phase.LOAD, [(index, None, None, None, None) for index in range(100)])])
    assert series(of, 100).rows == of


@settings(max_examples=60, deadline=None)
@given(parts)
def test_what_is_kept_is_bounded_in_order_and_holds_every_extreme_and_both_ends_of_every_phase(of):
    limit = 200
    thinned = series(of, limit)
    rows = thinned.rows
    assert thinned.samples == len(of)
    assert len(rows) <= limit
    assert rows == [row for row in of if row in set(rows)]
    for column in (2, 3, 5, 6):
        measured = [row[column] for row in of if row[column] is not None]
        kept = [row[column] for row in rows if row[column] is not None]
        assert (max(measured, default=None), min(measured, default=None)) == (
            max(kept, default=None),
            min(kept, default=None),
        )
    for before, after in zip([None, *of], [*of, None], strict=True):
        if before is None or after is None or before[1] != after[1]:
            assert before is None or before in rows
            assert after is None or after in rows


def test_an_hour_keeps_its_shape_evenly():
    of = samples([(Phase.DENOISE_1, [(1000 + index % 7, 1, 1, 1, None) for index in range(72_000)])])
    rows = series(of, 20_000).rows
    assert 2_000 < len(rows) <= 20_000
    times = [row[0] for row in rows]
    assert max(after - before for before, after in pairwise(times)) <= 64
