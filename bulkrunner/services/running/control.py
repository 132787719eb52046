"""Whether a run goes on: the first reason to stop counts; bad ends and lost access are some."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from bulkrunner.domain.approvals import EXCLUDED
from bulkrunner.domain.plan import Plan
from bulkrunner.domain.ports import CatalogueWriter, Clock, Progress
from bulkrunner.domain.rights import Permission, Rights
from bulkrunner.domain.run import Outcome, Result, RunState
from bulkrunner.errors import AccessLost, BulkRunnerError, Interrupted, LoginDown
from bulkrunner.sentences import Sentence, verbatim

# Longest single sleep, so that a stop is soon seen.
STEP = 0.5


class Stopped(Exception):
    """Leaves a change as it is, to be taken up at the next resume; never leaves this package."""


@dataclass(frozen=True, kw_only=True)
class Ending:
    """Why a run ends before its last change."""

    state: RunState
    reason: str
    error: BaseException | None = None


class Control:
    """Shared by all threads of a run."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ending: Ending | None = None
        self._lock = threading.Lock()
        self._parked = 0
        self._paused_by: str | None = None

    @property
    def paused_by(self) -> str | None:
        """Who paused the run; None while it is not paused."""
        return self._paused_by

    def hold(self, by: str | None) -> None:
        """Let nothing more be sent until told otherwise; None: go on."""
        self._paused_by = by

    @property
    def ending(self) -> Ending | None:
        """Why the run ends; None while it goes on."""
        return self._ending

    @property
    def parked(self) -> int:
        """Threads that wait with nothing in flight."""
        return self._parked

    def ask(self, why: Sentence | None = None) -> None:
        """End the run once what is in flight is done; no lock, for signal handlers."""
        if self._ending is None:
            reason = why or Sentence("stopped_by_signal")
            self._ending = Ending(state=RunState.INTERRUPTED, reason=reason)

    def end(self, ending: Ending) -> None:
        """End the run; an error counts more than a mere order, else the first reason stands."""
        with self._lock:
            if self._ending is None or (self._ending.error is None and ending.error is not None):
                self._ending = ending

    def fail(self, error: BaseException, state: RunState = RunState.INTERRUPTED) -> None:
        """End the run because of an error, which whoever drives it will raise."""
        reason = error.said if isinstance(error, BulkRunnerError) else verbatim(str(error))
        self.end(Ending(state=state, reason=reason, error=error))

    def check(self) -> None:
        """Raise Stopped unless the run goes on."""
        if self._ending is not None:
            raise Stopped

    def pause(self, seconds: float) -> None:
        """Wait; returns early where the run ends."""
        left = seconds
        while left > 0 and self._ending is None:
            self._clock.sleep(min(left, STEP))
            left -= STEP

    @contextmanager
    def parking(self) -> Iterator[None]:
        """Say that this thread waits with nothing in flight, so that an ending run need not."""
        with self._lock:
            self._parked += 1
        try:
            yield
        finally:
            with self._lock:
                self._parked -= 1


IN_A_ROW = 10

WINDOW = 200

SHARE = 0.05


class ErrorBudget:
    """Counts changes, not attempts; a conflict is nobody's fault and does not count.

    The share is of a full window: ten of the first few hundred stop the run at once.
    """

    def __init__(self) -> None:
        self._last: deque[bool] = deque(maxlen=WINDOW)
        self._row = 0

    def add(self, outcome: Outcome) -> Sentence | None:
        """Count an outcome; returns why the run must stop, or None."""
        bad = outcome.is_error
        self._last.append(bad)
        self._row = self._row + 1 if bad else 0
        if self._row >= IN_A_ROW:
            return Sentence("errors_in_a_row", count=self._row)
        count = sum(self._last) if bad else 0
        if count >= WINDOW * SHARE:
            return Sentence("errors_of_last", count=count, last=len(self._last))
        return None


class OutcomeCounter:
    """Shared by all threads of a run."""

    def __init__(self, counts: Mapping[str, int], progress: Progress, control: Control) -> None:
        self._counts = dict(counts)
        self._progress = progress
        self._control = control
        self._budget = ErrorBudget()
        self._lock = threading.Lock()
        self._watched: dict[int, Result | None] = {}

    @property
    def total(self) -> int:
        return sum(self._counts.values())

    @property
    def counts(self) -> dict[str, int]:
        """Outcomes so far; takes no lock, as a signal handler asks."""
        return dict(self._counts)

    @property
    def pending(self) -> int:
        return self._counts[Outcome.PENDING.value]

    def watch(self, change: int) -> None:
        self._watched[change] = None

    def is_watched(self, change: int) -> bool:
        return change in self._watched

    def seen(self, change: int) -> Result | None:
        return self._watched.get(change)

    def add(self, change: int, result: Result) -> None:
        with self._lock:
            self._counts[result.outcome.value] += 1
            self._counts[Outcome.PENDING.value] -= 1
            if change in self._watched:
                self._watched[change] = result
            spent = None if result.code == EXCLUDED else self._budget.add(result.outcome)
            if spent:
                reason = Sentence("error_budget", spent=spent)
                self._control.end(Ending(state=RunState.STOPPED, reason=reason))
            self.show()

    def show(self) -> None:
        """Tell how far the run is."""
        counts = {
            name: count
            for name, count in self._counts.items()
            if count and name != Outcome.PENDING.value
        }
        self._progress.advance(self.total - self.pending, counts)


