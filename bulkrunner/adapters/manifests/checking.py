"""Checks a manifest's tree and finds the parts that declare operations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bulkrunner.adapters.manifests.files import JobFolder
from bulkrunner.adapters.manifests.forms import read_forms
from bulkrunner.adapters.manifests.functions import FunctionRefused, read_function
from bulkrunner.adapters.manifests.lists import FolderLists
from bulkrunner.adapters.manifests.messages import Told, tell
from bulkrunner.adapters.manifests.parts import (
    EnvironmentStep,
    FileOperations,
    InlineOperations,
    Part,
    Step,
    UndoStep,
)
from bulkrunner.adapters.manifests.problems import PathKey, Problems, shown
from bulkrunner.adapters.manifests.referring import Referring
from bulkrunner.adapters.manifests.rules import head_faults, operation_faults
from bulkrunner.adapters.manifests.schema import Validator
from bulkrunner.adapters.manifests.selecting import SELECTIONS, ids_of, selection_of
from bulkrunner.adapters.manifests.selecting_rules import selection_faults
from bulkrunner.adapters.manifests.selections import Input
from bulkrunner.adapters.manifests.steps import called_of, head_of, step_of
from bulkrunner.adapters.manifests.transfer_rules import transfer_faults
from bulkrunner.adapters.manifests.tree import Tree
from bulkrunner.adapters.manifests.unfilled import HINT, unfilled_faults, unfilled_lines
from bulkrunner.adapters.patterns import Re2Engine
from bulkrunner.domain.forms import Outside
from bulkrunner.domain.functions import MEGABYTES, SECONDS, FunctionSource
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.job import Source

Keys = tuple[PathKey, ...]

_SOME_OPERATION = {"delete": "x"}
"""Stands for a list of operations while the rest is checked; they are checked one by one."""


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
        self._operation = Validator("operation")
        self.lists = FolderLists(folder=folder)
        self._outside = Outside(engine=Re2Engine(), lists=self.lists)
        self._bad: set[Keys] = set()

    def parts(self) -> list[tuple[Part, Source]]:
        """Check everything; return what declares operations."""
        self._check_head()
        found: list[tuple[Part, Source]] = []
        if "operations" in self._data and ("operations",) not in self._bad:
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
        value = dict(self._data)
        if isinstance(value.get("operations"), list) and value["operations"]:
            value["operations"] = [_SOME_OPERATION]
        violations, more = Validator().violations(value)
        for violation in violations:
            # The longest path that a part can be blamed by: operations, or one step.
            self._bad.add(
                violation.path[:2] if violation.path[:1] == ("steps",) else violation.path[:1]
            )
            self._note(tell(violation, value), ())
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
                validator=self._operation,
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
        if self._operation.fits(data):
            faults = operation_faults(data, covers_bibs=self._covers_bibs(), prefix=path)
            self._note(faults, path)
            return self._problems.total == before
        violations, more = self._operation.violations(data)
        for violation in violations:
            self._note(tell(violation, data, path), path)
        self._problems.uncounted(more)
        return False

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
        try:
            source = read_function(
                self._folder,
                given["call"],
                at=self._tree.source((*path, "function")),
                files=given.get("files", ()),
                seconds=float(given.get("seconds", SECONDS)),
                megabytes=int(given.get("megabytes", MEGABYTES)),
            )
        except FunctionRefused as refused:
            for problem in refused.problems:
                self._problems.note(problem)
            return FunctionSource(module="", function="", sources={})
        self._unfilled(source)
        return source

    def _unfilled(self, source: FunctionSource) -> None:
        file = source.module.replace(".", "/") + ".py"
        for line, word in unfilled_lines(source.sources.get(source.module, "")):
            message = f"{shown(word)} is to be filled in"
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

    def _note(self, told: Iterable[Told], prefix: Keys) -> None:
        for one in told:
            source = self._tree.source((*prefix, *one.path), key=one.key)
            self._problems.add(source, one.code, one.message, one.hint)
