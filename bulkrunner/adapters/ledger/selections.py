"""Selections: the records that an environment answered, and the lines of inputs that are left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select

from bulkrunner.adapters.ledger.base import Part
from bulkrunner.adapters.ledger.chain import append_main, row_digest
from bulkrunner.adapters.ledger.lines import told_of_refs
from bulkrunner.adapters.ledger.schema import input_lines, selected, selections
from bulkrunner.domain.job import Source
from bulkrunner.domain.steps import InputLine

_PAGE = 1000


class Selections(Part):
    """Part of the store: the selections of ``domain.ports.PlanLedger``."""

    def selection(self, plan: str, step: int) -> Mapping[str, Any] | None:
        """Return ``{count, note}`` of a selection that was stored whole; None where it was not."""
        query = select(selections).where(selections.c.plan == plan, selections.c.step == step)
        with self._database.read() as connection:
            row = connection.execute(query).first()
        return None if row is None else {"count": row.count, "note": row.note or {}}

    def selections(self, plan: str) -> list[Mapping[str, Any]]:
        """Return ``{step, count, note}`` of every selection that was stored whole, in order."""
        c = selections.c
        query = select(selections).where(c.plan == plan).order_by(c.step)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [{"step": row.step, "count": row.count, "note": row.note or {}} for row in rows]

    def keep_selection(
        self,
        plan: str,
        step: int,
        refs: Iterable[str],
        *,
        note: Callable[[], Mapping[str, Any]] = dict,
    ) -> int:
        """Store the records of a selection; what an earlier, broken try has left goes away."""
        of_step = (selected.c.plan == plan, selected.c.step == step)
        with self._database.write() as connection:
            connection.execute(delete(selected).where(*of_step))
            self._told(connection, "selection_begun", {"plan": plan, "step": step})
        stream, count = iter(refs), 0
        while page := list(islice(stream, _PAGE)):
            rows = [
                {"plan": plan, "step": step, "position": position, "ref": ref}
                for position, ref in enumerate(page, start=count + 1)
            ]
            with self._database.write() as connection:
                connection.execute(insert(selected), rows)
                self._told(connection, "selected", told_of_refs(plan, step, rows))
            count += len(page)
        with self._database.write() as connection:
            values = {"plan": plan, "step": step, "count": count, "note": dict(note()) or None}
            connection.execute(insert(selections).values(**values))
            data = {"plan": plan, "step": step, "row": row_digest(values)}
            self._told(connection, "selection_kept", data)
        return count

    def _told(self, connection: Connection, kind: str, data: Mapping[str, Any]) -> None:
        append_main(connection, kind, data, at=self._clock.now())

    def selected(self, plan: str, step: int, *, after: int = 0) -> Iterator[str]:
        """Stream the records of a stored selection."""
        c = selected.c
        query = select(c.position, c.ref).where(c.plan == plan, c.step == step)
        query = query.order_by(c.position).limit(_PAGE)
        while True:
            with self._database.read() as connection:
                page = connection.execute(query.where(c.position > after)).all()
            yield from (row.ref for row in page)
            if len(page) < _PAGE:
                return
            after = page[-1].position

    def left_out(self, plan: str) -> Iterator[InputLine]:
        """Stream the lines of a plan's inputs that give no change, in their order."""
        c = input_lines.c
        query = select(input_lines).where(c.plan == plan).order_by(c.place).limit(_PAGE)
        after = 0
        while True:
            with self._database.read() as connection:
                page = connection.execute(query.where(c.place > after)).all()
            yield from map(_line_of, page)
            if len(page) < _PAGE:
                return
            after = page[-1].place


def line_row(plan: str, place: int, line: InputLine) -> dict[str, Any]:
    """Return the row of a line that is left out; ``place`` is its place in the stream."""
    return {
        "plan": plan,
        "place": place,
        "source_file": line.source.file,
        "source_line": line.source.line,
        "source_column": line.source.column,
        "code": line.code,
        "given": line.given,
        "message": line.message,
    }


def _line_of(row: Row[Any]) -> InputLine:
    return InputLine(
        source=Source(file=row.source_file, line=row.source_line, column=row.source_column),
        code=row.code,
        given=row.given,
        message=row.message,
    )
