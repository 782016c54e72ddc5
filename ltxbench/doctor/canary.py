"""The kernel canary: a second of the kernels that LTX-2 is made of, against NumPy in double precision.

Wrong answers exist, not only different ones, and a time for a wrong answer is worth nothing. Every element is held to
what rounding can explain: with unit roundoff u of the type that is stored, a product over k terms that are summed up
in a type with unit roundoff v may be off by

    u (|c| + 3 sqrt(sum (a_i b_i)^2)) + (L sqrt(k) v + 2 w) sum |a_i b_i|

where w is the roundoff of factors that the hardware shortens before it multiplies (TF32), the square root stands for
parts of the sum that a kernel may store, and L sqrt(k) v is the probabilistic bound of Higham and Mary (SIAM J. Sci.
Comput. 41(5), 2019), which a correct kernel exceeds with a probability of less than 1e-7 for L = 6.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ltxbench.doctor.canary_problems import Array, Problem, problems
from ltxbench.frozen import Frozen

CONFIDENCE = 6.0
UNIT_ROUNDOFF = {"float32": 2.0**-24, "float16": 2.0**-11, "bfloat16": 2.0**-8}
TF32_ROUNDOFF = 2.0**-11


class Check(Frozen):
    """One kernel: the element furthest from NumPy, measured by what rounding allows there."""

    name: str
    max_error: float | None
    """Its distance from NumPy; None when the kernel gave NaN, infinity or another shape."""
    limit: float
    """What rounding allows for this element."""
    ok: bool
    note: str = ""


class CanaryReport(Frozen):
    dtype: str
    device: str
    """Name of the GPU, or `cpu`."""
    checks: tuple[Check, ...]
    duration_s: float

    @property
    def ok(self) -> bool:
        return bool(self.checks) and all(check.ok for check in self.checks)


class Kernels(Protocol):
    """The kernels under test: `matmul`, `conv3d`, `attention`, `quantized8` and `quantized4`."""

    def rounded(self, values: Array, dtype: str) -> npt.NDArray[np.float32]:
        """`values` as the type stores them."""

    def run(self, kernel: str, arguments: list[Array], dtype: str) -> npt.NDArray[np.float32]:
        """Float arguments are in the type; what is computed in it comes back as float32."""


def canary(
    kernels: Kernels,
    dtype: str,
    device: str,
    *,
    shortened_factors: bool = False,
    wanted: Callable[[Problem], bool] = lambda _: True,
    clock: Callable[[], float] = time.monotonic,
) -> CanaryReport:
    """Runs every problem that is `wanted` in `dtype`, and in float32 as well where the pipeline may do that.

    `shortened_factors`: float32 products may be computed from factors rounded to TF32, as GPUs with matrix units do.
    """
    start_s = clock()
    checks = tuple(_checks(kernels, dtype, shortened_factors, wanted))
    return CanaryReport(dtype=dtype, device=device, checks=checks, duration_s=clock() - start_s)


def _checks(
    kernels: Kernels, dtype: str, shortened_factors: bool, wanted: Callable[[Problem], bool]
) -> Iterator[Check]:
    for problem in filter(wanted, problems()):
        # Quantized layers compute in the type of the computation alone.
        for kind in dict.fromkeys((dtype, dtype if problem.quantized_rows else "float32")):
            arguments = [
                kernels.rounded(part, kind) if part.dtype == np.float32 else part for part in problem.arguments
            ]
            answer = kernels.run(problem.kernel, arguments, kind)
            yield judge(f"{problem.name}, {kind}", problem, arguments, answer, kind, shortened_factors)


def judge(
    name: str,
    problem: Problem,
    arguments: list[Array],
    answer: npt.NDArray[np.float32],
    dtype: str,
    shortened_factors: bool,
) -> Check:
    """Compares `answer` with the reference, element by element."""
    reference = problem.reference([part.astype(np.float64) for part in arguments])
    stored, summed = UNIT_ROUNDOFF[dtype], UNIT_ROUNDOFF["float32"]
    factors = TF32_ROUNDOFF if shortened_factors and dtype == "float32" else 0.0
    limit = reference.limit(stored, CONFIDENCE * np.sqrt(problem.terms) * summed, factors)
    if answer.shape != reference.value.shape:
        return Check(
            name=name,
            max_error=None,
            limit=float(limit.max()),
            ok=False,
            note=f"shape {answer.shape} instead of {reference.value.shape}",
        )
    if not np.isfinite(answer).all():
        return Check(name=name, max_error=None, limit=float(limit.max()), ok=False, note="NaN or infinity")
    error = np.abs(answer.astype(np.float64) - reference.value)
    worst = int(np.argmax(error / limit))
    max_error, allowed = float(error.flat[worst]), float(limit.flat[worst])
    return Check(name=name, max_error=max_error, limit=allowed, ok=max_error <= allowed)
