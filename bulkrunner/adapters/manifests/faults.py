"""Collects the faults of a job folder, so that all of them are told at once."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from bulkrunner.domain.expressions.parsing import nearest
from bulkrunner.domain.manifest import Problem, Source
from bulkrunner.domain.text import harmless
from bulkrunner.errors import ManifestError
from bulkrunner.sentences import Sentence

SHOWN = 300
"""More problems than this are counted, not shown."""

PathKey = str | int

FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
"""Characters that no text of a job may hold: control characters and halves of surrogate pairs."""


class Stop(Exception):
    """Reading a file cannot go on; the reason is among the problems."""


class Problems:
    """Every fault found so far, at most ``SHOWN`` of them kept.

    Attributes:
        total: how many were found, shown or not.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._kept: list[Problem] = []
        self._files: dict[str, int] = {}
        self.total = 0

    def add(self, source: Source, code: str, message: Sentence, hint: str = "") -> None:
        """Note a fault; ``source.file`` is relative to the job folder."""
        self.note(Problem(source=source, code=code, message=message, hint=hint))

    def note(self, problem: Problem) -> None:
        """Note a fault; its file is relative to the job folder."""
        self.total += 1
        self._files.setdefault(problem.source.file, len(self._files))
        if len(self._kept) < SHOWN:
            self._kept.append(problem)

    def stop(self, source: Source, code: str, message: Sentence, hint: str = "") -> Stop:
        """Note a fault after which the file cannot be read on; raise what is returned."""
        self.add(source, code, message, hint)
        return Stop()

    def uncounted(self, number: int) -> None:
        """Count faults that nobody will see one by one."""
        self.total += number

    def raise_if_any(self) -> None:
        """Raise all faults as one error.

        Raises:
            ManifestError: there is one fault at least.
        """
        if self.total:
            raise self.as_error()

    def as_error(self) -> ManifestError:
        """Return all faults, one at least, as one error, sorted by place."""
        problems = tuple(self._shown())
        message = problems[0].at_place
        if self.total > 1:
            message = Sentence("problems", total=self.total, first=message)
        return ManifestError(message, problems=problems, hint=problems[0].hint)

    def _shown(self) -> list[Problem]:
        def place(problem: Problem) -> tuple[int, int, int]:
            source = problem.source
            return self._files[source.file], source.line, source.column

        shown = [self.placed(found) for found in sorted(self._kept, key=place)]
        if (rest := self.total - len(shown)) > 0:
            shown.append(
                Problem(
                    source=Source(file=self._prefix or "."),
                    code="more_problems",
                    message=Sentence("problems_more", rest=rest),
                )
            )
        return shown

    def placed(self, found: Problem) -> Problem:
        """Return it with its file as the user named the folder."""
        return replace(found, source=replace(found.source, file=self._display(found.source.file)))

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


def meant(given: str, known: Sequence[str]) -> str:
    """Return the probably meant word, or an empty text."""
    return nearest(given, known)
