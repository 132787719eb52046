"""The gates on a real ledger, with a clock that is set."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bulkrunner.bootstrap import effective_policy
from bulkrunner.domain.environment import Environment, Kind
from bulkrunner.domain.plan import Action
from bulkrunner.domain.policy import Policy
from bulkrunner.domain.rights import Permission, Rights
from bulkrunner.domain.rules import GATE_NAMES, GateResult
from bulkrunner.domain.run import RunState
from bulkrunner.errors import AccessLost, LoginDown
from bulkrunner.services import gatekeeper
from bulkrunner.services.gatekeeper import GateInput, Gates
from tests.support.ledgers import (
    PRODUCTION_ADDRESSES,
    START,
    TEST_ADDRESSES,
    a_change,
    a_plan,
    a_run,
    new_ledger,
    send,
    start_run,
    store_plan,
)

FINISHED = START + timedelta(minutes=1)


class Fixed:
    def __init__(self, now):
        self._now = now

    def now(self):
        return self._now

    def monotonic(self):
        return 0.0

    def sleep(self, seconds):
        raise AssertionError("nobody waits")


@pytest.fixture
def ledger(tmp_path):
    store = new_ledger(tmp_path)
    yield store
    store.close()


def rights(*sigels, cataloger=False):
    return Rights(
        permissions=tuple(
            Permission(sigel=s, registrant=True, cataloger=cataloger, global_registrant=False)
            for s in sigels
        )
    )


def environment(**changes):
    fields = {
        "name": "staging",
        "rate": 20,
        "read_rate": 50,
        "concurrency": 8,
        **TEST_ADDRESSES,
        **changes,
    }
    return Environment(**{**fields, "kind": Kind(fields["kind"])})


def stored(ledger, *changes, **values):
    manifest = {"sigels": ["Ylm"], "on_behalf_of": "Ylm", "active_sigel": "Ylm"}
    fields = {"policy": Policy().as_dict(), "manifest": manifest, **values}
    return store_plan(ledger, a_plan(**fields), list(changes or [a_change(1)]))


def gates(ledger, plan, *, now=FINISHED, **situation):
    asked = {
        "plan": plan,
        "environment": environment(),
        "manifest_digest": plan.manifest_digest,
        "rights": lambda: rights("Ylm"),
        **situation,
    }
    return {gate.name: gate for gate in Gates(ledger, Fixed(now)).evaluate(GateInput(**asked))}


def closed(found):
    return {name for name, gate in found.items() if not gate.open}


def test_a_sound_test_plan_may_run(ledger):
    found = gates(ledger, stored(ledger))
    assert closed(found) == set()
    assert list(found) == [name for name in GATE_NAMES if name not in ("staging", "approval")]
    assert all(gate.reason for gate in found.values())


def test_production_has_every_gate_in_the_order_of_the_contract(ledger):
    plan = stored(ledger, addresses=PRODUCTION_ADDRESSES)
    assert tuple(gates(ledger, plan)) == GATE_NAMES


@pytest.mark.parametrize(("late", "shut"), [(0, set()), (1, {"plan"})])
def test_the_age_counts_from_the_end_of_planning(ledger, late, shut):
    plan = stored(ledger)
    now = FINISHED + timedelta(hours=336, seconds=late)
    assert closed(gates(ledger, plan, now=now)) == shut


@pytest.mark.parametrize(("late", "shut"), [(0, set()), (1, {"plan"})])
def test_a_run_that_is_taken_up_is_asked_how_long_it_lay_idle(ledger, late, shut):
    """However old its plan is."""
    plan = stored(ledger)
    active = FINISHED + timedelta(days=100)
    run = replace(a_run(plan), active_at=active)
    now = active + timedelta(days=7, seconds=late)
    assert closed(gates(ledger, plan, now=now, run=run)) == shut


@pytest.mark.parametrize(
    ("situation", "shut"),
    [
        ({"manifest_digest": None}, "plan"),
        ({"manifest_digest": "sha256:other"}, "plan"),
        ({"environment": None}, "environment"),
        ({"environment": environment(base_uri="http://127.0.0.1:9/")}, "environment"),
        ({"environment": environment(token_url="http://127.0.0.1:9/t")}, "environment"),
        ({"environment": environment(kind="production")}, "environment"),
        ({"rights": None}, "rights"),
        ({"rights": lambda: rights()}, "rights"),
        ({"rights": lambda: rights("S")}, "rights"),
    ],
)
def test_each_gate_closes_for_itself(ledger, situation, shut):
    found = gates(ledger, stored(ledger), **situation)
    assert closed(found) == {shut}


def test_a_plan_that_is_not_complete(ledger):
    ledger.plans.begin(a_plan(policy=Policy().as_dict()))
    plan = ledger.plans.get("p1")
    found = gates(ledger, plan)
    assert not found["plan"].open
    assert "bulkrunner resume p1" in found["plan"].reason


@pytest.mark.parametrize("action", [Action.UPDATE, Action.DELETE, Action.CREATE])
@pytest.mark.parametrize(
    ("sigel", "granted", "said"),
    [
        ("S", ("Ylm", "S"), "holdings of S, which is not the job's"),
        ("NO", ("Ylm",), "may not write holdings of NO"),
        ("NO", ("Ylm", "NO"), ""),
    ],
)
def test_each_sigel_of_the_plan_is_asked_for(ledger, action, sigel, granted, said):
    manifest = {"sigels": ["Ylm", "NO"], "active_sigel": "Ylm", "on_behalf_of": "Ylm"}
    changes = [a_change(1), replace(a_change(2), action=action, sigel=sigel)]
    plan = stored(ledger, *changes, manifest=manifest)
    gate = gates(ledger, plan, rights=lambda: rights(*granted))["rights"]
    assert gate.open == (not said)
    assert said in gate.reason


def test_what_is_only_looked_at_needs_no_right(ledger):
    changes = [a_change(1), replace(a_change(2), action=Action.REFUSED, sigel="S")]
    assert gates(ledger, stored(ledger, *changes))["rights"].open


def test_the_rights_are_asked_anew_each_time(ledger):
    answers = [rights("Ylm"), rights("S"), rights("Ylm")]
    plan = stored(ledger)
    seen = [closed(gates(ledger, plan, rights=lambda: answers.pop(0))) for _ in range(3)]
    assert seen == [set(), {"rights"}, set()]


@pytest.mark.parametrize("error", [LoginDown("down"), AccessLost("revoked")])
def test_a_login_that_gives_nothing_is_no_closed_gate_but_exit_7(ledger, error):
    def ask():
        raise error

    with pytest.raises(AccessLost):
        gates(ledger, stored(ledger), rights=ask)


@pytest.mark.parametrize(
    ("covers", "granted", "is_open"),
    [
        (["holdings", "bibs"], rights("Ylm", cataloger=True), True),
        (["holdings", "bibs"], rights("Ylm"), False),
        (["holdings"], rights("Ylm", cataloger=True), False),
        (["holdings", "bibs"], rights("S", cataloger=True), False),  # not as the job's sigel
    ],
)
def test_bibs_need_the_agreement_and_level_2(ledger, covers, granted, is_open):
    manifest = {
        "sigels": ["Ylm"],
        "active_sigel": "Ylm",
        "on_behalf_of": "Ylm",
        "agreement": {"covers": covers},
    }
    plan = stored(ledger, a_change(1, kind="bib", sigel=None), manifest=manifest)
    assert gates(ledger, plan, rights=lambda: granted)["rights"].open is is_open


def test_what_the_plan_leaves_alone_needs_no_right(ledger):
    refused = a_change(
        1, Action.REFUSED, sigel="S", code="foreign_sigel", after=None, predicted=None
    )
    plan = stored(ledger, refused, a_change(2))
    found = gates(ledger, plan)
    assert closed(found) == {"refusals"}
    assert "1 × foreign_sigel" in found["refusals"].reason


@pytest.mark.parametrize("where", ["manifest", "policy"])
def test_a_ceiling_closes_from_either_side(ledger, where):
    limits = {"update": 1}
    values = (
        {"policy": Policy(ceilings=limits).as_dict()}
        if where == "policy"
        else {"manifest": {"sigels": ["Ylm"], "active_sigel": "Ylm", "ceilings": limits}}
    )
    plan = stored(ledger, a_change(1), a_change(2), **values)
    assert closed(gates(ledger, plan)) == {"ceilings"}


# --- policy -----------------------------------------------------------------------------------


def test_a_manifests_policy_stands_before_the_configurations():
    policy = effective_policy(Policy(min_staging_coverage=0.9), {"min_staging_coverage": 0.5})
    assert policy.min_staging_coverage == 0.5
    assert [item.statement() for item in policy.loosened()] == ["min_staging_coverage = 0.5"]


@pytest.mark.parametrize(
    ("name", "configured", "manifest", "counts"),
    [
        ("min_staging_coverage", 1.0, 0.5, 1.0),
        ("min_staging_coverage", 0.96, 1.0, 1.0),
        ("min_staging_coverage", 0.95, 0.5, 0.5),
        ("min_staging_coverage", 0.5, 0.7, 0.7),
        ("staging_max_age_days", 3, 30, 3),
        ("staging_max_age_days", 3, 1, 1),
        ("staging_max_age_days", 60, 90, 90),
        ("plan_max_age_hours", 24, 1000, 24),
        ("resume_max_idle_days", 1, 7, 1),
        ("functions", "none", "confined", "none"),
        ("functions", "confined", "none", "none"),
        ("functions", "any", "confined", "confined"),
    ],
)
def test_a_configured_value_stricter_than_built_in_stands(name, configured, manifest, counts):
    policy = effective_policy(Policy(**{name: configured}), {name: manifest})
    assert getattr(policy, name) == counts


def test_of_two_ceilings_the_lower_one_counts():
    policy = effective_policy(
        Policy(ceilings={"delete": 10, "update": 5}), {"ceilings": {"delete": 99, "create": 1}}
    )
    assert policy.ceilings == {"delete": 10, "update": 5, "create": 1}


def test_a_policy_that_the_manifest_does_not_name_is_the_configurations():
    configured = Policy(plan_max_age_hours=5, test_hosts=("x.example.org",))
    assert effective_policy(configured, {}) == configured


@pytest.mark.parametrize(
    ("sends", "asked", "kept"),
    [(False, {}, 0), (True, {}, 1), (True, {"manifest_digest": None}, 0)],
)
def test_evidence_of_a_large_plan_is_kept_where_a_run_may_go_on(
    ledger, monkeypatch, sends, asked, kept
):
    monkeypatch.setattr(gatekeeper, "AT_ONCE", 0)
    policy = replace(Policy(), min_staging_coverage=0.0).as_dict()
    run = start_run(ledger, stored(ledger, policy=policy)).id
    send(ledger, run, 1)
    ledger.runs.move(run, RunState.COMPLETED, at=FINISHED)
    plan = stored(ledger, id="live", addresses=PRODUCTION_ADDRESSES, policy=policy)
    events = ledger.chain.length()
    monkeypatch.setattr(
        Gates, "_approval", lambda *_: GateResult(name="approval", open=True, reason="yes")
    )
    asked = {"unknown_writes": (lambda: None) if sends else None, **asked}
    gates(ledger, plan, environment=environment(**PRODUCTION_ADDRESSES), **asked)
    assert ledger.chain.length() == events + kept
    gates(ledger, plan, environment=environment(**PRODUCTION_ADDRESSES), **asked)
    assert ledger.chain.length() == events + kept, "nor is it kept twice"
