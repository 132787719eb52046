"""Plans and their changes."""

from dataclasses import replace

import pytest
from sqlalchemy.exc import IntegrityError

from bulkrunner.domain.plan import Action, Finding, PlanState
from bulkrunner.errors import Source, UsageError
from bulkrunner.sentences import Sentence
from tests.support.ledgers import (
    START,
    a_change,
    a_part,
    a_plan,
    finish_plan,
    new_ledger,
    store_plan,
)


@pytest.fixture
def ledger(tmp_path):
    with new_ledger(tmp_path) as store:
        yield store


def test_a_plan_comes_back_as_it_was_stored(ledger):
    ledger.plans.begin(a_plan())
    assert ledger.plans.get("p1") == a_plan()
    assert ledger.plans.all() == [a_plan()]


def test_a_finished_plan_keeps_its_digest_counts_and_requests(ledger):
    plan = store_plan(ledger, a_plan(), [a_change(1), a_change(2, Action.DELETE)])
    assert plan.state is PlanState.COMPLETE
    assert plan.counts == {"update": 1, "delete": 1}
    assert plan.requests == 3
    assert plan.cursor == 2
    assert ledger.plans.get("p1") == plan


def test_changes_come_back_as_they_were_stored(ledger):
    changes = [
        a_change(1, notes=(("code", "text"),), cleanups=("a", "b")),
        a_change(
            2, Action.REFUSED, code="foreign_sigel", message="not yours", after=None, bib=None
        ),
        a_change(3, Action.CREATE, before=None, etag=None, target_key=None),
    ]
    store_plan(ledger, a_plan(), changes)
    assert list(ledger.plans.changes("p1")) == changes
    assert list(ledger.plans.changes("p1", after=2)) == changes[2:]
    assert list(ledger.plans.changes("p1", actions=[Action.CREATE, Action.REFUSED])) == changes[1:]


def test_what_is_said_of_a_change_comes_back_in_every_language(ledger):
    tidied = Sentence("cleanup", place="hasNote", what=Sentence("tidied_null"))
    note = Sentence("new_id", record="k1")
    change = a_change(1, notes=(("new_id", note),), cleanups=(tidied, "as before"))
    store_plan(ledger, a_plan(), [change])
    (stored,) = ledger.plans.changes("p1")
    assert stored == change
    assert stored.cleanups[0].worded("sv") == "hasNote: tomt värde (null) tas bort"
    assert stored.notes[0][1].worded("sv") == "k1 kommer tillbaka med ett nytt id."
    assert not hasattr(stored.cleanups[1], "worded")


def test_without_documents_the_rest_is_there(ledger):
    store_plan(ledger, a_plan(), [a_change(1)])
    (change,) = ledger.plans.changes("p1", documents=False)
    assert change == replace(a_change(1), before=None, after=None, predicted=None)


def test_more_changes_than_a_page_are_streamed_in_order(ledger):
    ledger.plans.begin(a_plan())
    changes = [a_change(number) for number in range(1, 1202)]
    ledger.plans.add_changes("p1", changes, cursor=1201)
    assert [change.number for change in ledger.plans.changes("p1")] == list(range(1, 1202))
    assert len(list(ledger.plans.change_digests("p1"))) == 1201


def test_a_stream_holds_no_transaction_open(ledger):
    store_plan(ledger, a_plan(), [a_change(number) for number in range(1, 3)])
    stream = ledger.plans.changes("p1")
    next(stream)
    assert ledger._database._engine.pool.checkedout() == 0
    assert next(stream).number == 2


def test_change_digests_are_those_of_the_changes(ledger):
    changes = [
        a_change(1),
        a_change(2, Action.CREATE, before=None, etag=None),
        a_change(3, Action.REFUSED, code="x", record="ünreadable \ud800", before=None, after=None),
    ]
    store_plan(ledger, a_plan(), changes)
    assert list(ledger.plans.change_digests("p1")) == [change.digest() for change in changes]


