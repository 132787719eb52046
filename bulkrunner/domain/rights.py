"""Every "may this be written": the login's rights, the job's limits, and what is never sent."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from bulkrunner.domain.canonical import canonical_bytes, is_deeper
from bulkrunner.domain.expressions import nearest, proposal
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.manifest import Job
from bulkrunner.domain.records import (
    Document,
    component_holders,
    held_by,
    is_holding,
    record_part,
    thing_part,
)
from bulkrunner.domain.refusals import Refusal, Refused
from bulkrunner.domain.text import told_apart, value_apart, visible
from bulkrunner.sentences import Sentence, joined

READ_ONLY_DATASETS = ("https://id.kb.se/dataset/", "https://libris.kb.se/dataset/")

MOST_SIGELS = 20
"""Sigels of a client that a message names."""

MAX_DEPTH = 100
"""Levels of a record to be sent; real ones have a dozen. Components deeper than that go unseen."""

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


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


@dataclass(frozen=True, kw_only=True)
class Proofs:
    """The job's and the client's limits, asked of every document before and after the change."""

    job: Job
    rights: Rights
    iris: IriMap

    def acting(self) -> Refusal | None:
        """Refuse everything where the client may not act as the job's active sigel."""
        active = self.job.active_sigel
        if self.rights.may_act_as(active):
            return None
        return Refusal(
            "active_sigel_not_permitted",
            Sentence("active_sigel_not_permitted", active=active),
            joined((*self._granted(active), Sentence("active_sigel_hint"))),
        )

    def holding(self, document: Document) -> Refusal | None:
        """Refuse a holding that is not wholly the job's: top-level heldBy and every component."""
        sigel = held_by(document)
        if sigel is None:
            return Refusal("no_sigel", Sentence("no_sigel"), Sentence("no_sigel_hint"))
        return self.sigel(sigel) or self._components(document)

    def sigel(self, sigel: str) -> Refusal | None:
        """Refuse a sigel outside the manifest's or the client's."""
        if sigel not in self.job.sigels:
            alike = (told_apart(sigel, own)[0] for own in self.job.sigels)
            apart = next((said for said in alike if said), "")
            folded = sigel.strip().casefold()
            near = next((own for own in self.job.sigels if own.casefold() == folded), "")
            meant = proposal(sigel, near) if near and not apart else ""
            hint = Sentence("foreign_sigel_hint", sigels=", ".join(self.job.sigels))
            return Refusal(
                "foreign_sigel",
                Sentence("foreign_sigel", sigel=value_apart(sigel, apart)),
                joined((meant, hint)),
            )
        if not self.rights.may_write_holding(sigel, active=self.job.active_sigel):
            return Refusal(
                "no_rights",
                Sentence("no_rights", sigel=sigel),
                joined((*self._granted(sigel), Sentence("no_rights_hint"))),
            )
        return None

    def _granted(self, sigel: str) -> tuple[str, ...]:
        """Say which sigel is probably meant, and which ones the client has."""
        granted = sorted(found.sigel for found in self.rights.permissions)
        near = nearest(sigel, [one for one in granted if one != sigel])
        shown = ", ".join(granted[:MOST_SIGELS]) + (" …" if granted[MOST_SIGELS:] else "")
        has = Sentence("client_has", sigels=shown) if shown else Sentence("client_has_none")
        return (proposal(sigel, near) if near else "", has)

    def _components(self, document: Document) -> Refusal | None:
        for holder in component_holders(document):
            if holder is None:
                return Refusal(
                    "foreign_component",
                    Sentence("component_without_library"),
                    Sentence("mend_in_tool"),
                )
            if holder not in self.job.sigels:
                return Refusal(
                    "foreign_component",
                    Sentence("foreign_component", holder=holder),
                    Sentence("mend_in_tool_or_drop"),
                )
            if not self.rights.may_write_holding(holder, active=self.job.active_sigel):
                return Refusal(
                    "no_rights",
                    Sentence("no_rights_component", holder=holder),
                    Sentence("no_rights_hint"),
                )
        return None

    def bib(self) -> Refusal | None:
        """Refuse bib writes that were not agreed, or by a client of level 1."""
        if "bibs" not in self.job.agreement.covers:
            return Refusal(
                "bibs_not_agreed", Sentence("bibs_not_agreed"), Sentence("bibs_not_agreed_hint")
            )
        if not self.rights.may_write_bibs():
            return Refusal(
                "level_2_required", Sentence("level_2_required"), Sentence("level_2_required_hint")
            )
        return None

    def writable(self, document: Document) -> Refusal | None:
        """Refuse records of read-only data (Libris: datasets of id.kb.se and libris.kb.se)."""
        record = record_part(document)
        datasets = record.get("inDataset")
        links = datasets if isinstance(datasets, list) else [datasets]
        iris = [link.get("@id") for link in links if isinstance(link, dict)]
        if record.get("@type") != "Record" or any(
            isinstance(iri, str) and iri.startswith(READ_ONLY_DATASETS) for iri in iris
        ):
            return Refusal("read_only", Sentence("read_only"), Sentence("take_off_list"))
        return None

    def base(self, document: Document) -> Refusal | None:
        """Refuse a document with a record IRI of another environment."""
        found = next(iter(self.iris.foreign(document)), None)
        if found is None:
            return None
        return Refusal(
            "foreign_base",
            Sentence("foreign_base", found=found),
            Sentence("foreign_base_hint", target=self.iris.target),
        )


def library_unresolved(sigel: str) -> Refusal:
    """Return the refusal of a library that the environment does not have."""
    return Refusal(
        "library_unresolved",
        Sentence("library_unresolved", sigel=sigel),
        Sentence("library_unresolved_hint"),
    )


def too_deep(document: Document) -> Refusal | None:
    """Refuse a record that would be nested more deeply than any real one."""
    if not is_deeper(document, MAX_DEPTH):
        return None
    return Refusal(
        "unreadable_record",
        Sentence("record_too_deep", most=MAX_DEPTH),
        Sentence("record_too_deep_hint"),
    )


def misnamed(document: Document) -> Refusal | None:
    """Refuse a record with a key that is empty, or that holds a control character."""
    left: list[Any] = [document]
    while left:
        node = left.pop()
        if isinstance(node, dict):
            bad = next((key for key in node if not key.strip() or _CONTROL.search(key)), None)
            if bad is not None:
                return _bad_key(bad)
            left += node.values()
        elif isinstance(node, list):
            left += node
    return None


def _bad_key(key: str) -> Refusal:
    shown = visible(key[:40]).replace("\n", " ").replace("\t", " ")
    return Refusal(
        "unreadable_record",
        Sentence("key_control_character", shown=shown)
        if key.strip()
        else Sentence("key_without_name"),
        Sentence("key_hint"),
    )


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
