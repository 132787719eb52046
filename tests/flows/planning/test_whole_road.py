"""Steps over several records on the whole road: staging, production, report, undo."""

import json
from pathlib import Path
from urllib.parse import urlencode

import pytest


@pytest.fixture
def pairs(sandbox, own):
    """Holdings of Ylm alike in both environments, with the bib of each, where NO has none."""
    found = []
    for record in own:
        ends = [
            environment.document(record)["@graph"][1]["itemOf"]["@id"].rpartition("/")[2]
            for environment in (sandbox.staging, sandbox.production)
        ]
        bib = ends[0].removesuffix("#it")
        if ends[0] == ends[1] and not any(
            held(environment, bib, "NO") for environment in (sandbox.staging, sandbox.production)
        ):
            found.append((bib, record))
    return found


def held(environment, bib, sigel):
    query = urlencode({"id": environment.thing_iri(bib), "library": sigel})
    answer = environment.get("_findhold", query)
    if answer.status == 500:  # as for some old records
        return ["unknown"]
    return [iri.rpartition("/")[2] for iri in answer.json]


def report(place, plan):
    path = place.folder / f"{plan}.json"
    place("report", plan, "--format", "json", "--out", path)
    return json.loads(path.read_text(encoding="utf-8"))


def test_holdings_are_changed_and_moved_as_tried(place, sandbox, pairs):
    chosen = pairs[:4]
    bibs = "\n".join(bib for bib, _ in chosen)
    steps = [
        {
            "ids": "bibs.txt",
            "holdings": ["Ylm"],
            "append": {"at": "cataloguersNote", "value": "flyttad"},
        },
        {"name": "flytta", "ids": "bibs.txt", "holdings": ["Ylm"], "move": {"to": "NO"}},
    ]
    job = place.job("move", sigels=["Ylm", "NO"], steps=steps, files={"bibs.txt": bibs})
    counts = place("plan", job, "--env", "staging").document["counts"]
    assert (counts["create"], counts["delete"], counts["update"]) == (4, 4, 0)
    run = place("run", job, "--env", "staging").document
    assert run["outcomes"]["applied"] == 8
    for bib, record in chosen:
        (new,) = held(sandbox.staging, bib, "NO")
        assert held(sandbox.staging, bib, "Ylm") == []
        note = sandbox.staging.document(new)["@graph"][1]["cataloguersNote"]
        assert "flyttad" in note
        assert sandbox.staging.get(record).status == 410
    plan = place("plan", job, "--env", "production").document["plan"]
    gates = {gate["name"]: gate["open"] for gate in place("status", plan).document["gates"]}
    assert (gates["staging"], gates["approval"]) == (True, False)
    page = place.folder / "move.html"
    place("report", plan, "--out", page)
    assert "Flytta beståndspost" in Path(page).read_text(encoding="utf-8")
    again = place("plan", job, "--env", "staging").document
    assert again["counts"]["unchanged"] == 4
    assert sum(again["counts"].values()) == 4
    back = place.folder / "back"
    place("undo", run["run"], "--out", back)
    place("plan", back, "--env", "staging")
    undone = place("run", back, "--env", "staging").document
    assert undone["outcomes"]["applied"] == 8
    for bib, _ in chosen:
        assert held(sandbox.staging, bib, "NO") == []
        (new,) = held(sandbox.staging, bib, "Ylm")
        assert "flyttad" not in json.dumps(sandbox.staging.document(new))


def test_operations_that_refer_to_each_other(place, sandbox, own):
    place.client = "cataloguer"
    agreement = {"reference": "KB 1", "contact": "a@example.org", "covers": ["holdings", "bibs"]}
    title = [{"@type": "Title", "mainTitle": "Ny"}]
    isbn = [{"@type": "ISBN", "value": "9786600000008"}]
    operations = [
        {
            "create": "bib",
            "sigel": "Ylm",
            "body": {"@type": "Instance", "hasTitle": title, "identifiedBy": isbn},
        },
        {"create": "holding", "of": "new:1", "sigel": "Ylm", "body": {"physicalLocation": ["M"]}},
        {"delete": own[-1], "after": [2]},
    ]
    job = place.job("chain", operations=operations, agreement=agreement)
    for name in ("staging", "production"):
        plan = place("plan", job, "--env", name).document["plan"]
        found = sorted(report(place, plan)["changes"], key=lambda change: change["number"])
        assert [change["prerequisites"] for change in found] == [[], [1], [2]]
        if name == "staging":
            done = place("run", job, "--env", name).document
            assert done["outcomes"]["applied"] == 3
    gates = {gate["name"]: gate["open"] for gate in place("status", plan).document["gates"]}
    assert gates["staging"]
