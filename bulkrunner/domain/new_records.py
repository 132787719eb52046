"""References to records that a change of the same plan creates: ``new:N``, where N is its number."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from bulkrunner.domain.iris import IriMap, iter_ids, map_ids
from bulkrunner.domain.plan import Action, BibSummary, PlannedChange
from bulkrunner.domain.prediction import before_fingerprint, create_fingerprint, predict_stored

PREFIX = "new:"

# Added to the places of operations in a function's answer until they are numbered in the plan.
IN_ANSWER = 900_000_000

_REFERENCE = re.compile(r"new:([1-9][0-9]{0,8})(#it)?")


def created_number(text: Any) -> int | None:
    """Return N of ``new:N`` or ``new:N#it``; None for anything else."""
    found = _REFERENCE.fullmatch(text) if isinstance(text, str) else None
    return int(found[1]) if found else None


def place_in_answer(number: int) -> int | None:
    """Return the place in a function's answer that a number stands for; None for any other."""
    return number - IN_ANSWER if number > IN_ANSWER else None


def references_in(value: Any) -> frozenset[int]:
    """Return the numbers of the records to be created that ``@id`` keys inside name."""
    numbers = (created_number(iri) for iri in iter_ids(value))
    return frozenset(number for number in numbers if number is not None)


def references_of(operation: Mapping[str, Any]) -> frozenset[int]:
    """Return the numbers that an operation, in neutral form, refers to."""
    named = {created_number(operation.get(key)) for key in ("of", "repoint")} | set(
        _set_ids(operation)
    )
    return references_in(operation) | {number for number in named if number is not None}


def _set_ids(operation: Mapping[str, Any]) -> Iterator[int | None]:
    """Yield what changes put into a place that is itself an ``@id``."""
    for change in operation.get("changes", ()):
        for arguments in change.values():
            if isinstance(arguments, dict) and str(arguments.get("at")).endswith("@id"):
                yield created_number(arguments.get("to", arguments.get("value")))


def with_names(value: Any, names: Mapping[int, str]) -> Any:
    """Return a JSON value with every text ``new:N`` replaced by the name of N, ``#it`` kept behind it."""
    if isinstance(value, dict):
        return {key: with_names(inner, names) for key, inner in value.items()}
    if isinstance(value, list):
        return [with_names(item, names) for item in value]
    number = created_number(value)
    if number is None or number not in names:
        return value
    return names[number] + ("#it" if value.endswith("#it") else "")


def with_records(change: PlannedChange, records: Mapping[int, str], iris: IriMap) -> PlannedChange:
    """Return a change with the short ids, by the number that made them, of the records that were created."""
    # What will be stored is predicted anew, since it depends on the ids.
    if change.after is None:
        return change
    after = with_ids(change.after, records, iris)
    predicted = predict_stored(after).document
    fingerprint = create_fingerprint if change.action is Action.CREATE else before_fingerprint
    number = created_number(change.record)
    record = records.get(number, change.record) if number is not None else change.record
    return replace(
        change,
        record=record,
        bib=replace(change.bib or BibSummary(id=record), id=record) if number else change.bib,
        after=after,
        predicted=predicted,
        after_fingerprint=fingerprint(predicted),
    )


def renumbered(change: PlannedChange, numbers: Mapping[int, int]) -> PlannedChange:
    """Return a change that refers to records to be created by the new numbers of the old ones."""
    names = {old: f"{PREFIX}{new}" for old, new in numbers.items()}
    record, key = with_names(change.record, names), change.target_key
    if key is not None and record != change.record:
        key = key.replace(f":{change.record}:", f":{record}:", 1)
    bib = change.bib
    if bib is not None:
        bib = replace(bib, id=with_names(bib.id, names))
    place = change.place and _REFERENCE.sub(lambda found: with_names(found[0], names), change.place)
    change = replace(change, record=record, bib=bib, target_key=key, place=place)
    if change.after is None:
        return change
    after = map_ids(change.after, lambda iri: with_names(iri, names))
    predicted = predict_stored(after).document
    fingerprint = create_fingerprint if change.action is Action.CREATE else before_fingerprint
    return replace(
        change, after=after, predicted=predicted, after_fingerprint=fingerprint(predicted)
    )


def with_ids(document: Any, records: Mapping[int, str], iris: IriMap) -> Any:
    """Return a document with the IRIs of records under ``@id`` in the place of ``new:N``."""
    names = {number: iris.record_iri(record) for number, record in records.items()}
    return map_ids(document, lambda iri: with_names(iri, names))
