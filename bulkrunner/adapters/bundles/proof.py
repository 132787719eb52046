"""Bundles are read and verified by themselves: events, rows, documents, digest, signatures."""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

from bulkrunner.adapters.bundles import bundle as form
from bulkrunner.adapters.bundles.bundle import Chains
from bulkrunner.adapters.ledger.batches import CHANGES
from bulkrunner.adapters.ledger.chain import row_digest
from bulkrunner.adapters.ledger.codecs import (
    ANSWER,
    APPROVAL,
    CHANGE,
    INTENT,
    PLAN,
    RESULT,
    RUN,
    STANDING_CLAIM,
    approval_of,
    change_digest,
    pick,
)
from bulkrunner.adapters.ledger.tables import plans, runs
from bulkrunner.adapters.signatures import SshSignatures
from bulkrunner.domain.approvals import Approval, weigh
from bulkrunner.domain.canonical import as_head, canonical_bytes, digest_of_bytes
from bulkrunner.domain.plan import Plan, PlanState, plan_digest
from bulkrunner.errors import ChainBroken, SignatureRefused, UsageError
from bulkrunner.sentences import Sentence

_CHUNK = 1 << 16


class Members:
    """The members of an open bundle, each verified against its digest as it is read."""

    def __init__(self, archive: zipfile.ZipFile, path: Path) -> None:
        self._archive = archive
        self._path = path
        names = archive.namelist()
        if len(set(names)) != len(names) or form.HEAD not in names:
            raise not_a_bundle(path)
        self.head = self._head()
        wanted = {*form.OF_PLAN, *(form.OF_RUN if self.head["run"] else ())}
        if {*names} != wanted | {form.HEAD} or {*self.head["members"]} != wanted:
            raise ChainBroken(Sentence("bundle_members_wrong", path=str(path)))

    def _head(self) -> dict[str, Any]:
        with self._archive.open(form.HEAD) as member:
            text = member.read(form.MOST_LINE)
        head = json.loads(text)
        if not isinstance(head, dict) or head.get("bundle") != form.VERSION:
            raise UsageError(
                Sentence("bundle_form_unknown", path=str(self._path)),
                hint=Sentence("bundle_form_unknown_hint"),
                code="not_a_bundle",
            )
        return head

    def one(self, name: str) -> dict[str, Any]:
        """Return the only line of a member."""
        rows = list(self.lines(name))
        if len(rows) != 1:
            raise ChainBroken(Sentence("bundle_lines_wrong", name=name, count=len(rows)))
        return rows[0]

    def lines(self, name: str) -> Iterator[dict[str, Any]]:
        """Yield the lines of a member; at its end the digest must be the one that was told."""
        digest = hashlib.sha256()
        with self._archive.open(name) as member:
            while line := member.readline(form.MOST_LINE):
                digest.update(line)
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise ChainBroken(Sentence("bundle_line_odd", name=name))
                yield row
        self._require(name, digest.hexdigest())

    def whole(self, name: str) -> None:
        """Read a member through. ChainBroken: it is not the one that the bundle was made with."""
        digest = hashlib.sha256()
        with self._archive.open(name) as member:
            while chunk := member.read(_CHUNK):
                digest.update(chunk)
        self._require(name, digest.hexdigest())

    def _require(self, name: str, found: str) -> None:
        if self.head["members"][name] != f"sha256:{found}":
            raise ChainBroken(Sentence("bundle_part_changed", name=name))


@contextmanager
def opened(path: Path) -> Iterator[Members]:
    """Open a bundle. UsageError: it cannot be read, or is no bundle. ChainBroken: it is damaged."""
    try:
        with path.open("rb") as file:
            yield from _archive(file, path)
    except OSError as error:
        raise UsageError(
            Sentence("bundle_unread", path=str(path), strerror=str(error.strerror or error)),
            code="not_a_bundle",
        ) from error


def _archive(file: IO[bytes], path: Path) -> Iterator[Members]:
    try:
        archive = zipfile.ZipFile(file)
    except zipfile.BadZipFile:
        raise not_a_bundle(path) from None
    try:
        with archive:
            yield Members(archive, path)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise ChainBroken(Sentence("bundle_damaged", path=str(path), error=str(error))) from error
    except (KeyError, TypeError, ValueError, RecursionError, AttributeError) as error:
        raise ChainBroken(Sentence("bundle_odd", path=str(path), error=repr(error))) from error


