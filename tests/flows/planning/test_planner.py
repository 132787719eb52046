"""The planner with a catalogue in memory: what it reads, where it stops, what it takes up."""

import tracemalloc

import pytest

from bulkrunner.adapters.libris.client import Catalogue, ReadOnlyCatalogue
from bulkrunner.domain.plan import Action, PlanState
from bulkrunner.domain.ports import CatalogueReader, CatalogueWriter
from bulkrunner.domain.records import record_part
from bulkrunner.errors import CatalogueUnreachable, Interrupted, UsageError
from bulkrunner.services.planning import planner as planning
from tests.support.catalogue import BASE, MemoryCatalogue, a_bib, a_holding, short_id
from tests.support.planning import (
    Desk,
    Streamed,
    a_job,
    a_request,
    delete,
    listed,
    set_label,
)
from tests.support.progress import NullProgress
from tests.support.sizes import sized

BIB = short_id(1, "b")
MARK = {"@type": "ShelfMark", "label": "Hc"}


def holding(number, **thing):
    return a_holding(short_id(number), BIB, **{"shelfMark": MARK, **thing})


def catalogue(count, **more):
    records = {BIB: a_bib(BIB)}
    records |= {short_id(number): holding(number) for number in range(count)}
    return MemoryCatalogue(records=records, **more)


@pytest.fixture
def desk(tmp_path):
    made = Desk(tmp_path, catalogue(1200))
    yield made
    made.ledger.close()


def labels(count, **job):
    return listed(*(set_label(short_id(number)) for number in range(count)), **job)


# --- it cannot write --------------------------------------------------------------------------


def test_what_planning_is_given_has_no_method_that_writes():
    writing = {
        name
        for name in vars(CatalogueWriter)
        if not name.startswith("_") and name not in vars(CatalogueReader)
    }
    assert writing >= {"put", "post", "delete", "renew_token"}
    for name in writing:
        assert hasattr(Catalogue, name)
        assert not hasattr(ReadOnlyCatalogue, name)
        assert name not in vars(CatalogueReader)


def test_a_reader_refuses_to_send_any_other_method():
    assert ReadOnlyCatalogue._methods == frozenset({"GET"})


# --- reading ----------------------------------------------------------------------------------


def test_each_record_is_read_once_and_the_bib_once_for_all(desk):
    desk.plan(labels(500))
    asked = desk.catalogue.asked
    assert sorted(asked) == sorted([BIB, *(short_id(number) for number in range(500))])


def test_every_change_names_its_library_asked_for_once(desk):
    asked = []
    name_of = desk.catalogue.library_name
    desk.catalogue.library_name = lambda sigel: asked.append(sigel) or name_of(sigel)
    desk.catalogue.records[short_id(1)] = a_holding(short_id(1), BIB, "S")
    plan = desk.plan(labels(30))
    changes = desk.changes(plan)
    assert changes[0].library == "Biblioteket Ylm"
    assert (changes[1].code, changes[1].library) == ("foreign_sigel", "Biblioteket S")
    assert sorted(asked) == ["S", "Ylm"]
    assert desk.ledger.plans.library_names(plan.id) == {
        "Ylm": "Biblioteket Ylm",
        "S": "Biblioteket S",
    }


def test_a_bib_that_fails_is_asked_for_again_by_the_next_plan(desk):
    desk.catalogue.failing[BIB] = CatalogueUnreachable("no answer")
    with pytest.raises(CatalogueUnreachable):
        desk.plan(labels(10))
    del desk.catalogue.failing[BIB]
    assert desk.resume("p-1", labels(10)).counts["update"] == 10


def test_a_record_that_can_never_be_read_is_refused_and_the_rest_planned(desk):
    desk.catalogue.failing[short_id(3)] = CatalogueUnreachable(
        "no usable answer", code="unreadable_record"
    )
    plan = desk.plan(labels(5))
    assert (plan.counts["update"], plan.counts["refused"]) == (4, 1)
    assert desk.changes(plan)[3].code == "unreadable_record"


