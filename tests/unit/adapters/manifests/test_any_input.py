"""Whatever stands in a job folder, loading it ends with a job or with problems that have places."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkrunner.adapters.manifests.tree import plain
from bulkrunner.domain.changes.verbs import VERBS
from bulkrunner.domain.steps import InputLine
from bulkrunner.errors import Fault, ManifestError
from tests.support.manifests import HEAD, ID, load, make_job
from tests.support.sizes import examples

KEYS = st.sampled_from(
    [
        "bulkrunner",
        "job",
        "title",
        "sigels",
        "agreement",
        "covers",
        "accept",
        "operations",
        "steps",
        "ids",
        "file",
        "update",
        "delete",
        "create",
        "creates",
        "of",
        "sigel",
        "body",
        "record",
        "changes",
        "set",
        "remove",
        "append",
        "at",
        "to",
        "value",
        "expect",
        "replace",
        "item",
        "resave",
        "policy",
        "ceilings",
        "parameters",
        "on_missing",
        "@id",
        "heldBy",
        "x",
    ]
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.sampled_from([ID, "holding", "bib", "Ylm", "ids.txt", "../x", "a.b", "bibs", "", " "]),
    st.text(max_size=5),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=12,
)
OPERATIONS = st.dictionaries(
    st.sampled_from(
        [
            "update",
            "delete",
            "create",
            "of",
            "sigel",
            "body",
            "record",
            "changes",
            "expect",
            "replace",
            "resave",
        ]
    ),
    VALUES,
    max_size=5,
)
STEPS = st.dictionaries(
    st.sampled_from(
        [
            "ids",
            "update",
            "delete",
            "create",
            "changes",
            "set",
            "remove",
            "append",
            "expect",
            "where",
            "in",
            "when",
            "example",
            *VERBS,
        ]
    ),
    VALUES,
    max_size=4,
)
FORMS = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-9, 9),
        st.sampled_from(
            ["a.b", "@row.x", "@bib.", "(", "a+", "2020", "item", "ids.txt", "{a|trim}"]
        ),
        st.text(alphabet="a{}|().$@\\\\1", max_size=6),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2),
        st.dictionaries(
            st.sampled_from(
                [
                    "$value",
                    "$text",
                    "through",
                    "default",
                    "all",
                    "any",
                    "not",
                    "each",
                    "file",
                    "matches",
                    "in_file",
                    "exists",
                    "before",
                    "contains",
                    "a.b",
                    "@type",
                    "meta",
                ]
            ),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=8,
)
KEYS_OF = {
    "set": ["at", "to"],
    "remove": ["at"],
    "append": ["at", "value"],
    "remove_items": ["at", "matching"],
    "replace_value": ["at", "table", "otherwise"],
    "replace_text": ["at", "find", "pattern", "with", "trim"],
    "move_value": ["from", "to"],
    "retype": ["at", "to"],
    "example": ["match", "result"],
}
"""Of each verb, so that most of what is tried gets as far as being read."""


@st.composite
def acting(draw: st.DrawFn) -> dict[str, Any]:
    """A step with one verb whose arguments are anything."""
    verb = draw(st.sampled_from(sorted(KEYS_OF)))
    place = st.sampled_from(["a", "a.b", "@record.a", "a..b", "x.0"])
    arguments = {
        key: draw(place if key in ("at", "from") else FORMS)
        for key in KEYS_OF[verb]
        if key not in ("find", "trim") or draw(st.booleans())
    }
    beside = {
        key: draw(FORMS)
        for key in ("where", "in", "when", "expect")
        if draw(st.integers(0, 4)) == 0
    }
    return {"ids": [ID], verb: arguments, **beside}


def outcome(
    text: str | bytes, files: dict[str, str | bytes], name: str = "job.yaml"
) -> list[Fault]:
    with tempfile.TemporaryDirectory() as folder:
        try:
            loaded = load(make_job(Path(folder), text, files, name=name))
        except ManifestError as error:
            return [problem for problem in error.problems if isinstance(problem, Fault)]
        found = list(loaded.operations())
        lines = [one.code for one in found if isinstance(one, InputLine)]
        assert lines.count("repeat") == loaded.counts["duplicates"]
        left_out = len(lines) - loaded.counts["duplicates"]
        assert sum(loaded.counts.values()) == len(found) - left_out
        assert found
        return []


@settings(max_examples=examples(150), deadline=None)
@given(st.one_of(st.binary(max_size=60), st.text(max_size=60)))
def test_any_bytes_as_manifest(data: bytes | str) -> None:
    content = data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass")
    for name in ("job.yaml", "job.json"):
        assert outcome(content, {}, name)


@settings(max_examples=examples(150), deadline=None)
@given(st.text(alphabet="ab:-[]{}&*!|>'\"%@#,? \n\t<~", max_size=40))
def test_any_yaml_signs(text: str) -> None:
    for problem in outcome(text, {}):
        assert problem.source.line >= 1


@settings(max_examples=examples(150), deadline=None)
@given(
    st.dictionaries(KEYS, VALUES, max_size=6),
    st.lists(STEPS, max_size=3),
    st.lists(OPERATIONS, max_size=3),
)
def test_any_values(head: dict[str, Any], steps: list[Any], operations: list[Any]) -> None:
    data = {
        "bulkrunner": 1,
        "job": "j",
        "title": "t",
        "purpose": "p",
        "on_behalf_of": "Ylm",
        "sigels": ["Ylm"],
        "operations": operations,
        "steps": steps,
        **head,
    }
    for problem in outcome(json.dumps(data), {"ids.txt": ID}, "job.json"):
        assert problem.message
        assert str(problem.whole).isprintable()


@settings(max_examples=examples(300), deadline=None)
@given(acting())
def test_any_verb(step: dict[str, Any]) -> None:
    data = {
        "bulkrunner": 1,
        "job": "j",
        "title": "t",
        "purpose": "p",
        "on_behalf_of": "Ylm",
        "sigels": ["Ylm"],
        "steps": [step],
    }
    for problem in outcome(json.dumps(data), {"ids.txt": ID}, "job.json"):
        assert problem.message
        assert problem.source.line >= 1
        assert str(problem.whole).isprintable()


def test_every_verb_is_tried() -> None:
    assert KEYS_OF.keys() == {*VERBS, "example"}


@settings(max_examples=examples(100), deadline=None)
@given(
    st.lists(st.one_of(OPERATIONS.map(json.dumps), st.text(max_size=20)), min_size=1, max_size=5)
)
def test_any_lines(lines: list[str]) -> None:
    data = "\n".join(lines).encode("utf-8", "surrogatepass")
    outcome(HEAD + "operations: {file: o.jsonl}\n", {"o.jsonl": data})
    outcome(HEAD + "steps: [{ids: o.jsonl, delete: true}]\n", {"o.jsonl": data})


@settings(max_examples=examples(100), deadline=None)
@given(st.binary(max_size=100))
def test_any_bytes_as_input(data: bytes) -> None:
    outcome(HEAD + "operations: {file: o.jsonl}\n", {"o.jsonl": data})
    outcome(HEAD + "steps: [{ids: o.jsonl, delete: true}]\n", {"o.jsonl": data})


@given(
    st.one_of(st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False))
)
def test_numbers_of_json_are_numbers(number: float) -> None:
    read = plain(json.dumps(number))
    assert read == number
    assert type(read) is type(number)


@given(st.text(alphabet="0123456789._-+eE:", min_size=1, max_size=8))
def test_words_are_numbers_only_where_json_says_so(text: str) -> None:
    try:
        known = json.loads(text)
    except json.JSONDecodeError:
        known = text
    if known == float("inf") or known == float("-inf"):
        return
    assert plain(text) == known


@pytest.mark.parametrize("text", ["NO", "0123", "yes", "1_0", "０１", "１２"])
def test_words_of_other_dialects_are_text(text: str) -> None:
    assert plain(text) == text
