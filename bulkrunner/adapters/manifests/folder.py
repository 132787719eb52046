"""A job folder: its manifest is found and read, its files are opened safely."""

from __future__ import annotations

import errno
import glob
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NoReturn, TypeVar

from bulkrunner.adapters.machine import BOM
from bulkrunner.adapters.manifests.line_files import read_json
from bulkrunner.adapters.manifests.problems import Problems, Stop, proposed, shown
from bulkrunner.adapters.manifests.tree import Tree, control_message, read_yaml
from bulkrunner.errors import Fault, Source, why_of
from bulkrunner.sentences import Sentence

T = TypeVar("T")

# Whether a folder can be held open, and what is in it opened from there without following links.
_HOLDS_FOLDERS = os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW")

_HERE = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)

_FOLDER = _HERE | getattr(os, "O_NOFOLLOW", 0)
# Without O_NONBLOCK opening a named pipe would wait for a writer.
_FILE = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)

# How Windows marks symbolic links and junctions.
_LINKS = (0xA000000C, 0xA0000003)


@dataclass(frozen=True, kw_only=True)
class JobFolder:
    """A folder whose files can be opened by their names in it.

    Every part of a name is opened without following links, so that nothing outside the folder is
    read even where somebody exchanges a file or folder meanwhile. A system that cannot do so
    (Windows) looks at every part first, and at what was opened: an exchange between is then noticed
    where the file is another, not where a folder above it was exchanged for a moment.
    """

    path: Path
    # Files that were given in place of some of the folder's; they may lie anywhere.
    given: Mapping[str, Path] = field(default_factory=dict)

    def open(self, name: str) -> BinaryIO:
        """Open a file for reading.

        Raises:
            Fault: it is missing, outside the folder, a link, or no regular file.
        """
        if name in self.given:
            return _open_given(self.given[name], name)
        parts = _parts(name)
        if not _HOLDS_FOLDERS:
            return os.fdopen(_open_by_path(self.path, parts, name), "rb")
        folder = os.open(self.path, _HERE)
        try:
            for part in parts[:-1]:
                inner = _open(part, _FOLDER, folder, name)
                os.close(folder)
                folder = inner
            descriptor = _open(parts[-1], _FILE, folder, name)
        finally:
            os.close(folder)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise Fault(Sentence("file_not_regular", name=shown(name)), code="not_a_file")
        return os.fdopen(descriptor, "rb")

    def each(
        self,
        name: str,
        at: Source,
        report: Callable[[Fault], None],
        read: Callable[[BinaryIO], Iterator[T]],
    ) -> Iterator[T]:
        """Yield what is read of a file that is named at a place; a fault is reported, and ends it."""
        try:
            with self.open(name) as file:
                try:
                    yield from read(file)
                except Fault as fault:
                    raise fault.in_file(name) from None
        except Fault as fault:
            report(fault.at(at))


def _open_given(path: Path, name: str) -> BinaryIO:
    try:
        if path.is_file():
            return path.open("rb")
    except OSError as error:
        said = Sentence("given_not_opened", name=shown(name), path=str(path), why=why_of(error))
        raise Fault(said, code="unreadable_file") from None
    said = Sentence("given_missing", name=shown(name), path=str(path))
    raise Fault(said, code="missing_file")


def _parts(name: str) -> tuple[str, ...]:
    path = PurePosixPath(name)
    if path.is_absolute():
        raise Fault(
            Sentence("file_absolute", name=shown(name)),
            code="outside_folder",
            hint=Sentence("file_absolute_hint"),
        )
    if ".." in path.parts:
        raise Fault(
            Sentence("file_outside", name=shown(name)),
            code="outside_folder",
            hint=Sentence("file_outside_hint"),
        )
    if not path.parts or "\0" in name:
        raise Fault(Sentence("file_unnamed", name=shown(name)), code="missing_file")
    return path.parts


def _open(part: str, flags: int, folder: int, name: str) -> int:
    try:
        return os.open(part, flags, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR) and _is_link(part, folder):
            raise _link(name) from None
        raise _refusal(error, part, folder, name) from None


