"""`ltxbench module`: one component on given tensors, for anybody who wants to compare it elsewhere."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ltxbench.errors import ResourceError, UsageError
from ltxbench.model.component_tensors import COMPONENTS, describe


class Dtype(StrEnum):
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"


HELP = f"""Run one component of the pipeline on given tensors.

NAME is one of {", ".join(component.name for component in COMPONENTS)}. Tensors are read from and written to safetensors
files, in PyTorch's layout (channels first): B batch, C latent channels, F H W latent cells, N = F·H·W tokens (w
fastest), S text positions. Scalars are tensors of one element. Outputs are float32.

\b
{describe().replace(chr(10) * 2, chr(10) + chr(8) + chr(10))}
"""


def module(
    name: Annotated[str, typer.Argument(help="The component.")],
    weights: Annotated[Path, typer.Option(help="Weights in the official layout, of any size.")],
    inputs: Annotated[Path, typer.Option(help="Safetensors file with the input tensors.")],
    output: Annotated[Path, typer.Option(help="Safetensors file to write.")],
    dtype: Annotated[Dtype, typer.Option(help="What the component computes in.")] = Dtype.FLOAT32,
) -> None:
    _preload_fast_blas()
    import mlx.core as mx
    import numpy as np
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    from ltxbench.model.checkpoint import Checkpoint
    from ltxbench.model.components import read_tensors, run

    if not inputs.is_file():
        raise UsageError(f"{inputs}: no such file")
    if output.is_dir() or not output.parent.is_dir():  # said before the work is done
        raise ResourceError(f"{output}: not a file that can be written", hint="Give a file in a folder that exists.")
    result = run(name, Checkpoint(weights), read_tensors(inputs), getattr(mx, dtype.value))
    # safetensors stores an array as it lies in memory, and this one may be transposed.
    arrays = {key: np.ascontiguousarray(np.array(array)) for key, array in result.items()}
    try:
        save_file(arrays, output)
    except (SafetensorError, OSError) as error:
        raise ResourceError(f"{output}: cannot be written ({error})") from None
    for key, array in result.items():
        print(f"{output}: {key} {list(array.shape)}")


module.__doc__ = HELP


def _preload_fast_blas() -> None:
    """Starts this program again with the fast BLAS preloaded, where there is one and it is not there yet."""
    from ltxbench.measure.blas import find_blas, preload_environment

    blas = find_blas()
    if blas.path is not None and str(blas.path) not in os.environ.get("LD_PRELOAD", ""):
        environment = {**os.environ, **preload_environment(blas)}
        os.execve(sys.executable, [sys.executable, "-m", "ltxbench", *sys.argv[1:]], environment)
