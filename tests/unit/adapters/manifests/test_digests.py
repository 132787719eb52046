"""Digests hash what a job means, not how it is written."""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkrunner.domain.manifest import Job
from tests.support.manifests import ID, OTHER, ids, load, make_job
from tests.support.sizes import examples

FILES: dict[str, str | bytes] = {"ids.txt": "\n".join(ids(5)) + "\n"}

MANIFEST: dict[str, Any] = {
    "bulkrunner": 1,
    "job": "a-job",
    "title": "Titel å",
    "purpose": "Varför",
    "on_behalf_of": "Ylm",
    "sigels": ["Ylm", "NO"],
    "active_sigel": "Ylm",
    "agreement": {
        "reference": "KB 1",
        "contact": "c",
        "agreed_on": "2026-11-02",
        "rate": 4,
        "covers": ["holdings", "bibs"],
    },
    "ceilings": {"records": 100, "create": 10},
    "accept": [{"code": "in_component", "at_most": 3, "reason": "r"}],
    "on_missing": "refuse",
    "policy": {"plan_max_age_hours": 10, "test_hosts": ["a.example.org"]},
    "recurring": {
        "until": "2027-06-30",
        "at_most": {
            "per_run": {"update": 500, "create": 2, "delete": 3},
            "per_day": {"records": 1000, "update": 900, "create": 4, "delete": 5},
        },
        "every": "week",
    },
    "parameters": {"shelf": "Hce", "count": 3},
    "operations": [
        {
            "update": ID,
            "changes": [
                {"set": {"at": "shelfMark.label", "to": {"a": ["0123", 1, 1.5, True]}}},
                {"remove": {"at": "x"}},
            ],
            "expect": {"shelfMark.label": "Hc"},
        },
        {"update": ids(1, start=20)[0], "replace": {"item": {"a": {"b": "c"}}}},
        {"delete": OTHER, "expect": {"a": "b"}},
        {
            "create": "holding",
            "of": ID,
            "sigel": "Ylm",
            "body": {"p": ["MAG"]},
            "record": {"q": "r"},
        },
        {"create": "bib", "sigel": "Ylm", "body": {"@type": "Print"}},
    ],
    "steps": [
        {
            "ids": "ids.txt",
            "update": {"changes": [{"append": {"at": "a", "value": "v"}}], "expect": {"b": 1}},
        },
        {
            "ids": ids(2, start=10),
            "create": {"creates": "holding", "sigel": "NO", "body": {"t": "u"}},
        },
    ],
}

UNDIGESTED_EFFECT = {"title", "purpose", "agreement", "ceilings", "policy", "accept", "recurring"}


def job_of(
    text: str | bytes, *, name: str = "job.yaml", files: dict[str, str | bytes] | None = None
) -> Job:
    with tempfile.TemporaryDirectory() as folder:
        return load(make_job(Path(folder), text, FILES if files is None else files, name=name)).job


BASE = job_of(json.dumps(MANIFEST), name="job.json")


def digests(job: Job) -> tuple[str, str]:
    return job.manifest_digest, job.effect_digest


def reordered(value: Any, draw: Any) -> Any:
    if isinstance(value, dict):
        keys = draw(st.permutations(list(value)))
        return {key: reordered(value[key], draw) for key in keys}
    if isinstance(value, list):
        return [reordered(item, draw) for item in value]
    return value


def as_yaml(value: Any, indent: str, mark: str, end: str) -> Iterator[str]:
    """Write block style YAML with a comment on every line."""
    for key, item in value.items():
        if isinstance(item, dict) and item:
            yield f"{indent}{json.dumps(key)}: # {mark}{end}"
            yield from as_yaml(item, indent + "  ", mark, end)
        else:
            yield f"{indent}{json.dumps(key)}: {json.dumps(item, ensure_ascii=False)} # {mark}{end}"


@settings(max_examples=examples(25), deadline=None)
@given(
    data=st.data(),
    end=st.sampled_from(["\n", "\r\n"]),
    bom=st.booleans(),
    mark=st.text("abc å#:-", max_size=8),
)
def test_order_of_keys_comments_line_ends_and_bom_do_not_count(
    data: st.DataObject, end: str, bom: bool, mark: str
) -> None:
    text = "".join(as_yaml(reordered(MANIFEST, data.draw), "", mark, end))
    job = job_of((b"\xef\xbb\xbf" if bom else b"") + text.encode())
    assert digests(job) == digests(BASE)


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, (dict, list)) and value:
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from leaves(value[key], (*path, key))
    else:
        yield path


OTHER_VALUES: dict[tuple[Any, ...], Any] = {
    ("on_behalf_of",): "NO",
    ("active_sigel",): "NO",
    ("on_missing",): "report",
    ("sigels", 0): None,
    ("agreement", "agreed_on"): "2026-11-03",
    ("recurring", "until"): "2027-06-29",
    ("recurring", "every"): "month",
    ("operations", 0, "update"): ids(1, start=30)[0],
    ("operations", 1, "update"): ids(1, start=30)[0],
    ("operations", 2, "delete"): ids(1, start=30)[0],
    ("operations", 3, "of"): ids(1, start=30)[0],
    ("steps", 1, "ids", 0): ids(1, start=30)[0],
    ("steps", 1, "ids", 1): "unreadable",
}
FIXED = {
    ("bulkrunner",),
    ("sigels", 0),
    ("agreement", "covers", 0),
    ("agreement", "covers", 1),
    ("operations", 3, "create"),
    ("operations", 4, "create"),
    ("steps", 0, "ids"),
    ("steps", 1, "create", "creates"),
}
"""Leaves with one possible value, or changed by a test of their own."""


