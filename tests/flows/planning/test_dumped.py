"""Records read from a library's dump give the plan that reading them one by one gives."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bulkrunner.domain.changes.verbs import AppendChange, SetChange
from bulkrunner.domain.plan import Action, Plan, PlannedChange, reads_said
from bulkrunner.domain.run import Outcome
from bulkrunner.domain.steps import Step, StepDelete, StepEntry, StepSelection, StepUpdate
from bulkrunner.errors import Interrupted, Source
from bulkrunner.services.planning import planner as planner_module
from bulkrunner.services.planning import selections
from bulkrunner.services.planning.planner import plan_findings
from tests.support.executing import Rig, appending
from tests.support.sandbox import EnvironmentControl, running_sandbox

HERE = Source(file="job.yaml", line=1)
MARK = SetChange(at="shelfMark.label", to="Ny")
AGAIN = AppendChange(at="cataloguersNote", value="Ur utdraget")


@pytest.fixture(scope="module")
def here() -> Iterator[EnvironmentControl]:
    with running_sandbox(holdings=520, bibs=180, index_lag_ms=-1) as sandbox:
        for record in sandbox.staging.records("hold", "Ylm")[20:22]:
            link_to_record(sandbox.staging, record)
        sandbox.staging.refresh()
        yield sandbox.staging


def link_to_record(here: EnvironmentControl, record: str) -> None:
    """Hang a holding on its bib's record instead of its thing, which the server takes."""
    document, etag = here.document(record), here.get(record).headers["etag"]
    thing = document["@graph"][1]
    thing["itemOf"] = {"@id": thing["itemOf"]["@id"].removesuffix("#it")}
    answer = here.send("PUT", f"/{record}", document, headers={"If-Match": etag})
    assert answer.status == 204, answer


@pytest.fixture
def rig(here: EnvironmentControl, tmp_path: Path) -> Iterator[Rig]:
    made = Rig(here, tmp_path)
    here.move_clock(days=6)  # what another test has changed was changed before the list is made
    yield made
    made.close()
    here.clear_faults()


def a_step(action: Any, number: int = 1, **more: Any) -> Step:
    return Step(number=number, source=HERE, action=action, **more)


UPDATE = a_step(StepUpdate(changes=(MARK,)))
DELETE = a_step(StepDelete())


def of_library(step: Step, sigel: str = "Ylm") -> StepSelection:
    return StepSelection(source=HERE, step=step, selects={"library": sigel})


def of_list(step: Step, *records: str) -> list[StepEntry]:
    return [
        StepEntry(source=Source(file="ids.txt", line=line), step=step, given=one, ref=one)
        for line, one in enumerate(records, start=1)
    ]


def planned(rig: Rig, *entries: Any, reads: str = "auto") -> Plan:
    request = replace(rig.request(*entries, job="dumped"), reads=reads)
    return rig.planner().make(request, f"p-{reads}-{random.random()}")


def changes(rig: Rig, plan: Plan) -> list[PlannedChange]:
    return list(rig.ledger.plans.changes(plan.id))


def alike(change: PlannedChange) -> PlannedChange:
    """What must be the same however a record was read."""
    return replace(change, etag=None, read_by="")


def seen_in_dump(change: PlannedChange) -> bool:
    return "item_of_record" not in dict(change.notes)


def test_a_library_is_planned_alike_from_its_dump(rig: Rig) -> None:
    for step in (UPDATE, DELETE):
        before = rig.control.came()
        dumped = planned(rig, of_library(step))
        between = rig.control.came()
        singly = planned(rig, of_library(step), reads="get")
        many = changes(rig, singly)
        assert len(many) > 101
        asked = (between - before, rig.control.came() - between)
        assert asked[0] * 4 < asked[1], asked
        found = changes(rig, dumped)
        assert [alike(one) for one in found] == [alike(one) for one in many]
        assert {change.read_by for change in many} == {""}
        seen = {one.record for one in many if seen_in_dump(one)}
        assert {(one.read_by, one.etag is None, one.record in seen) for one in found} == {
            ("dump", True, True),
            ("form", False, False),
        }, "the index shows which holdings link to their bibs' records"


