"""A sandbox and a workplace of its own for each test, and a job that does something of each kind."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bulkrunner.sandbox import seed
from bulkrunner.sandbox.engine import Environment, Ticket
from bulkrunner.sandbox.wire import Response
from tests.support.cli import Workplace, update_label
from tests.support.sandbox import BIBS, HOLDINGS, SandboxControl, running_sandbox

SIZE = {"bibs": BIBS, "holdings": HOLDINGS}
UPDATES, DELETES, CREATES = 12, 6, 6
ALL = UPDATES + DELETES + CREATES


@pytest.fixture
def sandbox() -> Iterator[SandboxControl]:
    with running_sandbox() as control:
        yield control


@pytest.fixture
def place(sandbox: SandboxControl, tmp_path: Path) -> Workplace:
    return Workplace(folder=tmp_path / "place", sandbox=sandbox)


@dataclass
class Mixed:
    """A job on its way, and what the server must have stored of it in the end."""

    place: Workplace
    folder: Path
    changed: list[str]
    bibs: list[str]
    before: dict[str, int] = field(default_factory=dict)

    def plan(self) -> str:
        plan = str(self.place("plan", self.folder, "--env", "staging").document["plan"])
        staging = self.place.sandbox.staging
        self.before = {record: len(staging.history(record)) for record in self.changed}
        staging.clear_log()
        return plan

    def written(self) -> dict[str, int]:
        """How often each record or bib has been written so far."""
        staging = self.place.sandbox.staging
        grown = {
            record: len(staging.history(record)) - count for record, count in self.before.items()
        }
        holdings = [staging.document(record) for record in staging.records("hold", "Ylm")]
        held = [document["@graph"][1]["itemOf"]["@id"] for document in holdings]
        return {**grown, **{bib: held.count(staging.thing_iri(bib)) for bib in self.bibs}}


@pytest.fixture
def mixed(place: Workplace) -> Mixed:
    marks = ("Hc", "Hce", "Hcf")
    updated = [
        record
        for mark in marks
        for record in seed.example_ids(kind="holding", sigel="Ylm", shelf_mark=mark, **SIZE)
    ][: UPDATES + DELETES]
    bibs = seed.example_ids(kind="bib", without="Ylm", n=CREATES, **SIZE)
    create = {"create": "holding", "sigel": "Ylm", "body": {"physicalLocation": ["M"]}}
    operations = [
        *update_label(updated[:UPDATES], to="Hx"),
        *({"delete": record} for record in updated[UPDATES:]),
        *({**create, "of": bib} for bib in bibs),
    ]
    return Mixed(place, place.job("mixed", operations=operations), updated, bibs)


@contextmanager
def at_request(
    sandbox: SandboxControl, nth: int, act: Callable[[], None], *, writes: bool
) -> Iterator[None]:
    """Do something just before the server works on its nth write, or nth read of a record."""
    assert sandbox.running is not None
    environment, lock, seen = sandbox.running.test.environment, threading.Lock(), [0]

    def answer(ticket: Ticket) -> Response:
        path, method = ticket.request.path, ticket.request.method
        counts = ticket.seq > 0 and (method != "GET") == writes
        if counts and not path.startswith(("/oauth/", "/library/")):
            with lock:
                seen[0] += 1
                if seen[0] == nth:
                    act()
        return Environment.answer(environment, ticket)

    environment.answer = answer  # type: ignore[method-assign]
    try:
        yield
    finally:
        del environment.answer  # type: ignore[method-assign]
