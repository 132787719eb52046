"""A record that one step refuses is written by no step, on whatever path it is refused."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkrunner.adapters.manifests.explicit import in_answer, operation_of
from bulkrunner.domain.changes.verbs import SetChange
from bulkrunner.domain.expressions.condition_parsing import parse_condition
from bulkrunner.domain.expressions.value_parsing import parse_value
from bulkrunner.domain.functions import Changed, Declined, FunctionSource, Several, Skipped
from bulkrunner.domain.manifest import Create, Creates, Delete, Update
from bulkrunner.domain.plan import WRITING, Action
from bulkrunner.domain.refusals import Refusal
from bulkrunner.domain.steps import (
    Step,
    StepCopy,
    StepCreate,
    StepDelete,
    StepEntry,
    StepFunction,
    StepMerge,
    StepMove,
    StepRepoint,
    StepSplit,
    StepUpdate,
)
from bulkrunner.errors import Source
from tests.flows.planning.test_any_transfers import Environment
from tests.support.catalogue import LIBRARY, MemoryCatalogue, a_bib, a_holding, short_id
from tests.support.changes import outside
from tests.support.planning import IRIS, Desk, a_request, listed
from tests.support.sizes import examples

BIBS = [short_id(number, "b") for number in range(4)]
HOLDINGS = [short_id(number) for number in range(5)]
SIGELS = ("Ylm", "NO")
FUNCTION = StepFunction(source=FunctionSource(module="rules", function="change", sources={}))
HERE = Source(file="job.yaml", line=1)


@dataclass
class Answers:
    """Answers for a function, by record; what is not there is passed over."""

    given: dict

    confinement = "none"

    def call(self, given):
        answer = self.given.get(given.id, "nothing to do")
        if answer == "refuse":
            return Declined(reason="it says so")
        if answer == "change":
            record, thing = given.document["@graph"][:2]
            return Changed(document={"@graph": [record, {**thing, "copyNumber": "9"}]})
        if isinstance(answer, str):
            return Skipped(reason=answer)
        return Several(operations=tuple(answer))

    def operations(self, answer, source):
        return [operation_of(in_answer(data), source, IRIS) for data in answer]

    def close(self):
        pass


class Bench:
    def __init__(self, folder):
        self.desk = Desk(folder, MemoryCatalogue())
        self._number = 0

    def planned(self, catalogue, stream, answers=None):
        self._number += 1
        self.desk.catalogue = catalogue
        request = a_request(listed(*stream, sigels=SIGELS))
        request = replace(request, runners=lambda _: Answers(answers or {}))
        plan = self.desk.planner().make(request, f"p{self._number}")
        return self.desk.changes(plan)


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    bench = Bench(tmp_path_factory.mktemp("refused"))
    yield bench
    assert bench.desk.ledger.chain.check() == []
    bench.desk.ledger.close()


def catalogue(*holdings):
    """Bibs, and holdings as (record, bib, sigel)."""
    records = {bib: a_bib(bib) for bib in BIBS}
    for record, bib, sigel in holdings:
        holder = {"@id": LIBRARY + sigel}
        parts = [{"@type": "Item", "heldBy": holder, "shelfMark": {"label": x}} for x in ("a", "b")]
        records[record] = a_holding(record, bib, sigel, copyNumber="1", hasComponent=parts)
    return MemoryCatalogue(records=records, sigels=SIGELS, writes_bibs=True)


def entries(number, action, *refs, rows=None, **more):
    step = Step(number=number, source=Source(file="job.yaml", line=number), action=action, **more)
    return [
        StepEntry(
            source=Source(file=f"{number}.csv", line=line),
            step=step,
            given=ref,
            ref=ref,
            row=rows[line - 1] if rows else None,
        )
        for line, ref in enumerate(refs, start=1)
    ]


def spoilt(number, action, *refs, **more):
    """Entries of rows that cannot be used, though they name their records."""
    refusal = Refusal(code="cell_error", message="the cell shows #N/A")
    return [replace(one, refusal=refusal) for one in entries(number, action, *refs, **more)]


def setting(value):
    return StepUpdate(changes=(SetChange(at="copyNumber", to=value),))


def creation(bib, sigel="NO"):
    return {"create": "holding", "of": bib, "sigel": sigel}


def held(change):
    """What a change is about: a record, or a library's holding on a bib that is yet to be made."""
    if change.operation.get("create") == "holding":
        return (change.operation["of"], change.operation["sigel"])
    if (change.target_key or "").startswith("holding:"):
        return tuple(change.target_key.split(":")[1:])
    return change.record


