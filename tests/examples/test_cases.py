"""Every file in a folder beside this one is a case of the example job that the folder is named after.

The job is planned and run in the test environment of a sandbox that holds the case's records.
A case says (``{h1}`` stands for a record's id, in files and texts; names begin with ``h`` or ``b``):

- ``about``: in a sentence, what the case shows;
- ``bibs``, ``holdings``: the records before; a holding has ``sigel``, ``of``, ``item``, ``record``;
- ``files``: what takes the place of the job's input files; ``parameters``: for ``--param``;
- ``counts``: what the plan counts, all that is left out being 0; ``codes``: what it gives reasons for;
- ``then``: what becomes of records: their ``item``, ``of``, ``record`` (those keys), or ``"deleted"``;
  a record that is left out must be as before;
- ``new``: the holdings that are there afterwards and were not before, in any order.
"""

import json
import re
import shutil
from collections import Counter
from pathlib import Path

import pytest

from bulkrunner.share import share_folder
from tests.support.cli import Workplace
from tests.support.sandbox import running_sandbox

HERE = Path(__file__).parent
CASES = sorted(HERE.glob("*/*.json"))
LIBRARY = "https://libris.kb.se/library/"
BASE = "https://libris.kb.se/"
KEYS = {"about", "bibs", "holdings", "files", "parameters", "counts", "codes", "then", "new"}
IDENTITY = ("@id", "@type", "heldBy", "itemOf", "sameAs")


def spelled(name):
    """The id of a record that a case calls by a short name."""
    return name + "0" * (15 - len(name))


def spell(value):
    """The value with every ``{name}`` replaced by the record's id."""
    if isinstance(value, dict):
        return {key: spell(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [spell(inner) for inner in value]
    if isinstance(value, str):
        return re.sub(r"\{([hb][0-9]+)\}", lambda found: spelled(found[1]), value)
    return value


def document(name, thing, record):
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


def documents(case, sigels):
    for name, bib in case.get("bibs", {}).items():
        thing = {"@type": "Instance", "hasTitle": [{"@type": "Title", "mainTitle": name}]}
        yield document(name, {**thing, **bib.get("item", {})}, bib.get("record", {}))
    for name, holding in case.get("holdings", {}).items():
        yield held(
            name, holding["sigel"], holding["of"], holding.get("item"), holding.get("record")
        )
    for number, sigel in enumerate(sigels):  # so that every library of the job has its record
        yield held(f"h99{number:03}", sigel, "b99")


def held(name, sigel, of, item=None, record=None):
    thing = {
        "@type": "Item",
        "heldBy": {"@id": LIBRARY + sigel},
        "itemOf": {"@id": f"{BASE}{spelled(of)}#it"},
        **(item or {}),
    }
    return document(name, thing, record or {})


def own(node):
    """An item without what says which it is."""
    return {key: value for key, value in node.items() if key not in IDENTITY}


@pytest.fixture
def road(tmp_path, request):
    """A case, its job and a sandbox that holds its records."""
    path = request.param
    case = spell(json.loads(path.read_text(encoding="utf-8")))
    assert set(case) <= KEYS, f"unknown keys: {set(case) - KEYS}"
    job = tmp_path / "place" / "jobs" / path.parent.name
    shutil.copytree(share_folder("jobs") / path.parent.name, job)
    for name, content in case.get("files", {}).items():
        (job / name).write_text(content, encoding="utf-8")
    sigels = re.search(
        r"^sigels: \[([^\]]*)\]", (job / "job.yaml").read_text("utf-8"), re.MULTILINE
    )
    load = tmp_path / "records.jsonl"
    with load.open("w", encoding="utf-8") as file:
        for one in documents(case, [name.strip(" \"'") for name in sigels[1].split(",")]):
            file.write(json.dumps(one) + "\n")
    with running_sandbox(load=load) as sandbox:
        place = Workplace(folder=tmp_path / "place", sandbox=sandbox, client="cataloguer")
        yield case, place, job


def wanted_of(case, name, holding):
    """What must be stored of a holding afterwards: the bib, the item and parts of the record."""
    then = case.get("then", {}).get(name, {})
    if then == "deleted":
        return None
    item = then.get("item", holding.get("item", {}))
    return then.get("of", holding["of"]), item, then.get("record", holding.get("record", {}))


def stored(environment, short):
    """What is stored of a holding: the bib, the item and the record."""
    answer = environment.get(short)
    if answer.status == 410:
        return None
    record, thing = answer.json["@graph"]
    bib = thing["itemOf"]["@id"].removeprefix(environment.base_uri).removesuffix("#it")
    return bib, own(thing), record


@pytest.mark.parametrize(
    "road", CASES, indirect=True, ids=[f"{path.parent.name}/{path.stem}" for path in CASES]
)
def test_a_case(road):
    case, place, job = road
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
    new = [(spelled(one["of"]), one.get("item", {})) for one in case.get("new", [])]
    in_any_order = [json.dumps(one[:2], sort_keys=True) for one in made]
    assert sorted(in_any_order) == sorted(json.dumps(one, sort_keys=True) for one in new)


def check(environment, name, wanted):
    """A holding is as the case says."""
    now = stored(environment, spelled(name))
    if wanted is None or now is None:
        assert now is wanted, f"{name}: deleted or not"
        return
    of, item, record = wanted
    assert now[0] == spelled(of), name
    assert now[1] == item, name
    assert {key: now[2].get(key) for key in record} == record, name


def codes_of(report):
    """How often the plan gives each reason."""
    return dict(Counter(change["code"] for change in report["changes"] if change["code"]))


def test_every_example_has_a_case():
    examples = {path.name for path in share_folder("jobs").iterdir() if path.is_dir()}
    assert {path.parent.name for path in CASES} == examples
