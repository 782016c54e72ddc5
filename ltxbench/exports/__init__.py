"""Results in the formats of tools that people have: one function a format, from an entry to bytes."""

from __future__ import annotations

from collections.abc import Callable

from ltxbench.exports.bencher import bencher
from ltxbench.exports.github_action import github_action
from ltxbench.exports.openmetrics import openmetrics
from ltxbench.regression.entry import Entry

FORMATS: dict[str, Callable[[Entry], bytes]] = {
    "github-action": github_action,
    "bencher": bencher,
    "openmetrics": openmetrics,
}
