"""Steps that move, hang elsewhere, copy, merge, split and revert: what is planned, and what waits."""

import pytest

from bulkrunner.domain.catalogue import FindPage
from bulkrunner.domain.changes.verbs import AppendChange, SetChange
from bulkrunner.domain.expressions.condition_parsing import parse_condition
from bulkrunner.domain.expressions.value_parsing import parse_value
from bulkrunner.domain.manifest import Create, Creates, Update
from bulkrunner.domain.plan import Action
from bulkrunner.domain.records import held_by, item_of, record_part, thing_part
from bulkrunner.domain.steps import (
    Step,
    StepCopy,
    StepCreate,
    StepDelete,
    StepEntry,
    StepMerge,
    StepMove,
    StepRepoint,
    StepRevert,
    StepSplit,
    StepUpdate,
)
from bulkrunner.errors import CatalogueUnreachable, Source
from tests.support.catalogue import BASE, LIBRARY, MemoryCatalogue, a_bib, a_holding, short_id
from tests.support.changes import outside
from tests.support.planning import Desk, listed

BIBS = [short_id(number, "b") for number in range(5)]
HOLDINGS = [short_id(number) for number in range(5)]
YLM, NO, S = ({"@id": LIBRARY + sigel} for sigel in ("Ylm", "NO", "S"))
COMPONENTS = [
    {"@type": "Item", "heldBy": YLM, "shelfMark": {"label": "Hc"}},
    {"@type": "Item", "heldBy": YLM, "shelfMark": {"label": "Ob"}, "hasComponent": {"heldBy": YLM}},
]


@pytest.fixture
def desk(tmp_path):
    records = {bib: a_bib(bib) for bib in BIBS}
    for record, bib in zip(HOLDINGS, BIBS, strict=True):
        records[record] = a_holding(record, bib, shelfMark={"label": "Hc"})
    catalogue = MemoryCatalogue(records=records, sigels=("Ylm", "NO"), writes_bibs=True)
    return Desk(tmp_path, catalogue)


def step(number, action, **more):
    return Step(number=number, source=Source(file="job.yaml", line=number), action=action, **more)


def entries(step, *refs, rows=None):
    return [
        StepEntry(
            source=Source(file=f"{step.number}.txt", line=line),
            step=step,
            given=ref,
            ref=ref,
            row=rows[line - 1] if rows else None,
        )
        for line, ref in enumerate(refs, start=1)
    ]


def planned(desk, *parts, sigels=("Ylm", "NO"), **job):
    stream = [entry for part in parts for entry in part]
    plan = desk.plan(listed(*stream, sigels=sigels, **job))
    assert desk.ledger.chain.check() == []
    return desk.changes(plan)


def brief(changes):
    return [(change.action, change.code, change.record, change.prerequisites) for change in changes]


def codes(changes):
    return [(change.action, change.code) for change in changes]


REFUSED, UNCHANGED = Action.REFUSED, Action.UNCHANGED

UNHUNG = [
    None,
    [],
    {"@id": f"{BASE}{short_id(88, 'b')}#it"},
    {"@id": f"https://libris.kb.se/{BIBS[0]}#it"},
    {},
    [{"@id": f"{BASE}{bib}#it"} for bib in BIBS[:2]],
    "text",
    {"@id": "http://libris.kb.se/resource/bib/1"},
]
"""What ``itemOf`` can be without leading to a bib; None: it is left out."""


def unhang(desk, record, link):
    thing = thing_part(desk.catalogue.records[record])
    thing.pop("itemOf", None)
    if link is not None:
        thing["itemOf"] = link


