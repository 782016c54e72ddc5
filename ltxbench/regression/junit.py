"""A verdict as JUnit XML: one test a case and metric, so that any job page shows which one failed."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from ltxbench.regression.verdict import OPEN, Answer, Verdict

_NO_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(verdict: Verdict) -> bytes:
    """A regression is a failure; what is open is skipped, unless the check was strict. No check is an error."""
    metrics = [(case.name, each) for case in verdict.cases for each in case.metrics]
    failed = [each for _, each in metrics if each.answer is Answer.REGRESSED]
    open_ = [each for _, each in metrics if each.answer in OPEN]
    errors = 0 if verdict.judged else 1
    counts = {
        "tests": len(metrics) + errors,
        "failures": len(failed) + (len(open_) if verdict.strict else 0),
        "skipped": 0 if verdict.strict else len(open_),
        "errors": errors,
    }
    attributes = {name: str(count) for name, count in counts.items()}
    # The schema that Jenkins checks against knows `skipped` of a suite alone.
    total = {name: count for name, count in attributes.items() if name != "skipped"}
    root = ElementTree.Element("testsuites", {"name": "ltxbench check", **total})
    suite = ElementTree.SubElement(
        root,
        "testsuite",
        {"name": _text(verdict.matrix or verdict.run), "timestamp": verdict.created_utc.rstrip("Z"), **attributes},
    )
    for name, each in metrics:
        case = ElementTree.SubElement(
            suite, "testcase", {"classname": _text(f"{verdict.matrix}.{name}"), "name": _text(each.title), "time": "0"}
        )
        told = _text(f"{each.answer.value}: {each.sentence}")
        if each.answer is Answer.REGRESSED or (verdict.strict and each.answer in OPEN):
            ElementTree.SubElement(case, "failure", {"message": told, "type": each.answer.value}).text = told
        elif each.answer in OPEN:
            ElementTree.SubElement(case, "skipped", {"message": told})
        else:
            ElementTree.SubElement(case, "system-out").text = told
    if errors:
        case = ElementTree.SubElement(suite, "testcase", {"classname": "ltxbench", "name": "check", "time": "0"})
        told = _text("; ".join(verdict.notes))
        ElementTree.SubElement(case, "error", {"message": told, "type": f"exit code {verdict.exit_code}"}).text = told
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _text(text: str) -> str:
    return _NO_XML.sub("�", text)
