"""What a page says of figures that were not measured here."""

from __future__ import annotations

from ltxbench.report import format as fmt
from ltxbench.report.badges import closed
from ltxbench.report.page import Imported, Remark
from ltxbench.run.records import Claim, RunRecord


def imported(run: RunRecord) -> Imported | None:
    """None for a run of this project's own."""
    source = run.imported
    if source is None:
        return None
    qualified = sum(claim.qualified for claim in source.claims)
    notice = (
        f"Nothing here was measured by ltxbench: the figures are those of {source.source}, as published "
        f"(sha256 {source.source_sha256[:16]}). What the source does not tell is absent."
    )
    if qualified:
        notice += (
            f" {fmt.plural(qualified, 'claim')} of {len(source.claims)} are not carried by its own figures: see below."
        )
    # Those that do not hold come first.
    claims = sorted(source.claims, key=lambda claim: not claim.qualified)
    return Imported(notice, tuple(map(closed, source.notes)), tuple(map(_claim, claims)))


def _claim(claim: Claim) -> Remark:
    lead = f"“{claim.text}”"
    if claim.recomputed is None:
        worth = "It cannot be worked out again from the source's figures."
    else:
        worth = f"Stated {_signed(claim.stated)}, worked out again {_signed(claim.recomputed)}."
    verdict = "Not as it stands." if claim.qualified else "It holds."
    return Remark(lead, f"{verdict} {worth} {closed(claim.qualification)}")


def _signed(share: float) -> str:
    return fmt.change(1 + share, 1)
