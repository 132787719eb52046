"""The program as a system without POSIX finds it: ``python -m tests.support.elsewhere PYTEST-ARGUMENTS``.

Takes away what Windows lacks of ``os`` and of the standard library, after the libraries that have ways
of their own there were imported, and then runs tests in this process.
"""

from __future__ import annotations

import asyncio
import getpass
import multiprocessing
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import _pytest.tmpdir
import platformdirs
import psutil
import pytest
import uvicorn

OWN_WAYS = (
    asyncio,
    getpass,
    multiprocessing,
    socket,
    sqlite3,
    subprocess,
    tempfile,
    platformdirs,
    psutil,
    uvicorn,
)

MODULES = (
    "fcntl",
    "pwd",
    "grp",
    "resource",
    "termios",
    "syslog",
    "spwd",
    "crypt",
    "nis",
    "tty",
    "pty",
)

ATTRIBUTES = (
    *("O_NOFOLLOW", "O_DIRECTORY", "O_NONBLOCK", "O_CLOEXEC", "O_PATH", "O_SYNC", "O_DSYNC"),
    *("getuid", "geteuid", "getgid", "getegid", "getgroups", "getpgid", "getsid", "setsid"),
    *("fchmod", "fchown", "chown", "lchown", "pread", "pwrite", "preadv", "pwritev", "fdatasync"),
    *("statvfs", "fstatvfs", "ST_RDONLY", "killpg", "uname", "mkfifo", "mknod", "posix_fallocate"),
    *("sched_getaffinity", "sysconf", "nice", "chroot", "wait3", "wait4", "sync"),
)


def take_away() -> None:
    """Leave this process with what Windows has too."""
    for name in MODULES:
        sys.modules[name] = None  # type: ignore[assignment]
    for name in ATTRIBUTES:
        if hasattr(os, name):
            delattr(os, name)
    os.supports_dir_fd = set()
    shutil._use_fd_functions = False  # type: ignore[attr-defined]
    _pytest.tmpdir.get_user_id = lambda: None  # as pytest has it on Windows
    real = os.open

    def open_file(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if dir_fd is not None:
            raise NotImplementedError("dir_fd unavailable on this platform")
        if Path(path).is_dir():
            raise PermissionError(13, "Permission denied", path)
        return real(path, flags, mode)

    os.open = open_file


if __name__ == "__main__":
    take_away()
    sys.exit(pytest.main(sys.argv[1:]))
