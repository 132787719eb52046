"""Every reason for which an operation is refused, provoked on a running sandbox."""

import json

import pytest

from bulkrunner.sandbox import seed
from bulkrunner.sandbox.seed_layout import Shape
from tests.support.cli import update_label
from tests.support.sandbox import running_sandbox

BIBS, HOLDINGS = 300, 1000
NOWHERE = "0000000000zzzzzz"
LIBRARY = "https://libris.kb.se/library/"
BIB_JOB = {"agreement": {"reference": "KB 1", "contact": "a@example.org", "covers": ["bibs"]}}


class World:
    """Records to spoil, each given out once."""

    def __init__(self, staging, own, bibs):
        self.staging = staging
        self._own = iter(own)
        self._bibs = iter(bibs)

    def holding(self, **places):
        """A holding of Ylm, edited by somebody so that it has these values."""
        record = next(self._own)
        if places:
            self.staging.edit(record, set=places)
        return record

    def old_holding(self):
        """A holding and its number from before."""
        for record in self._own:
            for link in self.staging.document(record)["@graph"][0].get("sameAs", []):
                return record, link["@id"]
        raise LookupError("no holding has a legacy id")

    def rebuilt(self, change):
        """A holding whose whole document somebody has changed."""
        record = next(self._own)
        document = self.staging.document(record)
        change(document["@graph"][0], document["@graph"][1])
        self.staging.edit(record, doc=document)
        return record

    def shaped(self, shape, sigel="Ylm"):
        return seed.example_ids(
            kind="holding", sigel=sigel, shape=shape, bibs=BIBS, holdings=HOLDINGS
        )[0]

    def of(self, sigel):
        return seed.example_ids(kind="holding", sigel=sigel, bibs=BIBS, holdings=HOLDINGS)[0]

    def bib(self):
        return next(self._bibs)

    def heading(self):
        return self.staging.records("auth")[0]


@pytest.fixture(scope="module")
def sandbox():
    with running_sandbox(bibs=BIBS, holdings=HOLDINGS) as control:
        yield control


@pytest.fixture(scope="module")
def world(sandbox):
    marks = ("Hc", "Hce", "Hcf")
    own = [
        record
        for mark in marks
        for record in seed.example_ids(
            kind="holding", sigel="Ylm", shelf_mark=mark, bibs=BIBS, holdings=HOLDINGS
        )
    ]
    bibs = seed.example_ids(kind="bib", without="Ylm", bibs=BIBS, holdings=HOLDINGS)
    return World(sandbox.staging, own, bibs)


def change(record, **one):
    (verb, (at, value)) = next(iter(one.items()))
    key = "to" if verb == "set" else "value"
    return {"update": record, "changes": [{verb: {"at": at, key: value}}]}


def heldby(*sigels):
    links = [{"@id": LIBRARY + sigel} for sigel in sigels]
    return links[0] if len(links) == 1 else links


def component(*sigels):
    return {"hasComponent": [{"@type": "Item", "heldBy": heldby(*sigels)}]}


def create(of, sigel="Ylm", **more):
    return {"create": "holding", "of": of, "sigel": sigel, "body": {}, **more}


BIB = {"create": "bib", "sigel": "Ylm", "record": {}}
NEW_BIB = {**BIB, "body": {"@type": "PhysicalResource"}}

