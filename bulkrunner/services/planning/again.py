"""Links of restored records to others that the same plan creates again, under new ids."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bulkrunner.domain.created import PREFIX
from bulkrunner.domain.iris import IriMap, iter_ids
from bulkrunner.domain.plan import Action
from bulkrunner.domain.records import Document
from bulkrunner.domain.undo import again_key
from bulkrunner.services.planning.view import Look
from bulkrunner.services.planning.waiting import Waits, waits


@dataclass(frozen=True, kw_only=True)
class Again:
    """Deleted records that the plan creates again, for a document that links to them.

    Attributes:
        numbers_of: the change that creates it, by the old short id.
        waits: for these changes.
    """

    numbers_of: Mapping[str, int]
    waits: Waits
    iris: IriMap

    @classmethod
    def of(cls, document: Document, look: Look, iris: IriMap) -> Again:
        """Return what is created again, of all that a document links to.

        Raises:
            Refused: one of them cannot be created again.
        """
        linked = {record for iri in iter_ids(document) if (record := iris.short_id(iri))}
        keys = {again_key(record): record for record in linked}
        found = look.of(sorted(keys), sure=True)
        numbers = {
            keys[key]: change.number
            for key, change in found.items()
            if change.action is not Action.UNCHANGED or change.made is not None
        }
        return cls(numbers_of=numbers, waits=waits((), numbers.values(), look.numbered), iris=iris)

    @property
    def numbers(self) -> tuple[int, ...]:
        """Changes that must end well first."""
        return self.waits.numbers

    def led(self, document: Document) -> Document:
        """Return the document with these links led to the new records."""
        led: Document = self._led(document) if self.numbers_of else document
        return led

    def _led(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key: self._name(inner) if key == "@id" else self._led(inner)
                for key, inner in value.items()
            }
        if isinstance(value, list):
            return [self._led(item) for item in value]
        return value

    def _name(self, iri: Any) -> Any:
        old = self.iris.short_id(iri) if isinstance(iri, str) else None
        number = self.numbers_of.get(old) if old else None
        if number is None:
            return iri
        record = self.waits.records.get(number)
        name = self.iris.record_iri(record) if record else f"{PREFIX}{number}"
        return name + ("#it" if iri.endswith("#it") else "")
