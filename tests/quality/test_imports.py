from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("ltxbench.quality", {"mlx", "scipy", "skimage", "av", "pydantic", "numpy"}),
        ("ltxbench.quality.records", {"mlx", "scipy", "skimage", "av", "numpy"}),
        ("ltxbench.quality.stored", {"mlx", "mlx_lm"}),
    ],
)
def test_what_only_reads_records_imports_nothing_that_measures(module: str, absent: set[str]) -> None:
    code = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert not {name.partition(".")[0] for name in loaded} & absent


def test_what_measures_lattices_is_imported_without_the_windows_that_measuring_takes() -> None:
    code = "import sys, ltxbench.quality.artifacts; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert "scipy.signal" not in loaded


def test_a_report_is_imported_without_the_statistics_that_steady_series_need_none_of() -> None:
    code = "import sys, ltxbench.report.folder; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert "scipy.stats" not in loaded
