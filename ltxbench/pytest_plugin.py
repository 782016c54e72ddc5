"""The pytest plugin: `def test_distilled(ltxbench): ltxbench.run("beaver-dam", case="distilled", max_peak_gib=28.5)`.

It adds one fixture, no option, no hook and no line of output; nothing but this file is imported until the fixture is
used.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ltxbench.pytest_fixture import Bench


@pytest.fixture
def ltxbench(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Bench:
    """Runs cases of a matrix in the real runner; a figure over its limit fails the test."""
    from ltxbench.pytest_fixture import Bench

    return Bench(tmp_path_factory.mktemp("ltxbench"), Path(pytestconfig.rootpath))
