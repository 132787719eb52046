"""Everything that goes wrong while a job runs: faults of the server, other people, ended tokens."""

from __future__ import annotations

import random
import threading
from collections import Counter
from dataclasses import dataclass
from typing import Any

from tests.crashes.adversary.truth import Truth, document
from tests.crashes.adversary.workload import Task
from tests.support.sandbox import EnvironmentControl


@dataclass(frozen=True, kw_only=True)
class Odds:
    """Shares of all write requests, where nothing else is said.

    A little more than 5, 3, 3 and 2 %, since of several that strike one request only one is seen.

    Attributes:
        refused: 5xx, half of them once the write is done; of reads likewise.
        cut_before, cut_after: the connection is cut before, or after, the work is done; of reads
            likewise.
        edited: somebody edits the record between the look and the request.
        odd: answers that say something else than what happened (302, 404, 410, 412, a page).
        garbled: answers to reads that are cut in half, or no JSON.
        busy: 429 and 503, after which the program lets everything rest; of reads likewise.
        between: something in between answers instead of the server, to writes half of the time once
            they are done; of reads likewise.
    """

    refused: float = 0.058
    cut_before: float = 0.032
    cut_after: float = 0.034
    edited: float = 0.024
    odd: float = 0.005
    garbled: float = 0.01
    busy: float = 0.002
    slow: float = 0.02
    between: float = 0.02

    def times(self, severity: float) -> Odds:
        return Odds(**{name: value * severity for name, value in vars(self).items()})


READ_PAGES = (
    "200-empty",
    "200-gzip",
    "200-html",
    "200-json",
    "301-itself",
    "302-maintenance",
    "307-portal",
    "400-html",
    "403-html",
    "404-empty",
    "404-html",
    "404-json",
    "404-other-code",
    "404-text",
    "410-html",
    "410-json",
)
WRITE_PAGES = (
    "200-html",
    "200-json",
    "302-maintenance",
    "401-empty",
    "401-html",
    "401-json",
    "403-html",
    "404-html",
    "404-other-code",
    "410-html",
    "412-html",
    "429-html",
    "502-html",
)
FAILS_FOR = 1.0
"""Seconds that the login fails at a time; every write then gets a 500 without a word."""


def faults(dice: random.Random, odds: Odds) -> list[dict[str, Any]]:
    """Fault rules of the sandbox."""

    def rule(kind: str, probability: float, **more: Any) -> dict[str, Any]:
        return {"kind": kind, "probability": probability, "seed": dice.randrange(10**9), **more}

    rules = []
    for method in ("PUT", "POST", "DELETE"):
        pages = [*WRITE_PAGES, "201-other"] if method == "POST" else WRITE_PAGES
        rules += [
            rule("proxy", odds.between / len(pages) / 2, method=method, page=page, after=after)
            for page in pages
            for after in (False, True)
        ]
    rules += between_reads(dice, odds)
    for method in ("PUT", "POST", "DELETE", "GET"):
        rules += [
            rule("status", odds.refused / 2, method=method, status=500),
            rule("status", odds.refused / 4, method=method, status=502, after=True),
            rule("status", odds.refused / 4, method=method, status=504, after=True),
            rule("close_before", odds.cut_before, method=method),
            rule("close_after", odds.cut_after, method=method),
            rule("status", odds.busy / 2, method=method, status=429, retry_after=1),
            rule("status", odds.busy / 2, method=method, status=503),
            rule("latency", odds.slow, method=method, ms=dice.choice((20, 150, 400))),
        ]
    page = {"body": "<html>Ett fel har uppstått</html>", "status": 200}
    for method in ("PUT", "DELETE"):
        rules += [
            rule("foreign_edit", odds.edited * 3 / 8, method=method, sigel="S"),
            rule("foreign_edit", odds.edited * 2 / 8, method=method),
            rule("foreign_edit", odds.edited * 1 / 8, method=method, sigel="S", delete=True),
            # The library's own deletion may leave the ETag as it is: a PUT then revives the record.
            rule("foreign_edit", odds.edited * 1 / 8, method=method, delete=True),
            rule("foreign_edit", odds.edited * 1 / 8, method=method, sigel="S", set={}),
            *(
                rule("status", odds.odd / 4, method=method, status=status, after=True)
                for status in (302, 404, 412)
            ),
            rule("status", odds.odd / 4, method=method, after=True, **page),
        ]
    rules += [
        rule("foreign_edit", odds.edited, method="POST", sigel="S"),
        rule("truncate", odds.garbled / 2, method="GET"),
        rule("status", odds.garbled / 2, method="GET", **page),
    ]
    return rules


