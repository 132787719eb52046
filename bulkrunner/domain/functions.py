"""Functions of a job folder: what they are given, what they may answer, and what becomes of it."""

# A function is the operator's own code. Its answer is plain data, which is looked at like anything
# else that comes from outside.

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from bulkrunner.domain.canonical import digest, is_deeper, same
from bulkrunner.domain.changes.change import Change
from bulkrunner.domain.changes.edits import put
from bulkrunner.domain.changes.verbs import RemoveChange, SetChange
from bulkrunner.domain.manifest import Operation
from bulkrunner.domain.places import ABSENT, RECORD_PATH, THING_PATH, Path, path_text
from bulkrunner.domain.records import (
    RECORD_KEPT,
    THING_KEPT,
    Document,
    is_holding,
    record_part,
    thing_part,
)
from bulkrunner.domain.refusals import Refusal, Refused
from bulkrunner.domain.stored_form import Storage, below_link, is_link, is_same_text, undone
from bulkrunner.errors import Source
from bulkrunner.sentences import Sentence

# What a function may look up: a record, the holdings on a bib, or nothing.
Looked: TypeAlias = Document | list[Document] | None

MAX_REASON = 500  # characters of a reason that are kept

MAX_OPERATIONS = 100  # operations that one call may return

MAX_DEPTH = 110  # levels of an answer; a record may have a hundred of them

SECONDS = 5.0

MEGABYTES = 512  # what a call may use where the manifest does not say


@dataclass(frozen=True, kw_only=True)
class FunctionSource:
    """A function with all that decides what it does."""

    # module, function: dotted module of the job folder, and the function in it.
    module: str
    function: str
    # Text of that module and of every module of the folder that it imports, by name.
    sources: Mapping[str, str]
    # Data files that it may read: name in the folder → digest of the content.
    files: Mapping[str, str] = field(default_factory=dict)
    # seconds, megabytes: what one call may take, and what its process may use.
    seconds: float = SECONDS
    megabytes: int = MEGABYTES

    @property
    def name(self) -> str:
        """The function as a manifest names it."""
        return f"{self.module}:{self.function}"

    def meaning(self) -> dict[str, Any]:
        """Return what goes into the digest of a manifest."""
        return {
            "function": self.name,
            "sources": {name: digest(text) for name, text in sorted(self.sources.items())},
            "files": dict(sorted(self.files.items())),
        }


@dataclass(frozen=True, kw_only=True)
class FunctionInput:
    """What a function is called with."""

    document: Document  # the record
    id: str  # its short id
    # Columns of the row that the record was named in, None where there was none.
    row: Mapping[str, str] | None
    parameters: Mapping[str, Any]  # of the job
    # Returns a record by short id or IRI, None where there is none; ``bib`` stands for the bib of
    # the holding, ``holdings`` for the list of the other holdings on it.
    look: Callable[[str], Looked]


@dataclass(frozen=True, kw_only=True)
class Changed:
    """The record as it should be."""

    document: Document


@dataclass(frozen=True, kw_only=True)
class Several:
    """Explicit operations, in order, as a manifest writes them."""

    operations: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, kw_only=True)