REFUSED = {
    "a library outside the job": ("foreign_sigel", lambda w: {"delete": w.of("S")}, {}),
    "a create for a library outside the job": (
        "foreign_sigel",
        lambda w: create(w.bib(), sigel="S"),
        {},
    ),
    "a library outside the client's rights": (
        "no_rights",
        lambda w: {"delete": w.of("S")},
        {"sigels": ["Ylm", "S"]},
    ),
    "a component of a library outside the client's rights": (
        "no_rights",
        lambda w: {"delete": w.holding(**component("S"))},
        {"sigels": ["Ylm", "S"]},
    ),
    "an active sigel that the client has not": (
        "active_sigel_not_permitted",
        lambda w: {"delete": w.holding()},
        {"sigels": ["Ylm", "S"], "active_sigel": "S"},
    ),
    "a component of another library": (
        "foreign_component",
        lambda w: {"delete": w.shaped(Shape.FOREIGN_COMPONENT)},
        {},
    ),
    "a component of two libraries": (
        "foreign_component",
        lambda w: {"delete": w.holding(**component("Ylm", "S"))},
        {},
    ),
    "a component inside a component": (
        "foreign_component",
        lambda w: {"delete": w.holding(hasComponent={"@type": "Item", **component("S")})},
        {},
    ),
    "a component whose library is none": (
        "foreign_component",
        lambda w: {"delete": w.holding(hasComponent=[{"heldBy": {"@id": "https://x.example/Y"}}])},
        {},
    ),
    "a change that brings a component of another library in": (
        "foreign_component",
        lambda w: change(
            w.holding(), append=("hasComponent", {"@type": "Item", "heldBy": heldby("S")})
        ),
        {},
    ),
    "new content with a component of another library": (
        "foreign_component",
        lambda w: {"update": w.holding(), "replace": {"item": component("Ylm", "S")}},
        {},
    ),
    "a new holding with a component of another library": (
        "foreign_component",
        lambda w: create(w.bib(), body=component("S")),
        {},
    ),
    "a holding without a library": (
        "no_sigel",
        lambda w: {"delete": w.rebuilt(lambda record, item: item.pop("heldBy"))},
        {},
    ),
    "a holding of two libraries": (
        "no_sigel",
        lambda w: {"delete": w.rebuilt(lambda r, item: item.update(heldBy=heldby("Ylm", "S")))},
        {},
    ),
    "bibs that were not agreed": (
        "bibs_not_agreed",
        lambda w: change(w.bib(), set=("responsibilityStatement", "x")),
        {},
    ),
    "bibs with a client of level 1": ("level_2_required", lambda w: {"delete": w.bib()}, BIB_JOB),
    "a new bib with a client of level 1": ("level_2_required", lambda w: NEW_BIB, BIB_JOB),
    "data that cannot be written": (
        "read_only",
        lambda w: {
            "delete": w.rebuilt(
                lambda record, item: record.update(
                    inDataset=[{"@id": "https://id.kb.se/dataset/saogf"}]
                )
            )
        },
        {},
    ),
    "a change into data that cannot be written": (
        "read_only",
        lambda w: change(
            w.holding(), set=("@record.inDataset", {"@id": "https://libris.kb.se/dataset/x"})
        ),
        {},
    ),
    "an authority": (
        "other_kind",
        lambda w: {"delete": w.staging.records("auth")[0]},
        {},
    ),
    "another value than expected": (
        "unexpected_value",
        lambda w: update_label([w.holding()], expect={"shelfMark.label": "Zz"})[0],
        {},
    ),
    "another value than expected before a deletion": (
        "unexpected_value",
        lambda w: {"delete": w.holding(), "expect": {"shelfMark.label": "Zz"}},
        {},
    ),
    "a place that says not which": (
        "ambiguous_place",
        lambda w: change(
            w.holding(hasNote=[{"label": "a"}, {"label": "b"}]), set=("hasNote.label", "x")
        ),
        {},
    ),
    "a place whose parent is absent": (
        "no_such_place",
        lambda w: change(w.holding(), set=("marc:nothing.label", "x")),
        {},
    ),
    "a place that is in a component": (
        "in_component",
        lambda w: update_label([w.shaped(Shape.ONE_COMPONENT)])[0],
        {},
    ),
    "a record of another environment inside": (
        "foreign_base",
        lambda w: update_label(
            [w.holding(subject=[{"@id": "https://libris.kb.se/0000000000zzzzzz#it"}])]
        )[0],
        {},
    ),
    "a library that the environment has not": (
        "library_unresolved",
        lambda w: create(w.bib(), sigel="Nix"),
        {"sigels": ["Nix"], "on_behalf_of": "Nix", "client": "other"},
    ),
    "a second holding": (
        "duplicate",
        lambda w: create(itemof(w.staging.document(w.holding()))),
        {},
    ),
    "a holding on a holding": ("not_a_bib", lambda w: create(w.holding()), {}),
    "a holding on a subject heading": ("not_a_bib", lambda w: create(w.heading()), {}),
    "a missing record, where that is to be refused": (
        "not_found",
        lambda w: {"delete": NOWHERE},
        {"on_missing": "refuse"},
    ),
    "a missing bib, where that is to be refused": (
        "not_found",
        lambda w: create(NOWHERE),
        {"on_missing": "refuse"},
    ),
    "a deleted record, where that is to be refused": (
        "gone",
        lambda w: {"delete": deleted(w)},
        {"on_missing": "refuse"},
    ),
    "a bib that holdings link to": (
        "linked",
        lambda w: {"delete": itemof(w.staging.document(w.holding()))},
        {**BIB_JOB, "client": "cataloguer"},
    ),
    "a bib that would become a holding": (
        "other_kind",
        lambda w: {"update": w.bib(), "replace": {"item": {"@type": "Item"}}},
        {**BIB_JOB, "client": "cataloguer"},
    ),
    "a new bib that is a holding": (
        "other_kind",
        lambda w: {**BIB, "body": {"@type": "Item"}},
        {**BIB_JOB, "client": "cataloguer"},
    ),
}


