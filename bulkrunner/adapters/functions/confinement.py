"""Confines the process that it is called in: Linux' Landlock and seccomp, through their libraries.

Landlock takes away every file but those that are named. Seccomp takes away every system call but
those by which Python reads files, computes and knows the time: what is not listed is refused,
whatever a later kernel adds, and a call in another architecture's form ends the process.
"""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

# System calls that answer as ever, whatever their arguments.
ALLOWED = (
    # Files; Landlock says which may be opened, and none can be opened to write.
    *("read", "readv", "pread64", "preadv", "write", "writev", "lseek", "close"),
    *("dup", "dup2", "dup3", "fstat", "stat", "lstat", "newfstatat", "statx", "getdents64"),
    *("access", "faccessat", "faccessat2", "readlink", "readlinkat", "getcwd"),
    # Memory.
    *("brk", "mmap", "munmap", "mremap", "mprotect"),
    # Time and chance.
    *("clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep", "gettimeofday", "time"),
    "getrandom",
    # What the process and its system are; none of these changes it, or asks about another process.
    *("getpid", "getppid", "gettid", "getuid", "geteuid", "getgid", "getegid", "uname"),
    *("sysinfo", "getrusage", "getrlimit", "times", "sched_yield"),
    # How it meets signals, and its end. It can send none, to itself neither.
    *("rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "restart_syscall"),
    *("exit", "exit_group"),
)

# Of one argument: its index, the bits that count, and what these have to be.
Test = tuple[int, int, int]

# The bits of an argument that the kernel reads as an int.
_INT = 0xFFFF_FFFF

_POINTER = 0xFFFF_FFFF_FFFF_FFFF

# Before Linux 6.2 Landlock does not see that O_TRUNC empties a file that may only be read.
_MORE_THAN_READING = os.O_ACCMODE | os.O_CREAT | os.O_TRUNC | getattr(os, "O_PATH", 0)

# An operation on a futex without its flags (private, clock).
_FUTEX = _INT & ~(128 | 256)


def _one_of(index: int, *values: int, bits: int = _INT) -> tuple[tuple[Test, ...], ...]:
    return tuple(((index, bits, value),) for value in values)


# System calls that answer as ever where all tests of one of the alternatives hold.
RESTRICTED: Mapping[str, tuple[tuple[Test, ...], ...]] = {
    "open": _one_of(1, os.O_RDONLY, bits=_MORE_THAN_READING),
    "openat": _one_of(2, os.O_RDONLY, bits=_MORE_THAN_READING),
    # TCGETS, TIOCGWINSZ (is it a terminal, how wide), FIONCLEX, FIOCLEX; not TIOCSTI, FIOASYNC.
    "ioctl": _one_of(1, 0x5401, 0x5413, 0x5450, 0x5451),
    # DUPFD, GETFD, SETFD, GETFL, GETLK, SETLK, DUPFD_CLOEXEC; not SETOWN and SETSIG, by which the
    # kernel sends a signal to any process of the user.
    "fcntl": _one_of(1, 0, 1, 2, 3, 5, 6, 1030),
    # NORMAL to WILLNEED, DONTNEED, FREE, HUGEPAGE, NOHUGEPAGE; not HWPOISON.
    "madvise": _one_of(2, 0, 1, 2, 3, 4, 8, 14, 15),
    # WAIT, WAKE, WAIT_BITSET, WAKE_BITSET.
    "futex": _one_of(1, 0, 1, 9, 10, bits=_FUTEX),
    # Its own limits are read and none is set; a limit set on another process can end that one.
    "prlimit64": (((0, _INT, 0), (2, _POINTER, 0)),),
    "sched_getaffinity": _one_of(0, 0),
}

# What every other call answers.
REFUSED = errno.EPERM

# Where Python's own compiled modules find what they need.
LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/share/zoneinfo")


class CannotConfine(Exception):
    """The system offers no such confinement; the text says what is missing."""


def limit(megabytes: int) -> None:
    """Bound memory, and forbid files, dumps and processes as far as limits can."""
    bounds = {
        "RLIMIT_AS": megabytes * 1024 * 1024,
        "RLIMIT_FSIZE": 0,
        "RLIMIT_CORE": 0,
        "RLIMIT_NPROC": 0,
        "RLIMIT_NOFILE": 64,
    }
    for name, value in bounds.items():
        with contextlib.suppress(AttributeError, ValueError, OSError):
            resource.setrlimit(getattr(resource, name), (value, value))


def confine(files: Iterable[str], *, megabytes: int) -> str:
    """Confine this process for good.

    Args:
        files: absolute paths of the files that may be read, besides Python's own.
        megabytes: of memory that it may use.

    Returns:
        What holds it, in words for people.

    Raises:
        CannotConfine: the system lacks something; nothing may be relied on.
    """
    if not sys.platform.startswith("linux"):
        raise CannotConfine(f"no confinement is known for {sys.platform}")
    filter_calls = _seccomp()  # its library is looked up by other programs: before anything else
    limit(megabytes)
    version = _landlock(files)
    filter_calls()
    return f"Landlock {version}, seccomp"


def _landlock(files: Iterable[str]) -> int:
    try:
        from landlock import FSAccess, LandlockError, Ruleset, landlock_abi_version
    except ImportError as error:
        raise CannotConfine("the package landlock is not installed") from error
    try:
        version = landlock_abi_version()
        rules = Ruleset()
        for place in sorted(_python_places()):
            rules.allow(place, rules=FSAccess.READ_FILE | FSAccess.READ_DIR | FSAccess.EXECUTE)
        for file in files:
            rules.allow(file, rules=FSAccess.READ_FILE)
        rules.apply()
    except (LandlockError, OSError) as error:
        raise CannotConfine(f"Landlock cannot be used: {error}") from error
    return int(version)


def _python_places() -> set[str]:
    library = {str(Path(module.__file__).parent) for module in (contextlib,) if module.__file__}
    own = {str(Path(base) / "lib") for base in (sys.base_prefix, sys.base_exec_prefix)}
    return {place for place in {*library, *own, *LIBRARIES} if Path(place).is_dir()}


def _seccomp() -> Callable[[], None]:
    """Return what forbids the calls."""
    try:
        import pyseccomp
    except (ImportError, RuntimeError) as error:
        raise CannotConfine("the library libseccomp is not installed") from error
    try:
        rules = pyseccomp.SyscallFilter(pyseccomp.ERRNO(REFUSED))
        allow(rules)
    except OSError as error:
        raise CannotConfine(f"seccomp cannot be used: {error}") from error

    def load() -> None:
        try:
            rules.load()
        except OSError as error:
            raise CannotConfine(f"seccomp cannot be used: {error}") from error

    return load


def allow(rules: Any) -> None:
    """Let the listed calls pass a filter that refuses."""
    import pyseccomp

    for name, alternatives in (*((name, ((),)) for name in ALLOWED), *RESTRICTED.items()):
        for tests in alternatives:
            # A call that this architecture or this library does not know stays refused.
            with contextlib.suppress(OSError, ValueError):
                rules.add_rule(
                    pyseccomp.ALLOW,
                    name,
                    *(
                        pyseccomp.Arg(index, pyseccomp.MASKED_EQ, bits, value)
                        for index, bits, value in tests
                    ),
                )