def refused_of(made):
    """Everything that a step or an operation refuses, by the plan's own words."""
    found = set()
    for change in made:
        parts = change.parts or (change,)
        if change.action is Action.REFUSED or any(one.action is Action.REFUSED for one in parts):
            found.add(held(change))
        found |= {
            one.given for one in parts if one.action is Action.REFUSED and one.given in HOLDINGS
        }
    return found


def brief(made):
    return [(one.number, one.action.value, one.code, one.record) for one in made]


ONE, TWO, THREE = HOLDINGS[:3]
B1, B2, B3 = BIBS[:3]
WRONG = {"copyNumber": "7"}
FULL = [(ONE, B1, "Ylm"), (TWO, B1, "NO"), (THREE, B2, "Ylm")]
UP, GO = setting("2"), StepDelete()
ALIAS = "http://libris.kb.se/hold/1"

PATHS = {
    "the creation of a function's answer": (
        [*entries(1, FUNCTION, ONE), *entries(2, GO, ONE)],
        {ONE: [creation(B1), {"delete": ONE}]},
    ),
    "a creation alone, whose answer says no more": (
        [*entries(1, FUNCTION, ONE), *entries(2, GO, ONE)],
        {ONE: [creation(B1)]},
    ),
    "the last operation of an answer": (
        [*entries(1, FUNCTION, ONE), *entries(2, UP, ONE)],
        {ONE: [{"update": ONE, "resave": True}, creation(B1)]},
    ),
    "two operations of an answer on one record": (
        [*entries(1, FUNCTION, THREE)],
        {THREE: [{"update": ONE, "resave": True}, {"delete": ONE}]},
    ),
    "an answer after a step": (
        [*entries(1, UP, ONE), *entries(2, FUNCTION, ONE)],
        {ONE: [creation(B1), {"delete": ONE}]},
    ),
    "an answer of another record": (
        [*entries(1, UP, ONE), *entries(2, FUNCTION, THREE)],
        {THREE: [creation(B1), {"delete": ONE}]},
    ),
    "an answer that names the record otherwise": (
        [*entries(1, FUNCTION, THREE), *entries(2, GO, ONE)],
        {THREE: [creation(B1), {"delete": ALIAS}]},
    ),
    "a row that cannot be used": ([*spoilt(1, UP, ONE), *entries(2, GO, ONE)], {}),
    "a row that cannot be used after a step": ([*entries(1, UP, ONE), *spoilt(2, UP, ONE)], {}),
    "two rows of which one cannot be used": ([*entries(1, UP, ONE), *spoilt(1, UP, ONE)], {}),
    "the other way round": ([*spoilt(1, UP, ONE), *entries(1, UP, ONE)], {}),
    "a row of a bib that cannot be used": (
        [*spoilt(1, UP, B1, holdings=("Ylm",)), *entries(2, GO, ONE)],
        {},
    ),
    "a row that cannot be used under another name": (
        [*spoilt(1, StepCopy(sigel="NO"), ALIAS), *entries(2, GO, ONE)],
        {},
    ),
    "a function that refuses": (
        [*entries(1, UP, ONE), *entries(2, FUNCTION, ONE)],
        {ONE: "refuse"},
    ),
    "a copy": ([*entries(1, StepCopy(sigel="NO"), ONE), *entries(2, GO, ONE)], {}),
    "a copy after a step": ([*entries(1, UP, ONE), *entries(2, StepCopy(sigel="NO"), ONE)], {}),
    "a copy that expects something": (
        [*entries(1, StepCopy(sigel="NO"), ONE, expect=WRONG), *entries(2, GO, ONE)],
        {},
    ),
    "a copy of what is named otherwise": (
        [*entries(1, StepCopy(sigel="NO"), ALIAS), *entries(2, GO, ONE)],
        {},
    ),
    "a move": ([*entries(1, StepMove(to="NO"), ONE), *entries(2, UP, ONE)], {}),
    "a merge": (
        [*entries(1, UP, ONE), *entries(2, StepMerge(into=short_id(99), take=("a",)), ONE)],
        {},
    ),
    "a split": (
        [
            *entries(
                1,
                StepSplit(
                    components=parse_condition({"shelfMark.label": "a"}, outside({})), sigel="NO"
                ),
                ONE,
            ),
            *entries(2, GO, ONE),
        ],
        {},
    ),
    "another bib": ([*entries(1, UP, ONE), *entries(2, StepRepoint(to=B2), ONE)], {}),
    "a step after a deletion": ([*entries(1, GO, ONE), *entries(2, UP, ONE)], {}),
    "a step after an operation": (
        [Update(source=HERE, target=ONE, resave=True), *entries(1, UP, ONE, expect=WRONG)],
        {},
    ),
    "an operation whose prerequisite is refused": (
        [
            Create(source=HERE, creates=Creates.HOLDING, sigel="NO", of=B1),
            Delete(source=HERE, target=ONE, after=(1,)),
            *entries(1, GO, ONE),
        ],
        {},
    ),
    "such an operation that names the record otherwise": (
        [
            Create(source=HERE, creates=Creates.HOLDING, sigel="NO", of=B1),
            Delete(source=HERE, target=ALIAS, after=(1,)),
            *entries(1, GO, ONE),
        ],
        {},
    ),
    "two operations under two names": (
        [Delete(source=HERE, target=ONE), Update(source=HERE, target=ALIAS, resave=True)],
        {},
    ),
    "rows that want different things": (
        entries(
            1,
            StepUpdate(
                changes=(SetChange(at="copyNumber", to=parse_value({"$value": "@row.to"})),)
            ),
            *(ONE, ONE),
            rows=[{"to": "2"}, {"to": "3"}],
        ),
        {},
    ),
}


