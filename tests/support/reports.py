"""A plan with something of everything, for the tests of the report."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from bulkrunner.adapters.ledger import LedgerStore
from bulkrunner.domain.approvals import Approval
from bulkrunner.domain.plan import Action, BibSummary, Plan, PlannedChange
from bulkrunner.domain.report import ReportData
from bulkrunner.domain.report_groups import (
    ReportedChange,
    delete_pattern,
    transfer_pattern,
    update_pattern,
)
from bulkrunner.domain.rules import GateResult
from bulkrunner.domain.run import Attempt, Outcome, Result, Run, RunState
from bulkrunner.errors import Source
from bulkrunner.sentences import Sentence
from bulkrunner.services.report.service import ReportService
from tests.support.ledgers import START, SetClock, a_plan, new_ledger, send, start_run, store_plan

TRIMMED = Sentence("cleanup", place="cataloguersNote", what=Sentence("tidied_ends"))

JOB = "2026-03-shelf-marks"
BASE = "https://libris.kb.se"
ADDRESSES = {
    "kind": "production",
    "base_url": BASE,
    "token_url": "https://login.libris.kb.se/oauth/token",
    "base_uri": f"{BASE}/",
}
HEAD: dict[str, Any] = {
    "title": "Hyllsignum Hc blir Hce på Ylm",
    "purpose": "Biblioteket har flyttat skönlitteraturen på hylla Hc till hylla Hce. "
    "Hyllsignum på bestånden i listan ändras så att låntagare och fjärrlån hittar rätt, "
    "och utgallrade exemplar tas bort.",
    "on_behalf_of": "Ylm",
    "active_sigel": "Ylm",
    "sigels": ["Ylm", "NO"],
    "agreement": {
        "reference": "KB 2026-0412",
        "contact": "libris@example.org",
        "agreed_on": "2026-02-11",
        "covers": ["holdings"],
    },
    "ceilings": {"update": 250, "create": 10, "delete": 20},
    "accept": [{"code": "duplicate", "at_most": 2, "reason": "Biblioteket har redan bestånd"}],
}
LOOSE_POLICY: dict[str, Any] = {"min_staging_coverage": 0.5, "test_hosts": ["libris.example.org"]}

TITLES = (
    BibSummary(id="bib1", title="Röda rummet", author="Strindberg, August", year="1879"),
    BibSummary(id="bib2", title="Gösta Berlings saga", author="Lagerlöf, Selma", year="1891"),
    BibSummary(id="bib3", title="Doktor Glas", author="Söderberg, Hjalmar", year="1905"),
    BibSummary(id="bib4", title="Kallocain : roman från 2000-talet", author="Boye, Karin"),
    BibSummary(id="bib5", title="Svenska fåglar i fält och samling", year="2003"),
)

GATES = (
    GateResult(
        name="plan", open=True, reason=Sentence("gate_plan_open", made="2026-03-02T09:01:00+00:00")
    ),
    GateResult(
        name="environment",
        open=True,
        reason=Sentence(
            "gate_environment_open", environment="production", address="https://libris.kb.se"
        ),
    ),
    GateResult(name="rights", open=True, reason=Sentence("gate_rights_open")),
    GateResult(name="ceilings", open=True, reason=Sentence("gate_ceilings_open")),
    GateResult(
        name="refusals",
        open=False,
        reason=Sentence("gate_refusals_left", refused="2 × foreign_sigel"),
    ),
    GateResult(
        name="staging",
        open=False,
        reason=Sentence("gate_staging_unplanned"),
    ),
    GateResult(
        name="approval",
        open=False,
        reason=Sentence("answer_nobody", plan="p1"),
    ),
    GateResult(name="ledger", open=True, reason=Sentence("gate_ledger_open")),
)


def record_id(number: int) -> str:
    """Return a short id, always the same for a number."""
    alphabet = "0123456789bcdfghjklmnpqrstvwxz"
    text = ""
    while len(text) < 15:
        text += alphabet[(number * 7 + len(text) * 11) % 30]
    return text


def holding(record: str, mark: str = "Hc", **item: Any) -> dict[str, Any]:
    """Return a holding as the catalogue stores it."""
    return {
        "@graph": [
            {
                "@id": f"{BASE}/{record}",
                "@type": "Record",
                "mainEntity": {"@id": f"{BASE}/{record}#it"},
                "controlNumber": record,
                "recordStatus": "marc:CorrectedOrRevised",
                "encodingLevel": "marc:FullLevel",
            },
            {
                "@id": f"{BASE}/{record}#it",
                "@type": "Item",
                "heldBy": {"@id": "https://libris.kb.se/library/Ylm"},
                "itemOf": {"@id": f"{BASE}/{record_id(900)}#it"},
                "physicalLocation": ["Öppen samling"],
                "shelfMark": {"@type": "ShelfMark", "label": mark},
                "availability": [{"@type": "ItemAvailability", "label": "Hemlån"}],
                **item,
            },
        ]
    }


CREATED = Sentence(
    "pattern_contents",
    head=Sentence("pattern_create", kind=Sentence("record_holding")),
    parts=(Sentence("part_contents", places=("physicalLocation", "shelfMark", "availability")),),
)


def a_reported(number: int, action: Action = Action.UPDATE, **values: Any) -> PlannedChange:
    """Return a planned change as the planner makes them."""
    record = record_id(number)
    before = holding(record)
    after = deepcopy(before)
    after["@graph"][1]["shelfMark"]["label"] = "Hce"
    defaults: dict[str, Any] = {
        "number": number,
        "action": action,
        "record": record,
        "given": record,
        "source": Source(file="ids.txt", line=number),
        "operation": {
            "update": record,
            "changes": [{"set": {"at": "shelfMark.label", "to": "Hce"}}],
        },
        "kind": "holding",
        "sigel": "Ylm" if number % 5 else "NO",
        "bib": TITLES[number % len(TITLES)],
        "etag": "123",
        "before": before if action is not Action.CREATE else None,
        "after": after if action in (Action.UPDATE, Action.CREATE) else None,
        "pattern": {
            Action.UPDATE: update_pattern("holding", [Sentence("part_set", at="shelfMark.label")]),
            Action.DELETE: delete_pattern("holding"),
            Action.CREATE: CREATED,
        }.get(action, ""),
        "target_key": f"record:{record}",
    }
    return PlannedChange(**{**defaults, **values})


def some_changes() -> list[PlannedChange]:
    """Return updates, deletions, creations, and everything that comes to nothing."""
    changes = [a_reported(number) for number in range(1, 13)]
    changes += [
        a_reported(13, before=holding(record_id(13), "Hcf")),
        a_reported(14, cleanups=(TRIMMED,)),
        a_reported(15, given=f"{BASE}/{record_id(15)}#it", cleanups=(TRIMMED,)),
        a_reported(16, Action.DELETE, before=holding(record_id(16), "Hc", cataloguersNote=["ÅJ"])),
        a_reported(17, Action.DELETE, prerequisites=(16,)),
        a_reported(18, Action.CREATE),
    ]
    refused: dict[str, Any] = {"pattern": "", "target_key": None}
    changes += [
        a_reported(
            number,
            Action.REFUSED,
            sigel="Gbg",
            code="foreign_sigel",
            message=Sentence("foreign_sigel", sigel="Gbg"),
            **refused,
        )
        for number in (19, 20)
    ]
    changes += [
        a_reported(
            21,
            Action.REFUSED,
            code="duplicate",
            message=Sentence("duplicate", sigel="Ylm", records="fzr8v1sn2k3m4p5"),
            **refused,
        ),
        PlannedChange(
            number=22,
            action=Action.REFUSED,
            record="(LIBRRIS)1234",
            given="(LIBRRIS)1234",
            source=Source(file="ids.txt", line=22),
            operation={},
            code="unreadable_id",
            message=Sentence("no_record_id", given="(LIBRRIS)1234"),
        ),
        a_reported(
            23,
            Action.NOT_FOUND,
            bib=None,
            sigel=None,
            kind=None,
            before=None,
            code="gone",
            message=Sentence("gone"),
            **refused,
        ),
        a_reported(
            24,
            Action.UNCHANGED,
            code="no_change",
            message=Sentence("no_change"),
            **refused,
        ),
    ]
    return changes


SAVED = transfer_pattern(Sentence("pattern_move"), Sentence("part_create_new"))
LEFT = transfer_pattern(Sentence("pattern_move"), Sentence("part_delete_old"))


def moved(number: int, to: str = "NO", sigel: str = "Ylm", **also: Any) -> list[PlannedChange]:
    """Return a move as the planner makes it: the new holding, then the old one's end."""
    old = holding(record_id(number + 1), f"Hc {number}")
    new = holding("TEMPID", f"Hc {number}")
    return [
        a_reported(
            number,
            Action.CREATE,
            sigel=to,
            after=new,
            operation={"create": "holding", "sigel": to, "from": record_id(number + 1), **also},
            pattern=SAVED,
        ),
        a_reported(
            number + 1,
            Action.DELETE,
            sigel=sigel,
            before=old,
            operation={"delete": record_id(number + 1), "moved_to": to},
            pattern=LEFT,
            prerequisites=(number,),
        ),
    ]


