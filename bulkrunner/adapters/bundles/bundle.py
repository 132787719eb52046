"""Bundles are written: their form, and plan, answers, run and events member by member."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from bulkrunner import __version__
from bulkrunner.adapters.ledger.chain import ORIGIN, event_hash
from bulkrunner.adapters.ledger.columns import digest_bytes, digest_text
from bulkrunner.adapters.ledger.maintenance import Snapshot
from bulkrunner.adapters.ledger.tables import MAIN_CHAIN
from bulkrunner.adapters.ledger.witness import Facts
from bulkrunner.adapters.machine import written_whole
from bulkrunner.sentences import Sentence

# Time of every member, so that the same ledger gives the same bundle.
_MADE = (1980, 1, 1, 0, 0, 0)


def write_bundle(
    path: Path, snapshot: Snapshot, *, with_run: bool, report: Iterable[bytes], at: datetime
) -> str:
    """Write a bundle, whole or not at all.

    Args:
        path: replaced where it exists.
        snapshot: of the ledger.
        with_run: whether it holds a run.
        report: the JSON report.
        at: when it is made.

    Returns:
        The ledger's head in it.

    Raises:
        UsageError: the file cannot be written.
    """
    head = snapshot.head()
    with written_whole(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        members = dict(_members(archive, snapshot, report, with_run=with_run))
        plan = snapshot.plan()
        facts = {
            "bundle": VERSION,
            "made_at": at.isoformat(),
            "program_version": __version__,
            "plan": plan["id"],
            "plan_digest": plan["plan_digest"],
            "run": snapshot.run()["id"] if with_run else None,
            "head": head,
            "before": snapshot.before(),
            "members": members,
        }
        _write(archive, HEAD, [json.dumps(facts, indent=1).encode() + b"\n"])
    return head


def _members(
    archive: zipfile.ZipFile, snapshot: Snapshot, report: Iterable[bytes], *, with_run: bool
) -> Iterator[tuple[str, str]]:
    """Write all but the first member; yields name and digest of each."""
    contents: dict[str, Iterable[bytes]] = {
        README: [TEXT.encode()],
        PLAN: _lines([snapshot.plan()]),
        CHANGES: _lines(_filed(snapshot.changes())),
        APPROVALS: _lines(snapshot.approvals()),
        EVENTS: _lines(snapshot.events()),
        REPORT: report,
    }
    if with_run:
        contents[RUN] = _lines([snapshot.run()])
        contents[ATTEMPTS] = _lines(snapshot.attempts())
        contents[STANDING] = _lines(snapshot.standing())
        contents[RESULTS] = _lines(_filed(snapshot.results()))
    for name, content in contents.items():
        yield name, _write(archive, name, content)


def _filed(rows: Iterable[tuple[dict[str, Any], dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    for row, documents in rows:
        yield {"row": row, "documents": documents}


def _lines(rows: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    for row in rows:
        yield json.dumps(row, separators=(",", ":")).encode() + b"\n"


def _write(archive: zipfile.ZipFile, name: str, content: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    info = zipfile.ZipInfo(name, _MADE)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    with archive.open(info, "w", force_zip64=True) as member:
        for chunk in content:
            digest.update(chunk)
            member.write(chunk)
    return f"sha256:{digest.hexdigest()}"


VERSION = 1

HEAD = "bundle.json"

PLAN = "plan.json"

CHANGES = "changes.jsonl"

APPROVALS = "approvals.jsonl"

RUN = "run.json"

ATTEMPTS = "attempts.jsonl"

RESULTS = "results.jsonl"

STANDING = "standing.jsonl"

EVENTS = "events.jsonl"

REPORT = "report.json"

README = "README.txt"

OF_PLAN = (PLAN, CHANGES, APPROVALS, EVENTS, REPORT, README)

OF_RUN = (RUN, ATTEMPTS, RESULTS, STANDING)

# Bytes of one line, or of one whole JSON member but the report.
MOST_LINE = 64 * 1024 * 1024

TEXT = """\
Det här är ett bevis på vad bulkrunner planerade, vad som godkändes och vad som gjordes.
Kontrollera det med: bulkrunner ledger check DENNA-FIL
This is the proof of what bulkrunner planned, what was approved and what was done.
Verify it with: bulkrunner ledger check THIS-FILE

Without bulkrunner: each line of events.jsonl has the hash
  SHA-256( hash of the event before it, 32 bytes  ||  canonical JSON of [chain, position, at, kind, data] )
