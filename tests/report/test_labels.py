from __future__ import annotations

from itertools import combinations, pairwise

from hypothesis import given
from hypothesis import strategies as st

from ltxbench.report.plots.labels import Box, around, spread

AREA = Box(0, 0, 1000, 700)


@given(st.lists(st.floats(0, 1), max_size=30), st.floats(0.01, 0.2))
def test_labels_in_a_column_keep_their_distance_their_order_and_within_the_column(
    wanted: list[float], height: float
) -> None:
    placed = spread(wanted, height, 0.0, 1.0)
    pitch = min(height, 1 / max(1, len(wanted)))
    ordered = sorted(placed)
    assert all(upper - lower >= pitch - 1e-9 for lower, upper in pairwise(ordered))
    assert all(pitch / 2 - 1e-9 <= place <= 1 - pitch / 2 + 1e-9 for place in placed)
    for first, second in combinations(range(len(wanted)), 2):
        if wanted[first] < wanted[second]:
            assert placed[first] < placed[second]


def test_labels_with_room_are_where_they_want_to_be() -> None:
    assert spread([0.8, 0.2], 0.1, 0, 1) == [0.8, 0.2]


def test_two_labels_that_want_one_place_share_it_evenly() -> None:
    low, high = spread([0.5, 0.5], 0.1, 0, 1)
    assert abs((low + high) / 2 - 0.5) < 1e-9


@given(st.lists(st.tuples(st.floats(20, 980), st.floats(20, 680)), max_size=25))
def test_labels_around_points_cover_nothing_and_stay_inside(points: list[tuple[float, float]]) -> None:
    boxes = [box for box in around(points, [(60, 12)] * len(points), AREA, 4) if box is not None]
    assert all(box.inside(AREA) for box in boxes)
    assert not any(first.overlaps(second) for first, second in combinations(boxes, 2))
    dots = [Box(x - 4, y - 4, x + 4, y + 4) for x, y in points]
    assert not any(box.overlaps(dot) for box in boxes for dot in dots)


def test_forty_points_on_one_spot_mostly_find_a_place() -> None:
    boxes = around([(500.0, 350.0)] * 40, [(16, 12)] * 40, AREA, 4)
    assert sum(box is not None for box in boxes) == 40
