"""Safetensors headers, sound ones and such as lie. The oracle is the safetensors package's own reader:
what it refuses must be refused, what it accepts must be read alike, or refused for a reason that is stated here.
"""

from __future__ import annotations

import hashlib
import json
import math
import warnings
from pathlib import Path
from random import Random
from typing import Any

from safetensors import SafetensorError, safe_open

from ltxbench.errors import WeightsError
from ltxbench.weights.finite import scan
from ltxbench.weights.header import BITS, read_header
from tests.fuzz.target import Finding

OUR_REASONS = (
    "is listed twice",
    "is not an object of dtype, shape and data_offsets alone",
    "has its type or shape written in an unusual form",
    "has a shape that MLX cannot hold",
    "printable characters",
    "a PyTorch pickle",
    "a number of absurd length",
)
"""Why a header is refused that the package accepts."""
NUMBERS = [
    0,
    1,
    -1,
    2,
    7,
    8,
    2**31 - 1,
    2**31,
    2**32,
    2**53,
    2**63 - 1,
    2**63,
    2**64 - 1,
    2**64,
    2**64 + 8,
    10**30,
    0.5,
    1e308,
]
ODD = [*NUMBERS, None, True, "", "F32", [], {}, [0, 8], {"F32": None}, "\ud83e", "\x00", "é", [[0]], "x" * 2000]


class Headers:
    name = "headers"

    def __init__(self, folder: Path, *, with_mlx: bool = True) -> None:
        self._path = folder / "x.safetensors"
        self._with_mlx = with_mlx

    def make(self, random: Random) -> bytes:
        header, size_bytes = _sound(random)
        changes = 0 if random.random() < 0.25 else 1 + int(random.expovariate(0.8))
        data_bytes = size_bytes
        for _ in range(changes):
            if random.random() < 0.75 and isinstance(header, dict):
                header = _changed(header, random)
            else:
                data_bytes = max(0, data_bytes + random.choice((-8, -1, 1, 4, 8, 64)))
        text = json.dumps(
            header, ensure_ascii=random.random() < 0.5, separators=random.choice(((",", ":"), (", ", ": ")))
        )
        raw = text.encode("utf-8", "surrogatepass")
        if random.random() < 0.3:
            raw = _rewritten(raw, random)
        length = len(raw)
        if random.random() < 0.08:
            length = random.choice(
                (0, 1, length - 1, length + 1, length + 8, 10**8, 10**8 + 1, 2**32, 2**63, 2**64 - 1)
            )
        content = max(0, length).to_bytes(8, "little") + raw + random.randbytes(data_bytes)
        if random.random() < 0.08:
            content = content[: random.randrange(len(content) + 1)]
        return content

    def check(self, data: bytes) -> str:
        self._path.write_bytes(data)
        expected = _oracle(self._path)
        try:
            header = read_header(self._path)
        except WeightsError as error:
            if not error.message.isprintable():
                raise Finding(f"what a terminal acts on in {error.message!r:.200}") from None
            if expected is None:
                return "refused by both"
            reason = next((reason for reason in OUR_REASONS if reason in error.message), None)
            if reason is None:
                raise Finding(f"the package accepts it, and it was refused: {error.message!r:.300}") from None
            return f"refused here: {reason}"
        found = {tensor.name: (tensor.dtype, tensor.shape) for tensor in header.tensors}
        if expected != found:
            raise Finding(f"the package reads {expected!r:.200}, this {found!r:.200}")
        self._check_accepted(data)
        return "accepted by both"

    def _check_accepted(self, data: bytes) -> None:
        header = read_header(self._path)
        if scan(self._path, header).sha256 != hashlib.sha256(data).hexdigest():
            raise Finding("the sum is not that of the file")
        if self._with_mlx:
            _check_mlx(self._path)


def _check_mlx(path: Path) -> None:
    """What the loader makes of it, by MLX's own reader: the same shapes, or a WeightsError."""
    from ltxbench.model.checkpoint import Checkpoint

    try:
        checkpoint = Checkpoint(path)
        arrays = checkpoint.tensors("", dtypes=tuple(set(checkpoint.dtypes.values())))
    except WeightsError:
        return
    if {name: array.shape for name, array in arrays.items()} != checkpoint.shapes:
        raise Finding("MLX reads other shapes")


