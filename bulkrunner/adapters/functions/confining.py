"""Confines the process that it is called in: Linux' Landlock and seccomp, through their libraries.

Landlock takes away every file but those that are named; seccomp takes away what has nothing to do
with files: sockets, new processes, signals, and changes to a file's owner, mode or times.
"""

from __future__ import annotations

import contextlib
import errno
import resource
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

FORBIDDEN = (
    *("socket", "socketpair", "connect", "bind", "listen", "accept", "accept4"),
    *("fork", "vfork", "clone", "clone3", "execve", "execveat", "unshare", "setns"),
    *("kill", "tkill", "tgkill", "pidfd_open", "pidfd_send_signal", "pidfd_getfd", "ptrace"),
    *("process_vm_readv", "process_vm_writev", "process_madvise", "kcmp"),
    *("chmod", "fchmod", "fchmodat", "chown", "fchown", "lchown", "fchownat", "truncate"),
    *("utime", "utimes", "utimensat", "futimesat", "name_to_handle_at", "open_by_handle_at"),
    *("setxattr", "lsetxattr", "fsetxattr", "removexattr", "lremovexattr", "fremovexattr"),
    *("mount", "umount2", "pivot_root", "chroot", "fsopen", "open_tree", "move_mount"),
    *("io_uring_setup", "bpf", "perf_event_open", "userfaultfd", "keyctl", "add_key"),
    *("request_key", "shmget", "semget", "msgget", "mq_open", "memfd_create", "inotify_init1"),
    *("init_module", "finit_module", "delete_module", "kexec_load", "reboot", "swapon"),
    *("settimeofday", "clock_settime", "adjtimex", "clock_adjtime", "sethostname"),
    *("setrlimit", "prlimit64", "setpriority", "sched_setscheduler", "sched_setaffinity"),
)
"""System calls that answer "not permitted"."""

FCHMODAT2 = 452
"""Number of a call, the same on every architecture, that older libraries have no name for."""

LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/share/zoneinfo")
"""Where Python's own compiled modules find what they need."""


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
        rules = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
        refuse = pyseccomp.ERRNO(errno.EPERM)
        for name in FORBIDDEN:
            # A call that this architecture does not have needs no rule.
            with contextlib.suppress(OSError, ValueError):
                rules.add_rule(refuse, name)
        with contextlib.suppress(OSError, ValueError):
            rules.add_rule(refuse, FCHMODAT2)
    except OSError as error:
        raise CannotConfine(f"seccomp cannot be used: {error}") from error

    def load() -> None:
        try:
            rules.load()
        except OSError as error:
            raise CannotConfine(f"seccomp cannot be used: {error}") from error

    return load
