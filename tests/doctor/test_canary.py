from __future__ import annotations

import subprocess
import sys
import time

import mlx.core as mx
import numpy as np
import psutil
import pytest

from ltxbench.doctor.canary import canary
from ltxbench.doctor.canary_mlx import MlxKernels
from ltxbench.doctor.canary_problems import pack, problems
from ltxbench.doctor.canary_process import CanaryDied, run_canary
from ltxbench.errors import LtxbenchError


def float32():
    return {check.name: check for check in canary(MlxKernels(), "float32", "cpu").checks}


@pytest.fixture(scope="module")
def right():
    return float32()


def test_mlx_s_kernels_agree_with_numpy(right):
    assert all(check.ok for check in right.values())
    assert {name.split(",")[0] for name in right} == {"matmul", "conv3d", "attention", "8-bit matmul", "4-bit matmul"}


def test_matrix_products_are_tried_at_each_number_of_rows_that_has_a_kernel_of_its_own(right):
    rows = [name.split(", ")[1] for name in right if name.startswith("matmul")]
    assert rows == ["1 row", "8 rows", "9 rows", "1024 rows"]


class Wrong(MlxKernels):
    """One kernel goes wrong the way kernels do."""

    def __init__(self, kernel, mistake):
        self.kernel, self.mistake = kernel, mistake

    def run(self, kernel, arguments, dtype):
        if kernel != self.kernel:
            return super().run(kernel, arguments, dtype)
        return self.mistake(super().run, kernel, arguments, dtype)


def drops_the_last_term(run, kernel, arguments, dtype):
    left = arguments[0].copy()
    left[..., -1] = 0
    return run(kernel, [left, *arguments[1:]], dtype)


def leaves_the_last_row(run, kernel, arguments, dtype):
    answer = run(kernel, arguments, dtype).copy()
    answer[..., -1, :] = 0
    return answer


def gives_nan(run, kernel, arguments, dtype):
    answer = run(kernel, arguments, dtype).copy()
    answer.flat[-1] = np.nan
    return answer


def gives_another_shape(run, kernel, arguments, dtype):
    return run(kernel, arguments, dtype)[..., :-1]


def sums_in_half_precision(run, kernel, arguments, dtype):
    return run(kernel, arguments, "bfloat16")


MISTAKES = (drops_the_last_term, leaves_the_last_row, gives_nan, gives_another_shape, sums_in_half_precision)


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize("kernel", ["matmul", "conv3d", "attention", "quantized8", "quantized4"])
def test_a_wrong_kernel_is_caught(kernel, mistake, monkeypatch):
    only = tuple(problem for problem in problems() if problem.kernel == kernel)[:2]
    monkeypatch.setattr("ltxbench.doctor.canary.problems", lambda: only)
    report = canary(Wrong(kernel, mistake), "float32", "cpu")
    assert not any(check.ok for check in report.checks)


def test_a_wrong_kernel_of_mlx_is_caught(monkeypatch):
    real = mx.conv3d
    monkeypatch.setattr(mx, "conv3d", lambda video, filters: real(video, filters[:, :, :, ::-1]))
    wrong = [name for name, check in float32().items() if not check.ok]
    assert wrong == ["conv3d, float32"]


def test_the_wrong_kernels_are_caught_in_the_type_of_the_computation_too(monkeypatch):
    only = tuple(problem for problem in problems() if problem.name in ("matmul, 8 rows", "conv3d"))
    monkeypatch.setattr("ltxbench.doctor.canary.problems", lambda: only)
    assert canary(MlxKernels(), "bfloat16", "cpu").ok
    for kernel in ("matmul", "conv3d"):
        report = canary(Wrong(kernel, leaves_the_last_row), "bfloat16", "cpu")
        assert {check.name.split(",")[0] for check in report.checks if not check.ok} == {kernel}


