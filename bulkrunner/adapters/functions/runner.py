"""Functions of a job folder, called in processes of their own that are ended when they take too long."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from math import isfinite
from pathlib import Path
from typing import Any

from bulkrunner.adapters.manifests.explicit import (
    Referring,
    in_answer,
    operation_faults,
    operation_of,
)
from bulkrunner.adapters.manifests.job_schema import OperationChecker
from bulkrunner.adapters.manifests.violations import tell
from bulkrunner.domain.canonical import canonical_bytes
from bulkrunner.domain.functions import (
    FunctionAnswer,
    FunctionInput,
    FunctionSource,
    Looked,
    answer_of,
)
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.manifest import Operation, Undo, Unreadable
from bulkrunner.domain.refusals import Refusal, Refused
from bulkrunner.errors import Fault, Source, UsageError
from bulkrunner.sentences import Sentence

# How long a process may take to start and to import the function.
START_SECONDS = 20.0

# Records that one call may look up.
MAX_LOOKS = 200

# Bytes of one message, as of a line of operations in a manifest.
MAX_LINE = 10_000_000

FORGED = Sentence("function_forged")

SAMPLE_FIRST = 20

# Calls that are made twice, in another process, to see whether the answers agree.
SAMPLE_EVERY = 100

# Time-outs and deaths in a row after which the function is not called any more.
MAX_FAULTS = 20

_CHILD = str(Path(__file__).with_name("child.py"))


class NotConfined(UsageError):
    """Functions cannot be confined here, and the policy asks for it."""

    default_code = "functions_not_confined"


class FunctionNotLoaded(UsageError):
    """The function's module cannot be imported."""

    default_code = "function_not_loaded"


class _Ended(Exception):
    """The process is gone, or did not answer in time."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Runner:
    """Calls one function; thread safe.

    Half of its processes have another hash seed than the others: an answer that depends on the
    order of a set differs between them.
    """

    def __init__(
        self,
        source: FunctionSource,
        folder: Path,
        *,
        must_be_confined: bool,
        iris: IriMap,
        processes: int = 2,
    ) -> None:
        """Start one process, to know that the function can be called, and how it is held.

        Args:
            source: the function.
            folder: of the job.
            must_be_confined: whether it is called only where the system confines it.
            iris: that reads the ids in operations that it returns.
            processes: that call it at a time.

        Raises:
            NotConfined: it cannot be confined here, and must be.
            FunctionNotLoaded: its module cannot be imported.
        """
        self._source = source
        self._folder = folder
        self._must_be_confined = must_be_confined
        self._iris = iris
        self._checker = OperationChecker()
        self._free: dict[int, deque[_Process]] = {0: deque(), 1: deque()}
        self._places = threading.Semaphore(processes)
        self._lock = threading.Lock()
        self._calls = 0
        self._faults = 0
        self._given_up: Refused | None = None
        try:
            first = self._start(0)
        except _Ended as ended:
            raise FunctionNotLoaded(
                Sentence("function_not_loaded", name=source.name, why=ended.message),
                hint=Sentence("function_not_loaded_hint"),
            ) from None
        self.confinement = first.confinement
        self._free[0].append(first)

    def call(self, given: FunctionInput) -> FunctionAnswer:
        """Call the function for one record. Refused: it gave no answer that can be used."""
        if self._given_up is not None:
            raise self._given_up
        with self._lock:
            self._calls += 1
            twice = self._calls <= SAMPLE_FIRST or self._calls % SAMPLE_EVERY == 0
        looked: dict[str, Looked] = {}
        answer = self._once(given, 0, looked)
        if twice and canonical_bytes(self._once(given, 1, looked)) != canonical_bytes(answer):
            self._given_up = Refused(
                "function_not_deterministic",
                Sentence("function_not_deterministic", record=given.id),
            )
            raise self._given_up
        return answer_of(answer)

    def _once(self, given: FunctionInput, seed: int, looked: dict[str, Looked]) -> Any:
        with self._places:
            try:
                with self._process(seed) as process:
                    answer = process.call(given, looked)
            except _Ended as ended:
                self._count(ended)
                raise Refused(ended.code, ended.message) from None
        self._faults = 0
        return answer

    def _count(self, ended: _Ended) -> None:
        self._faults += 1
        if self._faults >= MAX_FAULTS:
            self._given_up = Refused(
                "function_given_up",
                Sentence("function_given_up", count=self._faults, why=ended.message),
            )

    @contextmanager
    def _process(self, seed: int) -> Iterator[_Process]:
        try:
            process = self._free[seed].pop()
        except IndexError:
            process = self._start(seed)
        try:
            yield process
        except Refused as fault:
            if fault.refusal.code == "function_memory":
                process.end()
            else:  # it has said what went wrong, and waits for the next call
                self._free[seed].append(process)
            raise
        except BaseException:
            process.end()
            raise
        self._free[seed].append(process)

    def _start(self, seed: int) -> _Process:
        process = _Process(
            self._source, self._folder, seed, must_be_confined=self._must_be_confined
        )
        try:
            process.begin()
        except BaseException:
            process.end()
            raise
        return process

    def operations(
        self, answer: Sequence[Mapping[str, Any]], source: Source
    ) -> list[Operation | Refusal]:
        """Read operations that the function returned, as a manifest's would be."""
        referring = Referring()
        read: list[Operation | Refusal] = []
        for data in answer:
            try:
                read.append(self._operation(data, source, list(referring.faults(data))))
            except Refused as fault:
                read.append(fault.refusal)
        return read

    def _operation(
        self, data: Mapping[str, Any], source: Source, references: Sequence[Fault]
    ) -> Operation:
        told = [
            one
            for violation in (() if self._checker.fits(data) else self._checker.violations(data))
            for one in tell(violation, data)
        ] or [*operation_faults(data, covers_bibs=True), *references]
        if told:
            raise Refused("function_answer", told[0].message)
        declared = operation_of(in_answer(data), source, self._iris)
        if isinstance(declared, Unreadable | Undo):
            why = getattr(declared, "message", "") or Sentence("no_operation")
            raise Refused("function_answer", why)
        return declared

    def close(self) -> None:
        """End its processes."""
        for free in self._free.values():
            while free:
                free.pop().end()


