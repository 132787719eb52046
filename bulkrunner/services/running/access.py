"""What a 401 or 403 means: a token that ended, a login that is down, or rights that are gone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from bulkrunner.domain.plan import Plan
from bulkrunner.domain.ports import CatalogueWriter, Progress
from bulkrunner.domain.rights import Permission, Rights
from bulkrunner.errors import AccessLost, Interrupted, LoginDown
from bulkrunner.sentences import Sentence
from bulkrunner.services.running.control import Control

T = TypeVar("T")

PATIENCE = 90.0
"""Seconds that a run waits for a login that does not answer, before it is interrupted."""

ASK_EVERY = 5.0

DOUBT = 10.0
"""Seconds until the next send, where the login accepts the token and the catalogue does not."""


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
        """Ask once with every new token whether the client may still do what was planned.

        Raises:
            LoginRefused, RightsLost: the client may do less than planned, or nothing.
            Interrupted: the login stays down.
            Stopped: the run ends.
        """
        if not self._asking(self._catalogue.rights_are_due):
            return
        with self._one_asks:
            if self._asking(self._catalogue.rights_are_due):
                self._require(self._asking(self._catalogue.rights))

    def unauthorized(self, in_a_row: int) -> None:
        """Do what must be done before a change is sent again that was answered 401.

        Args:
            in_a_row: how many sends of the change were answered so, one after the other.

        Raises:
            LoginRefused: the login does not know the client any more.
            RightsLost: the client may do less than planned.
            Interrupted: the login stays down, or accepts what the catalogue keeps refusing.
            Stopped: the run ends.
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

        Raises:
            LoginRefused, RightsLost: the client may do less than planned, or nothing.
            Interrupted: the login stays down.
            Stopped: the run ends.
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
