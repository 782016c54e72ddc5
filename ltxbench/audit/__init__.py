"""Is it still the same video? Cases of a stored run are run again, and four things asked of them."""

from ltxbench.audit.records import Answer, Audit, CaseAudit, Check, Finding, read_audit

__all__ = ["Answer", "Audit", "CaseAudit", "Check", "Finding", "read_audit"]
