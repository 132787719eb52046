"""Trying again, for questions only: nothing that writes ever comes through here."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    wait_random_exponential,
)

from bulkrunner.sentences import Sentence

T = TypeVar("T")

TRIES = 6
"""Requests for one question, before whoever should answer counts as unreachable."""

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 20.0


class TryAgain(Exception):
    """No usable answer this time.

    Attributes:
        problem: why, in words that may be shown.
        by_server: whoever was asked says so itself, in its own form.
        advice: what to do, where trying again would bring the same; then it is not done.
    """

    def __init__(
        self, problem: str, *, by_server: bool = False, advice: Sentence | None = None
    ) -> None:
        super().__init__(problem)
        self.problem = problem
        self.by_server = by_server
        self.advice = advice


class Strange(TryAgain):
    """Something else answered than what was asked."""


def _is_for_now(error: BaseException) -> bool:
    return isinstance(error, TryAgain) and error.advice is None


class Patience:
    """Asks again with growing, scattered pauses; thread safe."""

    def __init__(
        self,
        sleep: Callable[[float], None],
        *,
        tries: int = TRIES,
        tell: Callable[[str, float | None], None] | None = None,
    ) -> None:
        self._tell = tell
        self._retrying = Retrying(
            sleep=sleep,
            stop=stop_after_attempt(tries),
            wait=wait_random_exponential(multiplier=FIRST_PAUSE, max=LONGEST_PAUSE),
            retry=retry_if_exception(_is_for_now),
            before_sleep=self._before_sleep,
            reraise=True,
        )

    def __call__(self, question: Callable[[], T]) -> T:
        """Return the answer.

        Raises:
            TryAgain: the last problem, after as many tries as there are, or one that trying does not mend.
        """
        answer = self._retrying(question)
        if self._tell is not None and self._retrying.statistics["attempt_number"] > 1:
            self._tell("", None)
        return answer

    def _before_sleep(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if self._tell is not None and isinstance(error, TryAgain) and state.next_action:
            self._tell(error.problem, state.next_action.sleep)
