"""Any steps on any small catalogue: what the order of the input does not change, and what is left."""

import copy
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkrunner.domain.canonical import canonical_bytes
from bulkrunner.domain.changes.verbs import AppendChange, RemoveChange, SetChange
from bulkrunner.domain.operations import TEMPID
from bulkrunner.domain.plan import WRITING, Action, plan_digest
from bulkrunner.domain.steps import Step, StepCreate, StepDelete, StepEntry, StepUpdate
from bulkrunner.errors import Source
from tests.support.catalogue import BASE, MemoryCatalogue, a_bib, a_holding, short_id
from tests.support.planning import Desk, listed
from tests.support.sizes import examples

BIBS = [short_id(number, "b") for number in range(4)]
HOLDINGS = [short_id(number) for number in range(6)]
SIGELS = ("Ylm", "NO")
LABELS = ("Hc", "Hce", "Hd")

changes = st.one_of(
    st.builds(
        SetChange, at=st.just("shelfMark"), to=st.sampled_from([{"label": x} for x in LABELS])
    ),
    st.builds(AppendChange, at=st.just("hasNote"), value=st.sampled_from(["a", "b"])),
    st.builds(RemoveChange, at=st.sampled_from(["shelfMark", "hasNote"])),
)
expectations = st.one_of(
    st.just({}), st.sampled_from(LABELS).map(lambda label: {"shelfMark": {"label": label}})
)


@st.composite
def catalogues(draw):
    records = {bib: a_bib(bib) for bib in BIBS[:3]}
    free = [(bib, sigel) for bib in BIBS[:3] for sigel in (*SIGELS, "S")]
    for record in HOLDINGS[:4]:
        place = draw(st.sampled_from(free))
        free.remove(place)
        body = draw(
            st.fixed_dictionaries(
                {},
                optional={
                    "shelfMark": st.sampled_from([{"label": x} for x in LABELS]),
                    "hasNote": st.lists(st.sampled_from(["a", "b", "c"]), max_size=2, unique=True),
                },
            )
        )
        records[record] = a_holding(record, *place, **body)
    return MemoryCatalogue(records=records, gone={HOLDINGS[4]}, sigels=("Ylm", "NO", "S"))


@st.composite
def steps(draw):
    """Steps that say the same whatever precedes: a record is deleted by the last one only."""
    found = []
    for number in range(1, draw(st.integers(1, 3)) + 1):
        kind = draw(st.sampled_from(["update", "update", "create"]))
        on_bibs = kind == "create" or draw(st.booleans())
        source = Source(file="job.yaml", line=number)
        if kind == "create":
            action = StepCreate(sigel=draw(st.sampled_from(SIGELS)), body={"hasNote": "n"})
            one = Step(number=number, source=source, action=action, on_duplicate="skip")
        else:
            action = StepUpdate(changes=tuple(draw(st.lists(changes, min_size=1, max_size=2))))
            one = Step(
                number=number,
                source=source,
                action=action,
                holdings="own" if on_bibs else None,
                expect=draw(expectations),
            )
        refs = draw(st.lists(st.sampled_from(BIBS if on_bibs else HOLDINGS), max_size=6))
        found.append((one, refs))
    if draw(st.booleans()):
        number = len(found) + 1
        last = Step(number=number, source=Source(file="job.yaml"), action=StepDelete())
        found.append((last, draw(st.lists(st.sampled_from(HOLDINGS), max_size=4))))
    return found


def entries(found, order=None):
    for one, refs in found:
        lines = list(enumerate(refs, start=1))
        if order is not None:
            order.shuffle(lines)
        for line, ref in lines:
            source = Source(file=f"{one.number}.txt", line=line)
            yield StepEntry(source=source, step=one, given=ref, ref=ref)


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    desk = Desk(tmp_path_factory.mktemp("any"), MemoryCatalogue())
    yield desk
    assert desk.ledger.chain.check() == []
    desk.ledger.close()


def planned(desk, catalogue, found, order=None):
    desk.catalogue = catalogue
    plan = desk.plan(listed(*entries(found, order), sigels=SIGELS))
    made = desk.changes(plan)
    assert plan.counts == {
        action.value: sum(change.action is action for change in made) for action in Action
    }
    again = plan_digest(plan.digest_head(), (change.digest() for change in made))
    assert plan.plan_digest == again
    return made


def told(made):
    """Every place of the input that the plan tells of, how often."""
    return Counter(
        (part.source.file, part.source.line)
        for change in made
        for part in (change.parts or (change,))
    )


def essence(made):
    """What the changes are, without where they stand and which input named them."""
    writing = [change for change in made if change.action in WRITING]
    return Counter(
        canonical_bytes(
            [change.action.value, change.record, change.operation, change.before, change.after]
        )
        for change in writing
    )


def results(made):
    return Counter((change.action, change.code, change.record) for change in made)


@settings(deadline=None, max_examples=examples(60))
@given(catalogue=catalogues(), found=steps(), order=st.randoms(use_true_random=False))
def test_every_line_is_told_and_their_order_changes_nothing(desk, catalogue, found, order):
    first = planned(desk, catalogue, found)
    second = planned(desk, catalogue, found, order)
    lines = {
        (f"{step.number}.txt", line) for step, refs in found for line in range(1, len(refs) + 1)
    }
    assert set(told(first)) == lines
    own = [part for change in first for part in (change.parts or (change,))]
    assert len(own) >= len(lines)
    assert essence(first) == essence(second)
    assert results(first) == results(second)


def carried_out(catalogue, made):
    """Return the catalogue as a run of the changes leaves it."""
    after = copy.deepcopy(catalogue)
    for change in made:
        if change.action is Action.UPDATE:
            after.records[change.record] = change.predicted
        elif change.action is Action.DELETE:
            del after.records[change.record]
            after.gone.add(change.record)
        elif change.action is Action.CREATE:
            record = short_id(100 + change.number)
            after.records[record] = _renamed(change.predicted, BASE + record)
    return after


def _renamed(value, iri):
    if isinstance(value, dict):
        return {key: _renamed(inner, iri) for key, inner in value.items()}
    if isinstance(value, list):
        return [_renamed(item, iri) for item in value]
    return value.replace(TEMPID, iri) if isinstance(value, str) else value


@settings(deadline=None, max_examples=examples(60))
@given(catalogue=catalogues(), found=steps())
def test_a_plan_of_what_a_plan_leaves_wants_nothing_more(desk, catalogue, found):
    found = idempotent(found)
    after = carried_out(catalogue, planned(desk, catalogue, found))
    again = planned(desk, after, found)
    assert [change for change in again if change.action in WRITING] == []
    assert carried_out(after, again).records == after.records


def is_create(step):
    return isinstance(step.action, StepCreate)


def idempotent(found):
    """Return the steps that say of no place what another change says something else of.

    What a step does to a bib's holdings it does the next time to one created after it as well.
    """
    kept, places = [], set()
    creates = [place for place, (step, _) in enumerate(found) if is_create(step)]
    if creates:
        found = [
            (step, refs)
            for place, (step, refs) in enumerate(found)
            if not isinstance(step.action, StepDelete)
            and (is_create(step) or step.holdings is None or place > creates[-1])
        ]
    for step, refs in found:
        own = [change.at for change in getattr(step.action, "changes", ())]
        if len(set(own)) == len(own) and places.isdisjoint(own):
            kept.append((step, refs))
            places.update(own)
    return kept