class TestMove:
    MOVE = step(1, StepMove(to="NO"))

    def test_created_there_and_then_deleted_here(self, desk):
        holding, bib = HOLDINGS[0], BIBS[0]
        thing_part(desk.catalogue.records[holding])["hasComponent"] = COMPONENTS
        changes = planned(desk, entries(self.MOVE, holding))
        assert brief(changes) == [
            (Action.CREATE, "", bib, ()),
            (Action.DELETE, "", holding, (1,)),
        ]
        new = changes[0].after
        assert held_by(new) == "NO"
        assert item_of(new) == f"{BASE}{bib}#it"
        first, second = thing_part(new)["hasComponent"]
        assert [first["heldBy"], second["heldBy"], second["hasComponent"]["heldBy"]] == [NO] * 3
        assert thing_part(new)["shelfMark"] == {"label": "Hc"}
        assert changes[0].sigel == "NO"
        assert [part.subject for part in changes[0].parts] == [False]
        assert changes[1].before == desk.catalogue.records[holding]

    def test_only_between_libraries_of_the_job(self, desk):
        (change,) = planned(desk, entries(self.MOVE, HOLDINGS[0]), sigels=("Ylm",))
        assert codes([change]) == [(REFUSED, "foreign_sigel")]
        thing_part(desk.catalogue.records[HOLDINGS[1]])["heldBy"] = S
        (change,) = planned(desk, entries(self.MOVE, HOLDINGS[1]))
        assert codes([change]) == [(REFUSED, "foreign_sigel")]

    @pytest.mark.parametrize("policy", ["refuse", "skip"])
    def test_where_the_library_has_one_nothing_is_deleted(self, desk, policy):
        theirs = short_id(9)
        desk.catalogue.records[theirs] = a_holding(theirs, BIBS[0], "NO")
        move = step(1, StepMove(to="NO"), on_duplicate=policy)
        (change,) = planned(desk, entries(move, HOLDINGS[0]))
        assert change.record == HOLDINGS[0]
        assert codes([change]) == [
            (REFUSED, "duplicate") if policy == "refuse" else (UNCHANGED, "skipped_duplicate")
        ]
        assert [code for code, _ in change.notes] == ["left_behind"] * (policy == "skip")

    def test_to_its_own_library(self, desk):
        (change,) = planned(desk, entries(step(1, StepMove(to="Ylm")), HOLDINGS[0]))
        assert codes([change]) == [(UNCHANGED, "already_there")]

    def test_a_bib_is_no_holding(self, desk):
        (change,) = planned(desk, entries(self.MOVE, BIBS[0]))
        assert codes([change]) == [(REFUSED, "other_kind")]

    def test_holdings_of_bibs(self, desk):
        move = step(1, StepMove(to="NO"), holdings=("Ylm",))
        changes = planned(desk, entries(move, *BIBS[:2]))
        assert [change.action for change in changes] == [Action.CREATE, Action.DELETE] * 2
        assert [change.prerequisites for change in changes] == [(), (1,), (), (3,)]

    def test_named_twice(self, desk, monkeypatch):
        for size in (1, 200):
            monkeypatch.setattr("bulkrunner.services.planning.planner.BATCH", size)
            changes = planned(desk, entries(self.MOVE, HOLDINGS[0], HOLDINGS[0]))
            assert codes(changes) == [
                (Action.CREATE, ""),
                (Action.DELETE, ""),
                (UNCHANGED, "repeated"),
            ]

    def test_to_where_the_row_says(self, desk):
        move = step(1, StepMove(to=parse_value({"$value": "@row.Till"})))
        rows = [{"Till": "NO"}, {"Till": ""}, {"Till": "S"}]
        changes = planned(desk, entries(move, *HOLDINGS[:3], rows=rows))
        assert codes(changes) == [
            (Action.CREATE, ""),
            (Action.DELETE, ""),
            (REFUSED, "value_missing"),
            (REFUSED, "foreign_sigel"),
        ]

    def test_an_update_before_it_goes_along(self, desk):
        update = step(1, StepUpdate(changes=(SetChange(at="shelfMark.label", to="Hce"),)))
        move = step(2, StepMove(to="NO"))
        old, new = planned(desk, entries(update, HOLDINGS[0]), entries(move, HOLDINGS[0]))
        assert (old.number, old.action, old.prerequisites) == (1, Action.DELETE, (2,))
        assert thing_part(new.after)["shelfMark"] == {"label": "Hce"}
        assert old.before == desk.catalogue.records[HOLDINGS[0]]

    def test_an_update_after_it_changes_the_new_one(self, desk):
        update = step(2, StepUpdate(changes=(SetChange(at="shelfMark.label", to="Hce"),)))
        update = step(2, update.action, holdings=("NO",))
        new, old = planned(desk, entries(self.MOVE, HOLDINGS[0]), entries(update, BIBS[0]))
        assert thing_part(new.after)["shelfMark"] == {"label": "Hce"}
        assert (new.action, old.action, old.prerequisites) == (Action.CREATE, Action.DELETE, (1,))

    def test_a_holding_that_was_created_before_goes_over(self, desk):
        del desk.catalogue.records[HOLDINGS[0]]
        create = step(1, StepCreate(sigel="Ylm", body={"hasNote": "n"}))
        move = step(2, StepMove(to="NO"), holdings=("Ylm",))
        first, second = planned(desk, entries(create, BIBS[0]), entries(move, BIBS[0]))
        assert codes([first]) == [(UNCHANGED, "created_and_deleted")]
        assert (held_by(second.after), thing_part(second.after)["hasNote"]) == ("NO", "n")

    def test_what_does_not_go_along_is_told(self, desk):
        thing_part(desk.catalogue.records[HOLDINGS[0]])["@type"] = "SingleItem"
        new, _ = planned(desk, entries(self.MOVE, HOLDINGS[0]))
        assert new.notes == (("not_taken_along", "not in the new holding: @type SingleItem"),)

    def test_two_libraries_change_places(self, desk):
        theirs = short_id(9)
        desk.catalogue.records[theirs] = a_holding(theirs, BIBS[0], "NO", hasNote="theirs")
        away = step(1, StepDelete(), holdings=("NO",))
        move = step(2, StepMove(to="NO"), holdings=("Ylm",))
        gone, new, old = planned(desk, entries(away, BIBS[0]), entries(move, BIBS[0]))
        assert (gone.record, new.prerequisites, old.prerequisites) == (theirs, (1,), (2,))