@pytest.mark.parametrize("path", PATHS)
def test_nothing_is_done_to_the_record_that_is_refused(bench, path):
    stream, answers = PATHS[path]
    there = catalogue(*FULL)
    there.moved[ALIAS] = ONE
    made = bench.planned(there, stream, answers)
    assert ONE in refused_of(made), brief(made)
    assert not [one for one in made if one.action in WRITING and one.record == ONE], brief(made)


def test_records_for_whose_sake_one_record_is_changed_fall_with_it(bench):
    """A function asks for the same operation because of each of two records."""
    answers = {one: [{"update": THREE, "resave": True}] for one in (ONE, TWO)}
    asking = [*entries(1, FUNCTION, ONE, TWO), *entries(2, setting("2"), ONE, TWO)]
    made = bench.planned(catalogue(*FULL), asking, answers)
    assert {one.record for one in made if one.action in WRITING} == {ONE, TWO, THREE}, brief(made)
    spoiling = entries(3, setting("3"), THREE, expect=WRONG)
    for stream in ([*asking, *spoiling], [*spoiling, *asking]):
        made = bench.planned(catalogue(*FULL), stream, answers)
        assert not [one for one in made if one.action in WRITING], brief(made)


def test_a_bib_that_a_function_refuses_is_not_deleted(bench):
    on_bib = replace(FUNCTION, on_bibs=True)
    there = catalogue()
    for answers in ({B1: "refuse"}, {B1: [creation(B2), creation(B2)]}):
        made = bench.planned(there, [*entries(1, on_bib, B1), *entries(2, GO, B1)], answers)
        assert not [one for one in made if one.action is Action.DELETE], brief(made)
    made = bench.planned(there, [*entries(1, on_bib, B1), *entries(2, GO, B1)], {B1: "as it is"})
    assert [one.record for one in made if one.action is Action.DELETE] == [B1]


def test_two_steps_that_create_the_same_holding_create_none(bench):
    create = StepCreate(sigel="Ylm", body={"copyNumber": "1"})
    other = StepCreate(sigel="Ylm", body={"copyNumber": "2"})
    for size in ([*entries(1, create, B1), *entries(2, other, B1)], entries(1, create, B1, B1)):
        made = bench.planned(catalogue(), size)
        writing = [one for one in made if one.action in WRITING]
        assert len(writing) == (0 if size[0].step is not size[1].step else 1), brief(made)


def test_rows_for_one_bib_with_a_sigel_outside_the_job(bench):
    create = StepCreate(sigel=parse_value({"$value": "@row.sigel"}))
    rows = [{"sigel": "S"}, {"sigel": "S"}, {"sigel": "Ylm"}, {"sigel": "S"}]
    made = bench.planned(catalogue(), entries(1, create, B1, B1, B1, B1, rows=rows))
    assert [(one.action.value, one.code) for one in made] == [
        ("refused", "foreign_sigel"),
        ("refused", "foreign_sigel"),
        ("create", ""),
        ("refused", "foreign_sigel"),
    ]