def test_findings_begin_with_refusals(ledger):
    note = (("cleanup", "trimmed"),)
    changes = [
        a_change(1, notes=note),
        a_change(2, Action.NOT_FOUND, message="gone"),
        a_change(3, Action.REFUSED, code="foreign_sigel", message="not yours"),
    ]
    store_plan(ledger, a_plan(), changes)
    expected = [
        Finding(
            code="foreign_sigel",
            record="rec000003",
            message="not yours",
            source=Source(file="ids.txt", line=3),
        ),
        Finding(
            code="not_found",
            record="rec000002",
            message="gone",
            source=Source(file="ids.txt", line=2),
        ),
        Finding(code="cleanup", record="rec000001", message="trimmed"),
    ]
    assert ledger.plans.findings("p1") == expected
    assert ledger.plans.findings("p1", limit=1) == expected[:1]
    assert ledger.plans.findings("p1", limit=None) == expected


def test_counts(ledger):
    changes = [
        a_change(1),
        a_change(2, sigel="S"),
        a_change(3, Action.REFUSED, code="x", sigel=None),
        a_change(4, Action.REFUSED, code="y"),
        a_change(5, Action.REFUSED, code="y"),
    ]
    store_plan(ledger, a_plan(), changes)
    assert ledger.plans.count_actions("p1") == {"update": 2, "refused": 3}
    assert ledger.plans.count_refusals("p1") == {"x": 1, "y": 2}
    assert ledger.plans.count_reasons("p1", Action.REFUSED) == {"x": 1, "y": 2}
    assert ledger.plans.count_sigels("p1") == {
        "": {"refused": 1},
        "S": {"update": 1},
        "Ylm": {"refused": 2, "update": 1},
    }


def test_plans_are_listed_newest_first_also_at_the_same_second(ledger):
    for name, environment in (("p1", "staging"), ("p3", "production"), ("p2", "staging")):
        ledger.plans.begin(a_plan(name, environment=environment))
    ledger.plans.begin(a_plan("p9", job="other"))
    assert [plan.id for plan in ledger.plans.all(job="marks")] == ["p2", "p3", "p1"]
    assert [plan.id for plan in ledger.plans.all(environment="staging")] == ["p9", "p2", "p1"]


def test_an_interrupted_plan_goes_on_where_it_was(ledger):
    store_plan(ledger, a_plan(), [a_change(1)], finish=False)
    ledger.plans.interrupt("p1", requests=5)
    assert ledger.plans.get("p1").state is PlanState.INTERRUPTED
    with pytest.raises(UsageError):
        ledger.plans.add_changes("p1", [a_change(2)], cursor=2)
    again = ledger.plans.reopen("p1")
    assert (again.state, again.cursor, again.requests) == (PlanState.PLANNING, 1, 5)
    ledger.plans.add_changes("p1", [a_change(2)], cursor=2)
    assert finish_plan(ledger, a_plan()).requests == 8


def test_a_plan_whose_process_died_can_be_reopened(ledger):
    ledger.plans.begin(a_plan())
    assert ledger.plans.reopen("p1").state is PlanState.PLANNING


def test_changes_and_cursor_are_stored_together(ledger):
    store_plan(ledger, a_plan(), [a_change(1)], finish=False)
    twice = [a_change(2), a_change(3, target_key="rec000001")]
    with pytest.raises(IntegrityError, match=r"(?i)unique"):
        ledger.plans.add_changes("p1", twice, cursor=3)
    assert ledger.plans.get("p1").cursor == 1
    assert [change.number for change in ledger.plans.changes("p1")] == [1]


def test_a_change_can_be_replaced_until_the_plan_is_complete(ledger):
    first = [a_change(number) for number in range(1, 4)]
    store_plan(ledger, a_plan(), first, finish=False)
    other = a_change(2, Action.DELETE, after=None, parts=(a_part(1), a_part(2, Action.DELETE)))
    ledger.plans.add_changes("p1", [a_change(4)], cursor=5, since=3, replaced=[other])
    assert list(ledger.plans.changes("p1")) == [first[0], other, first[2], a_change(4)]
    assert ledger.lookups.actions_of("p1", [4, 2]) == [Action.DELETE, Action.UPDATE]
    assert ledger.lookups.changes_numbered("p1", [3, 2, 9]) == [other, first[2]]
    assert ledger.lookups.last_number("p1") == 4
    assert ledger.chain.check() == []
    finish_plan(ledger, a_plan())
    assert ledger.chain.check() == []
    with pytest.raises(Exception, match="never changed"), ledger._database.write() as connection:
        connection.exec_driver_sql("UPDATE planned_changes SET code = 'x' WHERE number = 2")


