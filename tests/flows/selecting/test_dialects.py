"""Every way in which the lists of real jobs name a record, for bibs and holdings, in each environment."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import Workplace
from tests.support.sandbox import EnvironmentControl, SandboxControl, running_sandbox

NOTE = {"append": {"at": "@record.cataloguersNote", "value": "sedd"}}
AGREED = {"reference": "KB 1", "contact": "a@example.org", "covers": ["holdings", "bibs"]}
LEGACY, LIBRIS3 = "76000002", "9127015832"

OF_BOTH = {
    "bare present id": "{id}",
    "record URI of production": "https://libris.kb.se/{id}",
    "record URI of staging": "https://libris-stg.kb.se/{id}",
    "thing URI": "https://libris.kb.se/{id}#it",
    "thing URI of QA": "https://libris-qa.kb.se/{id}#it",
    "address in the cataloguing tool": "https://libris.kb.se/katalogisering/{id}",
    "address of the data, with a query": "https://libris.kb.se/{id}/data.jsonld?embellished=false",
    "legacy URI": "http://libris.kb.se/{folder}/{legacy}",
    "legacy URI with zeros": "http://libris.kb.se/{folder}/000{legacy}?vw=full",
    "legacy URI of the thing": "http://libris.kb.se/resource/{folder}/{legacy}",
    "bare legacy number": "{legacy}",
    "number of LIBRIS III": "libris3:{libris3}",
    "bare number of LIBRIS III": "{libris3}",
}
OF_BIBS = {
    **OF_BOTH,
    "(LIBRIS)": "(LIBRIS){legacy}",
    "(LIBRIS) with a typing error": "(LIBRRIS) {legacy}",
    "ISBN of ten digits": "91-7000-059-X",
    "ISBN of thirteen digits": "9789170000591",
    "ISSN": "0347-0547",
    "number of another system": "(OCoLC)4711",
    "number of BTJ": "BTJ12345",
    "URN of another system": "(DiVA)urn:nbn:se:liu:diva-179262",
}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxControl]:
    with running_sandbox(index_lag_ms=-1) as control:
        yield control


@pytest.fixture
def place(sandbox: SandboxControl, tmp_path: Path) -> Workplace:
    return Workplace(folder=tmp_path / "place", sandbox=sandbox, client="cataloguer")


def named(here: EnvironmentControl, record: str, folder: str) -> None:
    """Give a record every number."""
    document = here.document(record)
    head, thing = document["@graph"][:2]
    head["sameAs"] = [{"@id": f"http://libris.kb.se/{folder}/{LEGACY}"}]
    thing["sameAs"] = [{"@id": f"http://libris.kb.se/resource/{folder}/{LEGACY}"}]
    head["identifiedBy"] = [
        {"@type": "LibrisIIINumber", "value": LIBRIS3},
        {"@type": "SystemNumber", "value": "(OCoLC)4711"},
        {"@type": "SystemNumber", "value": "(DiVA)urn:nbn:se:liu:diva-179262"},
    ]
    if folder == "bib":
        thing["identifiedBy"] = [
            {"@type": "ISBN", "value": "9789170000591"},
            {"@type": "ISSN", "value": "0347-0547"},
            {"@type": "Identifier", "typeNote": "BTJ", "value": "12345"},
        ]
    here.edit(record, doc=document)
    here.refresh()


def unnamed(here: EnvironmentControl, record: str) -> None:
    document = here.document(record)
    for part in document["@graph"][:2]:
        for key in ("sameAs", "identifiedBy"):
            part.pop(key, None)
    here.edit(record, doc=document)
    here.refresh()


def plan(place: Workplace, job: Path, environment: str) -> list[dict[str, Any]]:
    made = place("plan", job, "--env", environment).document["plan"]
    out = place.folder / f"{made}.json"
    place("report", made, "--format", "json", "--out", out)
    changes: list[dict[str, Any]] = json.loads(out.read_text(encoding="utf-8"))["changes"]
    return changes


@pytest.mark.parametrize(
    ("folder", "dialect"),
    [("bib", name) for name in OF_BIBS] + [("hold", name) for name in OF_BOTH],
)
def test_the_same_record_in_both_environments(
    place: Workplace, sandbox: SandboxControl, folder: str, dialect: str
) -> None:
    both = set(sandbox.staging.records(folder)) & set(sandbox.production.records(folder))
    if folder == "hold":
        both &= set(sandbox.staging.records("hold", "Ylm"))
    record = min(both)
    meaning = "bib" if folder == "bib" else "holding"
    text = OF_BIBS[dialect].format(id=record, folder=folder, legacy=LEGACY, libris3=LIBRIS3)
    ids = {"file": "ids.txt", "as": [meaning, "libris3"]}
    job = place.job(
        "dialect",
        agreement=AGREED,
        steps=[{"ids": ids, **NOTE}],
        files={"ids.txt": f"\ufeff{text} \r\n"},
    )
    for name in ("staging", "production"):
        here = getattr(sandbox, name)
        named(here, record, folder)
        (change,) = plan(place, job, name)
        assert (change["record"], change["action"]) == (record, "update"), name
        unnamed(here, record)
