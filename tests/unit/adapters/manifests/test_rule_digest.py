"""The rule digest: what stays the same from night to night, and what a standing approval rests on."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkrunner.adapters.manifests import load_job
from tests.support.manifests import BASES, ID, brief, ids, make_job, problems_of
from tests.support.sizes import examples

RECURRING = {
    "until": "2027-06-30",
    "at_most": {"per_run": {"update": 500, "delete": 10}, "per_day": 1000},
}
MANIFEST = {
    "bulkrunner": 1,
    "job": "nightly",
    "title": "A title",
    "purpose": "A purpose",
    "on_behalf_of": "Ylm",
    "sigels": ["Ylm"],
    "recurring": RECURRING,
    "parameters": {"mark": "Hce", "day": {"type": "date", "required": True}},
    "steps": [
        {"ids": "ids.txt", "set": {"at": "shelfMark.label", "to": {"$value": "@param.mark"}}},
        {
            "rows": {"file": "rows.csv", "key": "Id"},
            "replace_value": {
                "at": "shelfMark.label",
                "table": {"file": "marks.csv", "from": "old", "to": "new"},
            },
        },
        {"ids": "more.txt", "function": "rules:change"},
    ],
}
FILES = {
    "ids.txt": "\n".join(ids(3)),
    "more.txt": "\n".join(ids(2, start=50)),
    "rows.csv": f"Id;Signum\n{ids(1, start=20)[0]};Hc\n",
    "marks.csv": "old;new\nHc;Hce\n",
    "rules.py": "def change(record, context):\n    return record\n",
    "ops.jsonl": f'{{"delete": "{ID}"}}\n',
}


def load(folder, manifest=MANIFEST, files=(), **parameters):
    path = make_job(folder, json.dumps(manifest), {**FILES, **dict(files)}, name="job.json")
    return load_job(path, bases=BASES, parameters=parameters).job


@settings(max_examples=examples(20), deadline=None)
@given(
    numbers=st.sets(st.integers(100, 999), min_size=1, max_size=20), mark=st.text("abc", max_size=5)
)
def test_the_night_s_records_and_values_do_not_count(tmp_path_factory, numbers, mark):
    folder = tmp_path_factory.mktemp("job")
    base = load(folder)
    named = "\n".join(ids(1, start=number)[0] for number in numbers)
    rows = "Id;Signum\n" + "".join(f"{ids(1, start=n + 1000)[0]};{mark or 'x'}\n" for n in numbers)
    found = load(folder, files={"ids.txt": named, "rows.csv": rows}, mark=mark, day="2026-12-01")
    assert found.rule_digest == base.rule_digest
    assert found.manifest_digest != base.manifest_digest


def test_a_default_is_a_value(tmp_path):
    other = {**MANIFEST, "parameters": {**MANIFEST["parameters"], "mark": "Hx"}}
    assert load(tmp_path, other).rule_digest == load(tmp_path / "b").rule_digest


def test_operations_of_a_file_are_the_night_s_and_those_of_the_manifest_are_not(tmp_path):
    of_file = {**MANIFEST, "operations": {"file": "ops.jsonl"}}
    base = load(tmp_path, of_file)
    more = {"ops.jsonl": "".join(f'{{"delete": "{one}"}}\n' for one in ids(3, start=70))}
    assert load(tmp_path, of_file, more).rule_digest == base.rule_digest
    listed = [{**MANIFEST, "operations": [{"delete": one}]} for one in ids(2, start=70)]
    digests = {load(tmp_path, one).rule_digest for one in listed}
    assert len(digests | {base.rule_digest}) == 3


@pytest.mark.parametrize(
    "change",
    [
        lambda one: one["parameters"].update(mark=3),
        lambda one: one["parameters"]["day"].update(required=False),
        lambda one: one["parameters"].update(more="x"),
        lambda one: one["steps"][0].update(ids="other.txt"),
        lambda one: one["steps"][0].update(ids={"file": "ids.txt", "as": "bib"}),
        lambda one: one["steps"][0].update(name="x"),
        lambda one: one["steps"][1]["rows"].update(key="Signum"),
        lambda one: one["steps"][1]["rows"].update(clean={"Signum": ["trim"]}),
        lambda one: one["steps"][0].update(where={"shelfMark.label": "Hc"}),
        lambda one: one["steps"].reverse(),
        lambda one: one["recurring"].update(every="month"),
        lambda one: one["recurring"]["at_most"]["per_run"].update(update=501),
        lambda one: one["recurring"]["at_most"].update(per_day=1001),
        lambda one: one.pop("recurring"),
        lambda one: one.update(purpose="Another"),
        lambda one: one.update(policy={"plan_max_age_hours": 10}),
        lambda one: one.update(agreement={"reference": "KB 2"}),
    ],
)
def test_everything_else_of_the_manifest_counts(tmp_path, change):
    other = json.loads(json.dumps(MANIFEST))
    change(other)
    files = {"other.txt": FILES["ids.txt"], "rows.csv": f"Id;Signum\n{ID};{ID}\n"}
    assert load(tmp_path, other, files).rule_digest != load(tmp_path / "b", files=files).rule_digest


@pytest.mark.parametrize(
    "files",
    [
        {"marks.csv": "old;new\nHc;Hemlig\n"},
        {"rules.py": "def change(record, context):\n    return {'skip': 'x'}\n"},
    ],
)
def test_what_decides_what_is_done_counts_though_it_stands_in_a_file(tmp_path, files):
    assert load(tmp_path, files=files).rule_digest != load(tmp_path / "b").rule_digest


def test_every_bound_is_a_number(tmp_path):
    assert load(tmp_path).recurring == {
        "until": "2027-06-30",
        "every": "day",
        "per_run": {"update": 500, "create": 0, "delete": 10},
        "per_day": {"update": 1000, "create": 0, "delete": 20, "records": 1000},
    }
    by_kind = {**RECURRING["at_most"], "per_day": {"update": 600, "delete": 10}}
    found = load(tmp_path, {**MANIFEST, "recurring": {**RECURRING, "at_most": by_kind}}).recurring
    assert found["per_day"] == {"update": 600, "create": 0, "delete": 10, "records": 610}


@pytest.mark.parametrize(
    ("recurring", "code", "line"),
    [
        ({**RECURRING, "until": "2027-02-30"}, "wrong_value", 2),
        ({**RECURRING, "until": "snart"}, "wrong_value", 2),
        ({"until": "2027-06-30"}, "missing_key", 1),
        ({**RECURRING, "every": "hour"}, "wrong_value", 3),
        (
            {**RECURRING, "at_most": {"per_run": {"update": 0}, "per_day": 1}},
            "recurring_nothing",
            2,
        ),
        (
            {**RECURRING, "at_most": {"per_run": {"update": 5}, "per_day": 4}},
            "recurring_day_below_run",
            2,
        ),
        (
            {**RECURRING, "at_most": {"per_run": {"delete": 5}, "per_day": {"update": 9}}},
            "recurring_day_below_run",
            2,
        ),
        ({**RECURRING, "at_most": {"per_run": 5, "per_day": 5}}, "wrong_type", 2),
        ({**RECURRING, "at_most": {"per_run": {"update": -1}, "per_day": 5}}, "wrong_value", 2),
    ],
)
def test_what_is_asked_for_wrongly_is_told_with_its_place(tmp_path, recurring, code, line):
    text = json.dumps({**MANIFEST, "recurring": recurring}, indent=1)
    found = brief(problems_of(make_job(tmp_path, text, FILES, name="job.json")))
    assert found, "no fault"
    assert found[0][2] > 1
    assert code in {one[0] for one in found}, found


def test_an_undo_cannot_come_back(tmp_path):
    undo = {"job": "a", "effect_digest": "sha256:" + "0" * 64}
    text = json.dumps({**MANIFEST, "steps": [{"undo": undo}]})
    found = problems_of(make_job(tmp_path, text, FILES, name="job.json"))
    assert [one.code for one in found] == ["recurring_undo"]
