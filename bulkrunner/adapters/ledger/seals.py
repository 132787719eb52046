"""Seals: events of the ledger's own chain, which stand for rows and for the chains of runs.

The own chain is walked whole, and with it everything that is not about single changes. From there
any batch of a plan and any stretch of a run can be verified by itself, and a change before its use.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

from sqlalchemy import (
    Connection,
    Row,
    func,
    select,
    true,
)

from bulkrunner.adapters.ledger.batches import (
    batch_faults,
    change_faults,
    line_faults,
    strange_changes,
)
from bulkrunner.adapters.ledger.chain import (
    BLOCKS,
    ORIGIN,
    SEALED,
    STATE,
    row_digest,
)
from bulkrunner.adapters.ledger.codecs import pick
from bulkrunner.adapters.ledger.columns import digest_bytes
from bulkrunner.adapters.ledger.database import Database
from bulkrunner.adapters.ledger.document_store import compaction_faults
from bulkrunner.adapters.ledger.run_changes import digest_as_read, pending_rows
from bulkrunner.adapters.ledger.strangers import answers_untold, row_name, unstored, untold
from bulkrunner.adapters.ledger.stretches import (
    PAGE,
    Seal,
    Told,
    as_stored,
    by_subject,
    data_of,
    key_of,
    misfit,
    misfits,
    page_of,
    rows_of,
    stretch_of,
)
from bulkrunner.adapters.ledger.tables import MAIN_CHAIN, attempts, chains, events, results, runs
from bulkrunner.adapters.ledger.witness import ALL, SUBJECTS, Facts, Subject, chain_name
from bulkrunner.domain.ledger_port import block_of, bounds_of
from bulkrunner.domain.run_ledger import WorkItem
from bulkrunner.errors import BulkRunnerError, LedgerAway
from bulkrunner.sentences import Sentence

Look: TypeAlias = Callable[[Connection], Iterator[Sentence]]

# Batches of a plan that are verified in one go: about as many changes as a block has.
_BATCHES = 5


def first_fault(database: Database, look: Look) -> Sentence | None:
    """Return the first thing that does not fit, by one state of the ledger."""
    try:
        with database.read(steady=True) as connection:
            return next(look(connection), None)
    except LedgerAway:
        raise
    except BulkRunnerError as error:
        return Sentence("ledger_unreadable", why=error.said)
    except (KeyError, ValueError, TypeError) as error:
        return Sentence("event_not_understood", why=repr(error))


class Seals:
    """What the ledger's own chain vouches for, once it was walked."""

    def __init__(self, database: Database) -> None:
        self.fault: Sentence | None = None
        self._database = database
        self._seals: dict[str, list[Seal]] = {}
        self._rows: dict[str, tuple[str, int]] = {}
        self._batches: dict[str, dict[int, dict[str, Any]]] = {}
        self._finished: set[str] = set()
        self._tails: dict[str, list[Told]] = {}
        self._ends: dict[str, int] = {}
        self._facts = Facts()
        # By block what its pending changes were known by when it was verified: eight bytes of each.
        self._sound: dict[int, array[int]] = {}
        self._matched: Counter[tuple[int, str]] = Counter()

    # --- the own chain, and what is not about single changes ----------------------------------

    def outset(self, connection: Connection) -> Iterator[Sentence]:
        """Yield what does not fit of all but what is sealed: the first is the one that counts."""
        heads = {row.chain: row for row in connection.execute(select(chains))}
        yield from self._follow(connection, MAIN_CHAIN, heads.get(MAIN_CHAIN))
        for run in sorted({*self._seals, *heads} - {MAIN_CHAIN}):
            yield from self._follow(connection, run, heads.get(run))
        yield from self._runs(connection)
        for subject in ALL:
            if subject.table not in (attempts, results, runs):
                yield from self._strangers(connection, subject, MAIN_CHAIN)
        yield from self._facts.faults(connection)
        for name, head in heads.items():
            sealed = self._seals[name][-1].position if name in self._seals else 0
            if head.entered != sealed:
                yield Sentence("chain_entry_wrong", chain=chain_name(name), position=head.entered)

    def _follow(
        self, connection: Connection, chain: str, head: Row[Any] | None
    ) -> Iterator[Sentence]:
        """Follow a chain to its head: the ledger's own from its origin, a run's from its last seal."""
        seal = self._seals[chain][-1] if chain in self._seals else None
        position, previous = (0, ORIGIN) if seal is None else (seal.position, seal.head)
        while True:
            page, fault = page_of(connection, chain, position)
            for row in page:
                position += 1
                if (wrong := misfit(previous, row, position)) is not None:
                    yield wrong
                    return
                previous = row.hash
            if fault:
                yield fault
                return
            told = [(row, data_of(row)) for row in page]
            self._take(chain, told)
            yield from self._compare(connection, told)
            if len(page) < PAGE:
                break
        self._ends[chain] = position
        ends = (0, ORIGIN) if head is None else (head.position, head.head)
        if ends != (position, previous):
            yield Sentence("chain_end_wrong", chain=chain_name(chain), position=ends[0])

    def _take(self, chain: str, told: list[Told]) -> None:
        for row, data in told:
            self._facts.take(row, data)
            if chain != MAIN_CHAIN:
                self._tails.setdefault(chain, []).append((row, data))
            elif STATE in data:
                self._rows[data["run"]] = (data["row"], row.position)
                seal = Seal(
                    position=data["position"],
                    head=digest_bytes(data["head"]),
                    event=row.position,
                    blocks=frozenset(data[BLOCKS]),
                )
                self._seals.setdefault(data["run"], []).append(seal)
            elif row.kind == "plan_finished":
                self._finished.add(data["plan"])
            elif row.kind in ("changes_added", "changes_replaced"):
                batch = {name: data[name] for name in ("plan", "first", "last", "rows")}
                self._batches.setdefault(data["plan"], {})[data["first"]] = {
                    **batch,
                    "event": row.position,
                }

    def _runs(self, connection: Connection) -> Iterator[Sentence]:
        """Compare the runs with their last seals."""
        there: set[str] = set()
        for row in connection.execute(select(*(as_stored(column) for column in runs.c))):
            there.add(row.id)
            digest, position = self._rows.get(row.id, ("", 0))
            if position and row_digest(pick(dict(row._mapping), SEALED)) != digest:
                yield Sentence("run_not_as_sealed", run=row.id, event=position)
        for run, (_, position) in self._rows.items():
            if run not in there:
                yield Sentence("run_gone", run=run, event=position)
        if there - self._rows.keys():
            yield from unstored(connection, SUBJECTS["started"])

    # --- a block of changes -------------------------------------------------------------------

    def block(self, plan: str, run: str, change: int) -> Sentence | None:
        """Return what does not fit of the block of a change, documents included.

        That is its rows in the plan, and what the run had stored about it when the own chain was
        walked: nothing of the block may have been handed out since.
        """
        first, last = bounds_of(block_of(change))

        def look(connection: Connection) -> Iterator[Sentence]:
            for batch in self._batches_of(plan, first, last):
                yield from batch_faults(connection, batch, documents=True)
            yield from self._work(connection, run, first, last)
            self._sound[block_of(change)] = _as_read(connection, run, first, last)

        return first_fault(self._database, look)

    def recognise(self, item: WorkItem) -> Sentence | None:
        """Return what of a change was edited between its block's verification and its reading."""
        number = item.change.number
        first, _ = bounds_of(block_of(number))
        sound = self._sound.get(block_of(number))
        if sound is not None and sound[number - first] == item.read:
            return None
        return Sentence("change_edited_since", number=number)

    def _batches_of(self, plan: str, first: int, last: int) -> list[dict[str, Any]]:
        return [
            batch
            for batch in self._batches.get(plan, {}).values()
            if batch["first"] <= last and batch["last"] >= first
        ]

    def _work(self, connection: Connection, run: str, first: int, last: int) -> Iterator[Sentence]:
        """Compare what a run stored about some changes with all of its events about them."""
        newest: dict[tuple[int, tuple[Any, ...]], Told] = {}
        for stretch in self._stretches(connection, run, block_of(first)):
            if isinstance(stretch, Sentence):
                yield stretch
                return
            for event, data in stretch:
                subject = SUBJECTS.get(event.kind)
                if subject in _WORK and first <= data["change"] <= last:
                    newest[id(subject), key_of(subject, data)] = (event, data)
        for subject in _WORK:
            told = [one for (kind, _), one in newest.items() if kind == id(subject)]
            yield from self._work_of(connection, subject, told, run, first, last)
        changes = attempts.c.change.between(first, last)
        yield from answers_untold(connection, attempts.c.run == run, changes)

    def _work_of(
        self,
        connection: Connection,
        subject: Subject,
        told: list[Told],
        run: str,
        first: int,
        last: int,
    ) -> Iterator[Sentence]:
        if told:
            yield from misfits(subject, told, rows_of(connection, subject, told))
        table, mark = subject.table, subject.table.c[subject.mark]
        rows = select(table).where(
            table.c.run == run, table.c.change.between(first, last), mark.is_not(None)
        )
        marks = {key_of(subject, data): event.position for event, data in told}
        for row in connection.execute(rows):
            key = tuple(row._mapping[name] for name in subject.keys)
            if marks.get(key) != row._mapping[subject.mark]:
                name = row_name(table, dict(row._mapping))
                yield Sentence("row_of_no_event", table=table.name, row=name)

    def _stretches(
        self, connection: Connection, run: str, block: int
    ) -> Iterator[list[Told] | Sentence]:
        """Yield the run's events between seals that tell of a block, then those after the last."""
        before = Seal(position=0, head=ORIGIN, event=0, blocks=frozenset())
        for seal in self._seals.get(run, ()):
            if block in seal.blocks:
                yield stretch_of(connection, run, before, seal)
            before = seal
        yield self._tails.get(run, [])

    # --- all the rest -------------------------------------------------------------------------

    def size(self, plans: Collection[str]) -> int:
        """Return how many rows and events ``rest`` looks at, roughly."""
        changes: int = sum(
            batch["last"] - batch["first"] + 1
            for plan in plans
            for batch in self._batches.get(plan, {}).values()
        )
        return changes + sum(self._ends.values())

    def rest(self, plan: str | None, others: Sequence[str] = ()) -> Iterator[Sentence | None]:
        """Look at all that ``outset`` leaves out; yields after each piece what does not fit of it.

        That is every run, one plan with its documents, and other plans without theirs.
        """
        for look in self.pieces(plan, others):
            yield first_fault(self._database, look)

    def pieces(self, plan: str | None, others: Sequence[str] = ()) -> Iterator[Look]:
        """Yield the looks that ``rest`` consists of."""
        for name in (*((plan,) if plan else ()), *others):
            yield from self._plan(name, documents=name == plan)
        for run, seals in self._seals.items():
            yield from self._run(run, seals)
        yield self._last

    def _plan(self, plan: str, *, documents: bool) -> Iterator[Look]:
        if plan not in self._finished:  # somebody may be at it: only one state of it fits in itself
            yield lambda connection: change_faults(connection, plan, documents=documents)
            yield lambda connection: line_faults(connection, plan)
            return
        batches = list(self._batches.get(plan, {}).values())
        for start in range(0, len(batches), _BATCHES):
            part = batches[start : start + _BATCHES]

            yield partial(_batches_fault, part, documents=documents)
        yield lambda connection: strange_changes(connection, batches, plan)
        yield lambda connection: line_faults(connection, plan)

    def _run(self, run: str, seals: Sequence[Seal]) -> Iterator[Look]:
        before = Seal(position=0, head=ORIGIN, event=0, blocks=frozenset())
        for seal in seals:
            yield partial(self._sealed, run, before, seal)
            before = seal
        for subject in _WORK:
            yield partial(self._strangers, subject=subject, chain=run)

    def _sealed(
        self, run: str, before: Seal, seal: Seal, connection: Connection
    ) -> Iterator[Sentence]:
        found = stretch_of(connection, run, before, seal)
        if isinstance(found, Sentence):
            yield found
        else:
            yield from self._compare(connection, found)

    def _last(self, connection: Connection) -> Iterator[Sentence]:
        """Find rows and events of runs that no event stored, and documents that nobody dropped."""
        for table in (attempts, results):
            stranger = select(table).where(table.c.run.not_in(list(self._ends)))
            if (row := connection.execute(stranger.limit(1)).first()) is not None:
                name = row_name(table, dict(row._mapping))
                # A run that was begun since then is somebody else's, or will be walked next time.
                if (
                    connection.scalar(select(chains.c.chain).where(chains.c.chain == row.run))
                    is None
                ):
                    yield Sentence("row_of_no_event", table=table.name, row=name)
        yield from untold(connection)
        known = select(chains.c.chain)
        lost = select(events.c.chain).where(events.c.chain.not_in(known)).limit(1)
        if (chain := connection.scalar(lost)) is not None:
            yield Sentence("chain_end_wrong", chain=chain_name(chain), position=0)
        yield from compaction_faults(connection)

    def _compare(self, connection: Connection, told: list[Told]) -> Iterator[Sentence]:
        """Compare the rows that these events wrote, and count those that no later event wrote."""
        for subject, part in by_subject(told):
            rows = rows_of(connection, subject, part)
            yield from misfits(subject, part, rows)
            still = sum(
                rows.get(key_of(subject, data), (None, ""))[0] == event.position
                for event, data in part
            )
            self._matched[id(subject), part[0][0].chain] += still

    def _strangers(
        self, connection: Connection, subject: Subject, chain: str
    ) -> Iterator[Sentence]:
        """Find rows that no event of a chain stored.

        Rows that the chain stored since it was walked are known by the events that they name.
        """
        table, mark, end = subject.table, subject.table.c[subject.mark], self._ends[chain]
        of_run = table.c.run == chain if "run" in table.c else true()
        count = select(func.count()).select_from(table).where(of_run, mark <= end)
        more = (connection.scalar(count) or 0) - self._matched[id(subject), chain]
        if more:
            yield from unstored(connection, subject, of_run, mark <= end)
        if more > 0:
            yield Sentence("rows_of_no_event", table=table.name)
        yield from unstored(connection, subject, of_run, mark > end)


def _as_read(connection: Connection, run: str, first: int, last: int) -> array[int]:
    """Return by its place in the block what each pending change is known by; 0: it is not pending."""
    found = array("Q", bytes(8 * (last - first + 1)))
    size = len(found)
    for row, sent in pending_rows(connection, run, after=first - 1, until=last, limit=size):
        found[row.number - first] = digest_as_read(row, sent)
    return found


# What events about single changes write.
_WORK = tuple(SUBJECTS[kind] for kind in ("intent", "answer", "outcome"))


def _batches_fault(
    part: Sequence[Mapping[str, Any]], connection: Connection, *, documents: bool
) -> Iterator[Sentence]:
    for batch in part:
        yield from batch_faults(connection, batch, documents=documents)
