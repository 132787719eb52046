"""Any moves, merges, splits, copies and changes of bib, carried out in any order that the plan allows,
with any of them failing: no content is lost, and no library has two holdings on a bib.
"""

from __future__ import annotations

import copy
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkrunner.domain.changes.verbs import AppendChange
from bulkrunner.domain.expressions.condition_parsing import parse_condition
from bulkrunner.domain.expressions.value_parsing import parse_value
from bulkrunner.domain.operations import TEMPID
from bulkrunner.domain.plan import WRITING, Action
from bulkrunner.domain.records import component_holders, held_by, item_of, thing_part
from bulkrunner.domain.steps import (
    Step,
    StepCopy,
    StepDelete,
    StepEntry,
    StepMerge,
    StepMove,
    StepRepoint,
    StepSplit,
    StepUpdate,
)
from bulkrunner.errors import Source
from tests.support.catalogue import (
    BASE,
    LIBRARY,
    MemoryCatalogue,
    a_bib,
    a_holding,
    short_id,
)
from tests.support.changes import outside
from tests.support.planning import Desk, listed
from tests.support.sizes import examples

BIBS = [short_id(number, "b") for number in range(4)]
HOLDINGS = [short_id(number) for number in range(6)]
SIGELS = ("Ylm", "NO", "Skl")
MOVING = parse_condition({"shelfMark.label": "Ob"}, outside({}))


def note_of(record):
    return f"what {record} has"


@st.composite
def catalogues(draw):
    """Bibs with holdings, each with a note of its own and components that may be split off."""
    records = {bib: a_bib(bib) for bib in BIBS}
    free = [(bib, sigel) for bib in BIBS for sigel in SIGELS]
    for record in HOLDINGS[: draw(st.integers(2, 6))]:
        bib, sigel = draw(st.sampled_from(free))
        free.remove((bib, sigel))
        holder = {"@id": LIBRARY + sigel}
        components = [
            {"@type": "Item", "heldBy": holder, "hasNote": f"{label} of {record}"}
            | {"shelfMark": {"label": label}}
            for label in draw(st.sampled_from([(), ("Hc", "Ob"), ("Ob",)]))
        ]
        body = {"hasComponent": components} if components else {}
        records[record] = a_holding(record, bib, sigel, hasNote=[note_of(record)], **body)
    return MemoryCatalogue(records=records, sigels=SIGELS, writes_bibs=True)


def an_action(draw):
    """One action, and where its rows say what is meant, the rows' values."""
    kind = draw(
        st.sampled_from(["move", "repoint", "copy", "merge", "merge_of", "split", "update"])
    )
    row = parse_value({"$value": "@row.to"})
    match kind:
        case "move":
            return StepMove(to=row), SIGELS
        case "repoint":
            return StepRepoint(to=row), BIBS
        case "copy":
            return StepCopy(sigel=row), SIGELS
        case "merge":
            return StepMerge(into=row, take=("hasNote", "hasComponent")), HOLDINGS
        case "merge_of":
            return StepMerge(holding_of=row, take=("hasNote", "hasComponent")), SIGELS
        case "split":
            return StepSplit(components=MOVING, sigel=row), SIGELS
        case _:
            return StepUpdate(changes=(AppendChange(at="hasNote", value="added"),)), ("-",)


@st.composite
def streams(draw, *, deletes=False):
    found = []
    for number in range(1, draw(st.integers(1, 3)) + 1):
        action, values = an_action(draw)
        by_bib = draw(st.booleans())
        step = Step(
            number=number,
            source=Source(file="job.yaml", line=number),
            action=action,
            holdings=draw(st.sampled_from(["own", ("Ylm",), ("NO", "Skl")])) if by_bib else None,
            on_duplicate=draw(st.sampled_from(["refuse", "skip"])),
            expect=draw(st.sampled_from([{}, {}, {}, {"shelfMark": None}, {"copyNumber": "1"}])),
        )
        lines = draw(
            st.lists(
                st.tuples(st.sampled_from(BIBS if by_bib else HOLDINGS), st.sampled_from(values)),
                max_size=4,
            )
        )
        found.append((step, lines))
    if deletes:
        last = Step(
            number=len(found) + 1,
            source=Source(file="job.yaml"),
            action=StepDelete(),
            holdings="own" if draw(st.booleans()) else None,
        )
        found.append((last, [(draw(st.sampled_from(BIBS)), "-")]))
    return found


def entries(found):
    for step, lines in found:
        for line, (ref, to) in enumerate(lines, start=1):
            source = Source(file=f"{step.number}.csv", line=line)
            yield StepEntry(source=source, step=step, given=ref, ref=ref, row={"to": to})


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    desk = Desk(tmp_path_factory.mktemp("any"), MemoryCatalogue())
    yield desk
    assert desk.ledger.chain.check() == []
    desk.ledger.close()


