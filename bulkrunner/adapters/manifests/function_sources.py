"""Finds a function of a job folder and every module that it imports, without running anything."""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bulkrunner.adapters.manifests.folder import JobFolder
from bulkrunner.adapters.manifests.problems import proposed, shown
from bulkrunner.domain.functions import FunctionSource
from bulkrunner.errors import Fault, Source
from bulkrunner.sentences import Sentence

# Bytes of one module.
MAX_SOURCE = 1_000_000

MAX_MODULES = 100

# Bytes of one data file.
MAX_FILE = 50_000_000


def read_function(
    folder: JobFolder,
    name: str,
    *,
    at: Source,
    files: Sequence[str] = (),
    seconds: float,
    megabytes: int,
    report: Callable[[Fault], None],
) -> FunctionSource | None:
    """Read a function of a job folder.

    Args:
        folder: the job folder.
        name: ``module:function``; the module is a file, or a package, of the folder.
        at: where the manifest names it.
        files: data files of the folder that it may read.
        seconds: what one call may take.
        megabytes: what its process may use.
        report: gets every fault found; then there is no function.
    """
    module, _, function = name.partition(":")
    reading = _Reading(folder, at, report)
    reading.read(module, at)
    if module in reading.trees:
        reading.find(module, function)
    digests = {file: reading.digest_of(file) for file in files}
    if reading.faults:
        return None
    return FunctionSource(
        module=module,
        function=function,
        sources=dict(sorted(reading.sources.items())),
        files=digests,
        seconds=seconds,
        megabytes=megabytes,
    )


@dataclass(frozen=True, kw_only=True)
class _Import:
    """A module that is imported: dotted name, level of a relative import, and the place."""

    name: str
    at: Source
    required: bool


class _Reading:
    def __init__(self, folder: JobFolder, at: Source, report: Callable[[Fault], None]) -> None:
        self._folder = folder
        self._at = at
        self._report = report
        self._files: dict[str, str] = {}
        self.sources: dict[str, str] = {}
        self.trees: dict[str, ast.Module] = {}
        self.faults = 0

    def read(self, module: str, at: Source) -> None:
        """Read a module and those that it imports."""
        waiting = [_Import(name=module, at=at, required=True)]
        while waiting:
            wanted = waiting.pop()
            for name in _with_packages(wanted.name):
                if name in self.sources:
                    continue
                inner = self._one(name, wanted)
                if inner is None:
                    break
                waiting += inner

    def _one(self, name: str, wanted: _Import) -> list[_Import] | None:
        """Read one module; return what it imports, None where there is no such module."""
        if len(self.sources) >= MAX_MODULES:
            self._fault(
                wanted.at, "too_many_modules", Sentence("function_many_modules", most=MAX_MODULES)
            )
            return None
        found = self._text(name, wanted)
        if found is None:
            return None
        file, text = found
        self.sources[name] = text
        self._files[name] = file
        try:
            tree = ast.parse(text, filename=file)
        except SyntaxError as error:
            place = Source(file=file, line=error.lineno or 0, column=error.offset or 0)
            self._fault(place, "function_syntax", Sentence("function_syntax", msg=error.msg))
            return []
        except (ValueError, RecursionError, MemoryError):
            self._fault(Source(file=file), "function_syntax", Sentence("function_unreadable"))
            return []
        self.trees[name] = tree
        return list(self._imports(name, tree, file))

    def _text(self, name: str, wanted: _Import) -> tuple[str, str] | None:
        base = name.replace(".", "/")
        for file in (f"{base}.py", f"{base}/__init__.py"):
            try:
                with self._folder.open(file) as opened:
                    data = opened.read(MAX_SOURCE + 1)
            except Fault as refused:
                if refused.code == "missing_file":
                    continue
                self._note(refused.at(wanted.at))
                return None
            if len(data) > MAX_SOURCE:
                self._fault(
                    wanted.at,
                    "function_too_large",
                    Sentence("function_module_too_large", file=file),
                )
                return None
            try:
                return file, data.decode("utf-8-sig")
            except UnicodeDecodeError:
                self._fault(Source(file=file), "not_utf8", Sentence("function_module_not_utf8"))
                return None
        if wanted.required:
            self._missing(wanted)
        return None

    def _missing(self, wanted: _Import) -> None:
        name = wanted.name
        if wanted.at == self._at:
            self._fault(
                wanted.at,
                "missing_module",
                Sentence("function_module_missing", name=shown(name)),
                _where_it_would_be(name),
            )
        else:
            self._fault(
                wanted.at,
                "foreign_import",
                Sentence("function_foreign_import", name=shown(name)),
                Sentence("function_imports_hint"),
            )

    def _imports(self, module: str, tree: ast.Module, file: str) -> Iterator[_Import]:
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                names = [(alias.name, True) for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                base = _absolute(node, module, is_package=file.endswith("/__init__.py"))
                # `from package import name`: the name may be a module of it, or anything else.
                inner = [(f"{base}.{alias.name}", False) for alias in node.names]
                names = [(base, True), *inner]
            else:
                continue
            place = Source(file=file, line=node.lineno, column=node.col_offset + 1)
            for name, required in names:
                if name.partition(".")[0] not in sys.stdlib_module_names:
                    yield _Import(name=name, at=place, required=required)

    def find(self, module: str, function: str) -> None:
        """Note a fault where the module has no such function."""
        found = {
            node.name: node
            for node in self.trees[module].body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        node = found.get(function)
        file = self._files[module]
        if node is None:
            self._fault(
                self._at,
                "missing_function",
                Sentence("function_missing", file=file, function=shown(function)),
                proposed(function, found, Sentence("function_write_def")),
            )
            return
        place = Source(file=file, line=node.lineno, column=node.col_offset + 1)
        if isinstance(node, ast.AsyncFunctionDef):
            self._fault(place, "function_form", Sentence("function_is_async"))
        elif len(node.args.posonlyargs + node.args.args) != 2:
            self._fault(
                place,
                "function_form",
                Sentence(
                    "function_arguments",
                    function=function,
                    count=len(node.args.posonlyargs + node.args.args),
                ),
                Sentence("function_arguments_hint"),
            )

    def digest_of(self, file: str) -> str:
        """Return the digest of a data file's bytes."""
        state = hashlib.sha256()
        size = 0
        try:
            with self._folder.open(file) as opened:
                while data := opened.read(1 << 20):
                    size += len(data)
                    state.update(data)
                    if size > MAX_FILE:
                        self._fault(
                            self._at,
                            "file_too_large",
                            Sentence("function_file_too_large", file=shown(file)),
                        )
                        break
        except Fault as refused:
            self._note(refused.at(self._at))
        return "sha256:" + state.hexdigest()

    def _fault(self, source: Source, code: str, message: Sentence, hint: str = "") -> None:
        self._note(Fault(message, code=code, hint=hint, source=source))

    def _note(self, fault: Fault) -> None:
        self.faults += 1
        self._report(fault)


def _with_packages(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[: count + 1]) for count in range(len(parts))]


def _absolute(node: ast.ImportFrom, module: str, *, is_package: bool) -> str:
    if not node.level:
        return node.module or ""
    parts = module.split(".")
    keep = len(parts) - node.level + (1 if is_package else 0)
    return ".".join([*parts[: max(keep, 0)], *([node.module] if node.module else [])])


def _where_it_would_be(module: str) -> Sentence:
    if module.endswith(".py"):
        return Sentence("function_module_without_py", module=module.removesuffix(".py"))
    return Sentence("function_file_meant", path=module.replace(".", "/"))