def test_a_replaced_change_that_is_edited_later_is_found(ledger):
    store_plan(ledger, a_plan(), [a_change(1), a_change(2)], finish=False)
    ledger.plans.add_changes("p1", [], cursor=3, replaced=[a_change(1, code="a")])
    with ledger._database.write() as connection:
        connection.exec_driver_sql("UPDATE planned_changes SET code = '' WHERE number = 1")
    (fault,) = ledger.chain.check()
    assert "change 1 of plan p1 is not as event 3" in fault


def test_changes_are_found_by_target_and_by_place(ledger):
    changes = [a_change(1), a_change(2, place="holding:b:Ylm"), a_change(3)]
    store_plan(ledger, a_plan(), changes)
    found = ledger.lookups.changes_of("p1", ["rec000003", "holding:b:Ylm", "nothing"])
    assert found == {"rec000003": changes[2], "holding:b:Ylm": changes[1]}


def test_changes_of_another_cursor_are_not_taken(ledger):
    store_plan(ledger, a_plan(), [a_change(1)], finish=False)
    with pytest.raises(UsageError) as raised:
        ledger.plans.add_changes("p1", [a_change(2)], cursor=3, since=2)
    assert raised.value.code == "planned_elsewhere"


def test_a_selection_is_kept_whole_or_made_again(ledger):
    ledger.plans.begin(a_plan())

    def broken():
        yield from map(str, range(1500))
        raise OSError("cut")

    with pytest.raises(OSError, match="cut"):
        ledger.selections.keep("p1", 1, broken())
    assert ledger.selections.get("p1", 1) is None
    refs = [f"r{number}" for number in range(2500)]
    assert ledger.selections.keep("p1", 1, iter(refs), note=lambda: {"expected": 2501}) == 2500
    assert ledger.selections.get("p1", 1) == {"count": 2500, "note": {"expected": 2501}}
    assert list(ledger.selections.selected("p1", 1)) == refs
    assert list(ledger.selections.selected("p1", 1, after=2400)) == refs[2400:]
    assert list(ledger.selections.selected("p1", 2)) == []


def test_a_complete_plan_is_closed(ledger):
    store_plan(ledger, a_plan(), [a_change(1)])
    for attempt in (
        lambda: ledger.plans.add_changes("p1", [a_change(2)], cursor=2),
        lambda: ledger.plans.interrupt("p1", requests=0),
        lambda: ledger.plans.reopen("p1"),
        lambda: finish_plan(ledger, a_plan()),
    ):
        with pytest.raises(UsageError):
            attempt()
    assert ledger.plans.get("p1").counts == {"update": 1}


def test_equal_documents_are_stored_once(ledger):
    store_plan(ledger, a_plan(), [a_change(1)])
    store_plan(ledger, a_plan("p2"), [a_change(1)])
    with ledger._database.read() as connection:
        count = connection.exec_driver_sql("SELECT count(*) FROM documents").scalar()
    assert count == 2


class TestPrefixes:
    def test_a_beginning_is_enough(self, ledger):
        ledger.plans.begin(a_plan("p-abc"))
        ledger.plans.begin(a_plan("p-abd"))
        assert ledger.plans.get("p-abc").id == "p-abc"
        assert ledger.plans.get("p-abd").id == "p-abd"

    def test_an_id_that_begins_another_is_itself(self, ledger):
        ledger.plans.begin(a_plan("p-1"))
        ledger.plans.begin(a_plan("p-12"))
        assert ledger.plans.get("p-1").id == "p-1"

    def test_several_are_listed_but_not_all_of_many(self, ledger):
        for number in range(30):
            ledger.plans.begin(a_plan(f"p-{number:02}"))
        with pytest.raises(UsageError, match="p-29, p-28") as raised:
            ledger.plans.get("p-")
        assert raised.value.code == "ambiguous_id"
        assert "p-00" not in raised.value.message

    @pytest.mark.parametrize("given", ["", "%", "p_1", "P1", "p1x", "nothing"])
    def test_what_is_not_there(self, ledger, given):
        ledger.plans.begin(a_plan("p1"))
        with pytest.raises(UsageError) as raised:
            ledger.plans.get(given)
        assert raised.value.code == "unknown_plan"


def test_times_keep_their_microseconds(ledger):
    moment = START.replace(microsecond=123456)
    ledger.plans.begin(a_plan(created_at=moment))
    assert ledger.plans.get("p1").created_at == moment
    assert ledger.plans.get("p1").created_at.isoformat() == moment.isoformat()
