"""What a command tells while it goes on, to a terminal or to a caller; and names of what is counted."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

from bulkrunner.domain.ports import Progress
from bulkrunner.runner.results import blank
from bulkrunner.sentences import Sentence, verbatim

log = logging.getLogger(__name__)


class Telling(Protocol):
    """Whom a command answers: ``document`` is what it has found so far, whole also after an error."""

    document: dict[str, Any]
    language: str | None

    @property
    def stopped_by(self) -> Sentence:
        """Why a run ends that ``stoppable`` stops."""

    def begin(self, command: str) -> None:
        """Begin the document of a command."""

    def part(self, command: str) -> Telling:
        """Return what a command is told to that is a step of this one."""

    def say(
        self, text: Sentence | str = "", *, err: bool = False, indent: int = 0, most: int = 0
    ) -> None:
        """Say something to people."""

    def worded(self, text: Sentence | str) -> str:
        """Return a sentence in the language that is asked for."""

    def progress(self) -> Progress:
        """Return what is told how far a step is."""

    def stoppable(
        self, stop: Callable[[], None], last_words: Callable[[], str]
    ) -> AbstractContextManager[None]:
        """Call ``stop`` where somebody wants the block to end; it may be called at any moment."""

    def last_words(self, **known: Any) -> str:
        """Return the document as far as it is known."""


@dataclass(frozen=True, kw_only=True)
class Happening:
    """How far a step is, or what happened in it.

    Attributes:
        kind: ``begin`` and ``end`` of a step; ``advance``: ``done`` of ``total``, where that is known,
            with ``counts``; ``waiting``: why nothing happens, and for how many ``seconds``, an empty
            text: it goes on; ``note``: an event; ``said``: what the command line would have said.
        action: stable name of an event.
    """

    kind: Literal["begin", "advance", "waiting", "note", "said", "end"]
    text: str = ""
    done: int | None = None
    total: int | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    seconds: float | None = None
    action: str = ""


Listener: TypeAlias = Callable[[Happening], None]


class Caller:
    """Tells a program that calls this one: its listener of every step, and it may cancel."""

    def __init__(self, listener: Listener | None, language: str | None) -> None:
        self.document: dict[str, Any] = {}
        self.language = language
        self._listener = listener
        self.stopped_by = Sentence("stopped_by_caller")
        self._lock = threading.Lock()
        self._cancelled = False
        self._stop: Callable[[], None] | None = None

    def begin(self, command: str) -> None:
        """Begin the document of a command; what was cancelled before is over."""
        self.document = blank(command)
        self._cancelled = False

    def part(self, command: str) -> Telling:
        """Return what a command is told to that is a step of this one; it is cancelled with it."""
        return _Step(self, command)

    def say(
        self,
        text: Sentence | str = "",
        *,
        err: bool = False,  # noqa: ARG002 (for a terminal)
        indent: int = 0,  # noqa: ARG002
        most: int = 0,  # noqa: ARG002
    ) -> None:
        """Tell the listener."""
        self.tell(Happening(kind="said", text=self.worded(text)))

    def worded(self, text: Sentence | str) -> str:
        """Return a sentence in the caller's language."""
        return text.worded(self.language or "en") if isinstance(text, Sentence) else text

    def progress(self) -> Progress:
        """Return what tells the listener."""
        return _Heard(self)

    def tell(self, happening: Happening) -> None:
        """Tell the listener, from whatever thread, one thing at a time; its faults end nothing."""
        if self._listener is None:
            return
        with self._lock:
            try:
                self._listener(happening)
            except Exception:
                log.exception("a listener failed")

    @contextmanager
    def stoppable(
        self,
        stop: Callable[[], None],
        last_words: Callable[[], str],  # noqa: ARG002 (nobody ends a caller at once)
    ) -> Iterator[None]:
        """Let ``cancel`` stop the block; also one that came before it."""
        self._stop = stop
        try:
            if self._cancelled:
                stop()
            yield
        finally:
            self._stop = None

    def cancel(self) -> None:
        """Stop what goes on after what is in flight; nothing where nothing does."""
        self._cancelled = True
        if (stop := self._stop) is not None:
            stop()

    def last_words(self, **known: Any) -> str:  # noqa: ARG002
        """Return nothing: a caller has the document."""
        return ""


