"""Cases: records before, a job, what its plan counts, and records after; told by a data file.

A case says (``{h1}`` stands for a record's id, in files and texts; names begin with ``h`` or ``b``):

- ``about``: in a sentence, what the case shows;
- ``bibs``, ``holdings``: the records before; a holding has ``sigel``, ``of``, ``item``, ``record``
  (what is null in an item is left out);
- ``edited``: what was changed in records since, as places and values: each has two versions;
- ``written``: what takes the place of words of the manifest;
- ``files``: what takes the place of the job's input files; ``parameters``: for ``--param``;
- ``counts``: what the plan counts, all that is left out being 0; ``codes``: what it gives reasons for;
- ``then``: what becomes of records: their ``item``, ``of``, ``record`` (those keys), or ``"deleted"``;
  a record that is left out must be as before;
- ``new``: the holdings that are there afterwards and were not before, in any order; ``of`` is
  ``"new"`` where the bib is new too.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

from tests.support.cli import Workplace
from tests.support.sandbox import EnvironmentControl, running_sandbox

Case = dict[str, Any]

LIBRARY = "https://libris.kb.se/library/"
BASE = "https://libris.kb.se/"
KEYS = {"about", "bibs", "holdings", "edited", "files", "parameters", "counts", "codes"}
KEYS |= {"written", "then", "new"}
IDENTITY = ("@id", "@type", "heldBy", "itemOf", "sameAs")


def spelled(name: str) -> str:
    """The id of a record that a case calls by a short name."""
    return name + "0" * (15 - len(name))


def spell(value: Any) -> Any:
    """The value with every ``{name}`` replaced by the record's id."""
    if isinstance(value, dict):
        return {key: spell(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [spell(inner) for inner in value]
    if isinstance(value, str):
        return re.sub(r"\{([hb][0-9]+)\}", lambda found: spelled(found[1]), value)
    return value


def document(name: str, thing: Case, record: Case) -> Case:
    iri = BASE + spelled(name)
    head = {
        "@id": iri,
        "@type": "Record",
        "controlNumber": spelled(name),
        "created": "2019-03-01T10:00:00.000+01:00",
        "modified": "2019-03-01T10:00:00.000+01:00",
        "mainEntity": {"@id": f"{iri}#it"},
        "descriptionCreator": {"@id": LIBRARY + "S"},
        "descriptionLastModifier": {"@id": LIBRARY + "S"},
        **record,
    }
    return {"@graph": [head, {"@id": f"{iri}#it", **thing}]}


def documents(case: Case, sigels: list[str]) -> Iterator[Case]:
    for name, bib in case.get("bibs", {}).items():
        thing = {"@type": "Instance", "hasTitle": [{"@type": "Title", "mainTitle": name}]}
        yield document(name, {**thing, **bib.get("item", {})}, bib.get("record", {}))
    for name, holding in case.get("holdings", {}).items():
        yield held(
            name, holding["sigel"], holding["of"], holding.get("item"), holding.get("record")
        )
    for number, sigel in enumerate(sigels):  # so that every library of the job has its record
        yield held(f"h99{number:03}", sigel, "b99")


def held(
    name: str, sigel: str, of: str, item: Case | None = None, record: Case | None = None
) -> Case:
    thing = {
        "@type": "Item",
        "heldBy": {"@id": LIBRARY + quote_plus(sigel)},
        "itemOf": {"@id": f"{BASE}{spelled(of)}#it"},
        **(item or {}),
    }
    thing = {key: value for key, value in thing.items() if value is not None}
    return document(name, thing, record or {})


def own(node: Case) -> Case:
    """An item without what says which it is."""
    return {key: value for key, value in node.items() if key not in IDENTITY}


def read(path: Path, *more: str) -> Case:
    """A case with every id spelled out; ``more`` are keys that it may have besides."""
    case: Case = spell(json.loads(path.read_text(encoding="utf-8")))
    assert set(case) <= KEYS | set(more), f"unknown keys: {set(case) - KEYS}"
    return case


@contextlib.contextmanager
def place_for(case: Case, job: Path) -> Iterator[Workplace]:
    """A sandbox that holds the case's records, and a workplace around the job folder."""
    for name, content in case.get("files", {}).items():
        (job / name).write_text(content, encoding="utf-8")
    manifest = job / "job.yaml"
    text = manifest.read_text(encoding="utf-8")
    for word, instead in case.get("written", {}).items():
        assert word in text
        text = text.replace(word, instead)
    manifest.write_text(text, encoding="utf-8")
    sigels = re.search(r"^sigels: \[([^\]]*)\]", text, re.MULTILINE)
    assert sigels is not None
    folder = job.parent.parent
    load = folder.parent / "records.jsonl"
    with load.open("w", encoding="utf-8") as file:
        for one in documents(case, [name.strip(" \"'") for name in sigels[1].split(",")]):
            file.write(json.dumps(one) + "\n")
    with running_sandbox(load=load) as sandbox:
        for name, values in case.get("edited", {}).items():
            sandbox.staging.edit(spelled(name), sigel="S", set=values)
        yield Workplace(folder=folder, sandbox=sandbox, client="cataloguer")


def wanted_of(case: Case, name: str, holding: Case) -> tuple[str, Case, Case] | None:
    """What must be stored of a holding afterwards: the bib, the item and parts of the record."""
    then = case.get("then", {}).get(name, {})
    if then == "deleted":
        return None
    item = then.get("item", holding.get("item", {}))
    return then.get("of", holding["of"]), item, then.get("record", holding.get("record", {}))


def stored(environment: EnvironmentControl, short: str) -> tuple[str, Case, Case] | None:
    """What is stored of a holding: the bib, the item and the record."""
    answer = environment.get(short)
    if answer.status == 410:
        return None
    record, thing = answer.json["@graph"]
    bib = thing["itemOf"]["@id"].removeprefix(environment.base_uri).removesuffix("#it")
    return bib, own(thing), record


def goes_the_road(case: Case, place: Workplace, job: Path) -> None:
    """Plan and run the job in the test environment, and look at everything that it says."""
    staging = place.sandbox.staging
    given = [f"--param={name}={value}" for name, value in case.get("parameters", {}).items()]
    before = set(staging.records())
    plan = place("plan", job, "--env", "staging", *given, expect=None)
    assert plan.document["counts"] is not None, plan.stderr
    counts = {action: count for action, count in plan.document["counts"].items() if count}
    assert counts == case["counts"], plan.document["findings"]
    found = place(
        "report", plan.document["plan"], "--format", "json", "--out", place.folder / "plan.json"
    )
    report = json.loads(Path(found.document["path"]).read_text(encoding="utf-8"))
    assert codes_of(report) == case.get("codes", {})
    if plan.exit_code == 3:
        assert not case.get("then")
        assert not case.get("new")
    else:
        place("run", job, "--env", "staging")
    for name, holding in case.get("holdings", {}).items():
        check(staging, name, wanted_of(case, name, holding))
    for name in case.get("bibs", {}):
        gone = case.get("then", {}).get(name) == "deleted"
        assert (staging.get(spelled(name)).status == 410) == gone, name
    made = [stored(staging, short) for short in sorted(set(staging.records()) - before)]
    known = {spelled(name) for name in case.get("bibs", {})}
    new = [
        (one["of"] if one["of"] == "new" else spelled(one["of"]), one.get("item", {}))
        for one in case.get("new", [])
    ]
    in_any_order = [
        json.dumps((of if of in known else "new", item), sort_keys=True)
        for of, item, _ in filter(None, made)
    ]
    assert sorted(in_any_order) == sorted(json.dumps(one, sort_keys=True) for one in new)


def check(
    environment: EnvironmentControl, name: str, wanted: tuple[str, Case, Case] | None
) -> None:
    """A holding is as the case says."""
    now = stored(environment, spelled(name))
    if wanted is None or now is None:
        assert now is wanted, f"{name}: deleted or not"
        return
    of, item, record = wanted
    assert now[0] == spelled(of), name
    assert now[1] == item, name
    assert {key: now[2].get(key) for key in record} == record, name


def codes_of(report: Case) -> Counter[str]:
    """How often the plan gives each reason."""
    return Counter(change["code"] for change in report["changes"] if change["code"])
