from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from ltxbench.errors import UsageError
from ltxbench.measure import blas
from ltxbench.measure.blas import Blas, Candidate, choose, find_blas, preload_environment
from ltxbench.measure.blas_copy import GEMMS
from ltxbench.measure.elf import defined_symbols

linux = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"), reason="MLX's own BLAS is fast here"
)
GOOD = Blas("OpenBLAS", "0.3.30", Path("/good.so"))


def candidate(name: str, outcome: Path | Exception) -> Candidate:
    def make() -> Path:
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return Candidate(name, Path(f"/{name}.so"), make)


def works(path: Path) -> Blas | str:
    return GOOD if path == GOOD.path else "undefined symbol: omp_get_num_threads"


def test_the_first_that_works_is_taken_and_the_later_ones_are_not_touched():
    touched = []

    def offered():
        yield candidate("first", Path("/good.so"))
        touched.append("second")
        yield candidate("second", Path("/good.so"))

    assert choose(offered(), works) == GOOD
    assert not touched


def test_what_does_not_work_is_passed_over_with_its_reason():
    offered = iter(
        [
            candidate("MKL", Path("/bad.so")),
            candidate("OpenBLAS", ValueError("patchelf is not installed")),
            candidate("BLIS", Path("/good.so")),
        ]
    )
    found = choose(offered, works)
    assert (found.name, found.path) == ("OpenBLAS", Path("/good.so"))
    assert found.passed_over == (
        "MKL (/MKL.so): undefined symbol: omp_get_num_threads",
        "OpenBLAS (/OpenBLAS.so): patchelf is not installed",
    )


@linux
def test_with_nothing_left_the_reference_remains_and_one_line_says_what_to_do(monkeypatch):
    monkeypatch.delenv("LTXBENCH_BLAS", raising=False)
    found = choose(iter(()), works)
    assert found.name == "reference BLAS"
    assert found.hint
    assert "\n" not in found.hint
    assert preload_environment(found) == {}
    assert GOOD.hint is None


@linux
def test_the_reference_can_be_asked_for(monkeypatch):
    monkeypatch.setenv("LTXBENCH_BLAS", "reference")
    assert find_blas().path is None
    assert find_blas().hint is None


@linux
def test_a_library_that_was_asked_for_and_does_not_work_is_an_error(monkeypatch, tmp_path):
    monkeypatch.setenv("LTXBENCH_CACHE", str(tmp_path))
    monkeypatch.setenv("LTXBENCH_BLAS", str(tmp_path / "missing.so"))
    with pytest.raises(UsageError, match="No such file"):
        find_blas()
    not_a_library = tmp_path / "text.so"
    not_a_library.write_text("text")
    monkeypatch.setenv("LTXBENCH_BLAS", str(not_a_library))
    with pytest.raises(UsageError, match="cannot be used"):
        find_blas()
    done = subprocess.run([sys.executable, "-m", "ltxbench.measure.blas"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1


def test_the_library_goes_in_front_of_what_is_preloaded_already(monkeypatch):
    monkeypatch.delenv("LD_PRELOAD", raising=False)
    assert preload_environment(GOOD)["LD_PRELOAD"] == "/good.so"
    for already in ("/other.so", "/other.so:/good.so", "/good.so:/other.so"):
        monkeypatch.setenv("LD_PRELOAD", already)
        assert preload_environment(GOOD)["LD_PRELOAD"] == "/good.so:/other.so"


def test_the_librarys_threads_do_not_keep_the_cores_busy_between_products_unless_told_to(monkeypatch):
    monkeypatch.delenv("OPENBLAS_THREAD_TIMEOUT", raising=False)
    assert preload_environment(GOOD)["OPENBLAS_THREAD_TIMEOUT"] == "4"
    monkeypatch.setenv("OPENBLAS_THREAD_TIMEOUT", "26")
    assert preload_environment(GOOD)["OPENBLAS_THREAD_TIMEOUT"] == "26"


@pytest.fixture(scope="module")
def from_scipy(tmp_path_factory) -> Path:
    """The isolated copy of the OpenBLAS that scipy brings along, in a cache of its own."""
    offered = [candidate for candidate in blas.candidates() if "scipy.libs" in str(candidate.source)]
    if not offered:
        pytest.skip("scipy was not installed from its wheel")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LTXBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        return offered[0].make()


MULTIPLY = """
import json
import mlx.core as mx, numpy as np
from ltxbench.measure.blas_loaded import loaded_blas
a = np.random.default_rng(0).standard_normal((65, 130)).astype(np.float32)
product = np.array(mx.matmul(mx.array(a), mx.array(a.T), stream=mx.cpu))
import scipy.linalg
scipy.linalg.eigh(a[:, :65] @ a[:, :65].T)
print(json.dumps({"error": float(np.abs(product - a @ a.T).max()), **loaded_blas()}))
"""


@linux
def test_mlx_multiplies_correctly_with_it_beside_numpy_and_scipy(from_scipy):
    environment = {**os.environ, "LD_PRELOAD": str(from_scipy)}
    done = subprocess.run([sys.executable, "-c", MULTIPLY], env=environment, capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout)
    assert answer["error"] < 1e-3
    assert answer["blas"].startswith("OpenBLAS 0.")
    assert answer["blas_library"] == from_scipy.name
    assert answer["blas_threads"] >= 1


@linux
def test_the_record_says_reference_when_that_is_what_is_loaded():
    environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    code = (
        "import mlx.core, json; from ltxbench.measure.blas_loaded import loaded_blas; print(json.dumps(loaded_blas()))"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {"blas": "reference BLAS"}


@linux
def test_the_copy_offers_the_gemms_and_hides_everything_else(from_scipy):
    names = set(defined_symbols(from_scipy))
    assert {"cblas_sgemm", "cblas_dgemm", "cblas_cgemm", "cblas_zgemm"} <= names
    assert all(name.startswith("ltxbench_") for name in names - GEMMS)
    assert len(names) > 1000


@linux
def test_a_library_without_gemms_is_refused_by_the_probe():
    libm = next(path for path in Path("/lib", f"{platform.machine()}-linux-gnu").glob("libm.so.6"))
    assert blas.probe(libm) == "it offers no cblas_sgemm"


@linux
def test_the_symbols_are_those_the_linker_sees(from_scipy):
    listing = subprocess.run(["nm", "-D", "--defined-only", str(from_scipy)], capture_output=True, text=True)
    if listing.returncode:
        pytest.skip("needs nm")
    assert {line.split()[-1].partition("@")[0] for line in listing.stdout.splitlines()} == set(
        defined_symbols(from_scipy)
    )


@pytest.mark.parametrize("data", [b"", b"\x7fELF", b"\x7fELF\x01\x01" + bytes(100), b"\x7fELF\x02\x01" + b"\xff" * 100])
def test_what_is_no_library_has_no_symbols(tmp_path, data):
    path = tmp_path / "broken.so"
    path.write_bytes(data)
    with pytest.raises(ValueError, match="broken"):
        defined_symbols(path)


def test_importing_it_does_not_import_mlx():
    code = "import sys, ltxbench.measure.blas, ltxbench.measure.machine; sys.exit('mlx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
