"""Files that are given as weights and are something else, recognised by their first bytes before their names.

A pickle runs whatever code it holds when it is read; nothing here ever opens one.
"""

from __future__ import annotations

from pathlib import Path

from ltxbench.errors import WeightsError

PICKLE_SUFFIXES = frozenset({".bin", ".ckpt", ".pickle", ".pkl", ".pt", ".pth"})
_ZIP = b"PK\x03\x04"
_PICKLE_PROTOCOLS = (2, 3, 4, 5)
_CONVERT = "Only safetensors files are read; convert it where you trust it."
_OTHERS = {
    b"GGUF": ("a GGUF file", "Only safetensors files are read; take the unquantized checkpoint."),
    b"\x89HDF\r\n": ("an HDF5 file", _CONVERT),
    b"\x93NUMPY": ("a NumPy array", _CONVERT),
    b"version https://git-lfs": (
        "a Git LFS pointer, not the file itself",
        "Run `git lfs pull` in that repository, or use `ltxbench models download`.",
    ),
}


def refuse(path: Path, start: bytes) -> None:
    """`start` are the file's first bytes, some 64 of them. Raises WeightsError for what is known and no safetensors."""
    if start[8:9] == b"{":  # eight bytes of length, then JSON: whatever the length looks like
        return
    if start.startswith(_ZIP) or (start[:1] == b"\x80" and start[1:2] and start[1] in _PICKLE_PROTOCOLS):
        raise WeightsError(f"{path}: a PyTorch pickle, which can run code when it is opened", hint=_CONVERT)
    for magic, (what, hint) in _OTHERS.items():
        if start.startswith(magic):
            raise WeightsError(f"{path}: {what}", hint=hint)
    if start.lstrip()[:9].lower().startswith((b"<!doctype", b"<html")):
        raise WeightsError(f"{path}: a web page, not weights", hint="A download that asks to sign in ends like this.")
    if path.suffix.casefold() in PICKLE_SUFFIXES:
        raise WeightsError(f"{path}: by its name a PyTorch pickle, which can run code when it is opened", hint=_CONVERT)
