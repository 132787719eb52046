"""A job: its manifest and input files read, checked and digested."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self

from bulkrunner.adapters.manifests.declared_steps import ManifestStep, explained, read_step
from bulkrunner.adapters.manifests.folder import Found, find, read_tree
from bulkrunner.adapters.manifests.head import (
    Manifest,
    effect_of,
    head_faults,
    job_from_head,
    normal_head,
    parameters_of,
)
from bulkrunner.adapters.manifests.inputs import Input, hidden_noted
from bulkrunner.adapters.manifests.job_schema import Violation, manifest_violations
from bulkrunner.adapters.manifests.outside import FolderLists, Re2Engine
from bulkrunner.adapters.manifests.parts import (
    Entry,
    FileOperations,
    Part,
    counted_as,
    read_operations,
)
from bulkrunner.adapters.manifests.problems import KeyPath, Problems
from bulkrunner.adapters.manifests.violations import tell
from bulkrunner.adapters.manifests.warnings import noticed, unfilled_faults
from bulkrunner.domain.canonical import digest
from bulkrunner.domain.expressions import Outside
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.manifest import Job, Parameter, Scalar, Unreadable, missing, resolved
from bulkrunner.domain.refusals import Refusal
from bulkrunner.domain.steps import Entry as Streamed
from bulkrunner.domain.steps import InputLine, StepEntry, StepFunction
from bulkrunner.errors import Fault, ManifestError, Source, UsageError
from bulkrunner.sentences import Sentence


def read_parts(manifest: Manifest) -> list[Part]:
    """Note every fault of a manifest; return what declares operations and has none."""
    data = manifest.data
    violations, more = manifest_violations(data)
    # The longest path that a part can be blamed by: one step, or one operation.
    bad: set[KeyPath] = {violation.path[:2] for violation in violations}
    if more:  # some of them are not known
        bad |= {("steps",), ("operations",)}
        manifest.problems.uncounted(more)
    parted: tuple[list[Violation], list[Violation]] = ([], [])
    for violation in violations:
        match violation.path:
            case ("operations", int(), *_):
                parted[1].append(violation)
            case _:
                parted[0].append(violation)
    manifest.note(fault for one in parted[0] for fault in tell(one, data))
    manifest.note(head_faults(data))
    manifest.note(unfilled_faults(data))
    manifest.note(fault for one in parted[1] for fault in tell(one, data))
    parts: list[Part] = []
    if "operations" in data and bad.isdisjoint({("operations",), ("operations", "file")}):
        parts.append(read_operations(data["operations"], bad, manifest))
    if "steps" in data and ("steps",) not in bad:
        steps = enumerate(data["steps"])
        read = [read_step(one, n, manifest) for n, one in steps if ("steps", n) not in bad]
        parts += [part for part in read if part is not None]
    return parts


# Lines without a record that are named; the plan's report has every one.
UNREADABLE = 10


@dataclass(frozen=True, kw_only=True)
class _Read:
    """A part after its first reading; ``dropped`` is the number of repeated ids left out."""

    part: Part
    digest: str
    dropped: int


class LoadedJob:
    """A checked manifest; its operations are streamed from its files each time they are asked for.

    Attributes:
        given: files that were read in place of some that the manifest names.
        job: the head and the digests.
        head: the head as plain JSON data.
        folder: absolute path that loads the same job again: the job folder, or the manifest file
            where it is not called ``job.yaml``, ``job.yml`` or ``job.json``.
        counts: operations by kind (``update``, ``delete``, ``create``), ``unreadable`` ids, and
            ``duplicates``: repeated ids that were dropped.
        missing: parameters that a plan must be given a value for, and that have none.
        path: the job folder. functions: of its steps.
        explained: what each step will do, in a sentence. notes: what may be a mistake.
        unreadable: the first lines and rows that name no record, each with its place.
        inputs: how each list and table was read: encoding, separators, sheet, columns, lines, what
            is hidden in it; of tables of old and new values those in which something is.
    """

    def __init__(
        self,
        *,
        job: Job,
        head: dict[str, Any],
        found: Found,
        reads: list[_Read],
        counts: dict[str, int],
        missing: list[Parameter],
        explained: list[Sentence],
        notes: list[Fault],
        unreadable: list[Fault],
        tables: Sequence[Input],
    ) -> None:
        self.job = job
        self.head = head
        self.folder = str(found.again)
        self.path = found.folder.path
        steps = [one.part.does for one in reads if isinstance(one.part, ManifestStep)]
        actions = [step.action for step in steps]
        self.functions = tuple(one.source for one in actions if isinstance(one, StepFunction))
        self.counts = counts
        self.missing = missing
        self.explained = explained
        self.notes = notes
        self.unreadable = unreadable
        self.inputs = [found for one in reads for found in _inputs(one)]
        self.inputs += [{"step": 0, **one.as_dict()} for one in tables if one.facts.hides]
        self.given = {name: str(path) for name, path in found.folder.given.items()}
        self._prefix = found.prefix
        self._reads = reads

    def operations(self) -> Iterator[Streamed]:
        """Yield every declared operation in order; the same sequence each time.

        Raises:
            ManifestError: an input file has changed since the job was loaded.
        """
        for read in self._reads:
            yield from self._again(read)

    def _again(self, read: _Read) -> Iterator[Streamed]:
        def changed(problem: Fault) -> NoReturn:
            raise self._changed(problem.source)

        state = hashlib.sha256()
        with ExitStack() as stack:
            seen = stack.enter_context(Seen()) if read.dropped else None
            for entry in read.part.entries(changed):
                if seen and entry.key and (taken := seen.take(entry.key, 0, entry.source)):
                    yield _repeat(entry, taken[1])
                    continue
                if entry.meaning:
                    state.update(entry.meaning + b"\n")
                yield entry.declared
        if state.hexdigest() != read.digest:
            raise self._changed(read.part.at)

    def _changed(self, source: Source) -> ManifestError:
        problems = Problems(self._prefix)
        problems.add(
            source,
            "file_changed",
            Sentence("input_changed"),
            Sentence("input_changed_hint"),
        )
        return problems.as_error()


def load_job(
    path: Path,
    *,
    bases: tuple[str, ...],
    parameters: Mapping[str, Any] | None = None,
    inputs: Mapping[str, Path] | None = None,
) -> LoadedJob:
    """Read and check a job folder or a manifest file with all its input files.

    Args:
        path: of the folder or file.
        bases: base URIs of every known environment, each ending in ``/``.
        parameters: values given for the manifest's parameters, as texts or as a plan keeps them.
        inputs: files that are read in place of some that the manifest names.

    Raises:
        ManifestError: it has faults; all of them are in ``problems``.
        UsageError: a value was given for no parameter, or one that it does not take; or a file in
            place of one that names no records.
    """
    found = find(path)
    if inputs:
        if found.name in inputs:
            said = Sentence("input_of_no_file", name=found.name)
            raise UsageError(said, code="unknown_input")
        found = replace(found, folder=replace(found.folder, given=inputs))
    problems = Problems(found.prefix)
    tree = read_tree(found, problems)
    lists = FolderLists(folder=found.folder)
    manifest = Manifest(
        tree=tree,
        folder=found.folder,
        iris=IriMap(bases=bases, target=""),
        outside=Outside(engine=Re2Engine(), lists=lists),
        problems=problems,
    )
    parts = read_parts(manifest)
    with Seen() as seen:
        reading = _Reading(problems, seen)
        reads = [reading.read(number, part) for number, part in enumerate(parts)]
    problems.raise_if_any()
    _check_given(inputs or {}, reads, lists.read)
    known = parameters_of(tree.data)
    values = _values(known, parameters or {})
    head = normal_head(tree.data, values)
    operations = [{"does": read.part.head, "entries": read.digest} for read in reads]
    job = job_from_head(
        head,
        manifest_digest=digest({"head": head, "operations": operations} | _declared(tree.data)),
        effect_digest=digest({"head": effect_of(head), "operations": operations}),
        rule_digest=_rule_digest(tree.data, head, reads),
    )
    return LoadedJob(
        job=job,
        head=head,
        found=found,
        reads=reads,
        counts=reading.counts,
        missing=missing(known, values),
        explained=explained(manifest, parts),
        notes=[problems.placed(note) for note in (*noticed(tree), *_hidden(reads, lists.read))],
        tables=lists.read,
        unreadable=[problems.placed(one) for one in reading.unreadable],
    )


def _check_given(
    given: Mapping[str, Path], reads: Sequence[_Read], tables: Sequence[Input]
) -> None:
    """Refuse a file that was given in place of one from which nothing is read."""
    named = [found.file for read in reads if (found := read.part.read_from) is not None]
    named += [read.part.name for read in reads if isinstance(read.part, FileOperations)]
    named += [one.file for one in tables]
    for name in given:
        if name not in named:
            known = ", ".join(dict.fromkeys(named))[:300]
            said = Sentence("input_of_no_file", name=name[:80])
            hint = Sentence("input_of_no_file_hint", known=known) if known else ""
            raise UsageError(said, hint=hint, code="unknown_input")


def _values(known: Mapping[str, Parameter], given: Mapping[str, Any]) -> dict[str, Scalar]:
    try:
        return resolved(known, given)
    except Fault as fault:
        raise UsageError(fault.said, code="bad_parameter") from None


def _rule_digest(data: Mapping[str, Any], head: Mapping[str, Any], reads: Sequence[_Read]) -> str:
    """Return the manifest digest without what changes from night to night.

    That is what stands in the files that name records, and the values of parameters, defaults too.
    What else is read from files decides what is done with a record, and stays in: tables of old and
    new values, lists of conditions, functions with their sources and data.
    """
    rule = {key: value for key, value in head.items() if key != "parameters"}
    declared = {
        name: {"type": one.kind, "required": one.required, "description": one.description}
        for name, one in parameters_of(data).items()
    }
    operations = [
        {"does": read.part.head, "chosen": read.part.chooses or {"entries": read.digest}}
        for read in reads
    ]
    return digest({"head": rule, "declared": declared, "operations": operations})


def _declared(data: Mapping[str, Any]) -> dict[str, Any]:
    return {"declared": data["parameters"]} if data.get("parameters") else {}


class _Reading:
    """The first reading of every part: counts, digests, and one record at most once."""

    def __init__(self, problems: Problems, seen: Seen) -> None:
        self._problems = problems
        self._seen = seen
        self.counts = {"update": 0, "delete": 0, "create": 0, "unreadable": 0, "duplicates": 0}
        self.unreadable: list[Fault] = []

    def read(self, number: int, part: Part) -> _Read:
        """Read one part to its end."""
        state = hashlib.sha256()
        total = readable = dropped = 0
        before = self._problems.total
        first = len(self.unreadable)
        for entry in part.entries(self._problems.note):
            if not entry.meaning:
                continue
            total += 1
            readable += not self._is_unreadable(entry)
            if self._is_repeated(entry, number, part):
                dropped += 1
                continue
            kind = counted_as(entry.declared)
            self.counts[kind] = self.counts.get(kind, 0) + 1
            state.update(entry.meaning + b"\n")
        if self._problems.total == before and (fault := part.fault_of_total(total, readable)):
            self._problems.note(fault.at(part.at))
            # A table of which no row can be used is told by its first cell that cannot.
            for one in self.unreadable[first : first + 1]:
                if one.source.column:
                    self._problems.note(one)
        self.counts["duplicates"] += dropped
        return _Read(part=part, digest=state.hexdigest(), dropped=dropped)

    def _is_unreadable(self, entry: Entry) -> bool:
        found = entry.declared
        why = found.refusal if isinstance(found, StepEntry) else found
        if not isinstance(why, (Unreadable, Refusal)):
            return False
        if len(self.unreadable) < UNREADABLE:
            one = Fault(why.message, code=why.code, source=entry.source)
            self.unreadable.append(one)
        return True

    def _is_repeated(self, entry: Entry, number: int, part: Part) -> bool:
        taken = self._seen.take(entry.key, number, entry.source) if entry.key else None
        if taken is None:
            return False
        first_part, first = taken
        if not (part.drops_repeats and first_part == number):
            self._problems.add(
                entry.source,
                "duplicate_operation",
                Sentence("record_named_twice", first=str(first)),
                Sentence("record_named_twice_hint"),
            )
        return True


def _hidden(reads: Sequence[_Read], tables: Sequence[Input]) -> Iterator[Fault]:
    """Yield what of the job's spreadsheets is not seen by whoever opens them."""
    for read in reads:
        if isinstance(read.part, ManifestStep) and (found := read.part.read_from) is not None:
            yield from hidden_noted(found)
    for table in tables:
        yield from hidden_noted(table)