class TestRepoint:
    def test_hung_on_another_bib(self, desk):
        del desk.catalogue.records[HOLDINGS[1]]
        (change,) = planned(desk, entries(step(1, StepRepoint(to=BIBS[1])), HOLDINGS[0]))
        assert change.action is Action.UPDATE
        assert item_of(change.after) == f"{BASE}{BIBS[1]}#it"
        assert change.operation == {"update": HOLDINGS[0], "repoint": BIBS[1]}
        assert change.place == f"holding:{BIBS[1]}:Ylm"

    @pytest.mark.parametrize("policy", ["refuse", "skip"])
    def test_where_the_library_has_one_it_stays(self, desk, policy):
        repoint = step(1, StepRepoint(to=BIBS[1]), on_duplicate=policy)
        (change,) = planned(desk, entries(repoint, HOLDINGS[0]))
        assert codes([change]) == [
            (REFUSED, "duplicate") if policy == "refuse" else (UNCHANGED, "skipped_duplicate")
        ]
        assert [code for code, _ in change.notes] == ["left_behind"] * (policy == "skip")

    @pytest.mark.parametrize(
        ("to", "code"),
        [
            (BIBS[0], "already_there"),
            (HOLDINGS[2], "not_a_bib"),
            (short_id(77, "b"), "not_found"),
            ({"$value": "@row.x"}, "unreadable_id"),
        ],
    )
    def test_no_such_bib(self, desk, to, code):
        repoint = step(1, StepRepoint(to=parse_value(to)))
        rows = [{"x": "nothing"}]
        (change,) = planned(desk, entries(repoint, HOLDINGS[0], rows=rows))
        assert change.code == code

    @pytest.mark.parametrize("link", UNHUNG, ids=str)
    def test_one_that_is_on_no_bib_is_hung_on_one(self, desk, link):
        del desk.catalogue.records[HOLDINGS[1]]
        unhang(desk, HOLDINGS[0], link)
        move = entries(step(1, StepRepoint(to=BIBS[1])), HOLDINGS[0])
        operation = [Update(source=Source(file=""), target=HOLDINGS[0], repoint=BIBS[1])]
        for stream in (move, operation):
            (change,) = planned(desk, stream)
            assert codes([change]) == [(Action.UPDATE, "")], change.message
            assert thing_part(change.after)["itemOf"] == {"@id": f"{BASE}{BIBS[1]}#it"}
            assert change.bib.id == BIBS[1]
            assert change.operation == {"update": HOLDINGS[0], "repoint": BIBS[1]}
            assert change.pattern == "update holding: repoint itemOf"

    @pytest.mark.parametrize(
        "action",
        [
            StepDelete(),
            StepUpdate(resave=True),
            StepUpdate(changes=(AppendChange(at="hasNote", value="n"),)),
            StepMove(to="NO"),
            StepCopy(sigel="NO"),
            StepMerge(into=HOLDINGS[1], take=("hasNote",)),
            StepSplit(
                components=parse_condition({"shelfMark.label": "Hc"}, outside({})), sigel="NO"
            ),
        ],
        ids=lambda action: type(action).__name__,
    )
    def test_nothing_else_is_done_to_one_that_is_on_no_bib(self, desk, action):
        thing_part(desk.catalogue.records[HOLDINGS[0]])["hasComponent"] = COMPONENTS
        for link in UNHUNG[:4]:
            unhang(desk, HOLDINGS[0], link)
            changes = planned(desk, entries(step(1, action), HOLDINGS[0]))
            assert codes(changes) == [(REFUSED, "bib_unresolved")], (link, changes)

    def test_one_that_was_hung_is_then_changed_and_moved(self, desk):
        del desk.catalogue.records[HOLDINGS[1]]
        unhang(desk, HOLDINGS[0], None)
        hang = step(1, StepRepoint(to=BIBS[1]))
        note = step(2, StepUpdate(changes=(AppendChange(at="hasNote", value="n"),)))
        (change,) = planned(desk, entries(hang, HOLDINGS[0]), entries(note, HOLDINGS[0]))
        assert codes([change]) == [(Action.UPDATE, "")]
        assert thing_part(change.after)["hasNote"] == ["n"]

    @pytest.mark.parametrize(
        "link", [UNHUNG[1], {"@id": f"{BASE}{BIBS[0]}#it"}], ids=["none", "other"]
    )
    def test_later_steps_know_the_bib_that_it_was_hung_on(self, desk, link):
        del desk.catalogue.records[HOLDINGS[1]]
        unhang(desk, HOLDINGS[0], link)
        thing_part(desk.catalogue.records[BIBS[1]])["edition"] = "2"
        hang = entries(step(1, StepRepoint(to=BIBS[1])), HOLDINGS[0])
        value = parse_value({"$text": "{@bib.edition} {@bib.id}"})
        note = step(2, StepUpdate(changes=(AppendChange(at="hasNote", value=value),)))
        (change,) = planned(desk, hang, entries(note, HOLDINGS[0]))
        assert thing_part(change.after)["hasNote"] == [f"2 {BIBS[1]}"]
        for action in (StepCopy(sigel="NO"), StepMove(to="NO")):
            *_, new = planned(desk, hang, entries(step(2, action), HOLDINGS[0]))
            if link == [] and isinstance(action, StepMove):
                assert codes([new]) == [(REFUSED, "bib_unresolved")]
            else:
                assert item_of(new.after) == f"{BASE}{BIBS[1]}#it"

    def test_copies_of_one_on_no_bib_go_where_it_is_said(self, desk):
        unhang(desk, HOLDINGS[0], None)
        del desk.catalogue.records[HOLDINGS[1]]
        (change,) = planned(desk, entries(step(1, StepCopy(of=BIBS[1])), HOLDINGS[0]))
        assert (change.action, item_of(change.after)) == (Action.CREATE, f"{BASE}{BIBS[1]}#it")

    def test_an_operation_hangs_it_on_a_bib_that_another_one_creates(self, desk):
        body = {"@type": "Instance", "hasTitle": [{"@type": "Title", "mainTitle": "Ny"}]}
        nowhere = Source(file="")
        make = Create(source=nowhere, creates=Creates.BIB, sigel="Ylm", of=None, body=body)
        hang = Update(source=nowhere, target=HOLDINGS[0], repoint="new:1")
        bib, holding = planned(desk, [make, hang])
        assert (bib.action, holding.action, holding.prerequisites) == ("create", "update", (1,))
        assert item_of(holding.after) == "new:1#it"

    @pytest.mark.parametrize(
        ("to", "code"),
        [
            (BIBS[0], "already_there"),
            (BIBS[1], "duplicate"),
            (HOLDINGS[2], "not_a_bib"),
            (short_id(77, "b"), "not_found"),
            ("new:7", "prerequisite"),
        ],
    )
    def test_what_an_operation_cannot_hang(self, desk, to, code):
        (change,) = planned(desk, [Update(source=Source(file=""), target=HOLDINGS[0], repoint=to)])
        assert change.code == code

    def test_two_cannot_go_to_one_bib(self, desk):
        del desk.catalogue.records[HOLDINGS[2]]
        repoint = step(1, StepRepoint(to=BIBS[2]))
        first, second = planned(desk, entries(repoint, HOLDINGS[0], HOLDINGS[1]))
        assert codes([first, second]) == [(Action.UPDATE, ""), (REFUSED, "duplicate")]
        assert "change 1" in second.message

    def test_then_the_old_bib_can_be_deleted(self, desk):
        del desk.catalogue.records[HOLDINGS[1]]
        repoint, gone = step(1, StepRepoint(to=BIBS[1])), step(2, StepDelete())
        _, bib = planned(desk, entries(repoint, HOLDINGS[0]), entries(gone, BIBS[0]))
        assert (bib.action, bib.prerequisites) == (Action.DELETE, (1,))

    def test_one_makes_room_for_another(self, desk):
        del desk.catalogue.records[HOLDINGS[2]]
        away, here = step(1, StepRepoint(to=BIBS[2])), step(2, StepRepoint(to=BIBS[0]))
        _, second = planned(desk, entries(away, HOLDINGS[0]), entries(here, HOLDINGS[1]))
        assert (second.action, second.prerequisites) == (Action.UPDATE, (1,))

    def test_a_later_step_finds_it_on_the_new_bib(self, desk):
        del desk.catalogue.records[HOLDINGS[1]]
        repoint = step(1, StepRepoint(to=BIBS[1]))
        note = step(2, StepUpdate(changes=(AppendChange(at="hasNote", value="n"),)), holdings="own")
        first, second = planned(desk, entries(repoint, HOLDINGS[0]), entries(note, *BIBS[:2]))
        assert thing_part(first.after)["hasNote"] == ["n"]
        assert codes([second]) == [(Action.NOT_FOUND, "no_holding")]


