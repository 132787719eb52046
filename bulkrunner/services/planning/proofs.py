"""Proofs that a change may be made: whose the record is, and what the client may do."""

from __future__ import annotations

from dataclasses import dataclass

from bulkrunner.domain.environment import Rights
from bulkrunner.domain.forms import nearest, proposal
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.job import Job
from bulkrunner.domain.operations import Refusal
from bulkrunner.domain.records import (
    Document,
    component_holders,
    held_by,
    record_part,
)
from bulkrunner.domain.visible import told_apart

READ_ONLY_DATASETS = ("https://id.kb.se/dataset/", "https://libris.kb.se/dataset/")


MOST_SIGELS = 20
"""Sigels of a client that a message names."""


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
            code="active_sigel_not_permitted",
            message=f"the API client has no rights at the login for the active sigel {active}",
            hint=f"{self._granted(active)}; ask KB to add the sigel to the client, or name another "
            "active_sigel",
        )

    def holding(self, document: Document) -> Refusal | None:
        """Refuse a holding that is not wholly the job's: top-level heldBy and every component."""
        sigel = held_by(document)
        if sigel is None:
            return Refusal(
                code="no_sigel",
                message="the holding has no top-level heldBy that is a library",
                hint="Libris refuses to save it over the API; mend it in the cataloguing tool first",
            )
        return self.sigel(sigel) or self._components(document)

    def sigel(self, sigel: str) -> Refusal | None:
        """Refuse a sigel outside the manifest's or the client's."""
        if sigel not in self.job.sigels:
            alike = (told_apart(sigel, own)[0] for own in self.job.sigels)
            apart = next((said for said in alike if said), "")
            folded = sigel.strip().casefold()
            near = next((own for own in self.job.sigels if own.casefold() == folded), "")
            meant = f"{proposal(sigel, near)}; " if near and not apart else ""
            return Refusal(
                code="foreign_sigel",
                message=f"the holding belongs to {sigel}{apart}, which the job may not touch",
                hint=f"{meant}the job's sigels are {', '.join(self.job.sigels)}; take the record off the "
                "list, or add the library to `sigels` if it has agreed",
            )
        if not self.rights.may_write_holding(sigel, active=self.job.active_sigel):
            return Refusal(
                code="no_rights",
                message=f"the API client may not write holdings of {sigel}",
                hint=f"{self._granted(sigel)}; ask KB for the right, or use the client that has it",
            )
        return None

    def _granted(self, sigel: str) -> str:
        """Return which sigel is probably meant, and which ones the client has."""
        granted = sorted(found.sigel for found in self.rights.permissions)
        near = nearest(sigel, [one for one in granted if one != sigel])
        shown = ", ".join(granted[:MOST_SIGELS]) + (" …" if granted[MOST_SIGELS:] else "")
        return "; ".join(
            [*([proposal(sigel, near)] if near else []), f"the client has {shown or 'none'}"]
        )

    def _components(self, document: Document) -> Refusal | None:
        for holder in component_holders(document):
            if holder is None:
                return Refusal(
                    code="foreign_component",
                    message="a component's heldBy is not a library",
                    hint="mend the holding in the cataloguing tool first",
                )
            if holder not in self.job.sigels:
                return Refusal(
                    code="foreign_component",
                    message=f"a component of the holding belongs to {holder}, "
                    "which the job may not touch",
                    hint="mend the holding in the cataloguing tool, or take it off the list",
                )
            if not self.rights.may_write_holding(holder, active=self.job.active_sigel):
                return Refusal(
                    code="no_rights",
                    message=f"the API client may not write holdings of {holder}, "
                    "which a component belongs to",
                    hint="ask KB for the right, or use the client that has it",
                )
        return None

    def bib(self) -> Refusal | None:
        """Refuse bib writes that were not agreed, or by a client of level 1."""
        if "bibs" not in self.job.agreement.covers:
            return Refusal(
                code="bibs_not_agreed",
                message="the agreement covers holdings only",
                hint="agree bib changes with KB and say covers: [holdings, bibs]",
            )
        if not self.rights.may_write_bibs():
            return Refusal(
                code="level_2_required",
                message="the API client may write holdings only (level 1)",
                hint="bib records need a client of level 2",
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
            return Refusal(
                code="read_only",
                message="the record belongs to a data set that cannot be written over the API",
                hint="take it off the list",
            )
        return None

    def base(self, document: Document) -> Refusal | None:
        """Refuse a document with a record IRI of another environment."""
        found = next(iter(self.iris.foreign(document)), None)
        if found is None:
            return None
        return Refusal(
            code="foreign_base",
            message=f"the document to be sent names {found}, a record of another environment",
            hint=f"records of this environment begin with {self.iris.target}",
        )
