"""What conditions and values of a step refer to, for one record: its row, its bib, the parameters."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from bulkrunner.domain.changes.by_example import ExampleChange
from bulkrunner.domain.expressions.conditions import condition_text, unmet
from bulkrunner.domain.expressions.references import Context
from bulkrunner.domain.expressions.values import bind, resolve, written
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.plan import Action, record_key
from bulkrunner.domain.queries import unmet_part
from bulkrunner.domain.records import Document
from bulkrunner.domain.refusals import Refused
from bulkrunner.domain.steps import Step, StepEntry, StepUpdate
from bulkrunner.sentences import Sentence
from bulkrunner.services.planning.catalogue_reading import Reading
from bulkrunner.services.planning.draft import NOT_MET, PassedOver, Target
from bulkrunner.services.planning.new_holdings import Creations
from bulkrunner.services.planning.plan_so_far import Look

MAX_EXAMPLE = 300


@dataclass(frozen=True, kw_only=True)
class Contexts:
    """Makes the context of each record; thread safe, keeps nothing per record."""

    reading: Reading
    creations: Creations
    iris: IriMap
    parameters: Mapping[str, Any]

    def of_record(self, entry: StepEntry, target: Target, look: Look) -> Context:
        """Return the context of an existing record, or of one that the plan creates."""
        document = target.now or {}
        holdings = cache(lambda sigel: self._holdings(target, sigel, look))
        if target.kind == "bib":
            return self._context(entry, document, lambda: document, holdings)
        return self._context(entry, document, cache(lambda: self._bib(target, look)), holdings)

    def of_bib(self, entry: StepEntry, target: Target, look: Look) -> Context:
        """Return the context of a bib that a holding is to be created on."""
        document = self._bib(target, look)
        holdings = cache(lambda sigel: self._holdings(target, sigel, look))
        return self._context(entry, document or {}, lambda: document, holdings)

    def _context(
        self,
        entry: StepEntry,
        document: Document,
        bib: Callable[[], Document | None],
        holdings: Callable[[str], Sequence[Document]],
    ) -> Context:
        return Context(
            document=document,
            iris=self.iris,
            bib=bib,
            holdings=holdings,
            bearing=self.reading.bearing,
            row=entry.row,
            parameters=self.parameters,
        )

    def _bib(self, target: Target, look: Look) -> Document | None:
        """Return the record's bib as what precedes in the plan will have left it."""
        if not target.on_bib:
            return None
        key = record_key(target.on_bib)
        planned = look.of([key]).get(key)
        if planned is not None and planned.action is Action.UPDATE:
            return planned.after
        return self.reading.bibs.document(target.on_bib)

    def _holdings(self, target: Target, sigel: str, look: Look) -> Sequence[Document]:
        """Return the other holdings on the record's bib, as what precedes will have left them."""
        if not target.on_bib:
            return ()
        found = self.creations.standing_on(target.on_bib, sigel, look)
        return [document for name, document in found.items() if name != target.name_in_plan]


def admit(step: Step, context: Context) -> None:
    """Go on where a record meets the step's condition, and looks like its example."""
    part = None if step.where is None else unmet(step.where, context)
    if part is not None:
        raise PassedOver(NOT_MET, Sentence("where_not_met", condition=condition_text(part)))
    for change in step.action.changes if isinstance(step.action, StepUpdate) else ():
        if isinstance(change, ExampleChange) and not change.fits(context):
            example = json.dumps(written(change.match), ensure_ascii=False)[:MAX_EXAMPLE]
            raise PassedOver(NOT_MET, Sentence("example_not_met", example=example))


def looked_up(value: Any, context: Context) -> Any:
    """Return the plain value."""
    return resolve(value, context)


def fitting(document: Document, query: Mapping[str, Any]) -> None:
    """Go on where a record fits the search that named it."""
    name = unmet_part(document, query)
    if name is not None:
        raise PassedOver(
            "find_not_met",
            Sentence("find_not_met", name=name),
        )


def fit(entry: StepEntry, target: Target) -> None:
    """Go on where a record still fits the search that named it."""
    if entry.query is not None and entry.step.concerns_selected and target.before is not None:
        fitting(target.before, entry.query)


def named_value(value: Any, context: Context) -> Any:
    """Return a value with the row and parameters looked up, as plain data."""
    return written(bind(value, context))


def sigel_of(value: Any) -> str:
    """Return a value that names a library."""
    if isinstance(value, str) and value.strip():
        return value.strip()
    raise Refused("no_sigel", Sentence("sigel_no_text"), Sentence("sigel_no_text_hint"))