class TestCopy:
    def test_for_another_library_and_on_another_bib(self, desk):
        del desk.catalogue.records[HOLDINGS[1]]
        one, two = step(1, StepCopy(sigel="NO")), step(2, StepCopy(of=BIBS[1]))
        first, second = planned(desk, entries(one, HOLDINGS[0]), entries(two, HOLDINGS[0]))
        assert [(held_by(c.after), item_of(c.after)) for c in (first, second)] == [
            ("NO", f"{BASE}{BIBS[0]}#it"),
            ("Ylm", f"{BASE}{BIBS[1]}#it"),
        ]
        assert first.operation["copy_of"] == HOLDINGS[0]
        assert thing_part(second.after)["shelfMark"] == {"label": "Hc"}

    def test_where_there_is_one(self, desk):
        changes = planned(
            desk,
            entries(step(1, StepCopy(of=BIBS[1])), HOLDINGS[0]),
            entries(step(2, StepCopy(of=BIBS[2]), on_duplicate="skip"), HOLDINGS[0]),
        )
        assert codes(changes) == [(REFUSED, "duplicate"), (UNCHANGED, "skipped_duplicate")]

    def test_of_what_is_not_the_jobs(self, desk):
        thing_part(desk.catalogue.records[HOLDINGS[0]])["heldBy"] = S
        changes = planned(desk, entries(step(1, StepCopy(sigel="NO")), HOLDINGS[0], short_id(77)))
        assert codes(changes) == [(REFUSED, "foreign_sigel"), (Action.NOT_FOUND, "not_found")]

    def test_named_twice(self, desk):
        copy = step(1, StepCopy(sigel="NO"))
        changes = planned(desk, entries(copy, HOLDINGS[0], HOLDINGS[0]))
        assert codes(changes) == [(Action.CREATE, ""), (UNCHANGED, "repeated")]


