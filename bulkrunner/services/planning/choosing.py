"""What an environment answers to the selection of a step; asked once for each plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Event
from typing import Any

from bulkrunner.domain.context import Context
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.places import PlaceRefused
from bulkrunner.domain.ports import CatalogueReader, Clock, PlanLedger, Progress
from bulkrunner.domain.queries import HELD_BY, ITEM, in_moments, libraries_named, localised
from bulkrunner.domain.records import library_iri
from bulkrunner.domain.steps import StepSelection
from bulkrunner.domain.values import parse_value, resolve
from bulkrunner.errors import Interrupted
from bulkrunner.services.planning.finding import Searching, parameters
from bulkrunner.services.planning.libraries import Libraries
from bulkrunner.services.planning.steps import Refused

OTHERS = 20
"""Hits that are no records of the environment, named in the note."""


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """A selection as it was answered.

    Attributes:
        count: records.
        note: what it is made of, for the report; ``refused`` {code, message} where it is refused.
    """

    count: int
    note: Mapping[str, Any] = field(default_factory=dict)

    @property
    def refused(self) -> Mapping[str, str] | None:
        """Code and message of why the selection was refused, None where it was not."""
        found = self.note.get("refused")
        return found if isinstance(found, dict) else None


class Choosing:
    """Answers selections and keeps the answers in the ledger."""

    def __init__(
        self,
        reader: CatalogueReader,
        iris: IriMap,
        ledger: PlanLedger,
        clock: Clock,
        progress: Progress,
        stop: Event,
    ) -> None:
        """Choose.

        Args:
            reader: of the environment.
            iris: of the environment.
            ledger: keeps the answers.
            clock: to wait by.
            progress: told what is selected.
            stop: set when planning is to stop.
        """
        self._iris = iris
        self._ledger = ledger
        self._progress = progress
        self._stop = stop
        self._searching = Searching(reader, iris, self._heed)
        self._libraries = Libraries(reader, iris, clock, progress, self._heed)

    def _heed(self) -> None:
        if self._stop.is_set():
            raise Interrupted("planning was stopped while records were selected")

    def choose(self, plan: str, selection: StepSelection, values: Mapping[str, Any]) -> Chosen:
        """Return what a selection names, asking the environment where the plan has no answer yet.

        Args:
            plan: its id.
            selection: of a step.
            values: of the job's parameters.

        Raises:
            CatalogueUnreachable: the environment does not answer.
        """
        step = selection.step.number
        if self._ledger.selection(plan, step) is None:
            what = next(iter(selection.selects))
            self._progress.note(f"step {step}: {what}: asking", action="selecting", step=step)
            records, note = self._answer(selection, values)
            self._progress.note(
                f"step {step}: {what}: {len(records):,} records", action="selected", step=step
            )
            self._ledger.keep_selection(plan, step, records, note=lambda: note)
        kept = self._ledger.selection(plan, step) or {}
        return Chosen(count=kept.get("count", 0), note=kept.get("note") or {})

    def query(self, selection: StepSelection, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return what every record of a selection must fit.

        Raises:
            Refused: a value of it is missing.
        """
        if "library" in selection.selects:
            libraries = [library_iri(sigel) for sigel in _sigels(selection)]
            return {"@type": ITEM, HELD_BY: libraries}
        context = Context(document={}, iris=self._iris, parameters=values)
        try:
            found = resolve(parse_value(dict(selection.selects["find"])), context)
        except PlaceRefused as refused:
            raise Refused(refused.refusal) from None
        return localised(found, self._iris)

    def _answer(
        self, selection: StepSelection, values: Mapping[str, Any]
    ) -> tuple[tuple[str, ...], dict[str, Any]]:
        try:
            if "library" in selection.selects:
                return self._held(_sigels(selection))
            query = self.query(selection, values)
            hits = self._searching.hits(list(parameters(list(in_moments(query).items()))))
        except Refused as refused:
            fault = refused.refusal
            message = f"{fault.message}; {fault.hint}" if fault.hint else fault.message
            return (), {"refused": {"code": fault.code, "message": message}}
        note: dict[str, Any] = {"index_total": hits.total}
        if hits.others:
            note |= {"others": len(hits.others), "other_iris": list(hits.others[:OTHERS])}
        if named := libraries_named(query):
            note["compared"] = {sigel: self._libraries.counted(sigel) for sigel in named}
        return hits.records, note

    def _held(self, sigels: tuple[str, ...]) -> tuple[tuple[str, ...], dict[str, Any]]:
        records: set[str] = set()
        facts: dict[str, Any] = {}
        for sigel in sigels:
            found = self._libraries.holdings(sigel)
            records.update(found.records)
            facts[sigel] = dict(found.facts)
        return tuple(sorted(records)), {"libraries": facts}


def _sigels(selection: StepSelection) -> tuple[str, ...]:
    named = selection.selects["library"]
    return (named,) if isinstance(named, str) else tuple(named)