def joint_changes() -> list[PlannedChange]:
    """Return moves, a merge, and holdings that get earlier content or another bib."""
    changes = [one for number in range(1, 9, 2) for one in moved(number)]
    into, other = record_id(10), record_id(11)
    changes += [
        a_reported(10, operation={"update": into, "merge": other, "take": ["hasNote"]}),
        a_reported(
            11,
            Action.DELETE,
            operation={"delete": other, "merged_into": into, "take": ["hasNote"]},
            pattern=transfer_pattern(Sentence("pattern_merge"), Sentence("part_delete_merged")),
            prerequisites=(10,),
        ),
        a_reported(12, operation={"update": record_id(12), "revert": -2}),
        a_reported(13, operation={"update": record_id(13), "repoint": "b2"}),
        a_reported(14, Action.DELETE, operation={"delete": record_id(14)}),
    ]
    return changes


def stored_plan(ledger: LedgerStore, changes: list[PlannedChange], **values: Any) -> Plan:
    """Store a complete production plan."""
    given = {
        "environment": "production",
        "addresses": ADDRESSES,
        "manifest": HEAD,
        "job": JOB,
        "policy": {},
        **values,
    }
    return store_plan(ledger, a_plan("p1", **given), changes)


def answered(ledger: LedgerStore, plan: Plan, *, approved: bool = True) -> Approval:
    """Record an answer to the plan."""
    approval = Approval(
        plan=plan.id,
        plan_digest=plan.plan_digest or "",
        approved=approved,
        by="Anna Ek, KB",
        reference="KB 2026-0412-7",
        text="",
        recorded_by="eva@desk",
        recorded_at=START + timedelta(hours=3),
        statements=("min_staging_coverage = 0.5",),
        head=ledger.chain.head(),
    )
    ledger.approvals.add(approval)
    return approval