def another(path: tuple[Any, ...], value: Any) -> Any:
    if path in OTHER_VALUES:
        return OTHER_VALUES[path]
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return value + 1
    return "something" if value is None else value + "x"


@pytest.mark.parametrize("path", [path for path in leaves(MANIFEST) if path not in FIXED], ids=str)
def test_every_value_counts(path: tuple[Any, ...]) -> None:
    changed = copy.deepcopy(MANIFEST)
    node = changed
    for part in path[:-1]:
        node = node[part]
    node[path[-1]] = another(path, node[path[-1]])
    job = job_of(json.dumps(changed), name="job.json")
    assert job.manifest_digest != BASE.manifest_digest
    assert (job.effect_digest == BASE.effect_digest) == (path[0] in UNDIGESTED_EFFECT)
    assert (job.rule_digest == BASE.rule_digest) == (path[0] == "parameters")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("sigels", ["Ylm"]),
        ("operations", MANIFEST["operations"][:4]),
        ("steps", MANIFEST["steps"][:1]),
    ],
)
def test_leaving_something_out_counts(key: str, value: Any) -> None:
    job = job_of(json.dumps({**MANIFEST, key: value}), name="job.json")
    assert job.manifest_digest != BASE.manifest_digest
    assert job.effect_digest != BASE.effect_digest
    assert job.rule_digest != BASE.rule_digest


@pytest.mark.parametrize("value", ["1", 1.0, True, [1], {"a": 1}, 1])
def test_kinds_of_values_differ(value: Any) -> None:
    def manifest(to: Any) -> str:
        changes = [{"set": {"at": "a", "to": to}}]
        return json.dumps({**MANIFEST, "operations": [{"update": ID, "changes": changes}]})

    same = job_of(manifest(1), name="job.json").manifest_digest
    other = job_of(manifest(value), name="job.json").manifest_digest
    assert (other == same) == (type(value) is int)


def test_order_of_operations_counts() -> None:
    turned = {**MANIFEST, "operations": MANIFEST["operations"][::-1]}
    assert job_of(json.dumps(turned), name="job.json").effect_digest != BASE.effect_digest


def test_order_of_sigels_does_not_count() -> None:
    turned = {**MANIFEST, "sigels": ["NO", "Ylm"]}
    assert digests(job_of(json.dumps(turned), name="job.json")) == digests(BASE)


def test_defaults_written_out_do_not_count() -> None:
    short = {key: value for key, value in MANIFEST.items() if key != "active_sigel"}
    assert digests(job_of(json.dumps(short), name="job.json")) == digests(BASE)


def test_schema_for_editors_does_not_count() -> None:
    named = {"$schema": "job.schema.json", **MANIFEST}
    assert digests(job_of(json.dumps(named), name="job.json")) == digests(BASE)


def test_operations_in_a_file_mean_the_same() -> None:
    lines = [json.dumps(operation, indent=None) for operation in MANIFEST["operations"]]
    manifest = json.dumps({**MANIFEST, "operations": {"file": "ops.jsonl"}})
    for text in ("\n".join(lines), "\ufeff" + "\r\n\r\n".join(lines) + "\r\n"):
        files = {**FILES, "ops.jsonl": text}
        assert digests(job_of(manifest, name="job.json", files=files)) == digests(BASE)
    changed = "\n".join([*lines[:2], lines[2].replace('"b"', '"c"'), *lines[3:]])
    job = job_of(manifest, name="job.json", files={**FILES, "ops.jsonl": changed})
    assert job.effect_digest != BASE.effect_digest


@pytest.mark.parametrize(
    ("data", "same"),
    [
        ("\n".join(ids(5)).encode(), True),
        (b"# list\r\n\r\n" + "\r\n".join(f" {name}\t" for name in ids(5)).encode(), True),
        (b"\xef\xbb\xbf" + "\n".join(ids(5) + ids(3)).encode(), True),
        ("\n".join(f"https://libris.kb.se/{name}#it" for name in ids(5)).encode(), True),
        ("\n".join(ids(4)).encode(), False),
        ("\n".join(ids(5)[::-1]).encode(), False),
        ("\n".join([*ids(5), "unreadable"]).encode(), False),
    ],
)
def test_lists_of_ids(data: bytes, same: bool) -> None:
    job = job_of(json.dumps(MANIFEST), name="job.json", files={"ids.txt": data})
    assert (digests(job) == digests(BASE)) == same
    assert (job.effect_digest == BASE.effect_digest) == same


def test_ids_in_the_manifest_mean_the_same_as_in_a_file() -> None:
    steps = copy.deepcopy(MANIFEST["steps"])
    steps[0]["ids"] = ids(5)
    assert digests(job_of(json.dumps({**MANIFEST, "steps": steps}), name="job.json")) == digests(
        BASE
    )


def test_short_form_of_a_step_means_the_same() -> None:
    steps = copy.deepcopy(MANIFEST["steps"])
    steps[0] = {"ids": "ids.txt", "append": {"at": "a", "value": "v"}, "expect": {"b": 1}}
    assert digests(job_of(json.dumps({**MANIFEST, "steps": steps}), name="job.json")) == digests(
        BASE
    )
