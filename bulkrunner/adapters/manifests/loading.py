"""Loads a job: reads, checks and digests a manifest and its input files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from bulkrunner.adapters.manifests.checking import checked_parts
from bulkrunner.adapters.manifests.explaining import explained
from bulkrunner.adapters.manifests.head import effect_of, job_from_head, normal_head, parameters_of
from bulkrunner.adapters.manifests.manifest_file import Found, find, read_tree
from bulkrunner.adapters.manifests.noticing import noticed
from bulkrunner.adapters.manifests.operations import kind_of
from bulkrunner.adapters.manifests.parts import Entry, EnvironmentStep, Part, Step
from bulkrunner.adapters.manifests.problems import Problems
from bulkrunner.adapters.manifests.seen import Seen
from bulkrunner.adapters.manifests.selections import Input, hidden_noted
from bulkrunner.domain.canonical import digest
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.job import Job, Problem, Source, Unreadable
from bulkrunner.domain.parameters import BadValue, Parameter, Scalar, missing, resolved
from bulkrunner.domain.places import Refusal
from bulkrunner.domain.steps import Entry as Streamed
from bulkrunner.domain.steps import InputLine, StepEntry, StepFunction
from bulkrunner.errors import ManifestError, UsageError

UNREADABLE = 10
"""Lines without a record that are named; the plan's report has every one."""


@dataclass(frozen=True, kw_only=True)
class _Read:
    """A part after its first reading; ``dropped`` is the number of repeated ids left out."""

    part: Part
    at: Source
    digest: str
    dropped: int


class LoadedJob:
    """A checked manifest; its operations are streamed from its files each time they are asked for.

    Attributes:
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
        explained: list[str],
        notes: list[Problem],
        unreadable: list[Problem],
        tables: Sequence[Input],
    ) -> None:
        self.job = job
        self.head = head
        self.folder = str(found.again)
        self.path = found.folder.path
        self.functions = tuple(
            one.part.does.action.source
            for one in reads
            if isinstance(one.part, Step | EnvironmentStep)
            and isinstance(one.part.does.action, StepFunction)
        )
        self.counts = counts
        self.missing = missing
        self.explained = explained
        self.notes = notes
        self.unreadable = unreadable
        self.inputs = [found for one in reads for found in _inputs(one)]
        self.inputs += [{"step": 0, **one.as_dict()} for one in tables if one.hides]
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
        def changed(problem: Problem) -> NoReturn:
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
            raise self._changed(read.at)

    def _changed(self, source: Source) -> ManifestError:
        problems = Problems(self._prefix)
        problems.add(
            source,
            "file_changed",
            "an input file was changed while the job was carried out",
            "leave the job folder alone, and give the command again",
        )
        return problems.as_error()


def load_job(
    path: Path, *, bases: tuple[str, ...], parameters: Mapping[str, Any] | None = None
) -> LoadedJob:
    """Read and check a job folder or a manifest file with all its input files.

    Args:
        path: of the folder or file.
        bases: base URIs of every known environment, each ending in ``/``.
        parameters: values given for the manifest's parameters, as texts or as a plan keeps them.

    Raises:
        ManifestError: it has faults; all of them are in ``problems``.
        UsageError: a value was given for no parameter, or one that it does not take.
    """
    found = find(path)
    problems = Problems(found.prefix)
    tree = read_tree(found, problems)
    parts, tables = checked_parts(tree, found.folder, IriMap(bases=bases, target=""), problems)
    with Seen() as seen:
        reading = _Reading(problems, seen)
        reads = [reading.read(number, part, at) for number, (part, at) in enumerate(parts)]
    problems.raise_if_any()
    known = parameters_of(tree.data)
    values = _values(known, parameters or {})
    head = normal_head(tree.data, values)
    operations = [{"does": read.part.head, "entries": read.digest} for read in reads]
    job = job_from_head(
        head,
        manifest_digest=digest({"head": head, "operations": operations} | _declared(tree.data)),
        effect_digest=digest({"head": effect_of(head), "operations": operations}),
    )
    return LoadedJob(
        job=job,
        head=head,
        found=found,
        reads=reads,
        counts=reading.counts,
        missing=missing(known, values),
        explained=explained(tree.data),
        notes=[problems.placed(note) for note in (*noticed(tree), *_hidden(reads, tables))],
        tables=tables,
        unreadable=[problems.placed(one) for one in reading.unreadable],
    )


def _values(known: Mapping[str, Parameter], given: Mapping[str, Any]) -> dict[str, Scalar]:
    try:
        return resolved(known, given)
    except BadValue as error:
        raise UsageError(str(error), code="bad_parameter") from None


def _declared(data: Mapping[str, Any]) -> dict[str, Any]:
    return {"declared": data["parameters"]} if data.get("parameters") else {}


class _Reading:
    """The first reading of every part: counts, digests, and one record at most once."""

    def __init__(self, problems: Problems, seen: Seen) -> None:
        self._problems = problems
        self._seen = seen
        self.counts = {"update": 0, "delete": 0, "create": 0, "unreadable": 0, "duplicates": 0}
        self.unreadable: list[Problem] = []

    def read(self, number: int, part: Part, at: Source) -> _Read:
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
            kind = kind_of(entry.declared)
            self.counts[kind] = self.counts.get(kind, 0) + 1
            state.update(entry.meaning + b"\n")
        if self._problems.total == before and (fault := part.fault_of_total(total, readable)):
            self._problems.add(at, *fault)
            # A table of which no row can be used is told by its first cell that cannot.
            for one in self.unreadable[first : first + 1]:
                if one.source.column:
                    self._problems.note(one)
        self.counts["duplicates"] += dropped
        return _Read(part=part, at=at, digest=state.hexdigest(), dropped=dropped)

    def _is_unreadable(self, entry: Entry) -> bool:
        found = entry.declared
        why = found.refusal if isinstance(found, StepEntry) else found
        if not isinstance(why, (Unreadable, Refusal)):
            return False
        if len(self.unreadable) < UNREADABLE:
            one = Problem(source=entry.source, code=why.code, message=why.message)
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
                f"the same record has an operation already, at {first}",
                "say everything about a record in one operation",
            )
        return True


def _hidden(reads: Sequence[_Read], tables: Sequence[Input]) -> Iterator[Problem]:
    """Yield what of the job's spreadsheets is not seen by whoever opens them."""
    for read in reads:
        if isinstance(read.part, Step) and read.part.selection.input is not None:
            yield from hidden_noted(read.part.selection.input)
    for table in tables:
        yield from hidden_noted(table)


def _inputs(read: _Read) -> Iterator[dict[str, Any]]:
    facts = read.part.input()
    if facts is not None:
        repeats = {"repeat": read.dropped} if read.dropped else {}
        yield {**facts, "left_out": {**facts["left_out"], **repeats}}


def _repeat(entry: Entry, first: Source) -> InputLine:
    declared = entry.declared
    given = declared.given if isinstance(declared, (StepEntry, Unreadable)) else ""
    return InputLine(source=entry.source, code="repeat", given=given, message=str(first))
