"""A run of every kind of change is taken back, record by record and field by field."""

import itertools
import json

import pytest

from bulkrunner.sandbox import seed
from tests.flows.undo.test_undo import content, content_of_new, counts, findings, outcomes, undone
from tests.support.cli import Workplace
from tests.support.sandbox import running_sandbox

ISBNS = itertools.count(9786400000000)
SIZE = {"bibs": 300, "holdings": 1200}


@pytest.fixture(scope="module")
def sandbox():
    with running_sandbox(**SIZE) as control:
        yield control


@pytest.fixture(scope="module")
def own():
    """Ylm's holdings with a shelf mark on the item."""
    marks = ("Hc", "Hce", "Hcf")
    found = (
        seed.example_ids(kind="holding", sigel="Ylm", shelf_mark=mark, **SIZE) for mark in marks
    )
    return [record for records in found for record in records]


@pytest.fixture(scope="module")
def free_bibs():
    """Bibs that Ylm holds nowhere."""
    return seed.example_ids(kind="bib", without="Ylm", **SIZE)


@pytest.fixture
def place(sandbox, tmp_path):
    return Workplace(folder=tmp_path / "place", sandbox=sandbox, client="cataloguer")


def post(staging, thing, **more):
    """Make a record past the program; returns its short id."""
    before = len(staging.writes())
    head = {"@id": "_:T", "@type": "Record", "mainEntity": {"@id": "_:T#it"}, **more}
    graph = [head, {"@id": "_:T#it", **thing}]
    answer = staging.send("POST", "/data", {"@graph": graph}, client="cataloguer")
    assert answer.status == 201, answer
    (record,) = staging.writes()[before]["stored"]
    return record


def a_bib(staging, title):
    note = {"@type": "Note", "label": "en anmärkning"}
    titles = [{"@type": "Title", "mainTitle": title}]
    isbn = {"@type": "ISBN", "value": f"{next(ISBNS)}"}
    thing = {"@type": "Instance", "hasTitle": titles, "identifiedBy": [isbn], "hasNote": [note]}
    return post(staging, thing, encodingLevel="marc:FullLevel")


def a_holding(staging, bib, sigel="Ylm", **body):
    thing = {
        "@type": "Item",
        "heldBy": {"@id": f"https://libris.kb.se/library/{sigel}"},
        "itemOf": {"@id": staging.thing_iri(bib)},
        **body,
    }
    return post(staging, thing)


def new_bib(title):
    isbn = f"{next(ISBNS)}"
    body = {
        "@type": "Instance",
        "hasTitle": [{"@type": "Title", "mainTitle": title}],
        "identifiedBy": [{"@type": "ISBN", "value": isbn}],
    }
    return {"create": "bib", "sigel": "Ylm", "body": body}


def new_holding(bib):
    body = {"physicalLocation": ["MAG"]}
    return {"create": "holding", "of": bib, "sigel": "Ylm", "body": body}


def several(record, n):
    return {
        "update": record,
        "changes": [
            {"set": {"at": "shelfMark.label", "to": f"Hx {n}"}},
            {"remove": {"at": "physicalLocation"}},
            {"append": {"at": "cataloguersNote", "value": "gallrad"}},
        ],
    }


def noted(bib):
    note = {"@type": "Note", "label": "tillagd"}
    return {"update": bib, "changes": [{"append": {"at": "hasNote", "value": note}}]}


class World:
    """Records of every kind in staging, the job's operations on them, and what they were."""

    def __init__(self, place, own, bibs):
        self.staging = place.sandbox.staging
        self.updated = own[:12]
        self.noted = [a_bib(self.staging, f"Ändrad {n}") for n in range(3)]
        self.deleted = own[12:18]
        self.gone_bibs = [a_bib(self.staging, f"Raderad {n}") for n in range(2)]
        self.on_gone = [
            a_holding(self.staging, self.gone_bibs[0], sigel, physicalLocation=["REF"])
            for sigel in ("Ylm", "NO")
        ]
        self.bibs = bibs[:5]
        self.before = {
            record: self.staging.document(record)
            for record in (
                *self.updated,
                *self.noted,
                *self.deleted,
                *self.gone_bibs,
                *self.on_gone,
            )
        }
        self.operations = [
            *(several(record, n) for n, record in enumerate(self.updated)),
            *map(noted, self.noted),
            *({"delete": record} for record in (*self.deleted, *self.on_gone, *self.gone_bibs)),
            *map(new_holding, self.bibs),
            *(new_bib(f"Ny {n}") for n in range(3)),
        ]

    def run(self, place):
        """Run the job in staging; returns the run and what it created, by position."""
        job = place.job(
            "everything",
            operations=self.operations,
            sigels=["Ylm", "NO"],
            agreement={
                "reference": "KB 1",
                "contact": "a@example.org",
                "covers": ["holdings", "bibs"],
            },
        )
        place("plan", job, "--env", "staging")
        done = place("run", job, "--env", "staging")
        assert outcomes(done) == {"applied": len(self.operations)}
        run = done.document["run"]
        return run, created_by(place, run)


def created_by(place, run):
    """Short ids of the records that a run created, by what was given for them."""
    path = place.folder / f"{run}.json"
    place("report", run, "--format", "json", "--out", path)
    changes = json.loads(path.read_text(encoding="utf-8"))["changes"]
    return [
        (change["given"], change["result"]["record"])
        for change in changes
        if change["action"] == "create" and change["outcome"] == "applied"
    ]


