"""Functions that return several operations which refer to each other and wait for each other."""

from __future__ import annotations

import itertools
import json
from urllib.parse import urlencode

import pytest

from tests.support.cli import Workplace
from tests.support.sandbox import running_sandbox
from tests.unit.adapters.functions.test_jobs import job

AGREED = {"reference": "KB 1", "contact": "a@example.org", "covers": ["holdings", "bibs"]}
ISBNS = itertools.count(9786700000000)
NUMBERS = itertools.count(1)

SUCCESSOR = """\
def change(record, context):
    title = {{"@type": "Title", "mainTitle": "Ny " + context.id}}
    isbn = {{"@type": "ISBN", "value": str({isbn} + int(context.row["n"]))}}
    bib = {{"@type": "Instance", "hasTitle": [title], "identifiedBy": [isbn]}}
    other = {{"append": {{"at": "isPartOf", "value": {{"@id": "new:1#it"}}}}}}
    return [
        {{"create": "bib", "sigel": "Ylm", "body": bib}},
        {{"create": "holding", "of": "new:1", "sigel": "Ylm", "body": {{"physicalLocation": ["M"]}}}},
        {{"update": context.row["other"], "changes": [other], "after": [2]}},
        {{"delete": context.id, "after": [2, 3]}},
    ]
"""


@pytest.fixture(scope="module")
def sandbox():
    with running_sandbox(index_lag_ms=0) as control:
        yield control


@pytest.fixture
def place(tmp_path, sandbox):
    return Workplace(folder=tmp_path / "place", sandbox=sandbox, client="cataloguer")


@pytest.fixture(scope="module")
def own(sandbox):
    both = set(sandbox.staging.records(sigel="Ylm")) & set(sandbox.production.records(sigel="Ylm"))
    return iter(sorted(both))


def table(*rows):
    lines = ["id;n;other", *(f"{record};{n};{other}" for n, (record, other) in enumerate(rows))]
    return {"lista.csv": "\n".join(lines)}


def successors(place, name, rows, *, isbn=None, **more):
    text = SUCCESSOR.format(isbn=isbn or next(ISBNS) * 10 % 10**13)
    step = {"function": "rules:change", "rows": {"file": "lista.csv", "key": "id"}}
    files = {"rules.py": text, **table(*rows)}
    return place.job(name, files=files, steps=[step], agreement=AGREED, **more)


def returning(place, own, operations, **more):
    """Plan a function that returns these operations for one holding; returns the plan."""
    text = f"def change(record, context):\n    return {operations!r}\n"
    record = next(own)
    name = f"several-{next(NUMBERS)}"
    folder = job(place, name, text, [record], agreement=AGREED, **more)
    expect = 3 if not more.pop("fine", False) else 0
    return place("plan", folder, "--env", "staging", expect=expect).document


def changes(place, plan):
    page = place.folder / f"{plan}.json"
    place("report", plan, "--format", "json", "--out", page)
    found = json.loads(page.read_text(encoding="utf-8"))["changes"]
    return sorted(found, key=lambda change: change["number"])


def held(environment, bib):
    query = urlencode({"id": environment.thing_iri(bib), "library": "Ylm"})
    return [iri.rpartition("/")[2] for iri in environment.get("_findhold", query).json]


def test_new_records_that_refer_to_each_other_and_a_deletion_that_waits(place, own, sandbox):
    rows = [(next(own), next(own)) for _ in range(3)]
    folder = successors(place, "successors", rows, isbn=9786710000000)
    plan = place("plan", folder, "--env", "staging").document
    counts = plan["counts"]
    assert (counts["create"], counts["update"], counts["delete"]) == (6, 3, 3)
    waits = [change["prerequisites"] for change in changes(place, plan["plan"])]
    assert waits == [
        wait
        for first in (1, 6, 11)
        for wait in ([], [], [first + 1], [first + 1, first + 2], [first + 1, first + 2, first + 3])
    ]
    run = place("run", folder, "--env", "staging").document
    assert run["outcomes"]["applied"] == 12
    assert place("verify", run["run"]).exit_code == 0
    for record, other in rows:
        (link,) = sandbox.staging.document(other)["@graph"][1]["isPartOf"]
        bib = link["@id"].removesuffix("#it").rpartition("/")[2]
        title = sandbox.staging.document(bib)["@graph"][1]["hasTitle"][0]["mainTitle"]
        assert title == f"Ny {record}"
        assert len(held(sandbox.staging, bib)) == 1
        assert sandbox.staging.get(record).status == 410
    # The plan for production has the same operations, so they count as tried.
    production = place("plan", folder, "--env", "production").document["plan"]
    gates = {gate["name"]: gate["open"] for gate in place("status", production).document["gates"]}
    assert gates["staging"]