def test_another_name_of_a_record_is_refused(desk):
    other = short_id(7, "m")
    desk.catalogue.moved[other] = BASE + short_id(1)
    (change,) = desk.changes(desk.plan(listed(delete(other))))
    assert (change.action, change.code, change.record) == (Action.REFUSED, "moved", other)


def test_a_legacy_id_is_followed_to_its_record(desk):
    legacy = "http://libris.kb.se/resource/hold/123"
    desk.catalogue.moved[legacy] = BASE + short_id(1) + "#it"
    (change,) = desk.changes(desk.plan(listed(delete(legacy))))
    assert (change.action, change.record, change.given) == (Action.DELETE, short_id(1), legacy)
    assert change.operation == {"delete": legacy}


def test_a_record_of_another_environment_behind_a_legacy_id_is_refused(desk):
    legacy = "http://libris.kb.se/hold/123"
    stray = holding(2)
    record_part(stray)["@id"] = "https://elsewhere.example/x"
    desk.catalogue.records[legacy] = stray
    (change,) = desk.changes(desk.plan(listed(delete(legacy))))
    assert (change.action, change.code) == (Action.REFUSED, "foreign_base")


@pytest.mark.parametrize("operation", [delete, set_label])
def test_a_bib_under_another_environments_address_does_not_resolve(desk, operation):
    """The server would answer 204 and store nothing, though the short id exists here too."""
    foreign = holding(1, itemOf={"@id": f"https://libris.kb.se/{BIB}#it"})
    desk.catalogue.records[short_id(1)] = foreign
    (change,) = desk.changes(desk.plan(listed(operation(short_id(1)))))
    assert (change.action, change.code) == (Action.REFUSED, "bib_unresolved")


def test_a_holding_hung_on_the_bibs_record_is_noted(desk):
    desk.catalogue.records[short_id(1)] = holding(1, itemOf={"@id": BASE + BIB})
    plan = desk.plan(listed(delete(short_id(1))))
    (change,) = desk.changes(plan)
    assert change.action is Action.DELETE
    assert [code for code, _ in change.notes] == ["item_of_record"]
    assert [finding.code for finding in desk.ledger.plans.findings(plan.id)] == ["item_of_record"]


def test_a_record_twice_in_one_batch_and_in_two(desk, monkeypatch):
    monkeypatch.setattr(planning, "BATCH", 3)
    same = short_id(1)
    operations = [set_label(same), delete(same), *map(set_label, map(short_id, (2, 3))), same]
    operations[-1] = delete(f"https://libris.kb.se/{same}")
    changes = desk.changes(desk.plan(listed(*operations)))
    assert [change.code for change in changes] == [
        "prerequisite",
        "duplicate_operation",
        "",
        "",
        "duplicate_operation",
    ]
    assert "change 2, which is refused: duplicate_operation" in changes[0].message
    assert changes[4].record == same
    assert "change 1 " in changes[4].message


# --- stopping and taking up -------------------------------------------------------------------


class StopAt(NullProgress):
    """Asks a planner to stop once so many operations are looked at."""

    def __init__(self, number):
        self.number = number
        self.planner = None

    def advance(self, done, counts):
        if done >= self.number and self.planner is not None:
            self.planner.request_stop()


def digests_without_ids(desk, plan):
    return list(desk.ledger.plans.change_digests(plan.id))


@pytest.mark.parametrize("number", [1, 150, 200, 201, 377])
def test_a_stopped_plan_stores_what_it_has_and_ends_as_if_never_stopped(desk, number):
    whole = desk.plan(labels(450))
    desk.catalogue.asked.clear()
    progress = StopAt(number)
    progress.planner = desk.planner(progress=progress)
    source = labels(450)
    with pytest.raises(Interrupted) as caught:
        progress.planner.make(a_request(source), "p-stopped")
    stopped = desk.ledger.plans.get("p-stopped")
    assert stopped.state is PlanState.INTERRUPTED
    assert number <= stopped.cursor < 450
    assert len(desk.changes(stopped)) == stopped.cursor
    assert str(stopped.cursor) in caught.value.message
    assert stopped.requests == len(desk.catalogue.asked)
    resumed = desk.resume("p-stopped", source)
    assert resumed.state is PlanState.COMPLETE
    assert resumed.counts == whole.counts
    assert digests_without_ids(desk, resumed) == digests_without_ids(desk, whole)


