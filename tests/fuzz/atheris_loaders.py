"""Coverage-guided fuzzing of the loaders: `python -m tests.fuzz.atheris_loaders matrices -max_total_time=600`.

Needs the extra `fuzz`. The first word is the kind of input; the rest are libFuzzer's own options, a folder for its
corpus among them. Ends with libFuzzer's report and exit code where a promise of tests.fuzz.target is broken.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["ltxbench", "yaml", "json"]):
    from tests.fuzz.headers import Headers
    from tests.fuzz.journals import Journals
    from tests.fuzz.matrices import Matrices
    from tests.fuzz.target import Target, random_for

SEEDS = 200
"""Inputs of the campaign that the corpus starts from."""


def main() -> None:
    kind, *options = sys.argv[1:] or [""]
    with tempfile.TemporaryDirectory(prefix="ltxbench-atheris-") as name:
        folder = Path(name)
        corpus = folder / "corpus"
        corpus.mkdir()
        targets: dict[str, Target] = {
            "matrices": Matrices(),
            "headers": Headers(folder, with_mlx=False),
            "journals": Journals(),
        }
        if kind not in targets:
            sys.exit(f"usage: python -m tests.fuzz.atheris_loaders {'|'.join(targets)} [libFuzzer options]")
        target = targets[kind]
        for number in range(SEEDS):
            (corpus / str(number)).write_bytes(target.make(random_for(0, kind, number)))
        # Crossing two journals makes lines whose sums are right: nothing may be concluded from what is believed.
        mark = b"F" if kind == "journals" else b""

        def once(data: bytes) -> None:
            target.check(mark + data)

        atheris.Setup([sys.argv[0], "-timeout=5", *options, str(corpus)], once)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