T = TypeVar("T")

# Seconds that a run waits for a login that does not answer, before it is interrupted.
PATIENCE = 90.0


ASK_EVERY = 5.0

# Seconds until the next send, where the login accepts the token and the catalogue does not.
DOUBT = 10.0


class RightsLost(AccessLost):
    """The client may do less than when the plan was made."""

    default_code = "rights_lost"


class Access:
    """Asks the login when the catalogue refuses us; shared by all threads of a run."""

    def __init__(
        self,
        catalogue: CatalogueWriter,
        control: Control,
        progress: Progress,
        plan: Plan,
        *,
        active_sigel: str,
        patience: float = PATIENCE,
    ) -> None:
        self._catalogue = catalogue
        self._control = control
        self._progress = progress
        self._patience = patience
        sigels = {active_sigel, *plan.manifest.get("sigels", ())}
        self._one_asks = threading.Lock()
        self._planned = [right for right in plan.rights if right.get("sigel") in sigels]

    def require_with_this_token(self) -> None:
        """Ask with every new token whether the client may do as planned; as ``require``."""
        if not self._asking(self._catalogue.rights_are_due):
            return
        with self._one_asks:
            if self._asking(self._catalogue.rights_are_due):
                self._require(self._asking(self._catalogue.rights))

    def unauthorized(self, in_a_row: int) -> None:
        """Do what must be done before a change is sent again that was answered 401 so often.

        Raises as ``require``; Interrupted also where the catalogue refuses what login accepts.
        """
        if in_a_row == 1:
            self._asking(self._catalogue.renew_token)
            return
        self._require(self._asking(self._catalogue.rights))
        if in_a_row > 2:
            raise Interrupted(
                Sentence("token_not_accepted"),
                hint=Sentence("token_not_accepted_hint"),
                code="token_not_accepted",
            )
        self._progress.waiting(Sentence("token_refused_once"), DOUBT)
        self._control.pause(DOUBT)
        self._progress.waiting("", None)

    def require(self) -> None:
        """Return once the login answers, and vouches for what was planned.

        LoginRefused, RightsLost: less than planned. Interrupted: it stays down. Stopped.
        """
        self._require(self._asking(self._catalogue.rights))

    def _require(self, rights: Rights) -> None:
        lost = [item for planned in self._planned if (item := _less(planned, rights))]
        if lost:
            raise RightsLost(
                Sentence("rights_less_than_planned", lost=lost),
                hint=Sentence("rights_less_hint"),
            )

    def _asking(self, ask: Callable[[], T]) -> T:
        waited = 0.0
        while True:
            self._control.check()
            try:
                answer = ask()
            except LoginDown as error:
                if error.lasting:
                    raise Interrupted(
                        error.said, hint=error.advice or "", code="login_stays_down"
                    ) from error
                if waited >= self._patience:
                    raise Interrupted(
                        Sentence("login_waited", why=error.said, seconds=f"{waited:.0f}"),
                        hint=Sentence("login_waited_hint"),
                        code="login_stays_down",
                    ) from error
                self._progress.waiting(Sentence("login_silent", why=error.said), ASK_EVERY)
                self._control.pause(ASK_EVERY)
                waited += ASK_EVERY
            else:
                if waited:
                    self._progress.waiting("", None)
                return answer


def _less(planned: Mapping[str, Any], rights: Rights) -> Sentence | None:
    """Return what is missing of a permission that the client had; None where nothing is."""
    sigel = planned.get("sigel")
    now = next((p for p in rights.permissions if p.sigel == sigel), None)
    if now is None:
        return Sentence("rights_none_for", sigel=sigel)
    flags = [name for name in _FLAGS if planned.get(name) and not getattr(now, name)]
    return Sentence("rights_no_longer", sigel=sigel, flags=", ".join(flags)) if flags else None


_FLAGS = tuple(name for name in Permission.__dataclass_fields__ if name != "sigel")
