"""Collects the faults of a job folder, so that all of them are told at once."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

from bulkrunner.domain.expressions import nearest, proposal
from bulkrunner.domain.places import parse_place
from bulkrunner.domain.text import harmless
from bulkrunner.errors import Fault, ManifestError, Source
from bulkrunner.sentences import Sentence

# More problems than this are counted, not shown.
SHOWN = 300

PathKey: TypeAlias = str | int

# Keys and indexes on the way to a value.
KeyPath: TypeAlias = tuple[PathKey, ...]

# Characters that no text of a job may hold: control characters and halves of surrogate pairs.
FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


class Stop(Exception):
    """Reading a file cannot go on; the reason is among the problems."""


class Problems:
    """Every fault found so far, at most ``SHOWN`` of them kept.

    Attributes:
        total: how many were found, shown or not.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._kept: list[Fault] = []
        self._files: dict[str, int] = {}
        self.total = 0

    def add(self, source: Source, code: str, message: Sentence, hint: str = "") -> None:
        """Note a fault; ``source.file`` is relative to the job folder."""
        self.note(Fault(message, code=code, hint=hint, source=source))

    def note(self, problem: Fault) -> None:
        """Note a fault; its file is relative to the job folder."""
        self.total += 1
        self._files.setdefault(problem.source.file, len(self._files))
        if len(self._kept) < SHOWN:
            self._kept.append(problem)

    def stop(self, source: Source, code: str, message: Sentence, hint: str = "") -> Stop:
        """Note a fault after which the file cannot be read on; raise what is returned."""
        return self.stopped(Fault(message, code=code, hint=hint, source=source))

    def stopped(self, fault: Fault) -> Stop:
        """Note such a fault."""
        self.note(fault)
        return Stop()

    def uncounted(self, number: int) -> None:
        """Count faults that nobody will see one by one."""
        self.total += number

    def raise_if_any(self) -> None:
        """Raise all faults as one error; ManifestError: there is one fault at least."""
        if self.total:
            raise self.as_error()

    def as_error(self) -> ManifestError:
        """Return all faults, one at least, as one error, sorted by place."""
        problems = tuple(self._shown())
        message = problems[0].at_place
        if self.total > 1:
            message = Sentence("problems", total=self.total, first=message)
        return ManifestError(message, problems=problems, hint=problems[0].hint)

    def _shown(self) -> list[Fault]:
        def place(problem: Fault) -> tuple[int, int, int]:
            source = problem.source
            return self._files[source.file], source.line, source.column

        shown = [self.placed(found) for found in sorted(self._kept, key=place)]
        if (rest := self.total - len(shown)) > 0:
            shown.append(
                Fault(
                    Sentence("problems_more", rest=rest),
                    code="more_problems",
                    source=Source(file=self._prefix or "."),
                )
            )
        return shown

    def placed(self, found: Fault) -> Fault:
        """Return it with its file as the user named the folder."""
        return found.in_file(self._display(found.source.file))

    def _display(self, file: str) -> str:
        return f"{self._prefix}/{file}" if self._prefix else file


def shown(value: Any, limit: int = 60) -> Sentence:
    """Return a value from a file for a message: on one line, harmless and short."""
    if isinstance(value, dict):
        return Sentence("kind_object")
    if isinstance(value, list):
        return Sentence("kind_list")
    if isinstance(value, str):
        text = harmless(value[: limit + 1])
        return Sentence("quoted", text=f"{text[:limit]}…" if len(text) > limit else text)
    if isinstance(value, int) and value.bit_length() > 200:
        return Sentence("kind_large_number")
    return Sentence("quoted", text=json.dumps(value))


def path_text(path: Sequence[PathKey]) -> str:
    """Return ``steps[0].update.changes`` for a path of keys and indexes."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{harmless(part[:80])}" if text else harmless(part[:80])
    return text


def proposed(
    given: str, known: Iterable[str], otherwise: Sentence | str = "", *, prefix: str = ""
) -> Sentence | str:
    """Return a hint that names the probably meant word, else another hint."""
    near = nearest(given, list(known))
    return proposal(given, near, prefix) if near else otherwise


def with_path(fault: Fault, prefix: KeyPath = ()) -> Fault:
    """Return a fault whose path, below a prefix, stands in its words too."""
    where = path_text((*prefix, *fault.path, *((fault.key,) if fault.key else ())))
    said = Sentence("at_path", path=where, message=fault.said)
    return Fault(said, code=fault.code, hint=fault.hint, path=fault.path, key=fault.key)


def bad_place(
    text: str, path: KeyPath, prefix: KeyPath = (), *, is_key: bool = False
) -> Fault | None:
    """Return the fault of a text that is no place; as a key it is the last of the path."""
    why = _no_place(text)
    if why is None:
        return None
    said = Sentence("bad_place", path=path_text((*prefix, *path)), place=shown(text), error=why)
    if is_key:
        return Fault(said, code="bad_place", path=path[:-1], key=text)
    return Fault(said, code="bad_place", path=path)


@lru_cache(maxsize=4096)
def _no_place(text: str) -> Sentence | None:
    try:
        parse_place(text)
    except Fault as fault:
        return fault.said
    return None


def nodes(value: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """Yield every value inside of a value, itself first, with its path."""
    yield path, value
    for key, inner in (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    ):
        yield from nodes(inner, (*path, key))
