"""What does not fit the schema is told alike in short lists and in long ones, which go another way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bulkrunner.adapters.manifests.job_schema import LONG, MOST, manifest_violations, schema
from tests.support.manifests import ID, load, make_job, problems_of

HEAD = {
    "bulkrunner": 1,
    "job": "a-job",
    "title": "A title",
    "purpose": "A purpose",
    "on_behalf_of": "Ylm",
    "sigels": ["Ylm", "NO"],
}
DELETE = {"ids": [ID], "delete": True}


def numbered(count: int) -> list[str]:
    return [f"http://libris.kb.se/bib/{number}" for number in range(1, count)]


LISTS: dict[str, Any] = {
    "operations": lambda n: {
        "operations": [*({"delete": one} for one in numbered(n)), {"delete": ID, "expct": {}}]
    },
    "steps": lambda n: {"steps": [*[DELETE] * (n - 1), {"ids": [ID], "delet": True}]},
    "ids": lambda n: {"steps": [{"ids": [*numbered(n), 7], "delete": True}]},
    "ids of a list": lambda n: {"steps": [{"ids": {"list": [*numbered(n), None]}, "delete": True}]},
    "sigels": lambda n: {"sigels": ["Ylm", *map(str, range(n - 2)), "a/"], "steps": [DELETE]},
    "values of a search": lambda n: {
        "steps": [{"find": {"@type": [*map(str, range(n - 1)), []]}, "delete": True}]
    },
    "keys of a search": lambda n: {
        "steps": [{"find": {**{str(one): "x" for one in range(n - 1)}, "_sort": "x"}} | DELETE]
    },
    "parameters": lambda n: {
        "parameters": {f"p{one}": 1 for one in range(n - 1)} | {"P": 1},
        "steps": [DELETE],
    },
    "repeated": lambda n: {"sigels": [*map(str, range(n - 2)), "Ylm", "Ylm"], "steps": [DELETE]},
}


BOUNDED = ("keys of a search", "parameters")
"""Those of which there may not be so many."""


def told(folder: Path, data: Any) -> list[tuple[str, str]]:
    (folder / "job.json").write_text(json.dumps(HEAD | data), encoding="utf-8")
    return [(one.code, str(one.message)) for one in problems_of(folder)]


@pytest.mark.parametrize("what", [what for what in LISTS if what not in BOUNDED])
def test_one_bad_part_is_told_alike_however_many_there_are(what: str, tmp_path: Path) -> None:
    short = told(tmp_path, LISTS[what](LONG // 4))
    long = told(tmp_path, LISTS[what](3 * LONG))
    assert [code for code, _ in long] == [code for code, _ in short] != []
    number = (str(LONG // 4 - 1), str(3 * LONG - 1))
    assert [said.replace(number[1], number[0]) for _, said in long] == [said for _, said in short]


@pytest.mark.parametrize("what", LISTS)
@pytest.mark.parametrize("count", [5, LONG, LONG + 1, 4 * LONG])
def test_the_plain_validator_agrees(what: str, count: int) -> None:
    data = HEAD | LISTS[what](count)
    plain = {
        tuple(one.absolute_path)
        for one in jsonschema.Draft202012Validator(schema()).iter_errors(data)
    }
    found, more = manifest_violations(data)
    assert ({one.path for one in found}, more) == (plain, 0)


def test_a_text_that_ends_with_a_line_end_is_no_id_of_a_job(tmp_path: Path) -> None:
    (code, said), *_ = told(tmp_path, {"job": "a-job\n", "steps": [DELETE]})
    assert code == "wrong_value"
    assert "a job id has letters" in said


def test_what_was_not_looked_at_is_counted_and_not_read_on(tmp_path: Path) -> None:
    many = [{"ids": [7] * (MOST + 500), "delete": True}, {"ids": 5, "rows": 7, "delet": None}]
    make_job(tmp_path, json.dumps(HEAD | {"steps": many}), name="job.json")
    problems = problems_of(tmp_path)
    assert problems[-1].code == "more_problems"
    assert problems[0].code == "wrong_type"


def test_very_many_different_values_and_one_twice(tmp_path: Path) -> None:
    sigels = ["Ylm", *(f"S{number}" for number in range(200_000)), "S199999"]
    found = told(tmp_path, {"sigels": sigels, "steps": [DELETE]})
    assert ("wrong_value", "sigels: names `S199999` more than once") in found


def test_a_long_manifest_is_read(tmp_path: Path) -> None:
    operations = [{"delete": one} for one in numbered(2001)]
    make_job(tmp_path, json.dumps(HEAD | {"operations": operations}), name="job.json")
    assert load(tmp_path).counts["delete"] == 2000