class TestMerge:
    @pytest.fixture
    def desk(self, desk):
        mine, theirs = (desk.catalogue.records[record] for record in HOLDINGS[:2])
        thing_part(mine).update(hasNote=["a", "b"], hasComponent=COMPONENTS)
        thing_part(theirs).update(hasNote="b", heldBy=NO)
        return desk

    def test_saved_there_and_then_deleted_here(self, desk):
        merge = step(1, StepMerge(into=HOLDINGS[1], take=("hasNote", "hasComponent", "absent")))
        target, gone = planned(desk, entries(merge, HOLDINGS[0]))
        assert (target.record, target.action) == (HOLDINGS[1], Action.UPDATE)
        assert thing_part(target.after)["hasNote"] == ["b", "a"]
        parts = thing_part(target.after)["hasComponent"]
        assert [part["heldBy"] for part in parts] == [NO, NO]
        assert (gone.record, gone.action, gone.prerequisites) == (HOLDINGS[0], Action.DELETE, (1,))

    def into_that_of(self, sigel, number=1, **more):
        into = parse_value(sigel)
        return step(number, StepMerge(holding_of=into, take=("hasNote",)), **more)

    def test_into_a_librarys_holding_on_the_same_bib(self, desk):
        desk.catalogue.records[HOLDINGS[2]] = a_holding(HOLDINGS[2], BIBS[0], "NO", hasNote="c")
        into = self.into_that_of({"$value": "@row.Till"})
        target, gone = planned(desk, entries(into, HOLDINGS[0], rows=[{"Till": "NO"}]))
        assert (target.record, thing_part(target.after)["hasNote"]) == (
            HOLDINGS[2],
            ["c", "a", "b"],
        )
        assert (gone.record, gone.action, gone.prerequisites) == (HOLDINGS[0], Action.DELETE, (1,))
        assert gone.operation["merged_into"] == {"holding_of": "NO"}

    @pytest.mark.parametrize(
        ("sigel", "theirs", "code"),
        [
            ("NO", [], "no_target"),
            ("NO", ["NO", "NO"], "several_hits"),
            ("Ylm", [], "no_target"),
            ("S", ["S"], "no_target"),
        ],
    )
    def test_without_one_such_holding_nothing_is_deleted(self, desk, sigel, theirs, code):
        for number, owner in enumerate(theirs, start=20):
            desk.catalogue.records[short_id(number)] = a_holding(short_id(number), BIBS[0], owner)
        (change,) = planned(desk, entries(self.into_that_of(sigel), HOLDINGS[0]))
        assert codes([change]) == [(REFUSED, code)], change.message

    def test_the_holding_is_that_which_earlier_steps_leave(self, desk):
        theirs = short_id(20)
        desk.catalogue.records[theirs] = a_holding(theirs, BIBS[0], "NO")
        away = entries(step(1, StepDelete()), theirs)
        create = entries(step(2, StepCreate(sigel="NO", body={"hasNote": ["c"]})), BIBS[0])
        changes = planned(desk, away, create, entries(self.into_that_of("NO", 3), HOLDINGS[0]))
        new = changes[1]
        assert (new.action, thing_part(new.after)["hasNote"]) == (Action.CREATE, ["c", "a", "b"])
        assert (changes[2].action, changes[2].prerequisites) == (Action.DELETE, (2,))
        assert len(changes) == 3

    def test_the_librarys_own_is_passed_over_where_all_of_a_bib_are_meant(self, desk):
        theirs = short_id(20)
        desk.catalogue.records[theirs] = a_holding(theirs, BIBS[0], "NO")
        into = self.into_that_of("NO", holdings=("Ylm", "NO"))
        changes = planned(desk, entries(into, BIBS[0]))
        assert codes(changes) == [(Action.UPDATE, ""), (Action.DELETE, "")]

    def test_what_goes_away_with_the_merged_one_is_told(self, desk):
        mine, theirs = (desk.catalogue.records[record] for record in HOLDINGS[:2])
        thing_part(mine).update(
            inventoryLevel="3", physicalLocation="MAG", shelfMark={"label": "X"}
        )
        thing_part(theirs).update(physicalLocation=["REF", "MAG"], inventoryLevel="4")
        mine["@graph"][0]["cataloguersNote"] = ["x"]
        merge = step(1, StepMerge(into=HOLDINGS[1], take=("hasNote", "hasComponent")))
        _, gone = planned(desk, entries(merge, HOLDINGS[0]))
        places = "shelfMark, inventoryLevel, @record.cataloguersNote"
        text = f"goes away with the merged holding: {places}"
        assert gone.notes == (("not_taken_along", text),)

    @pytest.mark.parametrize(
        ("into", "code"),
        [
            (short_id(77), "no_target"),
            (BIBS[0], "no_target"),
            (HOLDINGS[0], "same_record"),
            (HOLDINGS[4], "no_target"),
        ],
    )
    def test_without_a_target_nothing_is_deleted(self, desk, into, code):
        thing_part(desk.catalogue.records[HOLDINGS[4]])["heldBy"] = S
        merge = step(1, StepMerge(into=into, take=("hasNote",)))
        (change,) = planned(desk, entries(merge, HOLDINGS[0]))
        assert (change.record, *codes([change])[0]) == (HOLDINGS[0], REFUSED, code)

    def test_what_is_there_already_need_not_be_saved(self, desk):
        merge = step(1, StepMerge(into=HOLDINGS[1], take=("shelfMark",)))
        target, gone = planned(desk, entries(merge, HOLDINGS[0]))
        assert codes([target, gone]) == [(UNCHANGED, "no_change"), (Action.DELETE, "")]
        assert gone.prerequisites == (1,)  # the run looks whether the target still has it

    @pytest.mark.parametrize("size", [1, 200])
    def test_two_into_one(self, desk, monkeypatch, size):
        monkeypatch.setattr("bulkrunner.services.planning.planner.BATCH", size)
        thing_part(desk.catalogue.records[HOLDINGS[2]])["hasNote"] = "c"
        merge = step(1, StepMerge(into=HOLDINGS[1], take=("hasNote",)))
        changes = planned(desk, entries(merge, HOLDINGS[0], HOLDINGS[2]))
        assert brief(changes) == [
            (Action.UPDATE, "", HOLDINGS[1], ()),
            (Action.DELETE, "", HOLDINGS[0], (1,)),
            (Action.DELETE, "", HOLDINGS[2], (1,)),
        ]
        assert thing_part(changes[0].after)["hasNote"] == ["b", "a", "c"]
        assert len(changes[0].operation["steps"]) == 2

    def test_one_after_the_other(self, desk):
        merge = step(1, StepMerge(into=parse_value({"$value": "@row.into"}), take=("hasNote",)))
        rows = [{"into": HOLDINGS[1]}, {"into": HOLDINGS[2]}]
        changes = planned(desk, entries(merge, HOLDINGS[0], HOLDINGS[1], rows=rows))
        assert [(c.number, c.record, c.action, c.prerequisites) for c in changes] == [
            (1, HOLDINGS[1], Action.DELETE, (3,)),
            (2, HOLDINGS[0], Action.DELETE, (1,)),
            (3, HOLDINGS[2], Action.UPDATE, ()),
        ]
        assert thing_part(changes[2].after)["hasNote"] == ["b", "a"]

    def test_what_expects_a_value_is_merged_only_then(self, desk):
        merge = step(
            1,
            StepMerge(into=HOLDINGS[1], take=("hasNote",)),
            expect={"shelfMark.label": "never"},
        )
        (change,) = planned(desk, entries(merge, HOLDINGS[0]))
        assert codes([change]) == [(REFUSED, "unexpected_value")]


