"""Processes that begin with the whole program loaded: to load it takes longer than most commands do.

A process is forked from one that has imported everything and does nothing else. It is as alone as
any other: it has its own memory, files and signals, and may be stopped, killed and waited for.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(
    [
        "tests.support.preloaded",
        "tests.crashes.dying",
        # A process begins with the main module of the one that starts it.
        *([] if "PYTEST_XDIST_WORKER" in os.environ else ["pytest"]),
    ]
)


class Command:
    """A command line under way; has what ``subprocess.Popen`` has."""

    def __init__(
        self, module: str, *arguments: str, environ: dict[str, str], folder: Path | str
    ) -> None:
        self.args = [module, *arguments]
        self.returncode: int | None = None
        out, its_out = PROCESSES.Pipe(duplex=False)
        err, its_err = PROCESSES.Pipe(duplex=False)
        self._process = PROCESSES.Process(
            target=_run, args=(self.args, environ, str(folder), its_out, its_err)
        )
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid
        its_out.close()
        its_err.close()
        self.stdout = os.fdopen(os.dup(out.fileno()), "rb")
        self.stderr = os.fdopen(os.dup(err.fileno()), "rb")
        out.close()
        err.close()
        self._readers: list[_Reader] = []

    def poll(self) -> int | None:
        """Return the exit code, None while it is running."""
        if self.returncode is None:
            self.returncode = self._process.exitcode
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end."""
        if self.returncode is None:
            self._process.join(timeout)
        ended = self.poll()
        if ended is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return ended

    def communicate(self, timeout: float | None = None) -> tuple[bytes, bytes]:
        """Read all that it says until its end; may be called again after a time-out."""
        end = None if timeout is None else time.monotonic() + timeout
        if not self._readers:
            self._readers = [_Reader(self.stdout), _Reader(self.stderr)]
        for reader in self._readers:
            reader.join(None if end is None else max(0.0, end - time.monotonic()))
            if reader.is_alive():
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
        self.wait(None if end is None else max(0.1, end - time.monotonic()))
        self.stdout.close()
        self.stderr.close()
        self._process.close()
        out, err = self._readers
        return out.said, err.said

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


class _Reader(threading.Thread):
    def __init__(self, stream: object) -> None:
        super().__init__(daemon=True)
        self._stream = stream
        self.said = b""
        self.start()

    def run(self) -> None:
        self.said = self._stream.read()


def _run(
    arguments: list[str], environ: dict[str, str], folder: str, out: Connection, err: Connection
) -> None:
    """Become the process of a command."""
    for number, pipe in ((1, out), (2, err)):
        os.dup2(pipe.fileno(), number)
        pipe.close()
    os.environ.clear()
    os.environ.update(environ)
    time.tzset()
    os.chdir(folder)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)
    module, *given = arguments
    sys.argv = [module, *given]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