def not_a_bundle(path: Path) -> UsageError:
    """Return the error of a file that is no bundle."""
    return UsageError(
        Sentence("bundle_none", path=str(path)),
        hint=Sentence("bundle_none_hint"),
        code="not_a_bundle",
    )


# What an attempt has of an answer that no event tells of.
_UNANSWERED = dict.fromkeys(ANSWER) | {"words": "", "error_id": ""}

_BATCH_KINDS = ("changes_added", "changes_replaced")


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What a bundle proves.

    Attributes:
        faults: what does not fit, the first one first; empty where all does.
        answers: of reviewers, each with whose signature was verified, and whether it counts still
            among them (``domain.approvals.weigh``).
        against: event that the head given is of, and how many follow; None where none was given.
    """

    plan: str
    plan_digest: str
    run: str | None
    head: str
    faults: tuple[Sentence, ...] = ()
    answers: tuple[Mapping[str, Any], ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    outcomes: Mapping[str, int] = field(default_factory=dict)
    against: tuple[int, int] | None = None


def check_bundle(
    path: Path, *, against: str | None = None, signers: Sequence[str] | None = None
) -> Checked:
    """Verify a bundle.

    Args:
        path: of the file.
        against: a head that somebody else holds.
        signers: lines of an allowed-signers file; None: those that the plan names.

    Raises:
        UsageError: it is no bundle, or cannot be read; or what is given is no head.
    """
    head = None if against is None else as_head(against)
    with opened(path) as members:
        return _Check(members, head, signers).checked()


class _Check:
    """One verification; the first fault of each part counts."""

    def __init__(
        self, members: Members, against: str | None, signers: Sequence[str] | None
    ) -> None:
        self._members = members
        self._against = against
        self._signers = signers
        self._chains = Chains(members.head)
        self._answers: list[dict[str, Any]] = []
        self._rested_on: list[dict[str, Any]] = []  # answers to earlier plans
        self._weighable: list[Approval] = []
        self._outcomes: dict[str, int] = {}
        self._plan: dict[str, Any] = {}

    def checked(self) -> Checked:
        """Return what the bundle proves."""
        faults: list[Sentence] = []
        looks = [self._events, self._plan_row, self._changes, self._approvals]
        if self._members.head["run"]:
            looks += [self._run_row, self._attempts, self._results, self._standing]
        for look in (*looks, self._rest):
            try:
                faults += next(([fault] for fault in look()), [])
            except ChainBroken as broken:
                faults.append(broken.said)
            if faults and look == self._events:
                break  # nothing can be judged by events that cannot be believed
        head = self._members.head
        return Checked(
            plan=str(head["plan"]),
            plan_digest=str(head["plan_digest"]),
            run=head["run"],
            head=str(head["head"]),
            faults=tuple(faults),
            answers=tuple(self._weighed()),
            counts=self._plan.get("counts") or {},
            outcomes=self._outcomes,
            against=None if self._against is None else self._chains.place_of(self._against),
        )

    def _events(self) -> Iterator[Sentence]:
        yield from self._chains.take(self._members.lines(form.EVENTS))
        if self._against is not None and self._chains.place_of(self._against) is None:
            yield Sentence("bundle_other_head", head=self._against)

    def _plan_row(self) -> Iterator[Sentence]:
        row = self._plan = self._members.one(form.PLAN)
        head = self._members.head
        event = self._chains.last("plan", row["id"])
        if event is None or event["data"]["row"] != row_digest(pick(row, PLAN)):
            yield Sentence("bundle_plan_changed", plan=row["id"])
        yield from self._chains.facts.misfits(plans, row)
        if (row["id"], row["plan_digest"]) != (head["plan"], head["plan_digest"]):
            yield Sentence("bundle_other_plan")

    def _changes(self) -> Iterator[Sentence]:
        told = self._chains.batches(_BATCH_KINDS, self._plan["id"])
        digests: list[str] = []
        page: list[dict[str, Any]] = []
        for line in self._members.lines(form.CHANGES):
            row, documents = line["row"], line["documents"]
            if row["number"] != len(digests) + 1:
                yield Sentence("bundle_change_misplaced", number=len(digests) + 1)
            content = {digest: canonical_bytes(found) for digest, found in documents.items()}
            yield from _documents(row, content, ("before", "after", "predicted"))
            digests.append(change_digest(SimpleNamespace(**row), content))
            page.append(pick(row, CHANGE))
            batch = told.get(page[0]["number"])
            if batch is not None and row["number"] == batch["data"]["last"]:
                yield from self._batch(batch, page)
                page = []
        if page or sum(one["data"]["last"] - one["data"]["first"] + 1 for one in told.values()) != (
            len(digests)
        ):
            yield Sentence("bundle_changes_missing")
        if plan_digest(_plan_of(self._plan).digest_head(), digests) != self._plan["plan_digest"]:
            yield Sentence("bundle_digest_wrong")

    def _batch(
        self, event: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]
    ) -> Iterator[Sentence]:
        data, position = event["data"], event["position"]
        if CHANGES.agrees(data, rows):
            return
        for number, _there in CHANGES.differing(data, rows):
            yield Sentence("bundle_change_changed", number=number, event=position)
        yield Sentence(
            "bundle_changes_changed",
            first=data["first"],
            last=data["last"],
            event=position,
        )

    def _approvals(self) -> Iterator[Sentence]:
        wanted = self._chains.of_kind(("approved", "rejected"), self._plan["id"])
        for row in self._members.lines(form.APPROVALS):
            event = wanted.pop(row["event"], None)
            who = {"by": row["given_by"], "reference": row["reference"]}
            if event is None or event["data"]["row"] != row_digest(pick(row, APPROVAL)):
                yield Sentence("bundle_answer_changed", **who)
                continue
            if row["plan_digest"] != self._plan["plan_digest"]:
                yield Sentence("bundle_answer_other_digest", **who)
            fault, key = self._signed(row)
            self._answered(row, key)
            if fault:
                yield Sentence("bundle_answer_unsound", fault=fault, **who)
        if wanted:
            yield Sentence("bundle_answer_missing")

    def _standing(self) -> Iterator[Sentence]:
        """Compare what the run rests on with its events: claims, and answers to earlier plans."""
        claims, approved = self._chains.claims(), dict[str, None]()
        wanted: dict[int, Any] = {}
        for line in self._members.lines(form.STANDING):
            row = line.get("claim") or line["answer"]
            if "claim" in line:
                event = claims.pop(row["event"], None)
                if event is None or event["data"]["row"] != row_digest(pick(row, STANDING_CLAIM)):
                    yield Sentence("bundle_claim_changed", number=row["number"])
                if row["approved"] != self._plan["id"] and row["approved"] not in approved:
                    approved[row["approved"]] = None
                    kinds = ("approved", "rejected", "standing_ended")
                    wanted |= self._chains.of_kind(kinds, row["approved"])
                continue
            who = {"by": row["given_by"], "reference": row["reference"]}
            event = wanted.pop(row["event"], None)
            if event is None or event["data"]["row"] != row_digest(pick(row, APPROVAL)):
                yield Sentence("bundle_answer_changed", **who)
                continue
            fault, key = self._signed(row)
            self._rested_on.append(_told(row, key) | {"plan": row["plan"]})
            if fault:
                yield Sentence("bundle_answer_unsound", fault=fault, **who)
        if claims:
            yield Sentence("bundle_claim_missing")
        if any(event["kind"] != "standing_ended" for event in wanted.values()):
            yield Sentence("bundle_answer_missing")

    def _answered(self, row: Mapping[str, Any], key: str) -> None:
        """List an answer; it may put an end to what earlier ones said."""
        place = self._chains.place_of(row["head"]) if row["head"] else None
        read = {**row, "recorded_at": datetime.fromisoformat(row["recorded_at"])}
        given = -1 if place is None else place[0]
        self._weighable.append(approval_of(SimpleNamespace(**read), given=given))
        self._answers.append(_told(row, key))

    def _weighed(self) -> Iterator[dict[str, Any]]:
        """Yield the answers with whether they count still."""
        for answer, weighed in zip(self._answers, weigh(self._weighable), strict=True):
            yield {**answer, "counts": weighed.counts}
        yield from self._rested_on

    def _signed(self, row: Mapping[str, Any]) -> tuple[str, str]:
        """Return what is wrong with a signature, and the key that it was made with."""
        if not row["signature"]:
            return "", ""
        listed = self._plan["policy"].get("signers", ())
        key = ""
        for signers in [listed] if self._signers is None else [listed, self._signers]:
            try:
                found = SshSignatures().verify(
                    row["answer"],
                    row["signature"],
                    signers=signers,
                    at=datetime.fromisoformat(row["recorded_at"]),
                )
            except SignatureRefused as refused:
                return refused.said, ""
            if found.identity != row["signer"]:
                return Sentence("bundle_signed_by_other", signer=found.identity), ""
            key = found.key
        return "", key

    def _run_row(self) -> Iterator[Sentence]:
        row = self._members.one(form.RUN)
        event = self._chains.last("run", row["id"])
        if event is None or event["data"]["row"] != row_digest(pick(row, RUN)):
            yield Sentence("bundle_run_changed", run=row["id"])
        yield from self._chains.facts.misfits(runs, row)
        if row["id"] != self._members.head["run"] or row["plan"] != self._plan["id"]:
            yield Sentence("bundle_run_of_other_plan")

    def _attempts(self) -> Iterator[Sentence]:
        sent = self._chains.newest(("intent",), ("change", "attempt"))
        answered = self._chains.newest(("answer",), ("change", "attempt"))
        for row in self._members.lines(form.ATTEMPTS):
            key = (row["change"], row["number"])
            what = {"number": row["number"], "change": row["change"]}
            if sent.pop(key, None) != row_digest(pick(row, INTENT)):
                yield Sentence("bundle_attempt_changed", **what)
            wanted = answered.pop(key, _UNANSWERED | {"change": key[0], "number": key[1]})
            if wanted not in (answer := pick(row, ANSWER), row_digest(answer)):
                yield Sentence("bundle_attempt_answer_changed", **what)
        if sent or answered:
            yield Sentence("bundle_attempts_missing")

    def _results(self) -> Iterator[Sentence]:
        decided = self._chains.newest(("outcome",), ("change",))
        for line in self._members.lines(form.RESULTS):
            row = line["row"]
            content = {one: canonical_bytes(found) for one, found in line["documents"].items()}
            yield from _documents(row, content, ("stored",))
            if decided.pop((row["change"],), None) != row_digest(pick(row, RESULT)):
                yield Sentence("bundle_outcome_changed", change=row["change"])
            self._outcomes[row["outcome"]] = self._outcomes.get(row["outcome"], 0) + 1
        if decided:
            yield Sentence("bundle_outcomes_missing")

    def _rest(self) -> Iterator[Sentence]:
        for name in (form.REPORT, form.README):
            self._members.whole(name)
        event = self._chains.exported()
        told = None if event is None else event["data"].get("report")
        if told != self._members.head["members"][form.REPORT]:
            yield Sentence("bundle_report_other")


def _told(row: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return an answer as it is told; of a standing approval its bounds too."""
    return {
        "answer": "yes" if row["approved"] else "no",
        "by": row["given_by"],
        "reference": row["reference"],
        "signed_by": row["signer"] if key else None,
        "key": key or None,
        "conditions": row["conditions"] or {},
        "counts": True,
        **({"standing": row["standing"]} if row["standing"] else {}),
    }


def _documents(
    row: Mapping[str, Any], content: Mapping[str, bytes], names: Sequence[str]
) -> Iterator[Sentence]:
    for name in names:
        digest = row[name]
        if digest is not None and digest_of_bytes(content.get(digest, b"")) != digest:
            number = row.get("number", row.get("change"))
            yield Sentence("bundle_document_changed", digest=digest, name=name, number=number)


def _plan_of(row: Mapping[str, Any]) -> Plan:
    """Return as much of a plan as its digest covers."""
    return Plan(
        id=row["id"],
        job=row["job"],
        environment=row["environment"],
        addresses=row["addresses"],
        manifest_digest=row["manifest_digest"],
        effect_digest=row["effect_digest"],
        policy=row["policy"],
        manifest=row["manifest"],
        program_version=row["program_version"],
        created_at=datetime.fromisoformat(row["created_at"]),
        state=PlanState.COMPLETE,
        folder=row["folder"],
    )