class TestSplit:
    CONDITION = parse_condition({"shelfMark.label": "Ob"}, outside({}))

    def test_components_become_a_holding_of_their_own(self, desk):
        thing_part(desk.catalogue.records[HOLDINGS[0]])["hasComponent"] = COMPONENTS
        split = step(1, StepSplit(components=self.CONDITION, sigel="NO"))
        new, old = planned(desk, entries(split, HOLDINGS[0]))
        (component,) = thing_part(new.after)["hasComponent"]
        assert component["shelfMark"] == {"label": "Ob"}
        assert component["hasComponent"]["heldBy"] == NO
        assert (held_by(new.after), old.prerequisites) == ("NO", (1,))
        assert thing_part(old.after)["hasComponent"] == [COMPONENTS[0]]

    @pytest.mark.parametrize(
        ("components", "code"),
        [
            (COMPONENTS[:1], "nothing_to_split"),
            (COMPONENTS[1:], "all_components"),
            (None, "nothing_to_split"),
        ],
    )
    def test_where_nothing_or_everything_would_go(self, desk, components, code):
        if components is not None:
            thing_part(desk.catalogue.records[HOLDINGS[0]])["hasComponent"] = components
        split = step(1, StepSplit(components=self.CONDITION, sigel="NO"))
        (change,) = planned(desk, entries(split, HOLDINGS[0]))
        assert change.code == code

    def test_where_the_library_has_one_the_components_stay(self, desk):
        thing_part(desk.catalogue.records[HOLDINGS[0]])["hasComponent"] = COMPONENTS
        split = step(1, StepSplit(components=self.CONDITION, of=BIBS[1]))
        (change,) = planned(desk, entries(split, HOLDINGS[0]))
        assert (change.record, change.code) == (HOLDINGS[0], "duplicate")