def between_reads(dice: random.Random, odds: Odds) -> list[dict[str, Any]]:
    """Fault rules by which something in between answers reads."""
    share = odds.between / len(READ_PAGES)
    common = {"kind": "proxy", "method": "GET", "probability": share}
    return [{**common, "seed": dice.randrange(10**9), "page": page} for page in READ_PAGES]


class Somebody(threading.Thread):
    """Works on the job's records while it runs, and ends tokens; never the same way twice."""

    def __init__(
        self,
        dice: random.Random,
        tasks: list[Task],
        staging: EnvironmentControl,
        truth: Truth,
        *,
        pause: float,
        tokens_every: float,
        fails_every: float,
        most: int,
    ) -> None:
        super().__init__(name="somebody", daemon=True)
        self._dice = dice
        self._tasks = [task for task in tasks if task.action != "create"]
        self._staging = staging
        self._truth = truth
        self._pause = pause
        self._tokens_every = tokens_every
        self._fails_every = fails_every
        self._left = most
        self._over = threading.Event()
        self.failure: BaseException | None = None
        self.figures: Counter[str] = Counter()

    def run(self) -> None:
        try:
            self._work()
        except BaseException as error:  # noqa: BLE001 (raised where it is waited for)
            self.failure = error

    def _work(self) -> None:
        waited, worked = 0.0, 0.0
        while True:
            pause = min(self._dice.expovariate(1 / self._pause), self._tokens_every)
            if self._over.wait(pause):
                return
            waited += pause
            worked += pause
            if worked >= self._fails_every:
                worked = 0.0
                self._fail_the_login()
            if waited >= self._tokens_every:
                waited = 0.0
                self._staging.expire_tokens()
                self.figures["times that all tokens ended"] += 1
            if self._left > 0:
                self._left -= 1
                self._edit(self._dice.choice(self._tasks))

    def _fail_the_login(self) -> None:
        self._staging.fault("login_down", status=500)
        self._over.wait(FAILS_FOR)
        self._staging.clear_faults("login_down")
        self.figures["times that the login failed"] += 1

    def end(self) -> None:
        self._over.set()
        self.join()
        if self.failure is not None:
            raise self.failure

    def _edit(self, task: Task) -> None:
        newest = self._truth.versions(task.record)[-1]
        if newest.deleted:
            return
        wish = self._wish(task, document(newest))
        try:
            self._staging.edit(task.record, **wish)
        except AssertionError:
            return  # it was deleted meanwhile
        self.figures["edits at any moment"] += 1

    def _wish(self, task: Task, now: dict[str, Any]) -> dict[str, Any]:
        """A note, a deletion, a mere resave, a list turned round, or the very same change."""
        chance = self._dice.random()
        if chance < 0.1:
            return {"sigel": "S", "delete": True}
        if chance < 0.25:
            # A resave by our sigel could not be told from a resave of ours.
            sigel = "S" if task.how == "resave" else self._dice.choice(("S", "Ylm"))
            return {"sigel": sigel, "set": {}}
        if chance < 0.35 and isinstance(notes := now["@graph"][1].get("cataloguersNote"), list):
            return {"sigel": "S", "set": {"cataloguersNote": notes[::-1]}}
        if chance < 0.5 and task.action == "update" and task.how != "resave":
            return {"sigel": "S", "doc": task.wanted(now)}
        return {"sigel": self._dice.choice(("S", "Ylm"))}
