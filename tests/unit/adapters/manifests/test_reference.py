"""The reference of manifests says what the program does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bulkrunner.adapters.manifests.job_schema import schema
from bulkrunner.domain.steps import InputLine
from tests.support.manifests import HEAD, ID, ids, load, make_job
from tests.support.paths import ROOT
from tests.support.schema_tables import SECTIONS, rows

PAGES = [ROOT / "docs" / "reference" / name for name in ("manifest.md", "changes.md")]
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)

FILES: dict[str, str | bytes] = {
    "ids.txt": "\n".join(ids(3)),
    "weeded.txt": "\n".join(ids(3, start=10)),
    "bibs.txt": "\n".join(ids(3, start=20)),
    "gamla-nummer.txt": "(LIBRIS)1\n1234567\n917000059X\n",
    "lista.csv": "Bibid;Signum;Gammalt;Datum\n1234567;Hce;Hc;2026\n1234568;Uce;Uc;2026\n",
    "signum.csv": "gammalt;nytt\nHc;Hce\nUc;Uce\n",
    "signum.txt": "Hc\nUc\n",
    "utan-rubrik.tsv": "\n".join(f"{name}\tHc" for name in ids(2)),
    "med-titel.csv": "Gallring 2026;\n;\nId;Signum\n" + "".join(f"{name};Hc\n" for name in ids(2)),
    "run.jsonl": "".join(f'{{"record": "{name}", "outcome": "applied"}}\n' for name in ids(2)),
    "rules.py": "def change(record, context):\n    return record\n\n\n"
    "def create_for(record, context):\n    return {'skip': 'x'}\n",
    "tabell.csv": "Hc;Hce\n",
    "ops.jsonl": f'{{"delete": "{ID}"}}\n',
}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)


def test_published_schema_is_the_packaged_one() -> None:
    published = (ROOT / "docs" / "reference" / "job.schema.json").read_bytes()
    packaged = ROOT / "bulkrunner" / "adapters" / "manifests" / "job.schema.json"
    assert published == packaged.read_bytes()


def test_schema_is_valid() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


def described(node: Any, path: str = "") -> list[tuple[str, dict[str, Any]]]:
    """Every key of every object and every value of a list, wherever in the schema.

    Below ``if``, ``then`` and ``not`` keys that are described elsewhere are only restricted.
    """
    found = []
    if isinstance(node, list):
        for number, one in enumerate(node):
            found += described(one, f"{path}[{number}]")
    elif isinstance(node, dict):
        for key, value in node.items():
            if key in ("properties", "$defs"):
                for name, one in value.items():
                    found.append((f"{path}.{name}", one))
                    found += described(one, f"{path}.{name}")
            elif key in ("items", "additionalProperties") and isinstance(value, dict):
                found.append((f"{path}[]", value))
                found += described(value, f"{path}[]")
            elif key in ("anyOf", "oneOf", "allOf"):
                found += described(value, path)
    return found


def test_every_key_has_title_description_and_valid_examples() -> None:
    known = schema()
    every = described(known)
    assert len(every) > 250
    for path, value in every:
        target = value
        if "$ref" in value:
            target = {**known["$defs"][value["$ref"].rpartition("/")[2]], **value}
        assert target.get("title"), path
        assert target.get("description"), path
        validator = jsonschema.Draft202012Validator({**target, "$defs": known["$defs"]})
        for example in target.get("examples", ()):
            assert validator.is_valid(example), (path, example)


def test_every_top_level_key_has_an_example() -> None:
    known = schema()
    for key, value in known["properties"].items():
        examples = value.get("examples")
        if "$ref" in value:
            examples = known["$defs"][value["$ref"].rpartition("/")[2]]["examples"]
        assert examples, key


def objects(node: Any, path: tuple[str | int, ...] = ()) -> set[tuple[str | int, ...]]:
    """Where in the schema an object with keys of its own is described."""
    found = set()
    if isinstance(node, dict):
        if "properties" in node and not set(path) & {"if", "then", "else", "not"}:
            found.add(path)
        for key, value in node.items():
            found |= objects(value, (*path, key))
    elif isinstance(node, list):
        for number, value in enumerate(node):
            found |= objects(value, (*path, number))
    return found


def test_every_object_of_the_schema_has_its_table() -> None:
    # These have the one key that the text beside them names.
    shown_in_text = {("properties", "operations"), ("$defs", "within")}
    # What creates of holdings and of bibs have in common stands in both tables.
    shown_in_text.add(("$defs", "create"))
    assert objects(schema()) - shown_in_text == set(SECTIONS.values())


@pytest.mark.parametrize("section", SECTIONS)
def test_every_key_is_explained(section: str) -> None:
    for row in rows(schema(), SECTIONS[section]):
        assert row in TEXT


@pytest.mark.parametrize("text", blocks("yaml"))
def test_every_yaml_example_loads(tmp_path: Path, text: str) -> None:
    if "bulkrunner: 1" not in text:
        text = HEAD + text
    if "operations:" not in text and "steps:" not in text:
        text += "operations: {file: ops.jsonl}\n"
    loaded = load(make_job(tmp_path, text, FILES))
    declared = [one for one in loaded.operations() if not isinstance(one, InputLine)]
    assert len(declared) == sum(
        loaded.counts.get(kind, 0) for kind in loaded.counts.keys() - {"unreadable", "duplicates"}
    )


@pytest.mark.parametrize("text", blocks("json"))
def test_every_json_example_loads(tmp_path: Path, text: str) -> None:
    files: dict[str, str | bytes] = {"ops.jsonl": text}
    assert json.loads(text)
    load(make_job(tmp_path, HEAD + "operations: {file: ops.jsonl}\n", files))


@pytest.mark.parametrize(
    "folder", sorted(path.parent for path in (ROOT / "jobs").glob("*/job.*")), ids=str
)
def test_example_jobs_load(folder: Path) -> None:
    loaded = load(folder)
    assert loaded.counts["unreadable"] == 0
    assert sum(1 for _ in loaded.operations()) > 0