class TestRevert:
    def test_there_is_no_such_version(self, desk):
        (change,) = planned(desk, entries(step(1, StepRevert(version=-2)), HOLDINGS[0]))
        assert codes([change]) == [(REFUSED, "no_version")]

    def history(self, desk, *versions):
        """Give the first holding these versions, the oldest first: day and library; None: deleted."""
        made = []
        for number, version in enumerate(versions):
            if version is None:
                made.append(None)
                continue
            day, sigel = version
            document = a_holding(HOLDINGS[0], BIBS[0], copyNumber=str(number))
            record_part(document).update(
                modified=f"{day}T12:00:00+01:00", descriptionLastModifier={"@id": LIBRARY + sigel}
            )
            made.append(document)
        *desk.catalogue.earlier[HOLDINGS[0]], desk.catalogue.records[HOLDINGS[0]] = made

    def outcome(self, desk, revert, **row):
        rows = [row] if row else None
        (change,) = planned(desk, entries(step(1, StepRevert(**revert)), HOLDINGS[0], rows=rows))
        if change.action is Action.UPDATE:
            return thing_part(change.after)["copyNumber"]
        return change.code

    VERSIONS = (("2020-01-01", "Ylm"), ("2020-02-01", "S"), ("2020-02-01", "Ylm"))
    VERSIONS += (("2020-03-05", "S"), ("2020-03-06", "Ylm"))

    def test_to_a_moment(self, desk):
        self.history(desk, *self.VERSIONS)
        for revert, wanted in [
            ({"before": "2020-03-06"}, "3"),
            ({"before": "2020-03"}, "2"),
            ({"before": "2020-02-01T12:00:00+01:00"}, "0"),
            ({"before": "2020-02-01T11:00:01Z"}, "2"),
            ({"before": "2021"}, "no_change"),
            ({"before": "2020-01-01"}, "no_version"),
            ({"edit_by": "S"}, "0"),
            ({"edit_by": "S", "since": "2020-02-02"}, "2"),
            ({"edit_by": "S", "since": "2020-03-06"}, "not_changed"),
            ({"edit_by": "NO"}, "not_changed"),
            ({"edit_by": "Ylm"}, "no_version"),
            ({"edit_by": "Ylm", "since": "2020-03"}, "3"),
            ({"before": parse_value({"$value": "@row.dag"})}, "2"),
            ({"before": parse_value({"$value": "@row.sigel"})}, "not_a_date"),
            ({"edit_by": parse_value({"$value": "@row.sigel"})}, "0"),
        ]:
            assert self.outcome(desk, revert, dag="2020-03-01", sigel="S") == wanted, revert

    def test_what_was_meanwhile_deleted_is_not_guessed(self, desk):
        self.history(desk, ("2020-01-01", "S"), None, ("2020-02-01", "Ylm"), ("2020-03-01", "S"))
        assert self.outcome(desk, {"before": "2020-02-02"}) == "2"
        assert self.outcome(desk, {"before": "2020-01-15"}) == "version_deleted"
        assert self.outcome(desk, {"edit_by": "S"}) == "version_deleted"

    def test_a_version_that_does_not_say_when(self, desk):
        self.history(desk, ("2020-01-01", "S"), ("once", "S"), ("2020-03-01", "S"))
        assert self.outcome(desk, {"before": "2020-02"}) == "no_version"

    def test_no_run_has_changed_it(self, desk):
        revert = StepRevert(job="other", effect_digest="sha256:" + "0" * 64)
        (change,) = planned(desk, entries(step(1, revert), HOLDINGS[0]))
        assert codes([change]) == [(REFUSED, "not_changed")]


def test_conditions_hold_for_every_kind(desk):
    where = parse_condition({"shelfMark.label": "never"}, outside({}))
    actions = [
        StepMove(to="NO"),
        StepRepoint(to=BIBS[1]),
        StepCopy(sigel="NO"),
        StepMerge(into=HOLDINGS[1], take=("hasNote",)),
        StepSplit(components=where, sigel="NO"),
        StepRevert(version=-2),
    ]
    for action in actions:
        (change,) = planned(desk, entries(step(1, action, where=where), HOLDINGS[0]))
        assert codes([change]) == [(UNCHANGED, "where_not_met")]


def test_a_plan_cut_anywhere_is_the_same_plan(desk, monkeypatch):
    for record in HOLDINGS[:3]:
        thing_part(desk.catalogue.records[record])["hasNote"] = [record]
    parts = [
        entries(step(1, StepMerge(into=HOLDINGS[3], take=("hasNote",))), *HOLDINGS[:2]),
        entries(step(2, StepMove(to="NO")), *HOLDINGS[1:4], HOLDINGS[3]),
        entries(step(3, StepDelete(), holdings=("NO",)), BIBS[3]),
    ]
    whole = planned(desk, *parts)
    for size in (1, 2, 3):
        monkeypatch.setattr("bulkrunner.services.planning.planner.BATCH", size)
        assert planned(desk, *parts) == whole