def test_a_list_is_planned_alike_from_the_dump_of_its_library(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, strange = rig.control.records("hold", "Ylm"), rig.control.records("hold", "S")[:3]
    named = [*own[::-1], *strange, "0000000000000000"]
    singly = changes(rig, planned(rig, *of_list(UPDATE, *named)))
    assert {change.read_by for change in singly} == {""}, "too few to ask for a dump"
    monkeypatch.setattr(selections, "LARGE", 100)
    monkeypatch.setattr(selections, "WORTH", 3)
    dumped = changes(rig, planned(rig, *of_list(UPDATE, *named)))
    known = [change.record for change in singly if seen_in_dump(change)]
    assert [alike(one) for one in dumped if one.record in known] == [
        alike(one) for one in singly if one.record in known
    ]
    by_record = {change.record: change.read_by for change in dumped}
    assert {by_record[record] for record in known if record in own} == {"dump"}
    assert {by_record[record] for record in (*strange, named[-1])} == {"unlisted"}


def test_a_list_of_bibs_asks_for_no_whole_dump(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selections, "LARGE", 10)
    monkeypatch.setattr(selections, "WORTH", 1)
    bibs = rig.control.records("bib")[:60]
    rig.control.clear_log()
    assert {one.read_by for one in changes(rig, planned(rig, *of_list(DELETE, *bibs)))} == {""}
    assert len([one for one in rig.control.log() if "/emm/" in one["path"]]) <= 1


def test_holdings_of_bibs_come_with_their_bibs(rig: Rig) -> None:
    step = a_step(StepUpdate(changes=(MARK,)), holdings="own")
    bibs = rig.control.records("bib")[:40]
    asked = {}
    found = {}
    for reads in ("get", "auto"):
        before = rig.control.came()
        found[reads] = changes(rig, planned(rig, *of_list(step, *bibs), reads=reads))
        asked[reads] = rig.control.came() - before
    assert [alike(one) for one in found["auto"]] == [alike(one) for one in found["get"]]
    written = [one for one in found["auto"] if one.before is not None]
    assert {one.read_by for one in written} == {"bib"}
    assert asked["auto"] + len(written) <= asked["get"]


def test_what_was_changed_since_its_page_is_read_singly(rig: Rig) -> None:
    own = rig.control.records("hold", "Ylm")
    touched, others = own[5], rig.control.records("hold", "S")[:1]
    rig.control.edit(touched)
    rig.control.move_clock(seconds=2)
    pages: list[int] = []
    catalogue = rig.catalogue()

    class Meanwhile:
        """Somebody edits a record when its page has been read."""

        def __getattr__(self, name: str) -> Any:
            return getattr(catalogue, name)

        def dump_page(self, sigel: str, *, offset: int) -> Any:
            page = catalogue.dump_page(sigel, offset=offset)
            pages.append(offset)
            if not page.more:
                rig.control.move_clock(seconds=2)
                for record in (own[7], *others):
                    rig.control.edit(record)
            return page

    planner = rig.planner()
    planner._reader = Meanwhile()
    plan = planner.make(rig.request(of_library(UPDATE)), "p-meanwhile")
    by_record = {change.record: change for change in changes(rig, plan)}
    assert by_record[own[7]].read_by == "changed"
    assert by_record[own[7]].before == rig.control.document(own[7])
    assert by_record[touched].read_by == "dump", "its page showed the edit of before"
    assert [one.record for one in by_record.values() if one.read_by == "changed"] == [own[7]]


Page = Callable[[Any, int], Any]


def with_pages(rig: Rig, alter: Page) -> Any:
    """A planner that is shown other pages of dumps than the catalogue's."""
    catalogue = rig.catalogue()

    class Altered:
        def __getattr__(self, name: str) -> Any:
            return getattr(catalogue, name)

        def dump_page(self, sigel: str, *, offset: int) -> Any:
            return alter(catalogue.dump_page(sigel, offset=offset), offset)

    planner = rig.planner()
    planner._reader = Altered()
    return planner


def ends_early(page: Any, offset: int) -> Any:
    return replace(page, more=False)


def goes_on(page: Any, offset: int) -> Any:
    return replace(page, more=True)


def out_of_order(page: Any, offset: int) -> Any:
    return replace(page, offset=100 - offset)


def repeats(page: Any, offset: int) -> Any:
    return page if offset else replace(page, records=(*page.records[:50], *page.records[:50]))


def overfull(page: Any, offset: int) -> Any:
    return replace(page, total=101)


def renewed(page: Any, offset: int) -> Any:
    return replace(page, started="2026-11-30T00:00:00Z") if offset else page


FAULTS = {
    "it ends after 100 of {total} records": ends_early,
    "it has {total} records and goes on after 200": goes_on,
    "the page from record 0 on was asked for, the page from record 100 on came": out_of_order,
    "the page from record 0 on has 50 records that came before": repeats,
    "the page from record 100 on has {left} records, at most 1 are left": overfull,
    "another list of Ylm's holdings": renewed,
}


@pytest.mark.parametrize("said", FAULTS)
def test_pages_that_do_not_fit_are_no_smaller_plan(rig: Rig, said: str) -> None:
    planner = with_pages(rig, FAULTS[said])
    plan = planner.make(rig.request(of_library(DELETE)), f"p-whole-{random.random()}")
    (refused,) = changes(rig, plan)
    code = "dump_unsteady" if FAULTS[said] is renewed else "dump_broken"
    assert (refused.action, refused.code) == (Action.REFUSED, code)
    own = rig.control.records("hold", "Ylm")
    assert said.format(total=len(own), left=len(own) - 100) in refused.message

    own = own[:20]
    request = replace(rig.request(*of_list(DELETE, *own)), reads="dump")
    listed = changes(rig, planner.make(request, f"p-list-{random.random()}"))
    assert [one.record for one in listed] == own
    assert {(one.read_by, one.etag is None) for one in listed} == {(code, False)}


def test_a_dump_that_shows_something_else_is_not_believed(rig: Rig) -> None:
    def older(page: Any, offset: int) -> Any:
        return replace(page, records=tuple(map(other, page.records)))

    def other(one: Any) -> Any:
        record, thing = one.document["@graph"]
        return replace(one, document={"@graph": [record, {**thing, "shelfLabel": "old"}]})

    plan = with_pages(rig, older).make(rig.request(of_library(DELETE)), "p-older")
    found = changes(rig, plan)
    assert {one.read_by for one in found} <= {"dump_differs", "form"}
    assert all(one.before == rig.control.document(one.record) for one in found[:5])
    said = reads_said(rig.ledger.plans.count_reads(plan.id))
    assert said is not None
    assert "utdraget" in said.worded("sv")


def test_doubtful_records_and_those_left_out_are_read_singly(rig: Rig) -> None:
    own = rig.control.records("hold", "Ylm")
    doubtful, left_out = own[3], own[9]

    def partly(page: Any, offset: int) -> Any:
        kept = [one for one in page.records if not one.iri.endswith(left_out)]
        bare = [replace(one, document=None) if one.iri.endswith(doubtful) else one for one in kept]
        return replace(page, records=tuple(bare))

    plan = with_pages(rig, partly).make(rig.request(of_library(DELETE)), "p-partly")
    found = {one.record: one for one in changes(rig, plan)}
    assert list(found) == own, "the index names what the list did not show"
    assert (found[doubtful].read_by, found[left_out].read_by) == ("form", "unlisted")
    assert {found[one].etag is None for one in (doubtful, left_out)} == {False}
    short = [one for one in plan_findings(rig.ledger, plan) if one.code == "dump_short"]
    assert "one was not shown and not deleted since" in short[0].message


def test_a_dump_that_cannot_be_read_leaves_a_list_to_be_read_singly(rig: Rig) -> None:
    rig.control.fault("status", path="^/api/emm/full", status=404)
    own = rig.control.records("hold", "Ylm")[:5]
    found = changes(rig, planned(rig, *of_list(DELETE, *own), reads="dump"))
    assert [one.record for one in found] == own
    assert {one.read_by for one in found} == {"dump_unread"}


def test_an_interrupted_plan_goes_on_with_what_is_left(rig: Rig) -> None:
    request = rig.request(of_library(UPDATE), job="interrupted")
    whole = changes(rig, rig.planner().make(request, "p-whole"))
    planner = rig.planner()
    reading = planner._reader.read
    asked: list[str] = []

    def stopping(record: str, **more: Any) -> Any:
        asked.append(record)
        if len(asked) == 5:
            planner.request_stop()
        return reading(record, **more)

    planner._reader.read = stopping
    with pytest.raises(Interrupted):
        planner.make(request, "p-again")
    resumed = rig.planner().resume(rig.ledger.plans.get("p-again"), request)
    found = changes(rig, resumed)
    known = {one.record for one in whole if one.read_by == "dump"}
    assert len(found) == len(whole)
    assert [alike(one) for one in found] == [alike(one) for one in whole]
    assert {one.read_by for one in found if one.record in known} <= {"dump", ""}


def test_how_records_are_read_stays_as_it_was_said(rig: Rig) -> None:
    own = rig.control.records("hold", "Ylm")[:5]
    plan = planned(rig, *of_list(DELETE, *own), reads="get")
    assert plan.manifest["read_by"] == "get"


@pytest.mark.parametrize("seed", range(3))
def test_any_library_is_planned_alike(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    with running_sandbox(holdings=300, bibs=90, seed=seed + 1) as sandbox:
        rig = Rig(sandbox.staging, tmp_path)
        for record in chance.sample(rig.control.records("hold"), 60):
            rig.control.edit(record, delete=chance.random() < 0.3)
        rig.control.move_clock(seconds=3)
        bare = a_step(StepUpdate(changes=(AppendChange(at="hasNote", value={"label": "x"}),)))
        entries = [of_library(bare, chance.choice(["Ylm", "S"])), *of_list(a_step(StepDelete(), 2))]
        both = [changes(rig, planned(rig, *entries, reads=reads)) for reads in ("dump", "get")]
        one, other = ([alike(change) for change in found] for found in both)
        assert one == other
        rig.close()


def test_a_run_goes_by_the_record_as_it_is_just_before_the_write(rig: Rig) -> None:
    step, own = a_step(StepUpdate(changes=(AGAIN,))), rig.control.records("hold", "Ylm")
    link_to_record(rig.control, own[30])  # the index does not know it yet
    plan = planned(rig, *of_list(step, *own), reads="dump")
    many = changes(rig, plan)
    dumped = [one.record for one in many if one.read_by == "dump" and one.action is Action.UPDATE]
    assert own[30] in dumped
    edited = next(record for record in dumped if record != own[30])
    rig.control.edit(edited)
    run = rig.run(plan)
    ended = {one.change.record: one.result for one in rig.ended(run) if one.result is not None}
    assert {ended[one].outcome for one in (edited, own[30])} == {Outcome.CONFLICT}
    done = set(dumped) - {edited, own[30]}
    assert {ended[record].outcome for record in done} == {Outcome.APPLIED}
    assert rig.verify(run).differences == []


def test_what_is_changed_while_the_plan_is_made_is_read_singly(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planner_module, "BATCH", 60)
    monkeypatch.setattr(planner_module, "REFRESHED", 1)
    last = rig.control.records("hold", "Ylm")[-1]
    catalogue = rig.catalogue()
    edited: list[str] = []

    class Meanwhile:
        """Somebody edits a record when the feed has been read for the first time."""

        def __getattr__(self, name: str) -> Any:
            return getattr(catalogue, name)

        def feed_page(self, *, until: int) -> Any:
            page = catalogue.feed_page(until=until)
            if not edited:
                rig.control.move_clock(seconds=2)
                rig.control.edit(last)
                edited.append(last)
            return page

    planner = rig.planner()
    planner._reader = Meanwhile()
    *others, change = changes(rig, planner.make(rig.request(of_library(DELETE)), "p-refreshed"))
    assert (change.record, change.read_by) == (last, "changed")
    assert change.before == rig.control.document(last)
    assert "changed" not in {one.read_by for one in others}


def test_single_operations_are_read_from_the_dump_too(rig: Rig) -> None:
    own = rig.control.records("hold", "Ylm")[40:43]
    request = replace(rig.request(*(appending(one, "x") for one in own)), reads="dump")
    found = changes(rig, rig.planner().make(request, "p-operations"))
    assert {one.read_by for one in found} == {"dump"}


def test_another_owner_is_read_singly(rig: Rig) -> None:
    moved = rig.control.records("hold", "Ylm")[3]

    def mixed(page: Any, offset: int) -> Any:
        return replace(page, records=tuple(map(foreign, page.records)))

    def foreign(one: Any) -> Any:
        if not one.iri.endswith(moved):
            return one
        record, thing = one.document["@graph"]
        owner = {"@id": "https://libris.kb.se/library/S"}
        return replace(one, document={"@graph": [record, {**thing, "heldBy": owner}]})

    plan = with_pages(rig, mixed).make(rig.request(of_library(DELETE)), "p-foreign")
    (doubtful,) = [one for one in changes(rig, plan) if one.record == moved]
    assert (doubtful.read_by, doubtful.before) == ("form", rig.control.document(moved))
