"""The evaluator that the other tests stand on gives GitHub's answers."""

from __future__ import annotations

import pytest

from tests.workflows.expressions import Evaluator, Status

CONTEXTS = {"github": {"ref": "refs/heads/main", "event": {}}, "inputs": {"branch": "x"}, "vars": {}}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("github.ref == 'refs/heads/main'", True),
        ("github.ref == 'REFS/heads/MAIN'", True),
        ("github.ref != 'refs/heads/main'", False),
        ("github.event.pull_request.head == null", True),
        ("vars.NOTHING == github.ref", False),
        ("vars.NOTHING || 'default'", "default"),
        ("inputs.branch && format('refs/heads/{0}', inputs.branch) || 'sha'", "refs/heads/x"),
        ("vars.NOTHING && 'a' || 'b'", "b"),
        ("true || false && false", True),
        ("(true || false) && false", False),
        ("!vars.NOTHING && 1 == true", True),
        ("'' == 0", True),
        ("'a' == 0", False),
        ("'it''s'", "it's"),
        ("0 || 'a'", "a"),
    ],
)
def test_values_are_those_of_the_documentation(text: str, value: object) -> None:
    assert Evaluator(CONTEXTS).value(text) == value


@pytest.mark.parametrize(
    ("condition", "failed", "cancelled", "runs"),
    [
        (None, False, False, True),
        (None, True, False, False),
        ("true", True, False, False),
        ("${{ true }}", False, False, True),
        ("always()", True, True, True),
        ("!cancelled()", True, False, True),
        ("${{ !cancelled() && false }}", True, False, False),
        ("!cancelled()", True, True, False),
        ("failure()", True, False, True),
    ],
)
def test_a_condition_stands_for_success_unless_it_asks(
    condition: str | None, failed: bool, cancelled: bool, runs: bool
) -> None:
    assert Evaluator({}, Status(failed, cancelled)).condition(condition) is runs


@pytest.mark.parametrize("text", ["secret.x", "github.ref ==", "github.ref github.ref", "hash('x')", "a & b"])
def test_what_is_not_known_raises(text: str) -> None:
    with pytest.raises((NameError, SyntaxError, IndexError)):
        Evaluator(CONTEXTS).value(text)


def test_places_in_a_text_are_filled_in() -> None:
    assert Evaluator(CONTEXTS).interpolate("a ${{ inputs.branch }} ${{ true }} ${{ 3 }}") == "a x true 3"