def test_everything_comes_back(place, own, free_bibs):
    world = World(place, own[:18], free_bibs[:5])
    run, made = world.run(place)
    assert len(made) == 8
    back = undone(place, run)
    done = place("plan", back, "--env", "staging")
    assert done.document["counts"] == counts(update=15, delete=8, create=10)
    again = place("run", back, "--env", "staging")
    assert outcomes(again) == {"applied": 33}
    assert place("verify", again.document["run"]).document["differences"] == []
    staging = world.staging
    for record in (*world.updated, *world.noted):
        assert content(staging.document(record)) == content(world.before[record])
    for _, record in made:
        assert staging.get(record).status == 410
    returned = dict(created_by(place, again.document["run"]))
    assert set(returned) == {*world.deleted, *world.gone_bibs, *world.on_gone}
    for old, new in returned.items():
        assert staging.get(old).status == 410
        now, before = content_of_new(staging.document(new)), content_of_new(world.before[old])
        if old in world.on_gone:
            assert now[1].pop("itemOf") == {"@id": staging.thing_iri(returned[world.gone_bibs[0]])}
            del before[1]["itemOf"]
        assert now == before


def test_all_but_what_three_people_edited(place, own, free_bibs):
    world = World(place, own[18:36], free_bibs[5:10])
    run, made = world.run(place)
    staging = world.staging
    created = dict(made)
    edited = [world.updated[3], world.noted[1], created[world.bibs[2]]]
    for record in edited:
        staging.edit(record, sigel="S")
    touched = {record: content(staging.document(record)) for record in edited}
    back = undone(place, run)
    done = place("plan", back, "--env", "staging")
    assert done.document["counts"] == counts(update=13, delete=7, create=10, refused=3)
    assert findings(done).items() >= dict.fromkeys(edited, "changed_since").items()
    assert outcomes(place("run", back, "--env", "staging")) == {"applied": 30}
    for record in (*world.updated, *world.noted):
        kept = touched.get(record, content(world.before[record]))
        assert content(staging.document(record)) == kept
    for _, record in made:
        assert staging.get(record).status == (200 if record in edited else 410)
    assert content(staging.document(edited[2])) == touched[edited[2]]


def test_only_the_holdings_that_were_left_after_their_bib_is_back(place, free_bibs):
    """A second plan of the undo hangs them on the bib that the first one made."""
    staging = place.sandbox.staging
    bib = a_bib(staging, "Två gånger")
    holdings = [a_holding(staging, bib, sigel) for sigel in ("Ylm", "NO")]
    covers = {"reference": "KB 1", "covers": ["holdings", "bibs"]}
    operations = [{"delete": record} for record in (*holdings, bib)]
    job = place.job("later", operations=operations, sigels=["Ylm", "NO"], agreement=covers)
    place("plan", job, "--env", "staging")
    back = undone(place, place("run", job, "--env", "staging").document["run"])
    assert place("plan", back, "--env", "staging").document["counts"] == counts(create=3)
    staging.fault("status", method="POST", path="/data", nth=[2, 3, 4], status=500)
    first = place("run", back, "--env", "staging", expect=None)
    staging.clear_faults()
    assert outcomes(first) == {"applied": 2, "failed": 1}
    again = place("plan", back, "--env", "staging")
    assert again.document["counts"] == counts(create=1, unchanged=2)
    assert outcomes(place("run", back, "--env", "staging")) == {"applied": 1}
    (new,) = [r for given, r in created_by(place, first.document["run"]) if given == bib]
    for sigel in ("Ylm", "NO"):
        query = f"id={staging.thing_iri(new)}&library={sigel}".replace("#", "%23")
        assert len(staging.get("_findhold", query).json) == 1


def test_holdings_whose_bib_is_not_proven_to_be_back_are_not_made(place):
    staging = place.sandbox.staging
    head = {"@id": "_:T", "@type": "Record", "mainEntity": {"@id": "_:T#it"}}
    thing = {"@id": "_:T#it", "@type": "Instance", "hasTitle": [{"@type": "Title"}]}
    before = len(staging.writes())
    staging.send("POST", "/data", {"@graph": [head, thing]}, client="cataloguer")
    (bib,) = staging.writes()[before]["stored"]
    holding = a_holding(staging, bib)
    covers = {"reference": "KB 1", "covers": ["holdings", "bibs"]}
    job = place.job("doubt", operations=[{"delete": holding}, {"delete": bib}], agreement=covers)
    place("plan", job, "--env", "staging")
    back = undone(place, place("run", job, "--env", "staging").document["run"])
    place("plan", back, "--env", "staging")
    staging.fault("close_before", method="POST", path="/data", times=1)
    done = place("run", back, "--env", "staging", expect=5)
    staging.clear_faults()
    assert outcomes(done) == {"unknown": 1, "refused": 1}


def test_an_undo_that_made_a_bib_and_its_holdings_is_undone(place):
    staging = place.sandbox.staging
    bib = a_bib(staging, "Fram och åter")
    operations = [{"delete": a_holding(staging, bib)}, {"delete": bib}]
    covers = {"reference": "KB 1", "covers": ["holdings", "bibs"]}
    job = place.job("forth", operations=operations, agreement=covers)
    place("plan", job, "--env", "staging")
    back = undone(place, place("run", job, "--env", "staging").document["run"])
    place("plan", back, "--env", "staging")
    returned = place("run", back, "--env", "staging").document["run"]
    forth = undone(place, returned, "forth-again")
    assert place("plan", forth, "--env", "staging").document["counts"] == counts(delete=2)
    assert outcomes(place("run", forth, "--env", "staging")) == {"applied": 2}
    for _, record in created_by(place, returned):
        assert staging.get(record).status == 410