def test_a_holding_is_hung_on_a_bib_that_the_same_answer_creates(place, own, sandbox):
    record = next(own)
    body = {"@type": "Instance", "hasTitle": [{"@type": "Title", "mainTitle": f"Ny {record}"}]}
    answer = f"""[
        {{"create": "bib", "sigel": "Ylm", "body": {body!r}}},
        {{"update": context.id, "repoint": {{"to": "new:1"}}}},
    ]"""
    text = f"def change(record, context):\n    return {answer}\n"
    folder = job(place, "hung", text, [record], agreement=AGREED)
    plan = place("plan", folder, "--env", "staging").document["plan"]
    assert [one["prerequisites"] for one in changes(place, plan)] == [[], [], [2]]
    assert place("run", folder, "--env", "staging").document["outcomes"]["applied"] == 2
    thing = sandbox.staging.document(record)["@graph"][1]["itemOf"]["@id"]
    bib = sandbox.staging.document(thing.removesuffix("#it").rpartition("/")[2])["@graph"][1]
    assert bib["hasTitle"][0]["mainTitle"] == f"Ny {record}"


def test_a_function_looks_records_up_by_number(place, own, sandbox):
    staging = sandbox.staging
    bib = staging.records("bib")[0]
    numbers = staging.document(bib)["@graph"][1]["identifiedBy"]
    isbn = next(one["value"] for one in numbers if one["@type"] == "ISBN")
    text = f"""def change(record, context):
    found, none = context.lookup("ISBN {isbn}"), context.lookup("ISBN 9789170000591")
    return {{"skip": found["@graph"][0]["@id"] + " " + str(none)}}
"""
    folder = job(place, "by-number", text, [next(own)])
    plan = place("plan", folder, "--env", "staging").document["plan"]
    assert changes(place, plan)[0]["message"] == f"{staging.base_uri}{bib} None"


def test_what_an_earlier_run_created_is_referred_to(place, own, sandbox):
    record, other = next(own), next(own)
    folder = successors(place, "by-half", [(record, other)], isbn=9786720000000)
    place("plan", folder, "--env", "staging")
    place("run", folder, "--env", "staging", "--limit", "2", expect=6)
    plan = place("plan", folder, "--env", "staging").document
    counts = plan["counts"]
    assert (counts["create"], counts["update"], counts["delete"]) == (0, 1, 1)
    run = place("run", folder, "--env", "staging").document
    assert run["outcomes"]["applied"] == 2
    (link,) = sandbox.staging.document(other)["@graph"][1]["isPartOf"]
    bib = link["@id"].removesuffix("#it").rpartition("/")[2]
    assert len(held(sandbox.staging, bib)) == 1


def test_a_number_is_of_the_answer_and_not_of_the_list_of_operations(place, own, sandbox):
    """Both lists have an operation 1 that creates a bib on which Ylm gets a holding."""
    title = [{"@type": "Title", "mainTitle": "Listans"}]
    isbn = [{"@type": "ISBN", "value": "9786730000001"}]
    operations = [
        {
            "create": "bib",
            "sigel": "Ylm",
            "body": {"@type": "Instance", "hasTitle": title, "identifiedBy": isbn},
        },
        {"create": "holding", "of": "new:1", "sigel": "Ylm"},
    ]
    rows = [(next(own), next(own))]
    folder = successors(place, "both", rows, isbn=9786731000000, operations=operations)
    plan = place("plan", folder, "--env", "staging").document
    assert plan["counts"]["create"] == 4
    assert [change["prerequisites"] for change in changes(place, plan["plan"])][:5] == [
        [],
        [1],
        [],
        [],
        [4],
    ]
    run = place("run", folder, "--env", "staging").document
    assert run["outcomes"]["applied"] == 6