class Tf32(MlxKernels):
    """Rounds the factors to 11 bits, as GPUs with matrix units do with float32."""

    def run(self, kernel, arguments, dtype):
        cut = [
            ((part.view(np.uint32) + np.uint32(0x1000)) & np.uint32(0xFFFFE000)).view(np.float32)
            if part.dtype == np.float32
            else part
            for part in arguments
        ]
        return super().run(kernel, cut, dtype)


def test_shortened_factors_pass_only_where_the_hardware_is_known_for_them(monkeypatch):
    only = tuple(problem for problem in problems() if problem.name == "matmul, 8 rows")
    monkeypatch.setattr("ltxbench.doctor.canary.problems", lambda: only)
    assert canary(Tf32(), "float32", "gpu", shortened_factors=True).ok
    assert not canary(Tf32(), "float32", "gpu").ok


def test_only_what_is_wanted_runs():
    report = canary(MlxKernels(), "float32", "gpu", wanted=lambda problem: problem.quantized_rows == 1)
    assert [check.name for check in report.checks] == ["8-bit matmul, 1 row, float32", "4-bit matmul, 1 row, float32"]


@pytest.mark.parametrize("bits", [4, 8])
def test_codes_are_packed_as_mlx_packs_them(bits):
    codes = np.arange(64, dtype=np.uint32).reshape(1, 64) % (1 << bits)
    ones = mx.ones((1, 1))
    unpacked = mx.dequantize(mx.array(pack(codes, bits)), ones, mx.zeros((1, 1)), group_size=64, bits=bits)
    assert np.array_equal(np.array(unpacked), codes)


def test_the_problems_are_the_same_on_every_machine():
    problems.cache_clear()
    first = problems()[0].arguments[0]
    problems.cache_clear()
    assert np.array_equal(first, problems()[0].arguments[0])


def module(tmp_path, monkeypatch, code):
    (tmp_path / "stand_in.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return "stand_in"


def test_a_canary_that_kills_its_process_or_hangs_is_told_from_one_that_cannot_run(tmp_path, monkeypatch):
    with pytest.raises(CanaryDied, match="signal 6"):
        run_canary(module=module(tmp_path, monkeypatch, "import os; os.abort()"))
    with pytest.raises(CanaryDied, match="did not come back"):
        run_canary(module=module(tmp_path, monkeypatch, "import time; time.sleep(60)"), limit_s=0.3)
    with pytest.raises(LtxbenchError, match="No module named 'nothing'") as missing:
        run_canary(module=module(tmp_path, monkeypatch, "import nothing"))
    assert not isinstance(missing.value, CanaryDied)
    with pytest.raises(LtxbenchError, match="no result"):
        run_canary(module=module(tmp_path, monkeypatch, "print('hello')"))


STUCK = """
import os, time
from ltxbench.doctor import canary_mlx, canary_process

def stuck(dtype):
    with open("pid.new", "w") as file:
        file.write(str(os.getpid()))
    os.rename("pid.new", "pid")
    time.sleep(60)

canary_mlx.mlx_canary = stuck
canary_process.main()
"""


def test_a_canary_ends_with_the_process_that_waits_for_it(tmp_path, monkeypatch):
    name = module(tmp_path, monkeypatch, STUCK)
    code = f"from ltxbench.doctor.canary_process import run_canary; run_canary(module={name!r})"
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path)
    while not (tmp_path / "pid").exists():
        assert parent.poll() is None
        time.sleep(0.05)
    canary_process = psutil.Process(int((tmp_path / "pid").read_text()))
    parent.kill()
    parent.wait()
    canary_process.wait(timeout=10)


def test_the_doctor_and_its_sensors_import_no_mlx():
    names = "ltxbench.doctor.examine, ltxbench.doctor.lookout, ltxbench.doctor.canary_process, ltxbench.sensors.energy"
    code = f"import sys, {names}; sys.exit('mlx' in {{name.split('.')[0] for name in sys.modules}})"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
