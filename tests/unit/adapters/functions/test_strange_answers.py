"""Answers that are JSON and still no record: each is a refusal of that record, never a fault of ours."""

from __future__ import annotations

import itertools

import pytest

from tests.support.cli import Workplace
from tests.support.sandbox import running_sandbox
from tests.unit.adapters.functions.test_jobs import job

NUMBERS = itertools.count(1)

STRANGE = {
    "half a character": "item['hasNote'] = '\\ud800'",
    "half a character in a key": "item['\\udfff'] = 'x'",
    "a number beyond 64 bits": "item['inventoryLevel'] = 2 ** 70",
    "a number of four thousand digits": "item['inventoryLevel'] = 10 ** 4000",
    "a list 80 deep": "deep(item, 80)",
    "a list 300 deep": "deep(item, 300)",
    "a list 900 deep": "deep(item, 900)",
    "parts that are texts": "record['@graph'] = ['a', 'b']",
    "parts that are lists": "record['@graph'] = [[], []]",
    "parts that are numbers": "record['@graph'] = [1, 2]",
    "a third part": "record['@graph'].append({})",
    "no part": "record['@graph'] = []",
    "the parts exchanged": "record['@graph'].reverse()",
    "a key of control characters": "item['\\x00\\x1b'] = 'x'",
    "an empty key": "item[''] = 'x'",
    "a key of a megabyte": "item['k' * 10 ** 6] = 'x'",
    "a text of nine megabytes": "item['hasNote'] = 'x' * 9_000_000",
    "a million small lists": "item['hasNote'] = [[]] * 10 ** 6",
    "an id that is no text": "item['hasNote'] = {'@id': 7}",
    "a nested graph": "item['hasNote'] = {'@graph': [{}]}",
    "a type that is a list": "item['@type'] = ['Item']",
    "itself in itself by name": "item['hasNote'] = {'@id': item['@id'], 'x': 1}",
}
HELP = """\
def deep(item, levels):
    value = "x"
    for _ in range(levels):
        value = [value]
    item["hasNote"] = value


def change(record, context):
    item = record["@graph"][1]
    {}
    return record
"""
ANSWERS = {
    "an operation of numbers": "[1, 2]",
    "an operation without its record": "[{'update': None}]",
    "an operation deep inside": "[{'update': context.id, 'changes': [{'set': {'at': 'a.' * 5000 + 'a', 'to': 1}}]}]",
    "a place that explodes": "[{'update': context.id, 'changes': [{'set': {'at': '[' * 10000, 'to': 1}}]}]",
    "half a character": "[{'update': context.id, 'changes': [{'set': {'at': 'a', 'to': '\\ud800'}}]}]",
    "half a character in an id": "[{'delete': '\\ud800'}]",
    "an expectation that is no place": "[{'delete': context.id, 'expect': {'[[': 1}}]",
    "more than a hundred": "[{'delete': context.id}] * 101",
    "a reference to nothing": "[{'create': 'holding', 'of': 'new:0', 'sigel': 'Ylm'}]",
    "a list in the place of after": "[{'delete': context.id, 'after': ['x', None, {}]}]",
    "a number too large for after": "[{'delete': context.id, 'after': [10 ** 30]}]",
    "everything at once": "[{'update': context.id, 'delete': context.id, 'create': 'bib'}]",
}


@pytest.fixture(scope="module")
def sandbox():
    with running_sandbox() as control:
        yield control


@pytest.fixture
def place(tmp_path, sandbox):
    return Workplace(folder=tmp_path / "place", sandbox=sandbox)


@pytest.fixture(scope="module")
def own(sandbox):
    def whole(record):
        parts = sandbox.staging.document(record)["@graph"][1].get("hasComponent", [])
        return not parts

    return filter(whole, iter(sandbox.staging.records(sigel="Ylm")))


def planned(place, own, text):
    record = next(own)
    folder = job(place, f"strange-{next(NUMBERS)}", text, [record])
    done = place("plan", folder, "--env", "staging", expect=None)
    assert done.exit_code in (0, 3), (done.exit_code, done.document, done.stderr[-2000:])
    assert "Traceback" not in done.stderr
    assert sum(done.document["counts"].values()) >= 1
    for finding in done.document["findings"]:
        assert len(finding["message"]) < 1_200
        assert finding["message"].isprintable()
    return done


@pytest.mark.parametrize("what", STRANGE)
def test_a_record_with(place, own, what):
    planned(place, own, HELP.format(STRANGE[what]))


@pytest.mark.parametrize("what", ANSWERS)
def test_operations(place, own, what):
    done = planned(place, own, f"def change(record, context):\n    return {ANSWERS[what]}\n")
    assert done.document["counts"]["refused"] == 1


@pytest.mark.parametrize("what", [one for one in STRANGE if "half" in one or "deep" in one][:2])
def test_what_cannot_be_written_is_refused(place, own, what):
    done = planned(place, own, HELP.format(STRANGE[what]))
    assert [finding["code"] for finding in done.document["findings"]] == ["function_answer"]
    assert "half a character" in done.document["findings"][0]["message"]


NAMELESS = [one for one in STRANGE if one in ("a key of control characters", "an empty key")]


@pytest.mark.parametrize("what", NAMELESS)
def test_a_property_without_a_name_is_never_sent(place, own, what):
    done = planned(place, own, HELP.format(STRANGE[what]))
    assert [finding["code"] for finding in done.document["findings"]] == ["unreadable_record"]


def test_nor_one_that_a_manifest_gives(place):
    changes = [{"set": {"at": "hasNote", "to": [{"@type": "Note", "": "x"}]}}]
    (record, *_) = place.sandbox.staging.records(sigel="Ylm")
    folder = place.job("nameless", operations=[{"update": record, "changes": changes}])
    done = place("plan", folder, "--env", "staging", expect=None)
    assert done.exit_code in (2, 3)
    assert (done.document["counts"] or {"update": 0})["update"] == 0
