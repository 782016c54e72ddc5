"""Rewrites the stored page: python -m tests.report.update_golden, then read what changed."""

from __future__ import annotations

from tests.report.golden_page import GOLDEN, page

if __name__ == "__main__":
    GOLDEN.write_text(page(), encoding="utf-8")
    print(GOLDEN)