def _inputs(read: _Read) -> Iterator[dict[str, Any]]:
    if (found := read.part.read_from) is not None:
        facts = found.as_dict()
        repeats = {"repeat": read.dropped} if read.dropped else {}
        left_out = {**facts["left_out"], **repeats}
        yield {"step": read.part.number, **facts, "left_out": left_out}


def _repeat(entry: Entry, first: Source) -> InputLine:
    declared = entry.declared
    given = declared.given if isinstance(declared, (StepEntry, Unreadable)) else ""
    return InputLine(source=entry.source, code="repeat", given=given, message=str(first))


class Seen:
    """A temporary set of keys with the place where each was first taken."""

    def __init__(self) -> None:
        # An empty name is a private file of SQLite's own, gone when it is closed.
        self._base = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-8000"):
            self._base.execute(f"PRAGMA {pragma}")
        self._base.execute(
            "CREATE TABLE seen (key TEXT PRIMARY KEY, part INTEGER NOT NULL, file TEXT NOT NULL,"
            " line INTEGER NOT NULL, col INTEGER NOT NULL) WITHOUT ROWID"
        )
        self._base.execute("BEGIN")

    def take(self, key: str, part: int, source: Source) -> tuple[int, Source] | None:
        """Take a key; return the part and place that has it already, None where it was free."""
        taken = self._base.execute(
            "INSERT OR IGNORE INTO seen VALUES (?, ?, ?, ?, ?)",
            (key, part, source.file, source.line, source.column),
        )
        if taken.rowcount:
            return None
        found = self._base.execute("SELECT part, file, line, col FROM seen WHERE key = ?", (key,))
        first, file, line, column = found.fetchone()
        return first, Source(file=file, line=line, column=column)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Forget everything."""
        self._base.close()