def _oracle(path: Path) -> dict[str, tuple[str, tuple[int, ...]]] | None:
    """Name to type and shape; None where the package refuses the file."""
    try:
        with warnings.catch_warnings(), safe_open(path, framework="numpy") as file:
            warnings.simplefilter("ignore")
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 - no mapping
            return {name: (part.get_dtype(), tuple(part.get_shape())) for name, part in slices.items()}
    except (SafetensorError, OSError):
        return None


def _sound(random: Random) -> tuple[dict[str, Any], int]:
    header: dict[str, Any] = {}
    if random.random() < 0.4:
        header["__metadata__"] = {
            random.choice("abc"): random.choice(("", "v", '{"n": 1}')) for _ in range(random.randrange(3))
        }
    end = 0
    for number in range(random.randrange(6)):
        dtype = random.choice(list(BITS) if random.random() < 0.3 else ["F32", "BF16", "F16", "U32"])
        shape = [random.choice((0, 1, 2, 3, 8)) for _ in range(random.randrange(4))]
        if math.prod(shape) * BITS[dtype] % 8:
            shape = [8, *shape]
        start, end = end, end + math.prod(shape) * BITS[dtype] // 8
        name = random.choice(("a.weight", "b", "lora_A.weight", "é", "x" * 30)) + str(number)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}
    if random.random() < 0.3:
        items = list(header.items())
        random.shuffle(items)
        header = dict(items)
    return header, end


def _changed(header: dict[str, Any], random: Random) -> dict[str, Any]:
    """One thing about one entry."""
    header = {name: dict(entry) if isinstance(entry, dict) else entry for name, entry in header.items()}
    names = [name for name in header if name != "__metadata__" and isinstance(header[name], dict)]
    if not names or random.random() < 0.1:
        return header | {
            random.choice(("__metadata__", "new", "", "a\x1b[31m", "\u202e", "a" * 1500)): random.choice(ODD)
        }
    name = random.choice(names)
    entry = header[name]
    match random.randrange(10):
        case 0 | 1 | 2 if _pair(entry.get("data_offsets")):
            offsets = list(entry["data_offsets"])
            edge = random.randrange(2)
            offsets[edge] = (
                random.choice(NUMBERS) if random.random() < 0.3 else offsets[edge] + random.choice((-8, -1, 1, 4, 8))
            )
            entry["data_offsets"] = offsets
        case 3 if _pair(entry.get("data_offsets")):
            other = header[random.choice(names)]
            entry["data_offsets"] = other.get("data_offsets")
        case 4 if isinstance(entry.get("shape"), list):
            shape = list(entry["shape"])
            shape.insert(random.randrange(len(shape) + 1), random.choice([1, 1, *NUMBERS]))
            entry["shape"] = shape
        case 5:
            entry["dtype"] = random.choice([*BITS, "PICKLE", "f32", "F32\x00"])
        case 6:
            entry[random.choice(("dtype", "shape", "data_offsets", "extra"))] = random.choice(ODD)
        case 7:
            entry.pop(random.choice(list(entry)), None) if entry else None
        case 8:
            del header[name]
        case _:
            header[name] = random.choice((list(entry.values()), random.choice(ODD)))
    return header


def _pair(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(isinstance(edge, int) for edge in value)


def _rewritten(raw: bytes, random: Random) -> bytes:
    """The text itself: what JSON's own writer would never write."""
    place = random.randrange(len(raw) + 1)
    match random.randrange(8):
        case 0 if raw.count(b"{") > 1:
            # An entry twice, in the text alone.
            body = raw.strip()[1:-1]
            return b"{" + body + b", " + body + b"}"
        case 1:
            return raw + b" " * random.randrange(1, 20)
        case 2:
            return b" " * random.randrange(1, 3) + raw
        case 3:
            return (
                raw[:place]
                + random.choice((b"\x00", b"\xff", b"NaN", b"1e5", b"-0", b"//", b"[" * 300, b'"', b"\\ud800"))
                + raw[place:]
            )
        case 4:
            return raw[:place]
        case 5:
            return raw + random.choice((b"{}", b"x", b"\x00", b"\n"))
        case 6:
            return raw.replace(b"0", random.choice((b"00", b"0.0", b"-0", b"0e0", b'"0"')), 1)
        case _:
            changed = bytearray(raw)
            for _ in range(random.randrange(1, 4)):
                if changed:
                    changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
            return bytes(changed)
