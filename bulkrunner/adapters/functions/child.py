"""Runs in a process of its own: confines itself, then calls one function for record after record.

Started as a script, with the descriptor of its channel and the paths to import from. Every message
on the channel is one line of JSON. First comes the setting; the answer is ``ready`` or ``fault``.
Then each ``call`` is answered by any number of ``look`` (which are answered), and by ``answer`` or
``fault``.
"""

from __future__ import annotations

import builtins
import importlib.abc
import importlib.util
import io
import json
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

MAX_PRINTED = 2_000

# Errors behind an error that are looked at.
MAX_CAUSES = 10

OUT_OF_MEMORY: dict[str, Any] = {
    "fault": "function_memory",
    "message": "it needs more memory than it may have",
}


# Kept, as the function may change what it finds in modules.
_dumps, _loads = json.dumps, json.loads


class Sources(importlib.abc.Loader):
    """Imports the job folder's modules from the text that was digested, and nothing foreign."""

    def __init__(self, sources: Mapping[str, str], folder: str) -> None:
        self._sources = sources
        self._folder = folder

    def find_spec(
        self,
        name: str,
        path: Sequence[str] | None = None,  # noqa: ARG002
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """Find the module among the sources; leave Python's own to the others."""
        if name in self._sources:
            package = any(other.startswith(f"{name}.") for other in self._sources)
            return ModuleSpec(name, self, origin=file_of(name), is_package=package)
        first = name.partition(".")[0]
        if first in sys.stdlib_module_names or first.startswith("_sysconfigdata_"):
            return None
        raise ImportError(
            f"{name} may not be imported: it is neither in Python's standard library "
            "nor a module that the function imports by name",
            name=name,
        )

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:  # noqa: ARG002
        """Leave it to Python."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Run the module's text."""
        file = file_of(module.__name__)
        module.__file__ = f"{self._folder}/{file}"
        code = compile(self._sources[module.__name__], file, "exec", dont_inherit=True)
        builtins.exec(code, module.__dict__)


class Printed(io.TextIOBase):
    """Keeps the beginning of what is printed."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        """Take a text."""
        self.text = (self.text + str(text))[:MAX_PRINTED]
        return len(text)


class Channel:
    """Lines of JSON, both ways."""

    def __init__(self, descriptor: int) -> None:
        self._in = os.fdopen(descriptor, "rb", closefd=False)
        self._out = os.fdopen(descriptor, "wb", closefd=False)

    def receive(self) -> dict[str, Any]:
        """Wait for a message; the process ends where none can come any more."""
        line = self._in.readline()
        if not line:
            os._exit(0)
        message: dict[str, Any] = _loads(line)
        return message

    def send(self, message: Mapping[str, Any]) -> None:
        self._out.write(_dumps(message, allow_nan=False).encode() + b"\n")
        self._out.flush()


class Context:
    """What a function is given besides the record.

    ``id``: short id of the record. ``row``: the row's columns, or None. ``parameters``: the job's.
    """

    def __init__(self, call: Mapping[str, Any], channel: Channel, folder: str) -> None:
        self.id: str = call["id"]
        self.row: dict[str, str] | None = call["row"]
        self.parameters: dict[str, Any] = call["parameters"]
        self._channel = channel
        self._folder = folder

    @property
    def bib(self) -> dict[str, Any] | None:
        """The bib of the holding as a document, or None."""
        return self.lookup("bib")

    @property
    def holdings(self) -> list[dict[str, Any]]:
        """The other holdings on the same bib, of every library, as documents."""
        self._channel.send({"look": "holdings"})
        found: list[dict[str, Any]] = self._channel.receive()["found"]
        return found

    def lookup(self, record: str) -> dict[str, Any] | None:
        """Return another record as a document, None where there is none."""
        self._channel.send({"look": str(record)})
        found: dict[str, Any] | None = self._channel.receive()["found"]
        return found

    def file(self, name: str) -> str:
        """Return the path of a data file that the manifest names."""
        return os.path.join(self._folder, name)


def file_of(module: str) -> str:
    """Return how a module's file is called in messages."""
    return f"{module.replace('.', '/')}.py"


class Server:
    """Calls one function for whoever asks through the channel."""

    def __init__(self, channel: Channel, setting: Mapping[str, Any]) -> None:
        self._channel = channel
        self._setting = setting
        self._printed = Printed()

    def serve(self, held: Mapping[str, str]) -> None:
        """Import the function, and call it until the channel is closed."""
        setting = self._setting
        sys.stdout = sys.stderr = self._printed
        sys.stdin = io.StringIO()
        sys.argv = [setting["module"]]
        only_standard(setting["sources"], setting["folder"])
        try:
            function = getattr(importlib.import_module(setting["module"]), setting["function"])
        except BaseException as error:  # noqa: BLE001 (whatever the function's module does is told)
            self._channel.send(self._fault(error))
            return
        self._channel.send({"ready": held})
        while True:
            self._answer(function, self._channel.receive())

    def _answer(self, function: Any, call: Mapping[str, Any]) -> None:
        self._printed.text = ""
        context = Context(call, self._channel, self._setting["folder"])
        try:
            answer = {"answer": function(call["record"], context)}
        except MemoryError:
            answer = OUT_OF_MEMORY
        except BaseException as error:  # noqa: BLE001 (whatever the function does is told)
            answer = self._fault(error)
        try:
            self._channel.send(answer)
        except MemoryError:
            del answer
            self._channel.send(OUT_OF_MEMORY)
        except (TypeError, ValueError, RecursionError) as error:
            message = f"its answer is no JSON: {said(error)}"
            self._channel.send({"fault": "function_answer", "message": message})

    def _fault(self, error: BaseException) -> dict[str, str]:
        """Describe an error by the function's own lines."""
        names = {file_of(name) for name in self._setting["sources"]}
        frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename in names]
        message = f"{type(error).__name__}: {said(error)}"
        if frames:
            message += f" at {frames[-1].filename}:{frames[-1].lineno}"
        if is_forbidden(error):
            message += "; a function has no network, no other files and starts no processes"
        if self._printed.text.strip():
            message += f"; it printed: {self._printed.text.strip()}"
        return {"fault": "function_failed", "message": message}