class _Step:
    """A step of a command that a caller gave: a document of its own, all else is the caller's."""

    def __init__(self, caller: Caller, command: str) -> None:
        self._caller = caller
        self.language = caller.language
        self.stopped_by = caller.stopped_by
        self.document = blank(command)
        self.say = caller.say
        self.worded = caller.worded
        self.progress = caller.progress
        self.stoppable = caller.stoppable
        self.last_words = caller.last_words

    def begin(self, command: str) -> None:
        self.document = blank(command)

    def part(self, command: str) -> Telling:
        return _Step(self._caller, command)


class _Heard:
    """Progress that a listener hears of."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._total: int | None = None

    def begin(self, what: str, total: int | None) -> None:
        self._total = total
        self._tell("begin", what, total=total)

    def advance(self, done: int, counts: Mapping[str, int]) -> None:
        self._tell("advance", "", done=done, total=self._total, counts=dict(counts))

    def waiting(self, reason: str, seconds: float | None) -> None:
        self._tell("waiting", reason, seconds=seconds)

    def note(self, message: str, *, action: str, **_extra: Any) -> None:
        self._tell("note", message, action=action)

    def end(self) -> None:
        self._tell("end", "")

    def _tell(self, kind: Any, text: str, **more: Any) -> None:
        self._caller.tell(Happening(kind=kind, text=self._caller.worded(text), **more))


_COUNTED: Mapping[str, Callable[[int], Sentence]] = {
    "above_header": lambda n: Sentence("count_above_header", n=n),
    "applied": lambda n: Sentence("count_applied", n=n),
    "blank": lambda n: Sentence("count_blank", n=n),
    "comment": lambda n: Sentence("count_comment", n=n),
    "conflict": lambda n: Sentence("count_conflict", n=n),
    "create": lambda n: Sentence("count_create", n=n),
    "delete": lambda n: Sentence("count_delete", n=n),
    "different": lambda n: Sentence("count_different", n=n),
    "duplicates": lambda n: Sentence("count_duplicates", n=n),
    "excluded": lambda n: Sentence("count_excluded", n=n),
    "failed": lambda n: Sentence("count_failed", n=n),
    "hidden": lambda n: Sentence("count_hidden", n=n),
    "not_found": lambda n: Sentence("count_not_found", n=n),
    "other_outcome": lambda n: Sentence("count_other_outcome", n=n),
    "pending": lambda n: Sentence("count_pending", n=n),
    "refused": lambda n: Sentence("count_refused", n=n),
    "unchanged": lambda n: Sentence("count_unchanged", n=n),
    "unknown": lambda n: Sentence("count_unknown", n=n),
    "unreadable": lambda n: Sentence("count_unreadable", n=n),
    "update": lambda n: Sentence("count_update", n=n),
}


def counted(name: str, count: int) -> Sentence:
    """Return how many of what is counted under a name; a code stays as it is."""
    found = _COUNTED.get(name)
    return Sentence("count_of", n=count, name=name) if found is None else found(count)


def counts_said(counts: Mapping[str, int]) -> Sentence:
    """Return every count that is not zero, apart by commas."""
    return Sentence("listed", parts=[counted(name, n) for name, n in counts.items() if n])


_WORDS: Mapping[str, Sentence] = {
    str(said): said
    for said in (
        Sentence("word_applied"),
        Sentence("word_complete"),
        Sentence("word_completed"),
        Sentence("word_conflict"),
        Sentence("word_failed"),
        Sentence("word_interrupted"),
        Sentence("word_pending"),
        Sentence("word_planning"),
        Sentence("word_refused"),
        Sentence("word_running"),
        Sentence("word_stopped"),
        Sentence("word_unchanged"),
        Sentence("word_unknown"),
    )
}


def word(name: str) -> Sentence:
    """Return the word for an outcome or a state."""
    return _WORDS.get(name) or verbatim(name)


def signed_said(signer: str, key: str | None = "") -> Sentence:
    """Return by whom an answer is signed, and with which key where that is to be told."""
    if key:
        return Sentence("signed_with_key", signer=signer, key=key)
    if key is None or not signer:
        return Sentence("not_signed")
    return Sentence("signed_by", signer=signer)
