"""Matrix files: shipped ones with their tokens, lines and bytes mutated, and new ones made from the schema's keys."""

from __future__ import annotations

import re
import shlex
from pathlib import Path, PurePosixPath, PureWindowsPath
from random import Random

from ltxbench.errors import MatrixError
from ltxbench.matrix import reproduce_command
from ltxbench.matrix.case import Matrix
from ltxbench.matrix.reader import read
from ltxbench.matrix.schema import CASE, FILE, SETTINGS
from ltxbench.matrix.source import Source, decode
from tests.fuzz.target import Finding

ROOT = Path(__file__).parents[2]
PATH = Path("matrices/m.yaml")
_TOKEN = re.compile(r"\r?\n[ ]*|[ \t]+|[\w.+-]+|.", re.DOTALL)
_YAML_BLOCK = re.compile(r"```yaml\n(.*?)```", re.DOTALL)

KEYS = [*FILE.keys, *CASE.keys, "label", "path", "strength", "body", "base", "axes"]
WORDS = [
    "", "~", "null", "true", "false", "yes", "no", "on", "off", "042", "0o17", "0x1F", "1:30", "1e3", "1_000", ".5",
    "1.", ".nan", ".inf", "-.inf", "1e999", "-0", "9" * 50, "9" * 5000, str(2**63), str(2**63 - 1), "0", "1", "8",
    "9", "24", "25", "64", "768", "768x512", "768×512", "99999x1", "dev", "distilled", "stage-2", "qint8", "int4",
    "bf16", "all", "blocks", "official", "none", "time-shifted", "token-count", "a", "A", "con", "NUL.x", "a.",
    ".a", "../x", "/etc/passwd", "C:\\x", "x" * 65, "x" * 300, "&a x", "*a", "!!str x",
    "!!python/object:os.system x", "! x", "!<%1B> x", "<<", "? ", "---", "...", "%YAML 1.1", "%TAG ! x", "|", ">",
    "|9", ">-", "[]", "{}", "[1, 2]", "[a, a]", "{a: b}", "[[[[", "{{{{", "]", "}", "'", '"', '"\\0"',
    '"\\x1b[31m"', '"\\ud800"', '"\\UFFFFFFFF"', '"\\L"', "# x", ": ", "- ", ", ", "\t", "\r", "\x00", "\x1b[31m",
    "\x85", "\u2028", "\ufeff", "\u202e", "é", "e\u0301", "🦫", "\ud800", "\uffff", "Ⅷ", "٣", "<script>", "`x`", "|",
    "loras: [x.pt]", "loras: [../x.safetensors]", "sweep: {seed: [1, 2, 3]}", "{label: x, steps: 8}",
    "[{label: x}]",
]  # fmt: skip


def seeds() -> list[str]:
    """The shipped matrices, and the examples of the documentation."""
    shipped = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "matrices").glob("*.yaml"))]
    return shipped + _YAML_BLOCK.findall((ROOT / "docs" / "matrix.md").read_text(encoding="utf-8"))


class Matrices:
    name = "matrices"

    def __init__(self) -> None:
        self._seeds = [_TOKEN.findall(seed) for seed in seeds()]

    def make(self, random: Random) -> bytes:
        kind = random.random()
        if kind < 0.45:
            text = "".join(self._mutated(random))
        elif kind < 0.85:
            text = generated(random)
            if random.random() < 0.3:
                text = "".join(_mutate(_TOKEN.findall(text), random, self._seeds))
        else:
            text = "".join(random.choice(WORDS) + random.choice(" \n:,") for _ in range(random.randrange(40)))
        data = text.encode("utf-8", "surrogatepass")
        return _damaged(data, random) if random.random() < 0.15 else data

    def _mutated(self, random: Random) -> list[str]:
        tokens = random.choice(self._seeds)
        for _ in range(1 + int(random.expovariate(0.5))):
            tokens = _mutate(tokens, random, self._seeds)
        return tokens

    def check(self, data: bytes) -> str:
        try:
            matrix = read(Source(PATH, decode(data, PATH), "0" * 64))
        except MatrixError as error:
            return _checked_refusal(error)
        _check_accepted(matrix)
        return "accepted"


def _checked_refusal(error: MatrixError) -> str:
    if error.line is None or error.column is None:
        raise Finding(f"no place in {error.message!r:.200}")
    if not all(line.isprintable() for line in error.message.split("\n")):
        raise Finding(f"what a terminal acts on in {error.message!r:.200}")
    if len(error.message) > 20_000:
        raise Finding(f"a message of {len(error.message):,} characters")
    return "refused"


def _check_accepted(matrix: Matrix) -> None:
    """It can be stored, and all names made from it stay below their folder, on every system, apart from one another."""
    if Matrix.model_validate_json(matrix.model_dump_json()) != matrix:
        raise Finding("storing changes it")
    names = [matrix.name, *(case.name for case in matrix.cases), *(group.name for group in matrix.groups)]
    for name in names:
        plain = PurePosixPath(name).parts == (name,) and PureWindowsPath(name).parts == (name,)
        if not plain or name in (".", "..") or PureWindowsPath(name).is_reserved() or not name.isascii():
            raise Finding(f"the name {name!r} is no safe file name")
    if len({case.name.casefold() for case in matrix.cases}) != len(matrix.cases):
        raise Finding("two cases have one folder")
    if len(matrix.cases) > 1000:
        raise Finding(f"{len(matrix.cases):,} cases")
    first = matrix.cases[0]
    words = shlex.split(reproduce_command(matrix, first, "a folder/$(x)"))
    if words[:2] != ["ltxbench", "bench"] or words[3:] != ["--case", first.name, "--weights", "a folder/$(x)"]:
        raise Finding(f"the command comes back as {words}")


