"""The names that a shared library defines (ELF, 64 bits, little endian: Linux on x86-64 and aarch64)."""

from __future__ import annotations

import struct
from pathlib import Path

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_DYNSYM = 11


def defined_symbols(path: Path) -> list[str]:
    """Dynamic symbols that `path` defines, in file order. Raises ValueError when it is no such library."""
    data = path.read_bytes()
    try:
        identity, *fields = _HEADER.unpack_from(data)
        if identity[:6] != b"\x7fELF\x02\x01":
            raise ValueError(f"{path}: not a 64-bit little-endian ELF file")
        offset, size, count = fields[5], fields[10], fields[11]
        sections = [_SECTION.unpack_from(data, offset + index * size) for index in range(count)]
        table = next(section for section in sections if section[1] == _DYNSYM)
        strings = sections[table[6]]
    except (struct.error, StopIteration, IndexError, OverflowError):
        raise ValueError(f"{path}: no symbol table") from None
    names = []
    for at in range(table[4], table[4] + table[5], _SYMBOL.size):
        name_offset, _, _, section_index, _, _ = _SYMBOL.unpack_from(data, at)
        if section_index and name_offset:
            start = strings[4] + name_offset
            names.append(data[start : data.index(b"\0", start)].decode())
    return names