def _number(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError(text)
    return number


# Whoever encodes what the child sends knows no number without end; a forger may.
_DECODER = json.JSONDecoder(parse_constant=_number, parse_float=_number)


class _Process:
    """One process and the channel to it."""

    def __init__(
        self, source: FunctionSource, folder: Path, seed: int, *, must_be_confined: bool
    ) -> None:
        self._source = source
        self._folder = folder
        self._must_be_confined = must_be_confined
        self._buffer = bytearray()
        self.confinement = ""
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-s",  # not -I, which ignores the hash seed too: the environment is ours
                    "-P",
                    "-S",
                    "-B",
                    "-X",
                    "utf8",
                    _CHILD,
                    str(theirs.fileno()),
                    _paths(),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                cwd="/",
                env={"PYTHONHASHSEED": str(seed + 1), "PATH": os.defpath, "TZ": "UTC"},
                start_new_session=True,
            )
        self._ours = ours

    def begin(self) -> None:
        """Hand over the function; returns once it can be called.

        Raises:
            _Ended: it cannot. NotConfined: nor may it.
        """
        source = self._source
        deadline = time.monotonic() + START_SECONDS
        self._send(
            {
                "module": source.module,
                "function": source.function,
                "sources": dict(source.sources),
                "folder": str(self._folder),
                "files": [str(self._folder / name) for name in source.files],
                "megabytes": source.megabytes,
                "must_be_confined": self._must_be_confined,
            },
            deadline,
        )
        answer = self._receive(deadline)
        if "fault" in answer:
            raise _Ended(str(answer["fault"]), str(answer.get("message"))[:1000])
        held = answer.get("ready")
        if not isinstance(held, dict) or not {"confined", "unconfined"} & set(held):
            raise _Ended("function_failed", FORGED)
        if "unconfined" in held:
            if self._must_be_confined:
                raise NotConfined(
                    Sentence("functions_not_confined", why=held["unconfined"]),
                    hint=Sentence("functions_not_confined_hint"),
                )
            held = {"confined": f"time and memory only ({held['unconfined']})"}
        self.confinement = str(held["confined"])

    def call(self, given: FunctionInput, looked: dict[str, Looked]) -> Any:
        """Return the function's answer. Refused: it said what went wrong. _Ended: it is gone."""
        deadline = time.monotonic() + self._source.seconds
        self._send(
            {
                "record": given.document,
                "id": given.id,
                "row": None if given.row is None else dict(given.row),
                "parameters": dict(given.parameters),
            },
            deadline,
        )
        looks = 0
        while True:
            message = self._receive(deadline)
            if "look" in message:
                looks += 1
                if looks > MAX_LOOKS:
                    raise _Ended("function_failed", Sentence("function_looks", most=MAX_LOOKS))
                began = time.monotonic()
                found = self._look(str(message["look"]), given, looked)
                deadline += time.monotonic() - began
                self._send({"found": found}, deadline)
            elif "fault" in message:
                raise Refused(_code(message["fault"]), str(message.get("message"))[:1000])
            elif "answer" in message:
                return message["answer"]
            else:
                raise _Ended("function_failed", FORGED)

    @staticmethod
    def _look(wanted: str, given: FunctionInput, looked: dict[str, Looked]) -> Looked:
        if wanted not in looked:
            looked[wanted] = given.look(wanted[:500])
        return looked[wanted]

    def _send(self, message: dict[str, Any], deadline: float) -> None:
        self._ours.settimeout(self._left(deadline))
        try:
            self._ours.sendall(json.dumps(message).encode() + b"\n")
        except TimeoutError:
            raise self._late() from None
        except OSError:
            raise self._gone() from None

    def _receive(self, deadline: float) -> dict[str, Any]:
        while (end := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) > MAX_LINE:
                raise _Ended(
                    "function_answer", Sentence("function_answer_large", most=MAX_LINE // 1_000_000)
                )
            self._ours.settimeout(self._left(deadline))
            try:
                data = self._ours.recv(1 << 20)
            except TimeoutError:
                raise self._late() from None
            except OSError:
                data = b""
            if not data:
                raise self._gone()
            self._buffer += data
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        try:
            message = _DECODER.decode(line.decode())
        except (ValueError, RecursionError):
            message = None
        if not isinstance(message, dict):
            raise _Ended("function_failed", FORGED)
        return message

    def _left(self, deadline: float) -> float:
        left = deadline - time.monotonic()
        if left <= 0:
            raise self._late()
        return left

    def _late(self) -> _Ended:
        return _Ended(
            "function_timeout", Sentence("function_late", seconds=f"{self._source.seconds:g}")
        )

    def _gone(self) -> _Ended:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(1)
        code = self._process.returncode
        if code is not None and code < 0:
            return _Ended("function_failed", Sentence("function_killed", signal=-code))
        return _Ended("function_failed", Sentence("function_exited", code=str(code)))

    def end(self) -> None:
        """Kill the process and all that it may have started."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, 9)
        with suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()
        self._ours.close()


def _code(said: Any) -> str:
    """Return the code that a process gives, which its function may have made up."""
    return said if said in ("function_memory", "function_answer") else "function_failed"


def _paths() -> str:
    return json.dumps([path for path in sys.path if path])