def test_an_outage_stores_what_was_read_before_it(desk):
    desk.catalogue.failing[short_id(250)] = CatalogueUnreachable("no answer")
    with pytest.raises(CatalogueUnreachable):
        desk.plan(labels(600))
    stopped = desk.ledger.plans.get("p-1")
    assert (stopped.state, stopped.cursor) == (PlanState.INTERRUPTED, 250)
    desk.catalogue.failing.clear()
    desk.catalogue.asked.clear()
    assert desk.resume("p-1", labels(600)).counts["update"] == 600
    assert len(desk.catalogue.asked) == 350 + 1


def test_a_fault_of_the_program_leaves_a_plan_that_can_be_resumed(desk):
    desk.catalogue.failing[short_id(1)] = ZeroDivisionError("a fault")
    with pytest.raises(ZeroDivisionError):
        desk.plan(labels(3))
    assert desk.ledger.plans.get("p-1").state is PlanState.INTERRUPTED


def test_a_changed_manifest_cannot_be_taken_up(desk):
    desk.catalogue.failing[short_id(1)] = CatalogueUnreachable("no answer")
    with pytest.raises(CatalogueUnreachable):
        desk.plan(labels(3))
    with pytest.raises(UsageError) as caught:
        desk.resume("p-1", labels(3, manifest_digest="sha256:" + "9" * 64))
    assert caught.value.code == "manifest_changed"
    assert desk.ledger.plans.get("p-1").state is PlanState.INTERRUPTED


def test_two_processes_that_make_the_same_plan(desk, tmp_path):
    """One goes on, undisturbed; the other, which took the plan up as it was before, is told."""
    source = labels(1000)
    desk.catalogue.failing[short_id(100)] = CatalogueUnreachable("no answer")
    with pytest.raises(CatalogueUnreachable):
        desk.plan(source)
    desk.catalogue.failing.clear()
    before = desk.ledger.plans.get("p-1")
    rival = Desk(tmp_path, MemoryCatalogue(records=desk.catalogue.records))
    rival.ledger.plans.reopen = lambda plan: before
    told = []

    class Meanwhile(NullProgress):
        def advance(self, done, counts):
            if counts["update"] > before.cursor and not told:
                with pytest.raises(UsageError) as caught:
                    rival.resume("p-1", source)
                told.append(caught.value.code)

    plan = desk.resume("p-1", source, progress=Meanwhile())
    rival.ledger.close()
    assert told == ["planned_elsewhere"]
    assert (plan.state, plan.counts["update"]) == (PlanState.COMPLETE, 1000)
    assert [change.number for change in desk.changes(plan)] == list(range(1, 1001))


# --- streaming --------------------------------------------------------------------------------


def endless(count):
    def operations():
        for number in range(count):
            yield set_label(short_id(number))

    return Streamed(operations, job=a_job())


@pytest.mark.size
def test_memory_does_not_grow_with_the_plan(tmp_path):
    def made(record):
        if record == BIB:
            return a_bib(BIB)
        return a_holding(record, BIB, shelfMark=MARK, hasNote=[{"label": "x" * 3000}])

    def peak(count, name):
        (tmp_path / name).mkdir()
        desk = Desk(tmp_path / name, MemoryCatalogue(make=made, keep_asked=False))
        tracemalloc.start()
        plan = desk.plan(endless(count))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        desk.ledger.close()
        assert plan.counts["update"] == count
        return most

    few = peak(300, "few")
    many = peak(300 + sized(2000), "many")
    assert many < few * 1.5
