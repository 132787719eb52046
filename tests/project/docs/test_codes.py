"""Codes that the program gives out are explained, and explained ones are given out."""

import ast

from bulkrunner.domain.catalogue import AnswerKind
from tests.support.docs import (
    called,
    error_classes,
    in_code,
    keyword,
    page,
    sections,
    table_rows,
    text_of,
    trees,
)

ERRORS = error_classes()

# Codes that an exception gets from something else than a text written beside it.
COMPUTED_ERRORS = {
    "code or self.default_code": set(),
    "run.state.value": {("interrupted", 6), ("stopped", 6)},
    "f'unknown_{what}'": {("unknown_plan", 2), ("unknown_run", 2)},
    "UNREADABLE_RECORD": {("unreadable_record", 6)},
    "error.code": set(),
}

REFUSING = ("services/planning", "domain/places.py", "domain/operations.py")
REFUSING += ("domain/changes", "domain/expressions")
REFUSERS = {"Refused", "Refusal", "NotFound", "PassedOver", "unchanged"}
ENDING = ("services/running", "domain/settlement")
ENDING += ("domain/prediction.py", "services/settle.py")
ENDERS = {"refused", "Refused", "Refusal"}


def column(text, number=0):
    return {code for row in table_rows(text) for code in in_code(row[number])}


def calls(*places):
    for _, tree in trees(*places):
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                yield node


def raised():
    """Every (code, exit code) of the program's exceptions."""
    found = {(one.default_code, one.exit_code) for one in ERRORS.values()}
    for node in calls("adapters", "bootstrap", "cli", "config", "domain", "runner", "services"):
        given = keyword(node, "code")
        if called(node) not in ERRORS or given is None:
            continue
        code = text_of(given)
        if code is None:
            found |= COMPUTED_ERRORS[ast.unparse(given)]
        else:
            found.add((code, ERRORS[called(node)].exit_code))
    return found


def explained():
    table = page("reference/exit-codes.md").split("## Error codes")[1]
    return {
        (code, int(number))
        for row in table_rows(table)
        for code in in_code(row[0])
        for number in row[1].split(",")
    }


def values_of_code(*places):
    """Values that dict literals give the key ``code``."""
    for _, tree in trees(*places):
        for node in ast.walk(tree):
            if isinstance(node, ast.Dict):
                pairs = zip(node.keys, node.values, strict=True)
                yield from (value for key, value in pairs if text_of(key) == "code")


def given_by(places, constructors, positional):
    """Codes written as literals where refusals or decisions are made, errors left out."""
    found = {text_of(value) for value in values_of_code(*places)}
    for node in calls(*places):
        name = called(node)
        if name in positional and node.args:
            found.add(text_of(node.args[0]))
        # A Fault is a fault of the manifest, told by check.
        known = name in ERRORS or name == "Fault"
        if name in constructors or (not known and keyword(node, "code") is not None):
            found.add(text_of(keyword(node, "code")))
        found.add(text_of(keyword(node, "unsaved")))
    return found - {None, ""}


def parts():
    return sections(page("how-to/read-refusals.md"), r"(In a plan|In a run|Unchanged|Notes)")


def test_error_codes_are_explained_with_their_exit_code():
    assert explained() == raised()


def test_refusal_codes_of_the_planner_are_explained():
    missing = given_by(REFUSING, {"Refusal"}, REFUSERS) - column(parts()["In a plan"])
    assert missing - column(parts()["Unchanged"]) - column(parts()["Notes"]) == set()


def test_codes_of_outcomes_are_explained():
    found = given_by(ENDING, {"Decision", "Result"}, ENDERS)
    assert found - column(parts()["In a run"]) == set()


def test_codes_of_what_may_not_be_written_are_explained():
    """They are given while a plan is made, and once more just before a document is sent."""
    found = given_by(("domain/rights.py",), {"Refusal"}, REFUSERS)
    assert found
    assert found - column(parts()["In a plan"]) - column(parts()["In a run"]) == set()


def test_answers_that_become_codes_are_explained():
    ends = {kind.value for kind in AnswerKind} - {"done", "forbidden", "invalid", "conflict"}
    assert ends - column(parts()["In a run"]) == set()


def test_explained_codes_are_in_the_source():
    texts = {kind.value for kind in AnswerKind}
    for _, tree in trees(*REFUSING, *ENDING, "adapters", "domain"):
        texts |= {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    for title, part in parts().items():
        assert column(part) - texts == set(), title


def test_differences_of_verify_are_explained():
    found = {
        text_of(node.args[1])
        for node in calls("services/verify.py")
        if called(node) == "_difference"
    }
    verify = sections(page("reference/cli.md"), r"`bulkrunner ([a-z ]+)`")["verify"]
    assert column(verify.split("| difference |")[1]) >= found - {None}


def test_gates_are_named_in_the_explanation():
    names = {
        text_of(keyword(node, "name"))
        for node in calls("services/gatekeeper.py")
        if called(node) == "GateResult"
    }
    assert names
    assert names <= column(page("explanation/the-road-of-a-job.md"))