def _open_by_path(folder: Path, parts: tuple[str, ...], name: str) -> int:
    """Open a file whose every part was looked at before."""
    path = folder
    facts = None
    for part in parts:
        if any(sign in part for sign in "\\:"):
            raise Fault(
                Sentence("file_outside_perhaps", name=shown(name)),
                code="outside_folder",
                hint=Sentence("file_outside_perhaps_hint"),
            )
        try:
            facts = (path / part).lstat()
        except OSError as error:
            raise _refusal(error, part, path, name) from None
        if stat.S_ISLNK(facts.st_mode) or getattr(facts, "st_reparse_tag", 0) in _LINKS:
            raise _link(name)
        path /= part
    if facts is None or not stat.S_ISREG(facts.st_mode):
        raise Fault(Sentence("file_not_regular", name=shown(name)), code="not_a_file")
    try:
        descriptor = os.open(path, _FILE)
    except OSError as error:
        raise _refusal(error, parts[-1], path.parent, name) from None
    if not os.path.samestat(os.fstat(descriptor), facts):
        os.close(descriptor)
        raise Fault(Sentence("file_exchanged", name=shown(name)), code="unreadable_file")
    return descriptor


def _link(name: str) -> Fault:
    return Fault(
        Sentence("file_link", name=shown(name)),
        code="symbolic_link",
        hint=Sentence("file_link_hint"),
    )


def _refusal(error: OSError, part: str, folder: int | Path, name: str) -> Fault:
    match error.errno:
        case errno.ENOENT | errno.ENOTDIR | errno.ENAMETOOLONG:
            return Fault(
                Sentence("file_missing", name=shown(name)),
                code="missing_file",
                hint=proposed(part, _names(folder), Sentence("file_missing_hint")),
            )
        case errno.ENXIO:
            return Fault(Sentence("file_not_regular", name=shown(name)), code="not_a_file")
        case _:
            return Fault(
                Sentence("file_not_opened", name=shown(name), why=why_of(error)),
                code="unreadable_file",
            )


def _is_link(part: str, folder: int) -> bool:
    try:
        return stat.S_ISLNK(os.stat(part, dir_fd=folder, follow_symlinks=False).st_mode)
    except OSError:
        return False


def _names(folder: int | Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))[:1000]  # noqa: PTH208 (or of its descriptor)
    except OSError:
        return []


NAMES = ("job.yaml", "job.yml", "job.json")

MAX_BYTES = 16_000_000

_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x84\x86-\x9f\ufffe\uffff]")


@dataclass(frozen=True, kw_only=True)
class Found:
    """A manifest that exists.

    Attributes:
        folder: the job folder.
        name: of the manifest in it.
        prefix: the folder as the user named it, for messages.
        again: absolute path that finds the same manifest again.
    """

    folder: JobFolder
    name: str
    prefix: str
    again: Path


def find(path: Path) -> Found:
    """Find the manifest that a job folder or a manifest file stands for.

    Raises:
        ManifestError: there is none, or more than one.
    """
    if path.is_dir():
        return _in_folder(path)
    named = _found(path.parent, path.name)
    if not os.path.lexists(path):
        _refuse(
            named,
            "missing_manifest",
            Sentence("job_missing"),
            _where_else(path),
        )
    if path.suffix not in (".yaml", ".yml", ".json"):
        _refuse(named, "not_a_manifest", Sentence("manifest_suffix"))
    return named


# How the ledger's plans and runs are named.
_ID = re.compile(r"[pr]-[0-9a-z]{10}")


def _where_else(path: Path) -> str:
    """Say where a job folder of that name is, one level further down, or how to make one."""
    if path.suffix:
        return ""
    there = sorted(
        folder.as_posix()
        for folder in path.parent.glob(f"*/{glob.escape(path.name)}")
        if any((folder / name).is_file() for name in NAMES)
    )
    if there:
        return Sentence("job_meant", there=there[:3])
    if _ID.fullmatch(path.name):
        return Sentence("job_not_plan", name=path.name)
    return Sentence("job_new_makes_it", name=path.name)