class Skipped:
    """The record is passed over."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class Declined:
    """The record is refused."""

    reason: str


FunctionAnswer: TypeAlias = Changed | Several | Skipped | Declined


class FunctionRunner(Protocol):
    """Calls one function, apart from the program."""

    @property
    def confinement(self) -> str:
        """How the function is held, in words for people."""

    def call(self, given: FunctionInput) -> FunctionAnswer:
        """Call the function for one record; Refused: it gave no answer that can be used."""

    def operations(
        self, answer: Sequence[Mapping[str, Any]], source: Source
    ) -> list[Operation | Refusal]:
        """Read operations that the function returned, as a manifest's would be.

        Where one refers to another of the list, ``IN_ANSWER`` is added to its number.

        Returns:
            A fault in the place of each that does not fit the manifest's schema.
        """

    def close(self) -> None:
        """End its processes."""


def answer_of(value: Any) -> FunctionAnswer:
    """Read what a function returned, plain JSON data."""
    # Refused: it is none of the forms of an answer.
    _demand_sound(value)
    if isinstance(value, list):
        return _several(value)
    if not isinstance(value, dict):
        raise _wrong(Sentence("function_returned", what=_kind(value)))
    if "@graph" in value:
        graph = value["@graph"]
        if not (isinstance(graph, list) and len(graph) >= 2):
            raise _wrong(Sentence("function_record_parts"))
        return Changed(document=value)
    match sorted(value):
        case ["skip"]:
            return Skipped(reason=_reason(value["skip"]))
        case ["refuse"]:
            return Declined(reason=_reason(value["refuse"]))
        case _:
            return _several([value])


def _demand_sound(value: Any) -> None:
    """Refuse what is nested too deeply for whatever looks at records, or holds text not to be written."""
    if is_deeper(value, MAX_DEPTH):
        raise _wrong(Sentence("function_too_deep", most=MAX_DEPTH))
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:
        raise _wrong(Sentence("function_half_character")) from None
    except ValueError:
        raise _wrong(Sentence("function_no_number")) from None


def _several(operations: Sequence[Any]) -> Several:
    if not operations:
        raise _wrong(Sentence("function_empty_list"))
    if len(operations) > MAX_OPERATIONS:
        raise _wrong(Sentence("function_too_many", count=len(operations), most=MAX_OPERATIONS))
    for operation in operations:
        if not isinstance(operation, dict) or not {"create", "update", "delete"} & set(operation):
            raise _wrong(Sentence("function_no_operation", what=_kind(operation)))
    return Several(operations=tuple(operations))


def _reason(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _wrong(Sentence("function_reason"))
    return " ".join(value.split())[:MAX_REASON]


def _kind(value: Any) -> Sentence:
    if value is None:
        return Sentence("nothing")
    if not isinstance(value, dict):
        return Sentence("a_type", type=type(value).__name__)
    if not value:
        return Sentence("object_without_keys")
    return Sentence("object_with_keys", keys=", ".join(sorted(map(str, value))[:5]))


def _wrong(what: Sentence) -> Refused:
    return Refused(
        "function_answer",
        Sentence(
            "function_answer", what=what, skip='{"skip": reason}', refuse='{"refuse": reason}'
        ),
    )


_REPOINT = '{"update": context.id, "repoint": {"to": id}}'

_PLAIN = re.compile(r"[^\s\x00-\x1f\x7f.\[\]\"'\\]+")  # keys that a place can be written with


@dataclass(frozen=True, kw_only=True)
class Edited:
    """A record as a function returned it."""

    document: Document  # to be written, with what is not the function's to change as it was
    changes: tuple[Change, ...]  # the same as changes, place by place
    declared: tuple[Path, ...]  # the paths that differ


def edited(before: Document, after: Document) -> Edited | Refusal:
    """Return what a function changed in a record, or why that cannot be."""
    # Anything may be in ``after`` but the two parts of the graph.
    kept_thing = THING_KEPT if is_holding(before) else THING_KEPT - {"@type"}
    for name, part, kept in (
        ("@record.", record_part, RECORD_KEPT),
        ("", thing_part, kept_thing),
    ):
        old, new = part(before), part(after)
        for key in sorted(kept & {*old, *new}):
            if not same(old.get(key), new.get(key)):
                return Refusal(
                    code="forbidden_place",
                    message=Sentence("function_kept_place", place=name + key),
                    hint=(
                        Sentence("function_repoint", form=_REPOINT)
                        if name + key == "itemOf"
                        else Sentence("function_kept_place_hint")
                    ),
                )
    if len(after["@graph"]) != len(before["@graph"]) or set(after) - {"@context", "@graph"}:
        return Refusal(
            code="function_answer",
            message=Sentence("function_other_parts"),
            hint=Sentence("function_other_parts_hint"),
        )
    storage = Storage.of(before)
    try:
        found = list(_differences(record_part(before), record_part(after), RECORD_PATH, storage))
        found += _differences(thing_part(before), thing_part(after), THING_PATH, storage)
    except Refused as refused:
        return refused.refusal
    document = {key: value for key, value in before.items() if key != "@context"}
    for change, path in found:
        document = put(document, path, change.to if isinstance(change, SetChange) else ABSENT)
    return Edited(
        document=document,
        changes=tuple(change for change, _ in found),
        declared=tuple(path for _, path in found),
    )


def _differences(
    before: Any, after: Any, path: Path, storage: Storage
) -> Iterator[tuple[SetChange | RemoveChange, Path]]:
    """Yield the smallest changes that lead from one to the other, in a fixed order."""
    for key in sorted({*before, *after}):
        inner = (*path, key)
        if key not in after:
            yield RemoveChange(at=path_text(inner)), inner
        elif key not in before:
            formed = storage.form(after[key], inner)
            yield SetChange(at=path_text(inner), to=formed), inner
        else:
            yield from _of_value(before[key], after[key], inner, storage)


def _of_value(
    before: Any, after: Any, path: Path, storage: Storage
) -> Iterator[tuple[SetChange | RemoveChange, Path]]:
    if same(before, after) and _in_order(before, after):
        return
    if is_link(before, storage.bases) and isinstance(after, dict):
        more = [key for key in after if key not in before]
        if more and after.get("@id") == before.get("@id"):
            raise below_link((*path, more[0]), path, before)
    if isinstance(before, dict) and isinstance(after, dict) and _can_name({*before, *after}):
        yield from _differences(before, after, path, storage)
    elif isinstance(before, list) and isinstance(after, list) and _are_alike(before, after):
        for number, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _of_value(old, new, (*path, number), storage)
    else:
        formed = storage.form(after, path, before)
        if not (same(before, formed) and _in_order(before, formed)):
            yield SetChange(at=path_text(path), to=formed), path
        elif not is_same_text(after, before, ends=False):
            raise undone(path, after)


def _in_order(before: Any, after: Any) -> bool:
    return bool(before == after)


def _can_name(keys: set[str]) -> bool:
    return bool(keys) and all(_PLAIN.fullmatch(key) and not key.isdecimal() for key in keys)


def _are_alike(before: list[Any], after: list[Any]) -> bool:
    return len(before) == len(after) and all(
        isinstance(one, dict) and isinstance(other, dict)
        for one, other in zip(before, after, strict=True)
    )
