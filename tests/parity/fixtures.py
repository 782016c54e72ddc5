"""Regenerates the stored reference tensors from the official code: `make fixtures`."""

from __future__ import annotations

from pathlib import Path

from tests.parity import fixtures_text, fixtures_transformer, fixtures_vae

FOLDER = Path(__file__).parents[1] / "fixtures"


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for writer in (fixtures_transformer, fixtures_vae, fixtures_text):
        writer.write(FOLDER)
    for path in sorted(FOLDER.iterdir()):
        print(f"{path.stat().st_size:8d} bytes  {path.name}")


if __name__ == "__main__":
    main()