def itemof(document):
    return document["@graph"][1]["itemOf"]["@id"].rpartition("/")[2].removesuffix("#it")


def deleted(world):
    record = world.holding()
    world.staging.edit(record, delete=True)
    return record


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_its_code_and_nothing_can_be_run(place, world, name):
    code, operation, keys = REFUSED[name]
    keys = dict(keys)
    place.client = keys.pop("client", "supplier")
    if place.client == "other":
        world.staging.set_permissions("other", {"code": "Nix", "registrant": True})
    declared = operation(world)
    job = place.job("refused", operations=[declared], **keys)
    document = place("plan", job, "--env", "staging", expect=3).document
    (finding,) = document["findings"]
    assert finding["code"] == code
    assert finding["record"] == recorded_as(declared)
    assert finding["message"]
    assert document["state"] == "complete"
    assert document["counts"]["refused"] == sum(document["counts"].values()) == 1
    assert code in document["error"]["message"]
    before = len(world.staging.writes())
    assert "refusals" in place("run", job, "--env", "staging", expect=4).closed
    assert len(world.staging.writes()) == before


def recorded_as(declared):
    """The short id; of a new holding its bib's."""
    for key in ("update", "delete", "of"):
        if key in declared:
            return declared[key]
    return "new:1"


def test_a_bib_that_does_not_resolve(place, world):
    """The server would answer 204 to a write of such a holding, and store nothing."""
    record = world.holding()
    document = world.staging.document(record)
    bib = itemof(document)
    for held in world.staging.records("hold"):
        if itemof(world.staging.document(held)) == bib and held != record:
            world.staging.edit(held, delete=True)
    world.staging.edit(bib, delete=True)
    job = place.job("lost", operations=[{"delete": record}])
    document = place("plan", job, "--env", "staging", expect=3).document
    assert [finding["code"] for finding in document["findings"]] == ["bib_unresolved"]


def test_two_names_of_one_record(place, world):
    record, legacy = world.old_holding()
    operations = [*update_label([record]), {"delete": legacy}]
    job = place.job("twice", operations=operations)
    document = place("plan", job, "--env", "staging", expect=3).document
    assert {(one["code"], one["record"]) for one in document["findings"]} == {
        ("prerequisite", record),
        ("duplicate_operation", record),
    }
    assert document["counts"]["update"] == 0


