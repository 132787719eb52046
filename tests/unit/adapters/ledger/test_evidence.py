"""What test runs say of a plan for production."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bulkrunner.domain.plan import Action
from bulkrunner.domain.report_groups import delete_pattern, update_pattern
from bulkrunner.domain.rules import TriedBy
from bulkrunner.domain.run import Outcome, Result, RunState
from bulkrunner.sentences import Sentence
from tests.support.ledgers import (
    PRODUCTION_ADDRESSES,
    START,
    TEST_ADDRESSES,
    a_change,
    a_plan,
    an_attempt,
    finish_plan,
    new_ledger,
    send,
    start_run,
    store_plan,
)

LONG_AGO = START - timedelta(days=30)


@pytest.fixture
def ledger(tmp_path):
    with new_ledger(tmp_path) as store:
        yield store


def production(ledger, changes, **values):
    plan = a_plan("live", environment="production", addresses=PRODUCTION_ADDRESSES, **values)
    return store_plan(ledger, plan, changes)


def staged(ledger, changes, outcomes=None, *, plan="p1", run="r1", **values):
    """Plan for a test environment, run it with these outcomes and complete the run."""
    stored = store_plan(ledger, a_plan(plan, **values), changes)
    if outcomes is not None:
        start_run(ledger, stored, run)
        for number, outcome in outcomes.items():
            send(ledger, run, number, outcome=outcome)
        ledger.runs.move(run, RunState.COMPLETED, at=START + timedelta(hours=1))
    return stored


def ask(ledger, plan, *, not_before=LONG_AGO, counts=lambda addresses: True):
    return ledger.evidence.of_plan(plan, not_before=not_before, counts=counts)


def test_without_test_plan_there_is_none(ledger):
    evidence = ask(ledger, production(ledger, [a_change(1), a_change(2, Action.UNCHANGED)]))
    assert evidence.total == {"update": 1}
    assert evidence.tried == {}
    assert evidence.untried == ("rec000001",)
    assert evidence.patterns == {"set shelfMark": (1, 0)}
    assert (evidence.newest_test_plan, evidence.bad_outcomes, evidence.runs) == (None, {}, ())


def test_applied_changes_of_the_same_operation_on_the_same_record_count(ledger):
    changes = [
        a_change(1),
        a_change(2, Action.DELETE, pattern="delete"),
        a_change(3, pattern="other"),
    ]
    outcomes = {1: Outcome.APPLIED, 2: Outcome.APPLIED, 3: Outcome.CONFLICT}
    staged(ledger, changes, outcomes)
    evidence = ask(ledger, production(ledger, changes))
    assert evidence.total == {"update": 2, "delete": 1}
    assert evidence.tried == {"update": 1, "delete": 1}
    assert evidence.untried == ("rec000003",)
    assert evidence.patterns == {"set shelfMark": (1, 1), "delete": (1, 1), "other": (1, 0)}
    assert evidence.newest_test_plan == "p1"
    assert evidence.bad_outcomes == {}
    assert evidence.runs == (
        TriedBy(
            run="r1",
            environment="staging",
            base_url="http://127.0.0.1:5001",
            finished_at=START + timedelta(hours=1),
        ),
    )


def test_patterns_are_said_in_any_language(ledger):
    """The ledger keeps what a pattern is made of, and counts by that."""
    place = Sentence("part_set", at="shelfMark.label")
    named = [
        update_pattern("holding", [place]),
        delete_pattern("bib"),
        update_pattern("holding", [place], earlier=Sentence("pattern_create", kind="holding")),
    ]
    changes = [a_change(number, pattern=pattern) for number, pattern in enumerate(named, 1)]
    changes.append(a_change(4, pattern=named[0]))
    staged(ledger, changes, {1: Outcome.APPLIED, 3: Outcome.APPLIED})
    plan = production(ledger, changes)
    found = ask(ledger, plan).patterns
    assert found == {
        "update holding: set shelfMark.label": (2, 1),
        "delete bib": (1, 0),
        "create holding: set shelfMark.label": (1, 1),
    }
    assert [text.worded("sv") for text in found] == [text.worded("sv") for text in named]
    kept = [change.pattern for change in ledger.plans.changes(plan.id)]
    assert [text.as_data() for text in kept] == [text.as_data() for text in (*named, named[0])]


@pytest.mark.parametrize(
    "outcome",
    [Outcome.CONFLICT, Outcome.REFUSED, Outcome.FAILED, Outcome.UNKNOWN, Outcome.UNCHANGED],
)
def test_no_other_outcome_counts_as_tried(ledger, outcome):
    staged(ledger, [a_change(1)], {1: outcome})
    assert ask(ledger, production(ledger, [a_change(1)])).tried == {}


def test_what_was_sent_and_declined_is_told_apart_from_what_was_not_sent(ledger):
    answers = {
        1: (Outcome.REFUSED, "invalid", 400, "no such word"),
        2: (Outcome.REFUSED, "invalid", 400, "no such word"),
        3: (Outcome.REFUSED, "forbidden", 403, "not yours"),
        4: (Outcome.FAILED, "no_success", 500, "oops"),
        5: (Outcome.CONFLICT, "edited", 412, ""),
        6: (Outcome.CONFLICT, "edited", None, ""),  # seen before it was sent
        7: (Outcome.APPLIED, "", 204, ""),
    }
    changes = [a_change(number) for number in range(1, 9)]
    plan = store_plan(ledger, a_plan("p1"), changes)
    start_run(ledger, plan, "r1")
    for number, (outcome, code, status, words) in answers.items():
        attempt = an_attempt(number)
        if status is not None:
            ledger.runs.intend("r1", attempt).result()
            answered = replace(attempt, answer="x", status=status, words=words, answered_at=START)
            ledger.runs.answered("r1", answered).result()
        ledger.runs.conclude("r1", number, Result(outcome=outcome, code=code)).result()
    evidence = ask(ledger, production(ledger, changes))
    told = [(one.outcome, one.code, one.words, one.count, one.lasting) for one in evidence.declined]
    assert told == [
        ("refused", "invalid", "no such word", 2, True),
        ("refused", "forbidden", "not yours", 1, False),
        ("failed", "no_success", "oops", 1, False),
        ("conflict", "edited", "", 1, False),
    ]
    assert evidence.declined[0].records == ("rec000001", "rec000002")
    assert evidence.untried == ("rec000006", "rec000008")


def test_a_later_success_takes_the_place_of_a_refusal(ledger):
    staged(ledger, [a_change(1)], {1: Outcome.REFUSED})
    staged(ledger, [a_change(1)], {1: Outcome.APPLIED}, plan="p2", run="r2")
    evidence = ask(ledger, production(ledger, [a_change(1)]))
    assert (evidence.tried, evidence.declined, evidence.untried) == ({"update": 1}, (), ())


@pytest.mark.parametrize(("code", "tried"), [("applied_earlier", {"update": 1}), ("no_change", {})])
def test_what_a_later_test_plan_found_still_made_counts_from_then(ledger, code, tried):
    staged(ledger, [a_change(1)], {1: Outcome.APPLIED})
    late = START + timedelta(seconds=30)
    live = production(ledger, [a_change(1)])
    assert ask(ledger, live, not_before=late).tried == {}
    found = a_change(1, Action.UNCHANGED, code=code, after=None, predicted=None)
    store_plan(ledger, a_plan("p2"), [found])
    assert ask(ledger, live, not_before=late).tried == tried


def test_what_was_found_still_made_counts_as_long_as_the_plan_that_found_it(ledger):
    staged(ledger, [a_change(1)], {1: Outcome.APPLIED})
    found = a_change(1, Action.UNCHANGED, code="applied_earlier", after=None, predicted=None)
    finished = store_plan(ledger, a_plan("p2"), [found]).finished_at
    live = production(ledger, [a_change(1)])
    assert ask(ledger, live, not_before=finished).tried == {"update": 1}
    assert ask(ledger, live, not_before=finished + timedelta(seconds=1)).tried == {}


@pytest.mark.parametrize(
    ("outcome", "job", "late", "tried"),
    [
        (Outcome.APPLIED, "j1", timedelta(0), {"set shelfMark": "r1"}),
        (Outcome.APPLIED, "j1", timedelta(days=1), {}),
        (Outcome.FAILED, "j1", timedelta(0), {}),
        (Outcome.APPLIED, "other", timedelta(0), {}),
    ],
)
def test_which_kinds_of_restoring_were_tried(ledger, outcome, job, late, tried):
    undo = {"undo": {"job": job, "effect_digest": "sha256:e"}}
    staged(ledger, [a_change(1)], {1: outcome}, job="back", manifest=undo)
    found = ledger.evidence.restorings("j1", not_before=START + late, counts=lambda _: True)
    assert found == tried
    assert ledger.evidence.restorings("j1", not_before=START, counts=lambda _: False) == {}


def test_what_the_newest_test_plan_refused_counts_with_what_its_run_refused(ledger):
    refusal = a_change(2, Action.REFUSED, code="unexpected_value", after=None, target_key=None)
    staged(ledger, [a_change(1), refusal], {1: Outcome.APPLIED})
    live = production(ledger, [a_change(1)])
    assert ask(ledger, live).refused_codes == {"unexpected_value": 1}


@pytest.mark.parametrize(
    "values",
    [
        {"record": "other"},
        {"operation": {"update": "rec000001", "changes": []}},
        {"action": Action.DELETE},
    ],
)
def test_another_record_operation_or_action_is_no_trial(ledger, values):
    staged(ledger, [a_change(1, **values)], {1: Outcome.APPLIED})
    assert ask(ledger, production(ledger, [a_change(1)])).tried == {}


def test_a_create_needs_the_same_bib_and_sigel(ledger):
    def create(sigel, bib):
        return a_change(
            1, Action.CREATE, before=None, etag=None, sigel=sigel, record=bib, operation={}
        )

    staged(ledger, [create("Ylm", "bib1")], {1: Outcome.APPLIED})
    for number, (sigel, bib, tried) in enumerate(
        [("Ylm", "bib1", {"create": 1}), ("S", "bib1", {}), ("Ylm", "bib2", {})]
    ):
        plan = a_plan(f"live{number}", environment="production", addresses=PRODUCTION_ADDRESSES)
        assert ask(ledger, store_plan(ledger, plan, [create(sigel, bib)])).tried == tried


def test_numbers_need_not_be_the_same(ledger):
    staged(ledger, [a_change(1), a_change(2)], {2: Outcome.APPLIED})
    moved = a_change(1, record="rec000002", operation=a_change(2).operation)
    assert ask(ledger, production(ledger, [moved])).tried == {"update": 1}


def test_what_is_too_old_does_not_count(ledger):
    staged(ledger, [a_change(1)], {1: Outcome.APPLIED})
    plan = production(ledger, [a_change(1)])
    assert ask(ledger, plan, not_before=START + timedelta(days=1)).tried == {}
    assert ask(ledger, plan, not_before=START).tried == {"update": 1}


def test_other_jobs_and_production_itself_are_no_trial(ledger):
    staged(ledger, [a_change(1)], {1: Outcome.APPLIED}, job="other")
    staged(
        ledger,
        [a_change(1)],
        {1: Outcome.APPLIED},
        plan="p2",
        run="r2",
        environment="production",
        addresses=PRODUCTION_ADDRESSES,
    )
    evidence = ask(ledger, production(ledger, [a_change(1)]))
    assert (evidence.tried, evidence.newest_test_plan, evidence.runs) == ({}, None, ())


def test_environments_that_do_not_count_are_not_seen_at_all(ledger):
    staged(ledger, [a_change(1)], {1: Outcome.APPLIED})
    elsewhere = {**TEST_ADDRESSES, "base_url": "http://127.0.0.1:9"}
    staged(ledger, [a_change(1)], {1: Outcome.FAILED}, plan="p2", run="r2", addresses=elsewhere)
    plan = production(ledger, [a_change(1)])
    evidence = ask(ledger, plan, counts=lambda a: a["base_url"] == TEST_ADDRESSES["base_url"])
    assert (evidence.tried, evidence.newest_test_plan) == ({"update": 1}, "p1")
    assert evidence.bad_outcomes == {}


class TestNewestPlan:
    def test_its_bad_outcomes_and_refusals_are_told(self, ledger):
        changes = [a_change(number) for number in range(1, 7)]
        plan = store_plan(ledger, a_plan(), changes)
        start_run(ledger, plan)
        for number, outcome, code in (
            (1, Outcome.APPLIED, ""),
            (2, Outcome.FAILED, ""),
            (3, Outcome.UNKNOWN, ""),
            (4, Outcome.REFUSED, "not_saved"),
            (5, Outcome.CONFLICT, "edited"),
        ):
            send(ledger, "r1", number, outcome=outcome, code=code)
        evidence = ask(ledger, production(ledger, changes))
        assert evidence.bad_outcomes == {"failed": 1, "unknown": 1, "pending": 1}
        assert evidence.refused_codes == {"not_saved": 1}

    def test_never_run_everything_is_pending(self, ledger):
        staged(ledger, [a_change(1), a_change(2), a_change(3, Action.UNCHANGED)])
        evidence = ask(ledger, production(ledger, [a_change(1)]))
        assert evidence.bad_outcomes == {"pending": 2}

    def test_not_complete_something_is_pending(self, ledger):
        ledger.plans.begin(a_plan())
        assert ask(ledger, production(ledger, [a_change(1)])).bad_outcomes == {"pending": 1}

    def test_empty_it_tried_nothing(self, ledger):
        staged(ledger, [], {})
        evidence = ask(ledger, production(ledger, [a_change(1)]))
        assert evidence.newest_test_plan == "p1"
        assert (evidence.tried, evidence.bad_outcomes) == ({}, {})

    def test_of_another_effect_digest_it_is_not_the_one(self, ledger):
        staged(ledger, [a_change(1)], {1: Outcome.APPLIED})
        staged(
            ledger, [a_change(1)], {1: Outcome.FAILED}, plan="p2", run="r2", effect_digest="other"
        )
        evidence = ask(ledger, production(ledger, [a_change(1)]))
        assert (evidence.newest_test_plan, evidence.bad_outcomes) == ("p1", {})

    def test_a_newer_failure_is_not_hidden_by_an_older_success(self, ledger):
        staged(ledger, [a_change(1)], {1: Outcome.APPLIED})
        staged(ledger, [a_change(1)], {1: Outcome.FAILED}, plan="p2", run="r2")
        evidence = ask(ledger, production(ledger, [a_change(1)]))
        assert evidence.tried == {"update": 1}
        assert evidence.newest_test_plan == "p2"
        assert evidence.bad_outcomes == {"failed": 1}

    def test_what_an_older_plan_tried_is_still_tried(self, ledger):
        staged(ledger, [a_change(1)], {1: Outcome.APPLIED})
        staged(ledger, [a_change(1, Action.UNCHANGED)], {}, plan="p2", run="r2")
        evidence = ask(ledger, production(ledger, [a_change(1)]))
        assert (evidence.tried, evidence.newest_test_plan) == ({"update": 1}, "p2")
        assert [run.run for run in evidence.runs] == ["r1"]


def test_a_hundred_untried_are_listed(ledger):
    changes = [a_change(number) for number in range(1, 151)]
    evidence = ask(ledger, production(ledger, changes))
    assert evidence.total == {"update": 150}
    assert evidence.untried == tuple(f"rec{number:06}" for number in range(1, 101))


def test_a_plan_that_is_still_being_made_can_be_asked_about(ledger):
    plan = a_plan("live", environment="production", addresses=PRODUCTION_ADDRESSES)
    ledger.plans.begin(plan)
    ledger.plans.add_changes("live", [a_change(1)], cursor=1)
    assert ask(ledger, plan).total == {"update": 1}
    finish_plan(ledger, plan)


# --- change by change ----------------------------------------------------------------------------


def twins(ledger, plan, action=Action.UPDATE, **how):
    found = ledger.evidence.counterparts(plan, action=action, counts=lambda addresses: True, **how)
    return [(twin.change, twin.run, twin.record, twin.outcome) for twin in found]


def test_each_change_knows_what_the_test_run_did_with_it(ledger):
    changes = [a_change(number) for number in range(1, 4)]
    outcomes = {1: Outcome.APPLIED, 2: Outcome.CONFLICT}
    staged(ledger, changes, outcomes)
    plan = production(ledger, changes)
    assert twins(ledger, plan) == [
        (1, "r1", "rec000001", "applied"),
        (2, "r1", "rec000002", "conflict"),
    ]
    assert twins(ledger, plan, numbers=[2, 3]) == [(2, "r1", "rec000002", "conflict")]
    assert twins(ledger, plan, Action.DELETE) == []


def test_of_several_test_runs_an_applied_one_tells(ledger):
    changes = [a_change(1)]
    staged(ledger, changes, {1: Outcome.APPLIED}, plan="p1", run="r1")
    staged(ledger, changes, {1: Outcome.CONFLICT}, plan="p2", run="r2")
    assert twins(ledger, production(ledger, changes)) == [(1, "r1", "rec000001", "applied")]


def test_of_a_create_only_the_outcome_knows_the_record(ledger):
    change = a_change(1, Action.CREATE)
    start_run(ledger, store_plan(ledger, a_plan("p2"), [change]), "r2")
    send(ledger, "r2", 1, record="made")
    plan = production(ledger, [change])
    assert twins(ledger, plan, Action.CREATE) == [(1, "r2", "made", "applied")]


def test_runs_that_do_not_count_tell_nothing(ledger):
    changes = [a_change(1)]
    staged(ledger, changes, {1: Outcome.APPLIED})
    plan = production(ledger, changes)
    assert (
        list(
            ledger.evidence.counterparts(plan, action=Action.UPDATE, counts=lambda addresses: False)
        )
        == []
    )


def test_a_twin_carries_the_record_as_it_stood_in_the_test_environment(ledger):
    changes = [a_change(1)]
    staged(ledger, changes, {1: Outcome.APPLIED})
    plan = production(ledger, changes)
    (twin,) = ledger.evidence.counterparts(
        plan, action=Action.UPDATE, counts=lambda addresses: True
    )
    assert twin.before == changes[0].before
    assert twin.base_url == TEST_ADDRESSES["base_url"]


@pytest.fixture
def kept(ledger):
    """A plan with evidence of several kinds, and the evidence as it was kept."""
    changes = [a_change(n, pattern=SET if n % 2 else "plain") for n in range(1, 5)]
    ended = {1: Outcome.APPLIED, 2: Outcome.REFUSED, 3: Outcome.APPLIED}
    staged(ledger, changes, ended)
    plan = production(ledger, changes)
    evidence = ask(ledger, plan)
    assert evidence.basis is not None
    ledger.evidence.keep(plan.id, evidence)
    return plan, evidence


SET = Sentence("pattern_delete", kind=Sentence("record_holding"))


def test_evidence_that_was_kept_is_what_was_found(ledger, kept):
    plan, evidence = kept
    again = ask(ledger, plan)
    assert again.basis is None, "it was not counted again"
    assert again == evidence
    assert [type(pattern) for pattern in again.patterns] == [Sentence, str]
    ledger.evidence.keep(plan.id, again)
    assert ask(ledger, plan, not_before=START - timedelta(days=1)) == evidence


@pytest.mark.parametrize(
    "happens",
    [
        lambda ledger: send(ledger, "r1", 4),
        lambda ledger: staged(ledger, [a_change(1)], plan="p2"),
        lambda ledger: staged(ledger, [a_change(4)], {4: Outcome.APPLIED}, plan="p2", run="r2"),
    ],
    ids=["a run does more", "another test plan", "another test run"],
)
def test_evidence_is_counted_again_once_test_runs_have_done_more(ledger, kept, happens):
    happens(ledger)
    assert ask(ledger, kept[0]).basis is not None


def test_evidence_is_counted_again_once_some_of_it_is_too_old(ledger, kept):
    found = ask(ledger, kept[0], not_before=START + timedelta(days=1))
    assert found.basis is not None
    assert found.tried == {}


def test_evidence_of_another_environment_or_plan_is_not_taken(ledger, kept):
    plan, _ = kept
    assert ask(ledger, plan, counts=lambda addresses: False).newest_test_plan is None
    other = store_plan(
        ledger,
        a_plan("live2", environment="production", addresses=PRODUCTION_ADDRESSES),
        [a_change(1)],
    )
    assert ask(ledger, other).basis is not None
