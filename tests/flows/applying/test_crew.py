"""The crew: order within a bib, fairness between bibs, and what becomes of errors."""

import threading
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkrunner.adapters.machine import SystemClock
from bulkrunner.domain.plan import BibSummary
from bulkrunner.domain.run_ledger import WorkItem
from bulkrunner.services.running.control import Control, OutcomeCounter
from bulkrunner.services.running.dispatch import Dispatcher, KeyedPool, lane_of
from tests.support.ledgers import a_change, a_plan, new_ledger, start_run, store_plan
from tests.support.progress import NullProgress
from tests.support.sizes import examples


def item(number, bib):
    return WorkItem(change=replace(a_change(number), bib=BibSummary(id=bib)))


def work(items, carry_out, threads=4):
    crew = KeyedPool(carry_out, threads=threads, clock=SystemClock())
    crew.start()
    for one in items:
        crew.put(one)
    crew.wait(lambda: crew.size == 0 or crew.failure is not None, 20)
    crew.close()
    return crew


@settings(max_examples=examples(30), deadline=None)
@given(st.lists(st.sampled_from("abcde"), max_size=40))
def test_each_is_done_once_in_order_within_its_bib_and_never_two_of_one(bibs):
    items = [item(number, bib) for number, bib in enumerate(bibs, start=1)]
    done, busy, clashes = [], set(), []
    lock = threading.Lock()

    def carry_out(one):
        bib = one.change.bib.id
        with lock:
            clashes.append(bib in busy)
            busy.add(bib)
        with lock:
            busy.discard(bib)
            done.append(one.change.number)

    work(items, carry_out)
    assert not any(clashes)
    assert sorted(done) == [one.change.number for one in items]
    for bib in set(bibs):
        mine = [n for n in done if bibs[n - 1] == bib]
        assert mine == sorted(mine)


def test_a_long_lane_keeps_nobody_waiting():
    done = []
    items = [*(item(number, "long") for number in range(1, 6)), item(6, "b"), item(7, "c")]
    crew = KeyedPool(lambda one: done.append(one.change.number), threads=1, clock=SystemClock())
    for one in items:
        crew.put(one)
    crew.start()
    crew.wait(lambda: crew.size == 0, 20)
    crew.close()
    assert done == [1, 6, 7, 2, 3, 4, 5]


def test_different_bibs_are_worked_on_at_the_same_time():
    together = threading.Barrier(3)
    crew = work([item(n, f"bib{n}") for n in (1, 2, 3)], lambda _: together.wait(20), threads=3)
    assert crew.failure is None
    assert crew.size == 0


def test_many_holdings_of_one_bib_keep_no_other_bib_waiting(tmp_path):
    """All of a bib's changes are done by one thread; the second gets those of the next bib."""
    bibs = ["long"] * 300 + ["next"]
    changes = [item(number, bib).change for number, bib in enumerate(bibs, start=1)]
    next_was_there = threading.Event()

    def carry_out(one):
        if one.change.bib.id == "next":
            next_was_there.set()
        assert next_was_there.wait(20)

    with new_ledger(tmp_path) as ledger:
        start_run(ledger, store_plan(ledger, a_plan(), changes))
        clock = SystemClock()
        control = Control(clock)
        crew = KeyedPool(carry_out, threads=2, clock=clock)
        dispatcher = Dispatcher(
            ledger,
            ledger.runs.get("r1"),
            crew,
            OutcomeCounter(ledger.runs.outcomes("r1"), NullProgress(), control),
            control,
            goes_on=lambda: control.ending is None,
            verify=lambda change: None,
            recognise=lambda item: None,
        )
        crew.start()
        dispatcher.everything(None, first_prove=False)
        crew.close()
    assert crew.failure is None
    assert crew.size == 0


def test_what_a_thread_dies_of_is_kept_and_nothing_new_is_begun():
    begun = []

    def carry_out(one):
        begun.append(one.change.number)
        raise KeyError("oops")

    crew = work([item(number, "a") for number in (1, 2, 3)], carry_out)
    assert isinstance(crew.failure, KeyError)
    assert begun == [1]


@pytest.mark.parametrize(
    ("changes", "lane"),
    [
        ({}, "bib1"),
        ({"bib": None, "after": None}, "rec000001"),
        ({"kind": "bib"}, "rec000001"),
        (
            {
                "bib": None,
                "after": {"@graph": [{}, {"@type": "Item", "itemOf": {"@id": "http://x/b#it"}}]},
            },
            "http://x/b#it",
        ),
    ],
)
def test_the_lane_is_the_bib(changes, lane):
    assert lane_of(a_change(1, **changes)) == lane


def waiting(number, bib, *prerequisites):
    change = replace(a_change(number), bib=BibSummary(id=bib), prerequisites=prerequisites)
    return WorkItem(change=change)


@settings(max_examples=examples(40), deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.sets(st.integers(1, 20), max_size=3))))
def test_each_comes_after_what_it_waits_for(wanted):
    items = [
        waiting(number, bib, *(n for n in sorted(needs) if n < number))
        for number, (bib, needs) in enumerate(wanted[:20], start=1)
    ]
    done, lock = [], threading.Lock()

    def carry_out(one):
        with lock:
            done.append(one.change.number)

    work(items, carry_out)
    assert sorted(done) == [one.change.number for one in items]
    for one in items:
        before = done[: done.index(one.change.number)]
        assert set(one.change.prerequisites) <= set(before)


def test_a_slow_one_holds_up_only_what_waits_for_it():
    done, go_on = [], threading.Event()

    def carry_out(one):
        if one.change.number == 1:
            assert go_on.wait(20)
        done.append(one.change.number)
        if one.change.number == 3:
            go_on.set()

    work([waiting(1, "a"), waiting(2, "b", 1), waiting(3, "c")], carry_out, threads=2)
    assert done == [3, 1, 2]
