"""On the whole road: what is written is what the record will have, and nothing untrue is told of it."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from tests.support.cli import Workplace

NUMBERS = itertools.count(1)


@pytest.fixture
def records(sandbox, own):
    """Holdings of one's own, each edited to what a test wants."""
    free = iter(own)

    def take(**item: Any) -> str:
        record = next(one for one in free if one not in TAKEN)
        TAKEN.add(record)
        sandbox.staging.edit(record, set=item)
        return record

    return take


TAKEN: set[str] = set()


def planned(place: Workplace, *, expect: int | None = 0, **job: Any) -> dict[str, Any]:
    folder = place.job(f"stored-{next(NUMBERS)}", **job)
    document = place("plan", folder, "--env", "staging", expect=expect).document
    if expect == 0:
        place("run", folder, "--env", "staging")
    return document


def item(sandbox, record: str) -> dict[str, Any]:
    found: dict[str, Any] = sandbox.staging.document(record)["@graph"][1]
    return found


def codes(plan: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["record"], one["code"]) for one in plan["findings"]]


LEVEL = {"at": "inventoryLevel", "to": {"$value": "@row.Nivå"}}


def test_cells_become_what_the_places_have(place, sandbox, records):
    number, same, text = (
        records(inventoryLevel=1),
        records(inventoryLevel=3),
        records(inventoryLevel="1"),
    )
    rows = f"Id;Nivå\n{number};3\n{same};3\n{text};3\n"
    steps = [{"rows": {"file": "n.csv", "key": "Id"}, "set": LEVEL}]
    plan = planned(place, steps=steps, files={"n.csv": rows})
    assert (plan["counts"]["update"], plan["counts"]["unchanged"]) == (2, 1)
    assert [item(sandbox, one)["inventoryLevel"] for one in (number, same, text)] == [3, 3, "3"]


def test_what_is_no_number_is_refused_and_says_so(place, sandbox, records):
    record = records(inventoryLevel=1)
    steps = [{"rows": {"file": "n.csv", "key": "Id"}, "set": LEVEL}]
    plan = planned(place, expect=3, steps=steps, files={"n.csv": f"Id;Nivå\n{record};3 st\n"})
    assert codes(plan) == [(record, "wrong_kind")]
    assert "“3 st” is not written as one" in plan["findings"][0]["message"]


@pytest.mark.parametrize("explicit", [False, True])
def test_expect_takes_the_tests_of_conditions(place, sandbox, records, explicit):
    fits, other = records(physicalLocation=["A"]), records(physicalLocation=["C"])
    expect = {"physicalLocation": {"in": ["A", "B"]}, "shelfMark.label": {"exists": True}}
    change = {"set": {"at": "physicalLocation", "to": ["D"]}}
    job: dict[str, Any] = {"steps": [{"ids": [fits, other], **change, "expect": expect}]}
    if explicit:
        lines = [{"update": one, "changes": [change], "expect": expect} for one in (fits, other)]
        text = "".join(json.dumps(line) + "\n" for line in lines)
        job = {"operations": {"file": "ops.jsonl"}, "files": {"ops.jsonl": text}}
    accept = [{"code": "unexpected_value", "at_most": 1, "reason": "känd"}]
    plan = planned(place, accept=accept, **job)
    assert codes(plan) == [(other, "unexpected_value")]
    assert 'physicalLocation is "C", expected {"in":["A","B"]}' in plan["findings"][0]["message"]
    assert item(sandbox, fits)["physicalLocation"] == ["D"]
    assert item(sandbox, other)["physicalLocation"] == ["C"]


def test_the_words_of_check_are_what_the_plan_does(place, records):
    record = records(physicalLocation=["A", "B"])
    expect = {"physicalLocation": {"in": ["A", "B"]}}
    steps = [{"ids": [record], "set": {"at": "copyNumber", "to": 2}, "expect": expect}]
    folder = place.job("said", steps=steps)
    said = " ".join(place("check", folder, "--explain").document["explained"])
    assert 'refused unless physicalLocation is "A" or "B"' in said
    assert place("plan", folder, "--env", "staging").document["counts"]["update"] == 1


def test_what_a_function_returns_takes_the_kind_and_the_form(place, sandbox, records):
    same, other = records(inventoryLevel=2), records(inventoryLevel=1, shelfLabel="x")
    text = (
        "def change(record, context):\n"
        "    item = record['@graph'][1]\n"
        "    item['inventoryLevel'] = '2'\n"
        "    if item.get('shelfLabel') == 'x':\n"
        "        item['shelfLabel'] = ' A\\u030a '\n"
        "    return record\n"
    )
    steps = [{"ids": [same, other], "function": "rules:change"}]
    plan = planned(place, steps=steps, files={"rules.py": text})
    assert (plan["counts"]["update"], plan["counts"]["unchanged"]) == (1, 1)
    assert item(sandbox, other)["inventoryLevel"] == 2
    assert item(sandbox, other)["shelfLabel"] == "\u00c5"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("item['shelfLabel'] = '  '", "tidied_away"),
        ("item['shelfLabel'] = None", "tidied_away"),
        ("item['shelfLabel'] = 'Ha\\ufb03'", "tidied_away"),
        ("item['hasNote'] = [{'@type': 'Note', 'label': None}]", "tidied_away"),
        ("item['inventoryLevel'] = 'två'", "wrong_kind"),
        ("item['subject'][0]['prefLabel'] = 'Katter'", "below_link"),
    ],
)
def test_what_a_function_returns_in_vain_is_refused(place, records, line, code):
    record = records(inventoryLevel=1, subject=[{"@id": "https://id.kb.se/term/sao/Katter"}])
    text = (
        "def change(record, context):\n"
        f"    item = record['@graph'][1]\n    {line}\n    return record\n"
    )
    steps = [{"ids": [record], "function": "rules:change"}]
    plan = planned(place, expect=3, steps=steps, files={"rules.py": text})
    assert codes(plan) == [(record, code)]


def test_a_template_takes_kinds_and_is_refused_what_is_in_vain(place, sandbox, free_bibs):
    good, bad = free_bibs[0], free_bibs[1]
    rows = f"Bib;Nivå;Not\n{good};3;7\n{bad};3;\n"
    label = {"$value": "@row.Not", "default": " "}
    body = {
        "inventoryLevel": {"$value": "@row.Nivå"},
        "hasNote": [{"@type": "Note", "label": label}],
        "copyNumber": 4,
    }
    create = {"creates": "holding", "sigel": "Ylm", "body": body}
    accept = [{"code": "tidied_away", "at_most": 1, "reason": "känd"}]
    steps = [{"rows": {"file": "b.csv", "key": "Bib"}, "create": create}]
    plan = planned(place, steps=steps, accept=accept, files={"b.csv": rows})
    assert [code for _, code in codes(plan)] == ["tidied_away"]
    bib = sandbox.staging.document(good)["@graph"][1]["@id"]
    (made,) = [
        one
        for one in sandbox.staging.records(sigel="Ylm")
        if item(sandbox, one).get("itemOf", {}).get("@id") == bib
    ]
    found = item(sandbox, made)
    assert (found["inventoryLevel"], found["copyNumber"]) == (3, "4")
    assert found["hasNote"] == [{"@type": "Note", "label": "7"}]