def test_lines_that_name_no_record(place, world):
    record, strange = world.holding(), "se även \x1b[31mHc\x1b[0m " + "x" * 5000
    steps = [{"ids": "ids.txt", "append": {"at": "cataloguersNote", "value": "inv"}}]
    job = place.job("lines", steps=steps, files={"ids.txt": f"{record}\n{strange}\n"})
    document = place("plan", job, "--env", "staging", expect=3).document
    (finding,) = document["findings"]
    assert finding["code"] == "unreadable_id"
    assert len(finding["record"]) < 300
    assert "\x1b" not in json.dumps(finding, ensure_ascii=False)
    assert document["counts"]["update"] == 1


def test_findings_begin_with_ceilings_then_refusals_in_plan_order(place, world):
    operations = [
        {"delete": NOWHERE},
        *update_label([world.holding()]),
        {"delete": world.of("S")},
        {"update": world.holding(), "replace": {"item": component("S")}},
    ]
    job = place.job("order", operations=operations, ceilings={"update": 0})
    document = place("plan", job, "--env", "staging", expect=3).document
    found = [finding["code"] for finding in document["findings"]]
    assert found == ["ceiling", "foreign_sigel", "foreign_component", "not_found"]
    run = place("run", job, "--env", "staging", expect=4)
    assert run.closed == {"ceilings", "refusals"}


def test_a_policy_ceiling_and_a_manifest_ceiling_both_hold(place, world):
    records = [world.holding(), world.holding()]
    place.configure(policy={"ceilings": {"records": 1}})
    place.config.write_text(
        place.config.read_text(encoding="utf-8").replace(
            'ceilings = {"records": 1}', "ceilings = {records = 1}"
        ),
        encoding="utf-8",
    )
    job = place.job("ceiling", operations=update_label(records, to="Hw"), ceilings={"records": 5})
    document = place("plan", job, "--env", "staging", expect=3).document
    assert [finding["code"] for finding in document["findings"]] == ["ceiling"]


def test_accepted_refusals_let_the_rest_run(place, world):
    accept = [{"code": "foreign_sigel", "at_most": 1, "reason": "known"}]
    operations = [{"delete": world.of("S")}, *update_label([world.holding()], to="Ha")]
    job = place.job("accepted", operations=operations, accept=accept)
    document = place("plan", job, "--env", "staging").document
    assert document["counts"]["refused"] == 1
    assert document["findings"][0]["code"] == "foreign_sigel"
    done = place("run", job, "--env", "staging").document
    assert done["outcomes"]["applied"] == sum(done["outcomes"].values()) == 1


def test_one_refusal_more_than_accepted(place, world):
    accept = [{"code": "not_found", "at_most": 1, "reason": "known"}]
    operations = [{"delete": NOWHERE}, {"delete": "0000000000zzzzz1"}]
    job = place.job("more", operations=operations, accept=accept, on_missing="refuse")
    place("plan", job, "--env", "staging", expect=3)


def test_a_hostile_sigel_is_shown_without_control_characters(place, world):
    evil = LIBRARY + "%1B%5B2J%0A" + "A" * 5000

    def spoil(record, item):
        item["heldBy"] = {"@id": evil}

    job = place.job("hostile", operations=[{"delete": world.rebuilt(spoil)}])
    done = place("plan", job, "--env", "staging", expect=3)
    (finding,) = done.document["findings"]
    assert finding["code"] == "foreign_sigel"
    assert finding["message"].isprintable()
    assert len(finding["message"]) < 1100
    assert "\x1b" not in done.stderr


@pytest.mark.parametrize(
    ("sigel", "meant"), [("ylm", "Ylm"), ("YLM", "Ylm"), ("Xyz", ""), ("S", ""), ("Yl", "")]
)
def test_a_sigel_in_other_letters_says_which_is_meant(place, world, sigel, meant):
    job = place.job("cases", operations=[create(world.bib(), sigel)])
    (finding,) = place("plan", job, "--env", "staging", expect=3).document["findings"]
    assert finding["code"] == "foreign_sigel"
    assert (f"did you mean `{meant}`" if meant else "the job's sigels are Ylm") in finding[
        "message"
    ]
    assert ("did you mean" in finding["message"]) is bool(meant)
