"""Brings records of older schemas up to the current one: one named step a version, applied in order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ltxbench.run.records import SCHEMA_VERSION

Stored = dict[str, Any]


def one_case_one_round(stored: Stored) -> None:
    """1 to 2: a case had run once; repeats, conditions and energy were not recorded, and are left absent."""
    if "outcome" in stored:
        stored["round"] = 1


STEPS: dict[int, Callable[[Stored], None]] = {1: one_case_one_round}
"""By the version that a step starts from."""


def upgrade(stored: Stored) -> None:
    """In place, from its own `schema_version` to the current one."""
    for version in range(stored["schema_version"], SCHEMA_VERSION):
        STEPS[version](stored)
        stored["schema_version"] = version + 1