def planned(desk, catalogue, found):
    desk.catalogue = catalogue
    plan = desk.plan(listed(*entries(found), sigels=SIGELS))
    made = desk.changes(plan)
    assert plan.counts == {
        action.value: sum(change.action is action for change in made) for action in Action
    }
    return made


def brief(made):
    """The plan in short, for who reads a failure."""
    return [
        (one.number, one.action.value, one.code, one.record, one.prerequisites, one.operation)
        for one in made
    ]


class Environment:
    """Carries changes out one by one as a server would, some of which fail."""

    def __init__(self, catalogue, made, order, failing):
        self.records = copy.deepcopy(catalogue.records)
        self.changes = {change.number: change for change in made}
        self.ended = {}
        self._order = order
        self._failing = failing

    def run(self):
        left = [number for number, change in self.changes.items() if change.action in WRITING]
        for change in self.changes.values():
            if change.action not in WRITING:
                self.ended[change.number] = change.action is Action.UNCHANGED
        while left:
            ready = [
                number
                for number in left
                if all(one in self.ended for one in self.changes[number].prerequisites)
            ]
            assert ready, ("they wait for each other", brief(self.changes.values()))
            number = self._order.choice(sorted(ready))
            left.remove(number)
            self.ended[number] = self._carry_out(self.changes[number])
        return self

    def _carry_out(self, change):
        if not all(self.ended[one] for one in change.prerequisites):
            return False
        if self._order.random() < self._failing:
            return False
        if change.action is Action.DELETE:
            del self.records[change.record]
        elif change.action is Action.UPDATE:
            self._free(change.predicted, but=change.record)
            self.records[change.record] = change.predicted
        else:
            record = short_id(1000 + change.number)
            document = _renamed(change.predicted, BASE + record)
            self._free(document, but=record)
            self.records[record] = document
        return True

    def _free(self, document, *, but):
        """Check, as the server does, that the library has no other holding there."""
        place = (item_of(document), held_by(document))
        taken = [
            record
            for record, other in self.records.items()
            if record != but and (item_of(other), held_by(other)) == place and place[0]
        ]
        assert taken == [], (place, taken, brief(self.changes.values()))


def _renamed(value, iri):
    if isinstance(value, dict):
        return {key: _renamed(inner, iri) for key, inner in value.items()}
    if isinstance(value, list):
        return [_renamed(item, iri) for item in value]
    return value.replace(TEMPID, iri) if isinstance(value, str) else value


def notes(records):
    """Every note of every holding and component, with how often it is there."""
    found = Counter()

    def collect(value):
        if isinstance(value, dict):
            own = value.get("hasNote", [])
            found.update(own if isinstance(own, list) else [own])
            for inner in value.values():
                collect(inner)
        elif isinstance(value, list):
            for item in value:
                collect(item)

    for document in records.values():
        collect(thing_part(document))
    return found


@settings(deadline=None, max_examples=examples(60))
@given(
    catalogue=catalogues(),
    found=streams(),
    seed=st.integers(0, 10**6),
    failing=st.sampled_from([0.0, 0.0, 0.3]),
)
def test_no_content_is_lost_in_any_order(desk, catalogue, found, seed, failing):
    made = planned(desk, catalogue, found)
    after = Environment(catalogue, made, random.Random(seed), failing).run().records
    lost = set(notes(catalogue.records)) - set(notes(after))
    assert lost == set(), brief(made)
    for document in after.values():
        if item_of(document):
            assert set(component_holders(document)) <= {held_by(document)}


@settings(deadline=None, max_examples=examples(30))
@given(catalogue=catalogues(), found=streams(deletes=True), seed=st.integers(0, 10**6))
def test_a_deletion_at_the_end_deletes_what_it_names_and_no_more(desk, catalogue, found, seed):
    made = planned(desk, catalogue, found)
    named = {
        change.record
        for change in made
        if change.action is Action.DELETE
        and any(part.step == found[-1][0].number for part in change.parts or (change,))
    }
    after = Environment(catalogue, made, random.Random(seed), 0.0).run().records
    lost = set(notes(catalogue.records)) - set(notes(after))
    if not named and not any(change.code == "created_and_deleted" for change in made):
        assert lost == set()


@settings(deadline=None, max_examples=examples(30))
@given(catalogue=catalogues(), found=streams())
def test_every_line_is_told_and_a_plan_cut_anywhere_is_the_same(desk, catalogue, found):
    made = planned(desk, catalogue, found)
    lines = {(f"{step.number}.csv", n) for step, refs in found for n in range(1, len(refs) + 1)}
    told = {
        (part.source.file, part.source.line)
        for change in made
        for part in (change.parts or (change,))
    }
    assert told == lines
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bulkrunner.services.planning.planner.BATCH", 1)
        assert planned(desk, catalogue, found) == made