where data is text; bundle.json says which hash stands before the first. The head in bundle.json is
the last hash of the chain with the empty name; compare it with the one in the report or the answer.
The data of an event holds the SHA-256 of the row that it stored. Documents stand under the SHA-256
of their canonical JSON: sorted keys, no blanks, UTF-8.
"""


# ``{position, kind, data}``, the data parsed.
Event = dict[str, Any]

_PLAN_KINDS = ("plan_begun", "plan_interrupted", "plan_reopened", "plan_finished")

_RUN_KINDS = ("started", "moved")

# What a run may rest on beside its plan.
_OF_ANSWERS = ("approved", "rejected", "standing_claimed", "standing_ended")


class Chains:
    """Follows both chains, and keeps what rows are compared with."""

    def __init__(self, head: Mapping[str, Any]) -> None:
        self._plan = str(head["plan"])
        self._run = head["run"]
        self._head = str(head["head"])
        before = head["before"]
        self._at = {MAIN_CHAIN: (int(before["position"]), digest_bytes(str(before["hash"])))}
        if self._run:
            self._at[self._run] = (0, ORIGIN)
        self._hashes = {str(before["hash"]): int(before["position"])}
        self._main: list[Event] = []
        self._of_run: list[Event] = []
        self._entered: list[Event] = []
        self._run_hashes: dict[int, str] = {}
        self.facts = Facts()

    def take(self, lines: Iterable[Mapping[str, Any]]) -> Iterator[Sentence]:
        """Read every event; yields what does not fit."""
        for row in lines:
            chain = row["chain"]
            if chain not in self._at:
                yield Sentence("bundle_other_chain", chain=str(chain)[:60])
                return
            position, previous = self._at[chain]
            if row["position"] != position + 1:
                yield Sentence("event_missing", position=position + 1, chain=_name(chain))
                return
            found = event_hash(
                previous,
                chain=chain,
                position=row["position"],
                at=str(row["at"]),
                kind=str(row["kind"]),
                data=str(row["data"]),
            )
            if digest_text(found) != row["hash"]:
                yield Sentence("event_misfit", position=row["position"], chain=_name(chain))
                return
            self._at[chain] = (row["position"], found)
            self._keep(chain, row)
        yield from self._ends()

    def _keep(self, chain: str, row: Mapping[str, Any]) -> None:
        data = json.loads(row["data"])
        event = {"position": row["position"], "kind": row["kind"], "data": data}
        self.facts.take(SimpleNamespace(**row), data)
        if chain != MAIN_CHAIN:
            self._of_run.append(event)
            self._run_hashes[row["position"]] = row["hash"]
            return
        self._hashes[row["hash"]] = row["position"]
        if event["data"].get("plan") == self._plan or event["kind"] in _OF_ANSWERS:
            self._main.append(event)
        if self._run and event["data"].get("run") == self._run and "head" in event["data"]:
            self._entered.append(event)

    def _ends(self) -> Iterator[Sentence]:
        if digest_text(self._at[MAIN_CHAIN][1]) != self._head:
            yield Sentence("bundle_end_wrong")
        for event in self._entered:
            data = event["data"]
            if self._run_hashes.get(data["position"]) != data["head"]:
                yield Sentence(
                    "chain_entered_other",
                    position=data["position"],
                    chain=Sentence("chain_of_the_run"),
                    event=event["position"],
                )
        if self._run and (
            not self._entered or self._entered[-1]["data"]["position"] != self._at[self._run][0]
        ):
            yield Sentence("bundle_run_end_wrong")

    def place_of(self, head: str) -> tuple[int, int] | None:
        """Return which event a head is of and how many follow; None where the bundle has it not."""
        at = self._hashes.get(head)
        return None if at is None else (at, self._at[MAIN_CHAIN][0] - at)

    def last(self, what: str, name: str) -> Event | None:
        """Return the event that wrote the row of the plan or run last."""
        events = self._main if what == "plan" else self._of_run
        kinds = _PLAN_KINDS if what == "plan" else _RUN_KINDS
        key = {"plan": self._plan, "run": self._run}[what]
        found = [event for event in events if event["kind"] in kinds and key == name]
        return found[-1] if found else None

    def batches(self, kinds: Sequence[str], plan: str) -> dict[int, Event]:
        """Return the event that stored each batch of changes last, by its first number."""
        return {
            event["data"]["first"]: event
            for event in self._main
            if event["kind"] in kinds and event["data"]["plan"] == plan
        }

    def of_kind(self, kinds: Sequence[str], plan: str) -> dict[int, Event]:
        """Return the plan's events of these kinds by their positions."""
        return {
            event["position"]: event
            for event in self._main
            if event["kind"] in kinds and event["data"]["plan"] == plan
        }

    def claims(self) -> dict[int, Event]:
        """Return the events by which the run claimed something, by their positions."""
        return {
            event["position"]: event
            for event in self._main
            if event["kind"] == "standing_claimed" and event["data"]["run"] == self._run
        }

    def exported(self) -> Event | None:
        """Return the event that tells that the bundle was made."""
        kind = "run_exported" if self._run else "exported"
        found = [
            event
            for event in self._main
            if event["kind"] == kind and event["data"].get("run") == self._run
        ]
        return found[-1] if found else None

    def newest(self, kinds: Sequence[str], keys: Sequence[str]) -> dict[tuple[Any, ...], str]:
        """Return the digests of the rows that the run's events of these kinds wrote last."""
        return {
            tuple(event["data"][key] for key in keys): event["data"]["row"]
            for event in self._of_run
            if event["kind"] in kinds
        }


def _name(chain: str) -> Sentence:
    return Sentence("chain_of_ledger" if chain == MAIN_CHAIN else "chain_of_the_run")