def _in_folder(path: Path) -> Found:
    names = [name for name in NAMES if os.path.lexists(path / name)]
    if not names:
        _refuse(
            _found(path, NAMES[0]),
            "missing_manifest",
            Sentence("manifest_missing", names=", ".join(NAMES)),
        )
    if len(names) > 1:
        _refuse(
            _found(path, names[1]),
            "several_manifests",
            Sentence("manifests_several", names=", ".join(names)),
            Sentence("manifests_several_hint"),
        )
    return _found(path, names[0])


def _found(folder: Path, name: str) -> Found:
    resolved = folder.resolve()
    prefix = "" if str(folder) == "." else str(folder)
    again = resolved if name in NAMES else resolved / name
    return Found(folder=JobFolder(path=resolved), name=name, prefix=prefix, again=again)


def _refuse(found: Found, code: str, message: Sentence, hint: str = "") -> NoReturn:
    problems = Problems(found.prefix)
    problems.add(Source(file=found.name), code, message, hint)
    raise problems.as_error()


def read_tree(found: Found, problems: Problems) -> Tree:
    """Read the manifest; ManifestError: it cannot be read on, or is no object."""
    try:
        return _read(found, problems)
    except Stop:
        raise problems.as_error() from None


def _read(found: Found, problems: Problems) -> Tree:
    text = _text(found, problems)
    read = read_json if found.name.endswith(".json") else read_yaml
    tree = read(text, found.name, problems)
    whole = Source(file=found.name, line=1, column=1)
    if tree is None or tree.data is None:
        raise problems.stop(whole, "empty", Sentence("manifest_empty"))
    if not isinstance(tree.data, dict):
        raise problems.stop(tree.source(), "wrong_type", Sentence("manifest_not_object"))
    return tree


def _text(found: Found, problems: Problems) -> str:
    source = Source(file=found.name)
    try:
        with found.folder.open(found.name) as file:
            size = os.fstat(file.fileno()).st_size
            # The size is looked at first: a huge manifest is not read at all.
            data = file.read(size + 1) if size <= MAX_BYTES else b""
    except Fault as refused:
        raise problems.stopped(refused.at(source)) from None
    if size > MAX_BYTES:
        raise problems.stop(
            source,
            "too_large",
            Sentence(
                "manifest_too_large",
                size=f"{size / 1000000.0:,.0f}",
                most=f"{MAX_BYTES / 1000000.0:.0f}",
            ),
            Sentence("manifest_too_large_hint", form="operations: {file: ops.jsonl}"),
        )
    if len(data) > size:
        raise problems.stop(source, "file_changed", Sentence("manifest_changed"))
    text = _decode(data, found.name, problems)
    _check_characters(text, found.name, problems)
    return text


def _decode(data: bytes, name: str, problems: Problems) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise problems.stop(
            Source(file=name, line=1, column=1),
            "not_utf8",
            Sentence("manifest_utf16"),
            Sentence("save_as_utf8"),
        )
    try:
        return data.removeprefix(BOM).decode("utf-8")
    except UnicodeDecodeError as error:
        before = error.object[: error.start].rpartition(b"\n")
        source = Source(
            file=name,
            line=error.object.count(b"\n", 0, error.start) + 1,
            column=len(before[2].decode("utf-8", "replace")) + 1,
        )
        raise problems.stop(
            source,
            "not_utf8",
            Sentence("manifest_not_utf8", byte=f"{error.object[error.start]:02X}"),
            Sentence("save_as_utf8"),
        ) from None


def _check_characters(text: str, name: str, problems: Problems) -> None:
    stop: Stop | None = None
    line, counted = 1, 0
    for letter in _FORBIDDEN.finditer(text):
        line += text.count("\n", counted, letter.start())
        counted = letter.start()
        column = letter.start() - text.rfind("\n", 0, letter.start())
        source = Source(file=name, line=line, column=column)
        stop = problems.stop(source, "control_character", control_message(letter[0]))
    if stop is not None:
        raise stop
