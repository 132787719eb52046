"""Evidence that was kept: what was counted once of a large plan holds as long as what it rests on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from bulkrunner import __version__
from bulkrunner.adapters.ledger.chain import row_digest
from bulkrunner.adapters.ledger.columns import digest_text, instant_text, said
from bulkrunner.adapters.ledger.tables import MAIN_CHAIN, chains, events, runs
from bulkrunner.domain.rules import Declined, Evidence, TriedBy
from bulkrunner.sentences import stored_text

EVIDENCE_KEPT = "evidence_kept"

# Patterns and reasons of which more are not kept.
MOST = 1000


def source_of(connection: Connection, plan: str, test_plans: Sequence[Row[Any]]) -> str:
    """Return a digest over all that evidence of a plan is counted from."""
    query = (
        select(runs.c.id, runs.c.state, chains.c.position, chains.c.head)
        .join(chains, chains.c.chain == runs.c.id)
        .where(runs.c.plan.in_([row.id for row in test_plans]))
        .order_by(runs.c.seq)
    )
    return row_digest(
        {
            "version": __version__,
            "plan": plan,
            "plans": [[row.id, row.state, row.event, row.cursor] for row in test_plans],
            "runs": [
                [row.id, row.state, row.position, digest_text(row.head)]
                for row in connection.execute(query)
            ],
        }
    )


def kept_evidence(
    connection: Connection, plan: str, source: str, not_before: datetime
) -> Evidence | None:
    """Return what was kept of a plan, if it would be counted alike now."""
    named = f'"plan":{json.dumps(plan)}'
    query = (
        select(events.c.data)
        .where(events.c.chain == MAIN_CHAIN, events.c.kind == EVIDENCE_KEPT)
        .where(events.c.data.contains(named, autoescape=True))
        .order_by(events.c.position.desc())
    )
    data = json.loads(connection.scalar(query.limit(1)) or "{}")
    since, oldest = instant_text(not_before), data.get("oldest")
    if data.get("plan") != plan or data["source"] != source or since < data["not_before"]:
        return None
    return None if oldest is not None and oldest < since else _evidence(data)


def evidence_data(evidence: Evidence) -> dict[str, Any] | None:
    """Return evidence as data of an event; None: it was kept already, or is too much."""
    basis = evidence.basis
    if basis is None or len(evidence.patterns) + len(evidence.declined) > MOST:
        return None
    return {
        "source": basis.source,
        "not_before": instant_text(basis.not_before),
        "oldest": None if basis.oldest is None else instant_text(basis.oldest),
        "total": dict(evidence.total),
        "tried": dict(evidence.tried),
        "untried": list(evidence.untried),
        "declined": [
            [one.outcome, one.code, one.words, one.count, list(one.records)]
            for one in evidence.declined
        ],
        "patterns": [[stored_text(name), *counts] for name, counts in evidence.patterns.items()],
        "newest": evidence.newest_test_plan,
        "bad": dict(evidence.bad_outcomes),
        "refused": dict(evidence.refused_codes),
        "runs": [
            [one.run, one.environment, one.base_url, _moment(one.finished_at)]
            for one in evidence.runs
        ],
    }


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else instant_text(moment)


def _evidence(data: Mapping[str, Any]) -> Evidence:
    return Evidence(
        total=data["total"],
        tried=data["tried"],
        untried=tuple(data["untried"]),
        declined=tuple(
            Declined(outcome=outcome, code=code, words=words, count=count, records=tuple(records))
            for outcome, code, words, count, records in data["declined"]
        ),
        patterns={said(name): (count, tried) for name, count, tried in data["patterns"]},
        newest_test_plan=data["newest"],
        bad_outcomes=data["bad"],
        refused_codes=data["refused"],
        runs=tuple(
            TriedBy(
                run=run,
                environment=environment,
                base_url=base_url,
                finished_at=None if finished is None else datetime.fromisoformat(finished),
            )
            for run, environment, base_url, finished in data["runs"]
        ),
    )