def finished_run(ledger: LedgerStore, plan: Plan) -> Run:
    """Store a run in which most went well: a conflict, a refusal, a failure and remarks."""
    run = start_run(ledger, plan)
    ends: dict[int, tuple[Result, str]] = {
        3: (
            Result(
                outcome=Outcome.CONFLICT,
                code="edited",
                message="edited since the plan",
                detail={"by": "S", "when": "2026-03-02T10:00:00Z"},
            ),
            "",
        ),
        4: (
            Result(outcome=Outcome.REFUSED, code="invalid"),
            "Invalid JsonLd, got errors: <b>x</b>",
        ),
        5: (Result(outcome=Outcome.FAILED, message="three times"), "Internal Server Error"),
        16: (
            Result(
                outcome=Outcome.APPLIED,
                detail={"deleted_over_edit": {"by": "S", "when": "2026-03-02T10:00:00Z"}},
            ),
            "",
        ),
        18: (Result(outcome=Outcome.APPLIED, record=record_id(777)), ""),
    }
    for number in range(1, 19):
        result, words = ends.get(number, (Result(outcome=Outcome.APPLIED), ""))
        attempt = Attempt(change=number, number=1, intent_at=START, method="PUT")
        ledger.runs.intend(run.id, attempt).result()
        done = Attempt(
            change=number,
            number=1,
            intent_at=START,
            method="PUT",
            answer="invalid" if words else "done",
            status=400 if words else 204,
            answered_at=START,
            words=words,
            error_id="e-77" if words else "",
        )
        ledger.runs.answered(run.id, done).result()
        ledger.runs.conclude(run.id, number, result).result()
    return ledger.runs.move(
        run.id, RunState.COMPLETED, at=START + timedelta(minutes=9), requests=60
    )


def tried_in_staging(ledger: LedgerStore, changes: list[PlannedChange]) -> Run:
    """Store a clean run of the same operations in a test environment."""
    addresses = {**ADDRESSES, "kind": "test", "base_url": "https://libris-stg.kb.se"}
    plan = store_plan(
        ledger, a_plan("p0", environment="staging", addresses=addresses, job=JOB), changes
    )
    run = start_run(ledger, plan, run="r0")
    for change in changes:
        send(ledger, run.id, change.number, decided_at=START)
    return ledger.runs.move(run.id, RunState.COMPLETED, at=START + timedelta(minutes=5))


def report_data(
    folder: Path,
    *,
    changes: list[PlannedChange] | None = None,
    run: bool = False,
    gates: tuple[GateResult, ...] = GATES,
    approved: bool = False,
    tried: int = 0,
    **plan: Any,
) -> ReportData:
    """Return the report of a stored plan, or of its run.

    Its first ``tried`` changes have been applied in a test environment before.
    """
    folder.mkdir(parents=True, exist_ok=True)
    ledger = new_ledger(folder)
    changes = some_changes() if changes is None else changes
    if tried:
        tried_in_staging(ledger, changes[:tried])
    stored = stored_plan(ledger, changes, **plan)
    if approved:
        answered(ledger, stored)
    what = finished_run(ledger, stored).id if run else stored.id
    return ReportService(ledger, SetClock()).report(what, gates)


def with_changes(data: ReportData, stream: Callable[[], Iterator[ReportedChange]]) -> ReportData:
    """Return the report with other changes, streamed."""
    return replace(data, changes=stream)