def is_forbidden(error: BaseException) -> bool:
    """Return True if the confinement is behind an error, also where another one is raised for it."""
    seen: BaseException | None = error
    for _ in range(MAX_CAUSES):
        if seen is None:
            return False
        reason = getattr(seen, "reason", None)  # as urllib's URLError has it
        if isinstance(seen, PermissionError) or isinstance(reason, PermissionError):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def said(error: BaseException) -> str:
    """Return the beginning of an error's message; the error may be the function's own."""
    try:
        return str(error)[:MAX_PRINTED]
    except BaseException:  # noqa: BLE001 (whatever its text does)
        return "(it cannot be told)"


def confined(setting: Mapping[str, Any], paths: list[str]) -> dict[str, str]:
    """Confine this process; return what holds it, or what is missing."""
    sys.path.extend(paths)
    confining = beside("confinement")
    try:
        return {
            "confined": confining.confine(setting["files"], megabytes=setting["megabytes"]),
        }
    except confining.CannotConfine as error:
        confining.limit(setting["megabytes"])
        return {"unconfined": str(error)}


def beside(name: str) -> Any:
    """Import the module of this folder alone, not the program that it belongs to."""
    file = os.path.join(os.path.dirname(__file__), f"{name}.py")  # noqa: PTH120
    spec = importlib.util.spec_from_file_location(f"bulkrunner_{name}", file)
    module = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
    spec.loader.exec_module(module)  # type: ignore[union-attr]
    return module


def only_standard(sources: Mapping[str, str], folder: str) -> None:
    """Leave nothing to import from but the standard library and the given sources."""
    base = os.path.dirname(os.__file__)  # noqa: PTH120 (pathlib would be one more module)
    sys.path[:] = [base, os.path.join(base, "lib-dynload")]
    sys.path_importer_cache.clear()
    for name in list(sys.modules):
        if name.partition(".")[0] not in sys.stdlib_module_names and name != "__main__":
            del sys.modules[name]
    sys.meta_path.insert(0, Sources(sources, folder))


def main() -> None:
    """Take the setting, confine, serve."""
    channel = Channel(int(sys.argv[1]))
    setting = channel.receive()
    held = confined(setting, json.loads(sys.argv[2]))
    if "unconfined" in held and setting["must_be_confined"]:
        channel.send({"ready": held})
        return
    Server(channel, setting).serve(held)


if __name__ == "__main__":
    main()
