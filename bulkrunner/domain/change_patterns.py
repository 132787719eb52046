"""Patterns of changes: what a change does, values left out, as a sentence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar, cast

from bulkrunner.domain.canonical import digest
from bulkrunner.domain.diff import Difference
from bulkrunner.domain.expressions.values import written
from bulkrunner.domain.manifest import Create, Delete, Operation, Update
from bulkrunner.domain.plan import Action
from bulkrunner.domain.records import kind_said
from bulkrunner.sentences import Sentence, as_sentence, joined

_Text = TypeVar("_Text", bound=str)

# Characters of a pattern before it is cut; the template of a cut one has the same number.
MAX_LENGTH = 300

_SEPARATOR = "; "


def pattern_of(what: Operation | Sequence[Difference], *, kind: str | None = None) -> Sentence:
    """Return a line such as ``update holding: set shelfMark.label; remove inventoryLevel``."""
    # ``kind``: ``holding`` or ``bib``; None where nobody knows.
    match what:
        case Update():
            return update_pattern(kind, parts_of_update(what))
        case Delete():
            return delete_pattern(kind)
        case Create():
            head = Sentence("pattern_create", kind=kind_said(what.creates.value))
            body, record = written(what.body), written(what.record)
            places = [*sorted(body), *(f"@record.{key}" for key in sorted(record))]
            return _bounded(head, [_contents(list(dict.fromkeys(places)))] if places else [])
        case _:
            return update_pattern(kind, [_difference_part(item) for item in what])


def delete_pattern(kind: str | None) -> Sentence:
    """Return the pattern of a deletion."""
    return Sentence("pattern_delete", kind=kind_said(kind))


def restoring_pattern(action: Action, kind: str | None) -> Sentence:
    """Return the pattern of taking back a change of an action."""
    match action:
        case Action.UPDATE:
            return Sentence("pattern_undo_update", kind=kind_said(kind))
        case Action.CREATE:
            return Sentence("pattern_undo_create", kind=kind_said(kind))
        case _:
            return Sentence("pattern_undo_delete", kind=kind_said(kind))


def is_restoring(pattern: str) -> bool:
    """Return True if a pattern is of taking back a change, whatever else is done with it."""
    said = as_sentence(pattern)
    match said.key:
        case "pattern_undo_update" | "pattern_undo_create" | "pattern_undo_delete":
            return True
        case "pattern_parts":
            return is_restoring(cast("str", said.values["head"]))
        case "pattern_cut":
            return is_restoring(cast("str", said.values["said"]))
    return False


def transfer_pattern(head: Sentence, part: Sentence) -> Sentence:
    """Return the pattern of one side of a transfer: the head names the transfer."""
    return Sentence("pattern_parts", head=head, parts=(part,))


def parts_of_update(op: Update) -> tuple[Sentence, ...]:
    """Return what an update does, values left out, in parts."""
    if op.resave:
        return (Sentence("part_resave"),)
    if op.repoint is not None:
        return (Sentence("part_repoint"),)
    if op.replace is not None:
        parts = {
            "record": Sentence("part_replace_record"),
            "item": Sentence("part_replace_item"),
        }
        return tuple(part for name, part in parts.items() if name in op.replace)
    return tuple(change.scope.pattern(change.pattern) for change in op.changes)


def update_pattern(kind: str | None, parts: Iterable[Sentence], *, earlier: str = "") -> Sentence:
    """Return the pattern of an update made of parts."""
    # ``earlier``: of what precedes in the same change.
    if not earlier:
        return _bounded(Sentence("pattern_update", kind=kind_said(kind)), list(parts))
    before = as_sentence(earlier)
    match before.key:
        case "pattern_cut":
            known = before.partition(": ")[2].split(_SEPARATOR)
            text = _SEPARATOR.join([before, *_once(part for part in parts if part not in known)])
            return _cut(cast("Sentence", before.values["said"]), text)
        case "pattern_parts" | "pattern_contents":
            head = cast("Sentence", before.values["head"])
            return _bounded(head, [*_flat(_parts(before)), *parts])
        case _:
            return _bounded(before, list(parts))


def _bounded(head: Sentence, parts: Sequence[Sentence]) -> Sentence:
    told = _once(parts)
    whole = _pattern(head, told)
    if len(whole) <= MAX_LENGTH:
        return whole
    return _cut(_pattern(head, [_shortened(part) for part in _leading(told)]), whole)


def _pattern(head: Sentence, parts: Sequence[Sentence]) -> Sentence:
    if not any(parts):
        return head
    if head.key == "pattern_create":
        return Sentence("pattern_contents", head=head, parts=parts)
    return Sentence("pattern_parts", head=head, parts=parts)


def _cut(beginning: Sentence, whole: str) -> Sentence:
    """Return a pattern that is cut; two that differ only behind the cut stay two patterns."""
    return Sentence("pattern_cut", said=beginning, digest=digest(str(whole))[7:15])


def _shortened(part: Sentence) -> Sentence:
    """Return a part without what is behind the cut in any case."""
    match part.key:
        case "part_contents":
            return _contents(_leading(cast("Sequence[str]", part.values["places"])))
        case "joined":
            return joined(_leading(_parts(part)))
    return part


def _leading(texts: Sequence[_Text]) -> list[_Text]:
    """Return the first of the texts, as many as fill a pattern."""
    found, length = list[_Text](), 0
    for text in texts:
        if length > MAX_LENGTH:
            break
        found.append(text)
        length += len(text)
    return found


def _once(parts: Iterable[Sentence]) -> list[Sentence]:
    return list(dict.fromkeys(parts))


def _flat(parts: Sequence[Sentence]) -> Iterator[Sentence]:
    """Yield the parts, those of an example by themselves."""
    for part in parts:
        yield from _parts(part) if part.key == "joined" else (part,)


def _parts(said: Sentence) -> Sequence[Sentence]:
    return cast("Sequence[Sentence]", said.values["parts"])


def _contents(places: Sequence[str]) -> Sentence:
    return Sentence("part_contents", places=places)


def _difference_part(item: Difference) -> Sentence:
    match item.kind:
        case "added":
            return Sentence("part_add", at=item.place)
        case "removed":
            return Sentence("part_remove", at=item.place)
        case _:
            return Sentence("part_change", at=item.place)
