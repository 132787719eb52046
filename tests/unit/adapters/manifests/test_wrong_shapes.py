"""A value of a wrong shape, wherever it stands in a manifest, is a fault with a place or means something."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bulkrunner.errors import Fault, ManifestError
from tests.support.manifests import ID, OTHER, load, make_job, problems_of

BASE = {
    "bulkrunner": 1,
    "job": "a-job",
    "title": "A title",
    "purpose": "A purpose",
    "on_behalf_of": "Ylm",
    "sigels": ["Ylm", "NO"],
    "agreement": {"covers": ["holdings", "bibs"]},
}
NOTE = {"@type": "Note", "label": {"$text": "{@row.B|trim}"}}
STEPS: list[dict[str, Any]] = [
    {"ids": [ID], "function": {"call": "rules:change", "files": ["a.csv"], "seconds": 2}},
    {"ids": [ID], "function": "rules:change"},
    {"ids": {"list": [ID], "as": "bib"}, "holdings": ["Ylm"], "set": {"at": "a", "to": 1}},
    {
        "rows": {"file": "a.csv", "key": "A", "clean": {"B": ["trim"]}},
        "delete": {"expect": {"a": 1}},
    },
    {
        "rows": {"file": "a.csv", "key": "A"},
        "append": {"at": "hasNote", "value": NOTE},
        "in": "item",
    },
    {"find": {"@type": "Item"}, "where": {"any": [{"a": {"in": ["x"]}}]}, "remove": {"at": "a"}},
    {"library": "Ylm", "replace_value": {"at": "a", "table": {"x": "y"}, "otherwise": "refuse"}},
    {"library": ["Ylm"], "replace_text": {"at": "a", "pattern": "x", "with": "y", "trim": True}},
    {"ids": [ID], "changes": [{"retype": {"at": "a", "to": "B"}, "when": {"a": {"exists": True}}}]},
    {"ids": [ID], "example": {"match": {"a": "b"}, "result": {"a": "c"}}},
    {"ids": [ID], "create": {"creates": "holding", "sigel": "Ylm", "body": {"a": 1}}},
    {"ids": [ID], "split": {"components": {"a": "b"}, "sigel": "NO"}},
    {"ids": [ID], "merge": {"into": OTHER, "take": ["hasNote"]}},
    {"ids": [ID], "revert": {"before_run_of": {"job": "b", "effect_digest": "sha256:" + "0" * 64}}},
    {"ids": [ID], "move": {"to": "NO"}, "on_duplicate": "skip"},
]
OPERATIONS: list[dict[str, Any]] = [
    {"update": ID, "changes": [{"set": {"at": "a", "to": {"b": [1]}}}], "expect": {"a": ["x"]}},
    {"update": ID, "replace": {"item": {"a": 1}, "record": {"b": 2}}},
    {"delete": ID, "expect": {"a": None}},
    {"create": "holding", "of": ID, "sigel": "Ylm", "body": {"a": 1}},
    {"create": "bib", "sigel": "Ylm", "body": {"@type": "Print"}, "record": {"a": 1}},
]
SHAPES: list[Any] = [
    *(None, True, 7, "", "x", [], [7], [[]], {}, {"file": {"a": "b"}}, {"call": "x:y"}),
    *({"$value": "@row.A"}, {"$text": 7}, {"in": []}),
]
FILES = {"rules.py": "def change(record, context):\n    return record\n", "a.csv": f"A;B\n{ID};x\n"}


def paths(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if at:
        yield at
    if isinstance(value, list):
        value = dict(enumerate(value))
    if isinstance(value, dict):
        for key, one in value.items():
            yield from paths(one, (*at, key))


def with_shape(value: Any, path: tuple[Any, ...], shape: Any) -> Any:
    changed = copy.deepcopy(value)
    node = changed
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = shape
    return changed


@pytest.mark.parametrize(
    "part",
    [{"steps": [one]} for one in STEPS] + [{"operations": [one]} for one in OPERATIONS],
    ids=lambda part: "-".join(next(iter(part.values()))[0])[:40],
)
def test_any_shape_anywhere(part: dict[str, Any], tmp_path: Path) -> None:
    make_job(tmp_path, json.dumps(BASE | part), FILES, name="job.json")
    load(tmp_path)
    for path in paths(part):
        for shape in SHAPES:
            text = json.dumps(BASE | with_shape(part, path, shape))
            (tmp_path / "job.json").write_text(text, encoding="utf-8")
            try:
                load(tmp_path)
            except ManifestError as error:
                problems = [one for one in error.problems if isinstance(one, Fault)]
                assert problems, (path, shape)
                assert all(one.source.file and one.message for one in problems), (path, shape)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("{file: rules.py}", "unknown key `file`"),
        ("[rules:change]", "must be text or an object, not a list"),
        ("", "must be text or an object, not empty"),
        ("{call: [rules:change]}", "steps[0].function.call: must be text"),
        ("{call: rules:change, files: a.csv}", "steps[0].function.files: must be a list"),
        ("{}", "the key `call` is missing"),
        ("rules.py", "a function is named module:function"),
    ],
)
def test_a_function_of_a_wrong_shape(written: str, said: str, tmp_path: Path) -> None:
    head = "".join(f"{key}: {json.dumps(value)}\n" for key, value in BASE.items())
    text = f"{head}steps:\n  - ids: [{ID}]\n    function: {written}\n"
    problems = problems_of(make_job(tmp_path, text, FILES))
    assert any(said in one.message for one in problems), problems
    assert all(one.source.line == 10 for one in problems)


@pytest.mark.parametrize(
    "step",
    [
        {"find": {"@type": "Item", "shelfMark.label": []}, "delete": True},
        {"find": {"@type": "Item", "q": []}, "holdings": "own", "delete": True},
        {"find": {"shelfMark.label": [[]]}, "delete": True},
        {"find": {"exists-shelfMark": []}, "delete": True},
        {"library": [], "delete": True},
    ],
)
def test_a_search_for_nothing_is_told_or_means_something(
    step: dict[str, Any], tmp_path: Path
) -> None:
    make_job(tmp_path, json.dumps(BASE | {"steps": [step]}), name="job.json")
    assert all(one.source.line for one in problems_of(tmp_path))


@pytest.mark.parametrize("header", [1, 1.0, True])
def test_the_number_of_a_header_s_row_may_have_a_point(header: object, tmp_path: Path) -> None:
    rows = {"file": "a.csv", "key": "A", "header": header}
    step = {"rows": rows, "delete": True}
    make_job(tmp_path, json.dumps(BASE | {"steps": [step]}), FILES, name="job.json")
    (only,) = load(tmp_path).operations()
    assert only.given == ID  # type: ignore[union-attr]
