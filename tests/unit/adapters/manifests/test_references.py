"""Operations that wait for each other: what ``check`` says of ``after`` and ``new:N``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bulkrunner.domain.manifest import Create, Delete
from tests.support.manifests import HEAD, ID, OTHER, load, make_job, problems_of

HEADS = HEAD + "agreement: {covers: [holdings, bibs]}\n"
BIB: dict[str, Any] = {"create": "bib", "sigel": "Ylm", "body": {"@type": "Print"}}
HOLDING: dict[str, Any] = {"create": "holding", "of": ID, "sigel": "Ylm"}


def on(bib: str, **more: Any) -> dict[str, Any]:
    return {"create": "holding", "of": bib, "sigel": "Ylm", **more}


def linking(iri: str) -> dict[str, Any]:
    link = {"append": {"at": "isRelatedTo", "value": [{"@id": iri}]}}
    return {"update": OTHER, "changes": [link]}


def jobs(folder: Path, operations: list[Any]) -> tuple[Path, Path]:
    """The same list in the manifest and in a file."""
    text = HEADS + f"operations: {json.dumps(operations)}\n"
    inline = make_job(folder / "inline", text)
    lines = "\n".join(map(json.dumps, operations))
    apart = make_job(folder / "file", HEADS + "operations: {file: o.jsonl}\n", {"o.jsonl": lines})
    return inline, apart


def test_what_may_be_said(tmp_path: Path) -> None:
    set_id = {"set": {"at": "isRelatedTo.0.@id", "to": "new:1#it"}}
    operations = [
        BIB,
        on("new:1"),
        on("new:1#it", sigel="NO"),
        linking("new:1#it"),
        {"update": ID, "changes": [set_id]},
        {"delete": "000000000000001", "after": [2, 1]},
        on(OTHER, body={"isRelatedTo": {"@id": "new:2"}}),
    ]
    for folder in jobs(tmp_path, operations):
        found = list(load(folder).operations())
        assert isinstance(found[1], Create)
        assert isinstance(found[2], Create)
        assert (found[1].of, found[2].of) == ("new:1", "new:1")
        assert isinstance(found[5], Delete)
        assert found[5].after == (1, 2)


BAD: list[tuple[list[Any], str]] = [
    ([{"delete": ID, "after": [1]}], "operation 1 does not come before this one"),
    ([BIB, {"delete": ID, "after": [1, 3]}], "operation 3 does not come before"),
    ([on("new:1")], "operation 1 does not come before"),
    ([on("new:2"), BIB], "operation 2 does not come before"),
    ([{"delete": ID}, on("new:1", of="new:1")], "operation 1 creates nothing"),
    ([HOLDING, on("new:1")], "operation 1 creates a holding"),
    ([{"delete": ID}, linking("new:1#it")], "operation 1 creates nothing"),
    ([BIB, linking("new:x")], "is no record to be created"),
    ([BIB, linking("new:0")], "is no record to be created"),
    ([BIB, on("new:01")], "is no record to be created"),
    ([BIB, {"update": "new:1", "resave": True}], "is a record that this list creates"),
    ([BIB, {"delete": "new:1"}], "is a record that this list creates"),
]


@pytest.mark.parametrize(("operations", "words"), BAD, ids=[words for _, words in BAD])
def test_what_may_not(tmp_path: Path, operations: list[Any], words: str) -> None:
    inline, apart = jobs(tmp_path, operations)
    for folder, place in ((inline, "job.yaml"), (apart, "o.jsonl")):
        problem = problems_of(folder)[0]
        assert problem.code == "bad_reference"
        assert words in problem.message
        assert Path(problem.source.file).name == place


@pytest.mark.parametrize("after", [[], [0], ["1"], 1, [1, 1], [1.5]])
def test_after_is_a_list_of_numbers(tmp_path: Path, after: Any) -> None:
    for folder in jobs(tmp_path, [BIB, {"delete": ID, "after": after}]):
        (problem,) = problems_of(folder)
        assert problem.code in ("wrong_value", "wrong_type")


def test_after_is_part_of_the_digests(tmp_path: Path) -> None:
    plain, waiting = (
        [
            load(folder).job.effect_digest
            for folder in jobs(tmp_path / name, [BIB, {"delete": ID, **more}])
        ]
        for name, more in (("plain", {}), ("waiting", {"after": [1]}))
    )
    assert plain[0] == plain[1]
    assert waiting[0] == waiting[1] != plain[0]
