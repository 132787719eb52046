"""May this be written: what the login lets a client write, and what is never sent, whoever asks."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from bulkrunner.domain.canonical import canonical_bytes
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.records import (
    Document,
    component_holders,
    held_by,
    is_holding,
    record_part,
    thing_part,
)
from bulkrunner.domain.refusals import Refused
from bulkrunner.sentences import Sentence


@dataclass(frozen=True, kw_only=True)
class Permission:
    """One row of the login's verify answer: what the client may do as a sigel."""

    sigel: str
    registrant: bool
    cataloger: bool
    global_registrant: bool


@dataclass(frozen=True, kw_only=True)
class Rights:
    """What the client may do, as the login's ``/oauth/verify`` says (libris-login, xl_auth)."""

    permissions: tuple[Permission, ...]

    def may_act_as(self, sigel: str) -> bool:
        """Return True if the sigel may stand in ``XL-Active-Sigel``."""
        return any(p.sigel == sigel for p in self.permissions)

    def may_write_holding(self, sigel: str, *, active: str) -> bool:
        """Return True if the client may write holdings of the sigel while acting as another."""
        if not self.may_act_as(active):
            return False
        return any(
            (p.sigel == sigel and (p.registrant or p.cataloger))
            or (p.sigel == active and p.global_registrant)
            for p in self.permissions
        )

    def may_write_bibs(self) -> bool:
        """Return True if the client is of level 2 (cataloger on any sigel)."""
        return any(p.cataloger for p in self.permissions)

    def as_dict(self) -> list[dict[str, Any]]:
        """Return sigels and flags, all that the ledger keeps of a verify answer."""
        return [
            {
                "sigel": p.sigel,
                "registrant": p.registrant,
                "cataloger": p.cataloger,
                "global_registrant": p.global_registrant,
            }
            for p in sorted(self.permissions, key=lambda p: p.sigel)
        ]


def check_sendable(document: Document, iris: IriMap, sigels: Collection[str]) -> None:
    """Look once more at the very document about to be sent; Refused: it must not be."""
    # It carries ``@context`` or the status of a deleted record, is not flat, names a record of
    # another environment, or is a holding that is not wholly of ``sigels``, the libraries of the
    # job.
    if "@context" in document:
        raise Refused("context", Sentence("sent_context"))
    if not record_part(document) or not thing_part(document):
        raise Refused("not_flat", Sentence("sent_not_flat"))
    status = canonical_bytes(record_part(document).get("recordStatus"))
    if b"marc:Deleted" in status or b"marc/Deleted" in status:
        raise Refused("deleted_status", Sentence("sent_deleted"))
    foreign = next(iris.foreign(document), None)
    if foreign is not None:
        raise Refused("foreign_base", Sentence("sent_foreign", iri=foreign))
    if is_holding(document):
        _check_owner(document, sigels)


def _check_owner(document: Document, sigels: Collection[str]) -> None:
    owner = held_by(document)
    if owner not in sigels:
        raise Refused(
            "foreign_sigel", Sentence("other_library", owner=owner or Sentence("no_library"))
        )
    for holder in component_holders(document):
        if holder not in sigels:
            raise Refused(
                "foreign_component",
                Sentence("sent_component", holder=holder or Sentence("no_library")),
            )
