"""What conditions and values of a step refer to, for one record: its row, its bib, the parameters."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from bulkrunner.domain.changes.by_example import ExampleChange
from bulkrunner.domain.expressions.conditions import condition_text, unmet
from bulkrunner.domain.expressions.references import Context
from bulkrunner.domain.expressions.values import resolve, written
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.plan import Action, record_key
from bulkrunner.domain.queries import unmet_part
from bulkrunner.domain.records import Document
from bulkrunner.domain.steps import Step, StepEntry, StepUpdate
from bulkrunner.sentences import Sentence
from bulkrunner.services.planning.draft import NOT_MET, Known, PassedOver
from bulkrunner.services.planning.plan_so_far import Look
from bulkrunner.services.planning.resolver import Resolver

MAX_EXAMPLE = 300


class Contexts:
    """Makes the context of each record; thread safe, keeps nothing per record."""

    def __init__(self, resolver: Resolver, iris: IriMap, parameters: Mapping[str, Any]) -> None:
        self._resolver = resolver
        self.iris = iris
        self._parameters = parameters

    def of_record(self, entry: StepEntry, known: Known, look: Look) -> Context:
        """Return the context of an existing record, or of one that the plan creates."""
        document = known.now or {}
        holdings = cache(lambda sigel: self._holdings(known, sigel, look))
        if known.kind == "bib":
            return self._context(entry, document, lambda: document, holdings)
        return self._context(entry, document, cache(lambda: self._bib(known, look)), holdings)

    def of_bib(self, entry: StepEntry, known: Known, look: Look) -> Context:
        """Return the context of a bib that a holding is to be created on."""
        document = self._bib(known, look)
        holdings = cache(lambda sigel: self._holdings(known, sigel, look))
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
            bearing=self._resolver.bearing,
            row=entry.row,
            parameters=self._parameters,
        )

    def _bib(self, known: Known, look: Look) -> Document | None:
        """Return the record's bib as what precedes in the plan will have left it."""
        if not known.on_bib:
            return None
        key = record_key(known.on_bib)
        planned = look.of([key], sure=True).get(key)
        if planned is not None and planned.action is Action.UPDATE:
            return planned.after
        return self._resolver.bib_document(known.on_bib)

    def _holdings(self, known: Known, sigel: str, look: Look) -> Sequence[Document]:
        """Return the other holdings on the record's bib, as what precedes will have left them."""
        if not known.on_bib:
            return ()
        found = self._resolver.standing_on(known.on_bib, sigel, look)
        return [document for name, document in found.items() if name != known.name_in_plan]


def admit(step: Step, context: Context) -> None:
    """Go on where a record meets the step's condition, and looks like its example.

    Raises:
        PassedOver: it does not.
        Refused: the condition compares with a value that is missing.
    """
    part = None if step.where is None else unmet(step.where, context)
    if part is not None:
        raise PassedOver(NOT_MET, Sentence("where_not_met", condition=condition_text(part)))
    for change in step.action.changes if isinstance(step.action, StepUpdate) else ():
        if isinstance(change, ExampleChange) and not change.fits(context):
            example = json.dumps(written(change.match), ensure_ascii=False)[:MAX_EXAMPLE]
            raise PassedOver(NOT_MET, Sentence("example_not_met", example=example))


def looked_up(value: Any, context: Context) -> Any:
    """Return the plain value.

    Raises:
        Refused: it is missing, or cannot be used.
    """
    return resolve(value, context)


def fitting(document: Document, query: Mapping[str, Any]) -> None:
    """Go on where a record fits the search that named it.

    Raises:
        PassedOver: it does not.
    """
    name = unmet_part(document, query)
    if name is not None:
        raise PassedOver(
            "find_not_met",
            Sentence("find_not_met", name=name),
        )
