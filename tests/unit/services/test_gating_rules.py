"""The pure parts of the gates: which runs count, what is thin, what an approval must name."""

from datetime import UTC, datetime

import pytest

from bulkrunner.domain.approvals import Approval, permit, required_statements
from bulkrunner.domain.manifest import Accept
from bulkrunner.domain.plan import Plan, PlanState
from bulkrunner.domain.policy import Policy
from bulkrunner.domain.rules import Evidence, TriedBy
from bulkrunner.services.gatekeeper import counting_hosts, untried

LOOPBACK = {"kind": "test", "base_url": "http://127.0.0.1:8001"}
STAGING = {"kind": "test", "base_url": "https://libris-stg.kb.se"}
REAL = {"kind": "production", "base_url": "https://libris.kb.se"}
EMBEDDED = {"kind": "production", "base_url": "http://localhost:8002"}
NOW = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    ("production", "test", "hosts", "counts"),
    [
        (REAL, STAGING, (), True),
        (REAL, LOOPBACK, (), False),
        (REAL, LOOPBACK, ("127.0.0.1",), False),
        (REAL, {**STAGING, "base_url": "http://libris-stg.kb.se"}, (), False),
        (REAL, {**STAGING, "kind": "production"}, (), False),
        (REAL, {**STAGING, "base_url": "https://xl.example.org"}, (), False),
        (REAL, {**STAGING, "base_url": "https://xl.example.org"}, ("xl.example.org",), True),
        (REAL, {**STAGING, "base_url": "https://LIBRIS-QA.kb.se:443"}, (), True),
        (REAL, {**STAGING, "base_url": "https://libris-stg.kb.se.evil.example"}, (), False),
        (REAL, {**STAGING, "base_url": "https://libris-stg.kb.se@evil.example"}, (), False),
        (EMBEDDED, LOOPBACK, (), True),
        (EMBEDDED, STAGING, (), True),
        ({**EMBEDDED, "base_url": "http://[::1]:9"}, LOOPBACK, (), True),
    ],
)
def test_a_test_run_counts_only_on_hosts_that_prove_something(production, test, hosts, counts):
    assert counting_hosts(production, Policy(test_hosts=hosts))(test) is counts


def evidence(**changes):
    whole = {
        "total": {"update": 90, "delete": 10},
        "tried": {"update": 90, "delete": 10},
        "patterns": {"set shelfMark.label": (90, 90), "delete holding": (10, 10)},
        "newest_test_plan": "p-test",
        "runs": (TriedBy(run="r", environment="staging", base_url="x", finished_at=None),),
    }
    return Evidence(**{**whole, **changes})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ""),
        ({"newest_test_plan": None}, "never been planned"),
        ({"tried": {}}, "0 of 100 changes"),
        ({"tried": {"update": 90, "delete": 4}, "untried": ("abc",)}, "or take it off the job"),
        ({"tried": {"update": 90, "delete": 9}}, "lower min_staging_coverage"),
        ({"patterns": {"rare": (1, 0)}}, "of this kind"),
        ({"bad_outcomes": {"failed": 1}}, "1 failed"),
        ({"bad_outcomes": {"pending": 3}}, "3 pending"),
        ({"bad_outcomes": {"unknown": 2}}, "2 unknown"),
        ({"refused_codes": {"duplicate": 3}}, "3 × duplicate; accept the code in the manifest, or"),
        ({"refused_codes": {"duplicate": 2}}, ""),
    ],
)
def test_staging_proves_the_plan_only_when_it_was_tried_and_ended_clean(changes, words):
    accept = (Accept(code="duplicate", at_most=2, reason="known"),)
    reason = untried(evidence(**changes), Policy(), accept)
    assert (words in reason) if words else not reason


def test_a_policy_that_asks_for_no_coverage_still_asks_for_a_test_plan():
    loose = Policy(min_staging_coverage=0)
    bare = evidence(tried={}, patterns={"rare": (1, 0)})
    assert untried(bare, loose, ()) is None
    assert untried(evidence(newest_test_plan=None), loose, ()) is not None


def plan(**policy):
    return Plan(
        id="p-1",
        job="j",
        environment="production",
        addresses=REAL,
        manifest_digest="m",
        effect_digest="e",
        policy=Policy(**policy).as_dict(),
        manifest={},
        program_version="0",
        created_at=NOW,
        state=PlanState.COMPLETE,
        folder="/jobs/j",
        plan_digest="sha256:right",
    )


def answer(**changes):
    yes = {
        "plan": "p-1",
        "plan_digest": "sha256:right",
        "approved": True,
        "by": "Karin",
        "reference": "KB 1",
        "text": "",
        "recorded_by": "me@here",
        "recorded_at": NOW,
    }
    return Approval(**{**yes, **changes})


def refused_because(plan, given):
    answers = [] if given is None else [given]
    return permit(plan, answers, unsound=lambda _: "").closed


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (None, "nobody has approved"),
        (answer(plan_digest="sha256:other"), "another plan digest"),
        (answer(approved=False), "Karin said no"),
        (answer(), ""),
    ],
)
def test_only_a_yes_to_this_digest_opens_the_approval_gate(given, words):
    reason = refused_because(plan(), given)
    assert (words in reason) if words else not reason


def test_looser_policy_must_be_named_in_the_approval():
    loose = plan(min_staging_coverage=0.0, plan_max_age_hours=1000, test_hosts=("xl.example.org",))
    statements = required_statements(loose)
    assert statements == (
        "plan_max_age_hours = 1000",
        "min_staging_coverage = 0",
        "test_hosts = xl.example.org",
    )
    assert "does not name" in refused_because(loose, answer())
    assert "test_hosts" in refused_because(loose, answer(statements=statements[:2]))
    assert refused_because(loose, answer(statements=statements)) == ""


def test_stricter_policy_needs_no_statement():
    strict = plan(min_staging_coverage=1.0, plan_max_age_hours=1, functions="none")
    assert required_statements(strict) == ()