def _mutate(tokens: list[str], random: Random, others: list[list[str]]) -> list[str]:
    if not tokens:
        return [random.choice(WORDS)]
    start = random.randrange(len(tokens))
    end = min(len(tokens), start + 1 + int(random.expovariate(0.3)))
    piece = tokens[start:end]
    match random.randrange(9):
        case 0:
            piece = []
        case 1:
            piece = [random.choice(WORDS)]
        case 2:
            piece = [random.choice(KEYS)]
        case 3:
            piece = piece + piece
        case 4:
            piece = piece * random.choice((3, 10, 100))
        case 5:
            other = random.choice(others)
            cut = random.randrange(len(other))
            piece = other[cut : cut + random.randrange(1, 60)]
        case 6:
            piece = [*piece, random.choice(WORDS)]
        case 7:
            random.shuffle(piece)
        case _:
            return tokens[:start]
    return (tokens[:start] + piece + tokens[end:])[:20_000]


def _damaged(data: bytes, random: Random) -> bytes:
    match random.randrange(6):
        case 0:
            return data.decode("utf-8", "replace").encode(
                random.choice(("utf-16", "utf-32", "utf-16-be", "cp037")), "replace"
            )
        case 1:
            return b"\xef\xbb\xbf" * random.randrange(1, 3) + data
        case 2:
            return data.replace(b"\n", random.choice((b"\r\n", b"\r", b"\n\n", b"\n\t")))
        case _ if data:
            changed = bytearray(data)
            for _ in range(random.randrange(1, 5)):
                changed[random.randrange(len(changed))] = random.randrange(256)
            return bytes(changed)
        case _:
            return random.randbytes(random.randrange(60))


def generated(random: Random) -> str:
    """A matrix of known keys, most of whose values fit: half of them should be accepted."""
    lines = [f"matrix: {_name(random)}", f"prompt: {_text(random)}"]
    for key, value in (("title", _text), ("negative_prompt", _text), ("enhance", _flag), ("stills", _frames)):
        if random.random() < 0.2:
            lines.append(f"{key}: {value(random)}")
    groups = [_name(random) for _ in range(random.randrange(3))]
    if groups:
        lines.append("groups: [" + ", ".join(f"{{name: {group}, title: {_text(random)}}}" for group in groups) + "]")
    if random.random() < 0.3:
        lines.append("defaults: {" + _settings(random, 2) + "}")
    lines.append("cases:")
    for number in range(random.randrange(1, 5)):
        settings = _settings(random, random.choice((0, 1, 1, 2, 3)))
        group = f", group: {random.choice(groups)}" if groups and random.random() < 0.3 else ""
        sweep = ""
        if random.random() < 0.25:
            key = random.choice(["seed", "fps", "frames", "quantization", "size", "guidance"])
            values = dict.fromkeys(_value(key, random) for _ in range(random.randrange(1, 5)))
            sweep = f", sweep: {{{key}: [{', '.join(values)}]}}"
        joined = f", {settings}" if settings else ""
        lines.append(f"- {{name: {_name(random)}{number}{joined}{group}{sweep}}}")
    if random.random() < 0.1:
        lines.append(f"sections: [{{title: {_text(random)}, body: {_text(random)}}}]")
    return "\n".join(lines) + "\n"


def _settings(random: Random, count: int) -> str:
    keys = random.sample(_FREE if random.random() < 0.75 else [*SETTINGS, "size", "summary", "notes"], count)
    return ", ".join(f"{key}: {_value(key, random)}" for key in keys)


_USUAL = {
    "model": ("dev",), "distilled_lora": ("true", "false"), "two_stage": ("true", "false"),
    "steps": ("8", "8", "20"), "guidance": ("1", "3.5"), "stg": ("0", "1.0"), "stg_blocks": ("[29]", "[]"),
    "rescale": ("0", "0.7"), "width": ("768", "64"), "height": ("512", "128"), "frames": ("25", "9", "1"),
    "fps": ("24", "50"), "seed": ("0", "7"), "quantization": ("bf16", "qint8", "int4"),
    "quantized_layers": ("all", "blocks"), "tiling": ("official", "none"),
    "schedule": ("official", "time-shifted", "token-count"), "upscale_adain": ("0", "0.5"),
    "lora_strength": ("1", "0.8"), "loras": ("[x.safetensors]", "[{path: /a/b.safetensors, strength: 0.5}]", "[]"),
    "size": ("768x512", "128x64"), "notes": ("[one, two]", "[]"), "summary": ("words", "null"),
}  # fmt: skip


_FREE = ["model", "loras", "two_stage", "frames", "fps", "seed", "quantization", "tiling", "size", "notes", "summary"]
"""Settings that fit every case."""


def _value(key: str, random: Random) -> str:
    return random.choice(WORDS) if random.random() < 0.04 else random.choice(_USUAL[key])


def _name(random: Random) -> str:
    return random.choice(WORDS) if random.random() < 0.02 else random.choice(["a", "b-1", "Case", "x.y", "q_8"])


def _text(random: Random) -> str:
    if random.random() < 0.5:
        return random.choice(["a beaver", "'<b>x</b> | y'", '"🦫 \\u202e"', "'$(rm) `x`'"])
    characters = "".join(
        chr(random.choice((random.randrange(32, 127), random.randrange(0xA0, 0xD7FF)))) for _ in range(9)
    )
    return "'" + characters.replace("'", "''").replace("\u2028", "").replace("\u2029", "") + "'"


def _flag(random: Random) -> str:
    return random.choice(["true", "false"])


def _frames(random: Random) -> str:
    return random.choice(["[0]", "[0, 8]", "[12]", "[99999]"])