HOLDING = {"create": "holding", "of": "new:1", "sigel": "Ylm"}
BIB = {"create": "bib", "sigel": "Ylm", "body": {"@type": "Instance", "hasTitle": []}}
NOTHING = {"update": "{other}", "changes": [{"remove": {"at": "hasNote"}}]}


@pytest.mark.parametrize(
    ("operations", "says"),
    [
        ([HOLDING, BIB], "operation 1 does not come before this one"),
        ([BIB, HOLDING, {**HOLDING, "of": "new:2"}], "operation 2 creates a holding"),
        ([BIB, {**HOLDING, "of": "new:7"}], "operation 7 does not come before this one"),
        ([BIB, {**HOLDING, "of": "new:x"}], "is no record to be created"),
        ([BIB, {**HOLDING, "after": [2]}], "operation 2 does not come before this one"),
        ([BIB, {"delete": "new:1"}], "a record that this list creates"),
        (
            [BIB, HOLDING, {"update": "{other}", "repoint": {"to": "new:2"}}],
            "operation 2 creates a holding",
        ),
    ],
)
def test_references_that_lead_nowhere_are_refused_as_in_a_manifest(place, own, operations, says):
    plan = returning(place, own, operations)
    messages = [found["message"] for found in plan["findings"]]
    assert any(says in message for message in messages), messages
    assert any("operation " in message for message in messages)


def test_one_that_is_refused_takes_all_that_come_after_it_along(place, own, sandbox):
    other = next(own)
    note = {"update": other, "changes": [{"append": {"at": "hasNote", "value": {"@id": "new:9"}}}]}
    plan = returning(place, own, [BIB, note, HOLDING])
    assert plan["counts"]["create"] == 1
    codes = [found["code"] for found in plan["findings"]]
    assert codes == ["function_answer", "prerequisite"]


def test_a_creation_that_is_passed_over_takes_the_deletion_along(place, own, sandbox):
    """`on_duplicate: skip` must not let the old holding go."""
    text = (
        "def change(record, context):\n"
        "    bib = record['@graph'][1]['itemOf']['@id'].removesuffix('#it')\n"
        "    return [{'create': 'holding', 'of': bib, 'sigel': 'Ylm'}, {'delete': context.id}]\n"
    )
    record = next(own)
    folder = job(place, "passed-over", text, [record], step={"on_duplicate": "skip"})
    plan = place("plan", folder, "--env", "staging", expect=3).document
    assert plan["counts"]["delete"] == 0
    assert [found["code"] for found in plan["findings"]] == ["prerequisite"]


def test_two_answers_that_create_the_very_same_bib(place, own):
    text = f"def change(record, context):\n    return [{BIB!r}]\n"
    folder = job(place, "same", text, [next(own), next(own)], agreement=AGREED)
    plan = place("plan", folder, "--env", "staging", expect=3).document
    assert plan["counts"]["create"] == 1
    assert [found["code"] for found in plan["findings"]] == ["duplicate_operation"]


def test_a_text_that_looks_like_a_reference_stays(place, own, sandbox):
    record = next(own)
    text = (
        "def change(record, context):\n"
        "    note = {'@type': 'Note', 'label': 'new:1'}\n"
        "    return [{'update': context.id, 'changes': [{'append': {'at': 'hasNote', 'value': note}}]}]\n"
    )
    folder = job(place, "text", text, [record])
    place("plan", folder, "--env", "staging")
    place("run", folder, "--env", "staging")
    assert "new:1" in json.dumps(sandbox.staging.document(record)["@graph"][1]["hasNote"])