def test_what_is_made_of_a_record_comes_before_what_is_done_to_it(bench):
    """In the run too: what a later step does to the record waits for the copy, whatever its number."""
    there = catalogue((ONE, B1, "Ylm"), (TWO, B2, "Ylm"))
    for stream, answers in (
        ([*entries(1, StepCopy(sigel="NO"), ONE), *entries(2, GO, ONE)], {}),
        ([*entries(1, FUNCTION, ONE), *entries(2, GO, ONE)], {ONE: [creation(B1)]}),
        ([*entries(1, UP, ONE), *entries(2, StepCopy(sigel="NO"), ONE), *entries(3, GO, ONE)], {}),
        (
            [*entries(1, FUNCTION, ONE), *entries(2, UP, ONE)],
            {ONE: [creation(B1), {"update": TWO, "resave": True}]},
        ),
    ):
        made = bench.planned(there, stream, answers)
        (own,) = [one for one in made if one.record == ONE and one.action in WRITING]
        others = {one.number for one in made if one.action in WRITING and one is not own}
        assert set(own.prerequisites) == others != set(), brief(made)


# --- any mixture -------------------------------------------------------------------------------


@st.composite
def answers_of(draw):
    operation = st.one_of(
        st.builds(creation, st.sampled_from(BIBS), st.sampled_from(SIGELS)),
        st.sampled_from(HOLDINGS).map(lambda one: {"delete": one}),
        st.sampled_from(HOLDINGS).map(lambda one: {"update": one, "resave": True}),
    )
    several = st.lists(operation, min_size=1, max_size=3)
    one = st.one_of(several, several, st.sampled_from(["refuse", "change", "passed over"]))
    return draw(st.dictionaries(st.sampled_from(HOLDINGS), one))


def actions(draw):
    row = parse_value({"$value": "@row.to"})
    condition = parse_condition({"shelfMark.label": "a"}, outside({}))
    return draw(
        st.sampled_from(
            [
                (UP, HOLDINGS, ("-",)),
                (setting(row), HOLDINGS, ("2", "3")),
                (GO, HOLDINGS, ("-",)),
                (FUNCTION, HOLDINGS, ("-",)),
                (StepCreate(sigel=row), BIBS, SIGELS),
                (StepCopy(sigel=row), HOLDINGS, SIGELS),
                (StepMove(to=row), HOLDINGS, SIGELS),
                (StepRepoint(to=row), HOLDINGS, BIBS),
                (StepMerge(into=row, take=("hasComponent",)), HOLDINGS, HOLDINGS),
                (StepSplit(components=condition, sigel=row), HOLDINGS, SIGELS),
            ]
        )
    )


@st.composite
def streams(draw):
    found = [
        draw(
            st.one_of(
                st.builds(Delete, source=st.just(HERE), target=st.just(one)),
                st.builds(Update, source=st.just(HERE), target=st.just(one), resave=st.just(True)),
            )
        )
        for one in draw(st.lists(st.sampled_from(HOLDINGS), max_size=2, unique=True))
    ]
    for number in range(1, draw(st.integers(1, 4)) + 1):
        action, refs, values = actions(draw)
        lines = draw(
            st.lists(
                st.tuples(st.sampled_from(refs), st.sampled_from(values)), min_size=1, max_size=3
            )
        )
        by_bib = refs is HOLDINGS and action is not FUNCTION and draw(st.booleans())
        found += entries(
            number,
            action,
            *(draw(st.sampled_from(BIBS)) if by_bib else ref for ref, _ in lines),
            rows=[{"to": value} for _, value in lines],
            holdings="own" if by_bib else None,
            expect=draw(st.sampled_from([{}, {}, {"copyNumber": "1"}, WRONG])),
            on_duplicate=draw(st.sampled_from(["refuse", "refuse", "skip"])),
        )
    return found


@st.composite
def catalogues(draw):
    free = [(bib, sigel) for bib in BIBS for sigel in SIGELS]
    places = draw(st.permutations(free))[: draw(st.integers(1, len(HOLDINGS)))]
    return catalogue(*((one, *place) for one, place in zip(HOLDINGS, places, strict=False)))


@settings(deadline=None, max_examples=examples(150))
@given(there=catalogues(), stream=streams(), answers=answers_of())
def test_no_record_is_refused_and_written(bench, there, stream, answers):
    made = bench.planned(there, stream, answers)
    written = {held(one) for one in made if one.action in WRITING}
    assert written & refused_of(made) == set(), brief(made)


@settings(deadline=None, max_examples=examples(60))
@given(there=catalogues(), stream=streams(), answers=answers_of(), seed=st.integers(0, 10**6))
def test_nor_is_one_deleted_whose_copy_was_not_made(bench, there, stream, answers, seed):
    made = bench.planned(there, stream, answers)
    ran = Environment(there, made, random.Random(seed), 0.3).run()
    for change in made:
        if change.action is Action.DELETE and ran.ended[change.number]:
            copies = [
                one
                for one in made
                if one.action is Action.CREATE
                and one.operation.get("copy_of") == change.record
                and one.number < change.number
            ]
            assert all(ran.ended[one.number] for one in copies), brief(made)
