"""A job: its manifest and input files read, checked and digested."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from bulkrunner.adapters.manifests.explain import explained
from bulkrunner.adapters.manifests.explicit import (
    effect_of,
    job_from_head,
    kind_of,
    normal_head,
    parameters_of,
)
from bulkrunner.adapters.manifests.folder import Found, JobFolder, find, read_tree
from bulkrunner.adapters.manifests.functions import read_function
from bulkrunner.adapters.manifests.input import Input, Seen
from bulkrunner.adapters.manifests.inputs import SELECTIONS, hidden_noted, ids_of, selection_of
from bulkrunner.adapters.manifests.job_schema import RowChecker, manifest_violations
from bulkrunner.adapters.manifests.lists import FolderLists
from bulkrunner.adapters.manifests.operation_references import Referring
from bulkrunner.adapters.manifests.parts import (
    Entry,
    EnvironmentStep,
    FileOperations,
    InlineOperations,
    Part,
    Step,
    UndoStep,
)
from bulkrunner.adapters.manifests.problems import PathKey, Problems, shown
from bulkrunner.adapters.manifests.rules import (
    head_faults,
    operation_faults,
    selection_faults,
    transfer_faults,
)
from bulkrunner.adapters.manifests.source import Tree
from bulkrunner.adapters.manifests.steps import called_of, head_of, read_forms, step_of
from bulkrunner.adapters.manifests.violations import tell
from bulkrunner.adapters.manifests.warnings import HINT, noticed, unfilled_faults, unfilled_lines
from bulkrunner.adapters.regexes import Re2Engine
from bulkrunner.domain.canonical import digest
from bulkrunner.domain.expressions.parsing import Outside
from bulkrunner.domain.functions import MEGABYTES, SECONDS, FunctionSource
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.manifest import (
    Job,
    Parameter,
    Scalar,
    Unreadable,
    missing,
    resolved,
)
from bulkrunner.domain.refusals import Refusal
from bulkrunner.domain.steps import Entry as Streamed
from bulkrunner.domain.steps import InputLine, StepEntry, StepFunction
from bulkrunner.errors import Fault, ManifestError, Source, UsageError
from bulkrunner.sentences import Sentence

Keys = tuple[PathKey, ...]


def checked_parts(
    tree: Tree, folder: JobFolder, iris: IriMap, problems: Problems
) -> tuple[list[tuple[Part, Source]], Sequence[Input]]:
    """Note every fault of the manifest.

    Returns:
        The parts that have none, each with its place; and how tables of values were read.
    """
    checking = _Checking(tree, folder, iris, problems)
    return checking.parts(), checking.lists.read


class _Checking:
    def __init__(self, tree: Tree, folder: JobFolder, iris: IriMap, problems: Problems) -> None:
        self._tree = tree
        self._data: Mapping[str, Any] = tree.data
        self._folder = folder
        self._iris = iris
        self._problems = problems
        self.lists = FolderLists(folder=folder)
        self._outside = Outside(engine=Re2Engine(), lists=self.lists)
        self._bad: set[Keys] = set()

    def parts(self) -> list[tuple[Part, Source]]:
        """Check everything; return what declares operations."""
        self._check_head()
        found: list[tuple[Part, Source]] = []
        bad = {("operations",), ("operations", "file")}
        if "operations" in self._data and self._bad.isdisjoint(bad):
            found.append((self._operations(), self._named_at(("operations",))))
        steps = self._data.get("steps")
        for number, step in enumerate(steps if isinstance(steps, list) else []):
            path = ("steps", number)
            if path not in self._bad and ("steps",) not in self._bad:
                before = self._problems.total
                self._note(selection_faults(step, self._data), path)
                self._note(transfer_faults(step, self._data.get("sigels"), self._iris), path)
                if self._problems.total > before:
                    continue
                found.append((self._step(step, path), self._selected_at(step, path)))
        return found

    def _check_head(self) -> None:
        violations, more = manifest_violations(self._data)
        for violation in violations:
            # The longest path that a part can be blamed by: one step, or one operation.
            self._bad.add(violation.path[:2])
            self._note(tell(violation, self._data), ())
        if more:
            self._bad |= {("steps",), ("operations",)}
        self._problems.uncounted(more)
        self._note(head_faults(self._data), ())
        self._note(unfilled_faults(self._data), ())

    def _operations(self) -> Part:
        declared = self._data["operations"]
        if isinstance(declared, dict):
            return FileOperations(
                folder=self._folder,
                name=declared["file"],
                at=self._named_at(("operations",)),
                iris=self._iris,
                checker=RowChecker("operation"),
                covers_bibs=self._covers_bibs(),
            )
        referring = Referring()
        good = [
            (data, self._tree.source(("operations", number)))
            for number, data in enumerate(declared)
            if self._is_good(data, number, referring)
        ]
        return InlineOperations(operations=good, iris=self._iris)

    def _is_good(self, data: Any, number: int, referring: Referring) -> bool:
        path = ("operations", number)
        before = self._problems.total
        self._note(referring.faults(data), path)
        if path in self._bad:
            return False
        faults = operation_faults(data, covers_bibs=self._covers_bibs(), prefix=path)
        self._note(faults, path)
        return self._problems.total == before

    def _step(self, step: Mapping[str, Any], path: Keys) -> Part:
        if (undo := step.get("undo")) is not None:
            only = undo.get("only")
            return UndoStep(
                job=undo["job"],
                effect_digest=undo["effect_digest"],
                only=None
                if only is None
                else ids_of(only, (*path, "undo", "only"), self._tree, self._folder),
                at=self._tree.source((*path, "undo")),
                iris=self._iris,
            )
        function = self._function(step, path) if "function" in step else None
        forms = read_forms(step, self._outside, self._parameters(), prefix=path)
        self._note(forms.told, path)
        does = step_of(step, int(path[1]) + 1, self._tree.source(path), forms, function)
        head = head_of(step, forms, function)
        for name in ("find", "library"):
            if name in step:
                at = self._tree.source((*path, name))
                return EnvironmentStep(selects={name: step[name]}, head=head, does=does, at=at)
        wanted = {name: self._tree.source((*path, *at)) for name, at in forms.columns.items()}
        selection = selection_of(step, path, self._tree, self._folder, wanted)
        return Step(selection=selection, head=head, does=does, iris=self._iris)

    def _parameters(self) -> Mapping[str, Any]:
        parameters = self._data.get("parameters")
        return parameters if isinstance(parameters, dict) else {}

    def _function(self, step: Mapping[str, Any], path: Keys) -> FunctionSource:
        """Return the step's function; note what is wrong with it."""
        given = called_of(step)
        source = read_function(
            self._folder,
            given["call"],
            at=self._tree.source((*path, "function")),
            files=given.get("files", ()),
            seconds=float(given.get("seconds", SECONDS)),
            megabytes=int(given.get("megabytes", MEGABYTES)),
            report=self._problems.note,
        )
        if source is None:
            return FunctionSource(module="", function="", sources={})
        self._unfilled(source)
        return source

    def _unfilled(self, source: FunctionSource) -> None:
        file = source.module.replace(".", "/") + ".py"
        for line, word in unfilled_lines(source.sources.get(source.module, "")):
            message = Sentence("fill_in", word=shown(word))
            self._problems.add(Source(file=file, line=line), "fill_in", message, HINT)

    def _selected_at(self, step: Mapping[str, Any], path: Keys) -> Source:
        name = next((name for name in SELECTIONS if name in step), "undo")
        return self._named_at((*path, name))

    def _named_at(self, path: Keys) -> Source:
        """Return where a list, or the file that holds it, is named."""
        return self._tree.source((*path, "file"))

    def _covers_bibs(self) -> bool:
        agreement = self._data.get("agreement")
        covers: Sequence[Any] = agreement.get("covers") or () if isinstance(agreement, dict) else ()
        return isinstance(covers, list) and "bibs" in covers

    def _note(self, told: Iterable[Fault], prefix: Keys) -> None:
        for one in told:
            self._problems.note(one.at(self._tree.source((*prefix, *one.path), key=one.key)))


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
        explained: list[Sentence],
        notes: list[Fault],
        unreadable: list[Fault],
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
            raise self._changed(read.at)

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
    except Fault as fault:
        raise UsageError(fault.said, code="bad_parameter") from None


def _declared(data: Mapping[str, Any]) -> dict[str, Any]:
    return {"declared": data["parameters"]} if data.get("parameters") else {}


class _Reading:
    """The first reading of every part: counts, digests, and one record at most once."""

    def __init__(self, problems: Problems, seen: Seen) -> None:
        self._problems = problems
        self._seen = seen
        self.counts = {"update": 0, "delete": 0, "create": 0, "unreadable": 0, "duplicates": 0}
        self.unreadable: list[Fault] = []

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