class TestOtherHoldings:
    """What conditions and values know of the other holdings on a bib is what the plan leaves."""

    def test_as_earlier_steps_leave_them(self, desk):
        theirs = short_id(20)
        desk.catalogue.records[theirs] = a_holding(theirs, BIBS[0], "NO", copyNumber="1")
        edit = step(1, StepUpdate(changes=(SetChange(at="copyNumber", to="2"),)))
        copy = parse_value({"$value": "@bib.holdings[NO].copyNumber"})
        take = step(2, StepUpdate(changes=(SetChange(at="copyNumber", to=copy),)))
        _, own = planned(desk, entries(edit, theirs), entries(take, HOLDINGS[0]))
        assert thing_part(own.after)["copyNumber"] == "2"

    @pytest.mark.parametrize("where", ["HOLDINGS", "BIBS"])
    def test_deleted_moved_and_new_ones(self, desk, where):
        gone, moved = short_id(20), short_id(21)
        desk.catalogue.records[gone] = a_holding(gone, BIBS[0], "NO")
        desk.catalogue.records[moved] = a_holding(moved, BIBS[3], "NO")
        condition = parse_condition({"@bib.holdings[NO]": {"count": 1}}, outside({}))
        last = step(
            3, StepDelete(), where=condition, holdings=("Ylm",) if where == "BIBS" else None
        )
        changes = planned(
            desk,
            entries(step(1, StepDelete()), gone),
            entries(step(2, StepRepoint(to=BIBS[1])), moved),
            entries(last, *(HOLDINGS if where == "HOLDINGS" else BIBS)[:2]),
        )
        assert [change.code for change in changes] == ["", "", "where_not_met", ""]

    def test_a_plan_cut_anywhere_is_the_same_plan(self, desk, monkeypatch):
        others = [short_id(number) for number in range(20, 25)]
        for record, bib in zip(others, BIBS, strict=True):
            desk.catalogue.records[record] = a_holding(record, bib, "NO")
        condition = parse_condition({"@bib.holdings": {"count": 1}}, outside({}))
        both = [record for pair in zip(HOLDINGS, others, strict=True) for record in pair]
        parts = [
            entries(step(1, StepDelete(), where=condition), *both, HOLDINGS[1]),
            entries(step(2, StepMerge(holding_of="Ylm", take=("hasNote",))), *others),
        ]
        whole = planned(desk, *parts)
        assert codes(whole[:10]) == [(Action.DELETE, ""), (REFUSED, "no_target")] * 5
        for size in (1, 2, 3):
            monkeypatch.setattr("bulkrunner.services.planning.planner.BATCH", size)
            assert planned(desk, *parts) == whole

    def test_a_record_does_not_count_itself(self, desk):
        condition = parse_condition({"@bib.holdings": {"count": 0}}, outside({}))
        (change,) = planned(desk, entries(step(1, StepDelete(), where=condition), HOLDINGS[0]))
        assert codes([change]) == [(Action.DELETE, "")]

    def test_of_a_bib_all_count(self, desk):
        condition = parse_condition({"@bib.holdings": {"count": 1}}, outside({}))
        create = step(1, StepCreate(sigel="NO"), where=condition)
        (change,) = planned(desk, entries(create, BIBS[0]))
        assert codes([change]) == [(Action.CREATE, "")]


class TestNumbers:
    """A number that the catalogue is asked for: no answer is not the answer that there is none."""

    NONE = parse_condition(
        {"not": {"in_catalogue": {"number": {"$value": "@row.ISBN"}, "as": "isbn"}}}, outside({})
    )
    ROWS = ({"ISBN": "9789170000591"}, {"ISBN": "x"}, {"ISBN": ""})

    def found(self, desk, hits):
        def find(query, *, limit, offset=0):
            if isinstance(hits, Exception):
                raise hits
            return FindPage(total=len(hits), window=1000, iris=tuple(hits))

        desk.catalogue.find = find

    def test_each_row_is_asked_for(self, desk):
        bib = desk.catalogue.records[BIBS[4]]
        thing_part(bib)["identifiedBy"] = [{"@type": "ISBN", "value": "9789170000591"}]
        delete = step(1, StepDelete(), where=self.NONE)
        wanted = [(UNCHANGED, "where_not_met"), (REFUSED, "unreadable_id")]
        wanted.append((REFUSED, "value_missing"))
        self.found(desk, [f"{BASE}{BIBS[4]}#it"])
        assert codes(planned(desk, entries(delete, *HOLDINGS[:3], rows=self.ROWS))) == wanted
        self.found(desk, [f"{BASE}{BIBS[3]}#it"])
        (change,) = planned(desk, entries(delete, HOLDINGS[0], rows=self.ROWS))
        assert codes([change]) == [(Action.DELETE, "")]

    @pytest.mark.parametrize("where", ["search", "hit"])
    def test_a_look_up_that_fails_is_never_none(self, desk, where):
        down = CatalogueUnreachable("the environment answers 503")
        self.found(desk, down if where == "search" else [f"{BASE}{BIBS[4]}#it"])
        if where == "hit":
            desk.catalogue.failing[BIBS[4]] = down
        delete = step(1, StepDelete(), where=self.NONE)
        with pytest.raises(CatalogueUnreachable):
            planned(desk, entries(delete, HOLDINGS[0], rows=self.ROWS))
        (plan,) = desk.ledger.plans.all()
        assert list(desk.ledger.plans.changes(plan.id)) == []
