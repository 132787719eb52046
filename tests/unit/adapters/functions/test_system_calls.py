"""What a confined process may ask of the kernel: every number of the table, tried and computed."""

from __future__ import annotations

import errno
import json
import os
import platform
import struct
import subprocess
import sys
import tempfile

import pyseccomp
import pytest

from bulkrunner.adapters.functions import confinement as confining
from bulkrunner.domain.functions import Skipped
from bulkrunner.domain.refusals import Refused
from tests.unit.adapters.functions.conftest import given_of

NATIVE = {"x86_64": pyseccomp.Arch.X86_64, "aarch64": pyseccomp.Arch.AARCH64}
LISTED = {*confining.ALLOWED, *confining.RESTRICTED}
BEYOND = 1_024
"""More than any architecture has numbers."""

OWN = 255
"""An error that no call answers by itself, so that what was refused here can be told apart."""

NEVER = (
    # signals to others
    *("kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_open"),
    *("pidfd_send_signal", "pidfd_getfd", "timer_create", "setitimer", "alarm", "setpgid"),
    # other processes and their memory
    *("fork", "vfork", "clone", "clone3", "execve", "execveat", "ptrace", "process_vm_readv"),
    *("process_vm_writev", "process_madvise", "kcmp", "waitid", "wait4", "setpriority"),
    *("sched_setscheduler", "sched_setparam", "sched_setaffinity", "sched_setattr", "setrlimit"),
    *("ioprio_set", "move_pages", "migrate_pages", "prctl", "seccomp", "setuid", "setresuid"),
    *("shmget", "shmat", "semget", "msgget", "mq_open", "memfd_create", "memfd_secret"),
    # the network, and descriptors of others
    *("socket", "socketpair", "connect", "bind", "listen", "accept", "accept4", "sendto"),
    *("sendmsg", "sendmmsg", "recvmsg", "setsockopt", "splice", "tee", "vmsplice"),
    # files
    *("creat", "openat2", "unlink", "unlinkat", "rename", "renameat2", "mkdir", "rmdir"),
    *("link", "symlink", "mknod", "chmod", "fchmod", "fchmodat", "chown", "fchown", "truncate"),
    *("ftruncate", "fallocate", "utimensat", "setxattr", "fsetxattr", "removexattr", "flock"),
    *("name_to_handle_at", "open_by_handle_at", "inotify_init", "inotify_init1"),
    *("fanotify_init", "fanotify_mark", "copy_file_range", "sendfile", "chdir", "chroot"),
    # the whole system
    *("syslog", "setdomainname", "sethostname", "acct", "vhangup", "mount", "umount2"),
    *("fsopen", "open_tree", "move_mount", "mount_setattr", "pivot_root", "unshare", "setns"),
    *("kexec_load", "kexec_file_load", "reboot", "swapon", "swapoff", "init_module"),
    *("finit_module", "delete_module", "quotactl", "iopl", "ioperm", "settimeofday"),
    *("clock_settime", "adjtimex", "clock_adjtime", "sync", "personality", "modify_ldt"),
    # ways around, and what was found to be full of holes
    *("io_uring_setup", "io_uring_enter", "io_uring_register", "io_setup", "bpf"),
    *("perf_event_open", "userfaultfd", "keyctl", "add_key", "request_key", "epoll_create1"),
)


def number(name: str, arch: int) -> int:
    """Return a call's number; negative where the architecture has none."""
    try:
        return int(pyseccomp.resolve_syscall(arch, name))
    except (OSError, ValueError):
        return -1


@pytest.mark.parametrize("name", NEVER)
def test_never(name):
    assert name not in LISTED


UNFILTERED = [335, 336]
"""uretprobe and uprobe: the kernel's own, past every filter; they end a process that calls them."""

CHILD = f"""
import ctypes, errno, json, sys
from bulkrunner.adapters.functions import confinement as confining
confining.REFUSED = {OWN}
libc = ctypes.CDLL(None, use_errno=True)
confining.confine([], megabytes=2000)
answers, ends = {{}}, {{*json.loads(sys.argv[1])}}
for number in range({BEYOND}):
    if number in ends:
        continue
    ctypes.set_errno(0)
    libc.syscall(ctypes.c_long(number), *(ctypes.c_long(-1) for _ in range(6)))
    answers[number] = ctypes.get_errno()
print(json.dumps(answers))
"""


def test_every_number_tried_in_a_confined_process():
    """All arguments are -1, which no restricted call may have and no allowed call can use."""
    arch = NATIVE[platform.machine()]
    numbers = {name: number(name, arch) for name in LISTED}
    ends = [numbers[name] for name in ("exit", "exit_group", "rt_sigreturn", "restart_syscall")]
    if arch == pyseccomp.Arch.X86_64:
        ends += UNFILTERED
    done = subprocess.run(
        [sys.executable, "-c", CHILD, json.dumps(ends)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    answers = {int(key): value for key, value in json.loads(done.stdout).items()}
    answered = {key for key, value in answers.items() if value != OWN}
    allowed = {numbers[name] for name in confining.ALLOWED} - {*ends}
    assert {key for key in answered if key >= 0} == {key for key in allowed if key >= 0}
    assert len(answers) == BEYOND - len(ends)


class Filter:
    """A filter as the kernel runs it (classic BPF), computed here for any architecture."""

    def __init__(self, arch: int) -> None:
        rules = pyseccomp.SyscallFilter(pyseccomp.ERRNO(errno.EPERM))
        if not rules.exist_arch(arch) or arch != NATIVE.get(platform.machine()):
            rules.add_arch(arch)
            rules.remove_arch(pyseccomp.Arch.NATIVE)
        confining.allow(rules)
        with tempfile.TemporaryFile() as file:
            rules.export_bpf(file)
            file.seek(0)
            self._lines = list(struct.iter_unpack("=HBBI", file.read()))
        self._arch = arch

    def __call__(self, number: int, *arguments: int, arch: int | None = None) -> int:
        """Return the action: what a call answers."""
        given = [argument & (2**64 - 1) for argument in arguments]
        data = struct.pack(
            "=iIQ6Q", number, arch or self._arch, 0, *given, *[0] * (6 - len(arguments))
        )
        at = held = 0
        while True:
            code, yes, no, value = self._lines[at]
            at += 1
            match code:
                case 0x20:
                    held = struct.unpack_from("=I", data, value)[0]
                case 0x54:
                    held &= value
                case 0x05:
                    at += value
                case 0x15:
                    at += yes if held == value else no
                case 0x25:
                    at += yes if held > value else no
                case 0x35:
                    at += yes if held >= value else no
                case 0x06:
                    return int(value)
                case _:
                    raise AssertionError(f"unknown code {code:#x}")


@pytest.fixture(scope="module", params=NATIVE)
def computed(request):
    """Return the filter of an architecture, and the architecture."""
    return Filter(NATIVE[request.param]), NATIVE[request.param]


REFUSED = pyseccomp.ERRNO(errno.EPERM)


def test_every_number_computed(computed):
    rules, arch = computed
    allowed = {number(name, arch) for name in confining.ALLOWED}
    answers = {key: rules(key, *[-1] * 6) for key in range(BEYOND)}
    assert {key for key, action in answers.items() if action == pyseccomp.ALLOW} == {
        key for key in allowed if key >= 0
    }
    assert {*answers.values()} == {pyseccomp.ALLOW, REFUSED}


ALLOWED_SO = {
    "openat": [(-100, 1, os.O_RDONLY | os.O_CLOEXEC), (-100, 1, os.O_DIRECTORY), (5, 1, 0o100000)],
    "ioctl": [(1, 0x5401), (1, 0x5413), (3, 0x5451)],
    "fcntl": [(1, 1), (1, 2, 1), (1, 3), (1, 1030), (3, 6, 1)],
    "futex": [(1, 129), (1, 128), (1, 137), (1, 393), (1, 0), (1, 1)],
    "madvise": [(4096, 4096, 4), (4096, 4096, 8)],
    "prlimit64": [(0, 9, 0, 1)],
    "sched_getaffinity": [(0, 8, 1)],
}
REFUSED_SO = {
    "openat": [
        *[(-100, 1, flags) for flags in (os.O_WRONLY, os.O_RDWR, 3, os.O_CREAT, os.O_TRUNC)],
        *[
            (-100, 1, flags)
            for flags in (os.O_PATH, os.O_TMPFILE | os.O_RDWR, os.O_CREAT | os.O_EXCL)
        ],
    ],
    # TIOCSTI, TIOCSETD, TIOCSIG, FIOASYNC, FIOSETOWN, SIOCSPGRP, TIOCSPGRP
    "ioctl": [(1, request) for request in (0x5412, 0x5423, 0x5436, 0x5452, 0x8901, 0x8902, 0x5410)],
    # SETFL, SETOWN, GETOWN, SETSIG, SETOWN_EX, SETLEASE, NOTIFY, SETPIPE_SZ, ADD_SEALS
    "fcntl": [(1, command) for command in (4, 8, 9, 10, 15, 1024, 1026, 1031, 1033, 7, 37, 38)],
    "futex": [(1, operation) for operation in (2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 139, 1 << 31)],
    "madvise": [(4096, 4096, advice) for advice in (9, 10, 12, 16, 17, 20, 100, 101)],
    "prlimit64": [(1, 9, 0, 1), (0, 9, 1, 0), (1, 0, 1, 0), (0, 9, 1 << 32, 0)],
    "sched_getaffinity": [(1, 8, 1)],
}
"""By their arguments; upper halves that the kernel does not read count for nothing."""


def test_every_restricted_call_has_its_cases():
    assert {*ALLOWED_SO} == {*REFUSED_SO} == {*confining.RESTRICTED} - {"open"}


@pytest.mark.parametrize("name", ALLOWED_SO)
def test_arguments(computed, name):
    rules, arch = computed
    key = number(name, arch)
    assert {rules(key, *arguments) for arguments in ALLOWED_SO[name]} == {pyseccomp.ALLOW}
    assert {rules(key, *arguments) for arguments in REFUSED_SO[name]} == {REFUSED}


def test_open_is_as_openat_where_there_is_one():
    rules, key = Filter(pyseccomp.Arch.X86_64), number("open", pyseccomp.Arch.X86_64)
    for _, path, flags in ALLOWED_SO["openat"]:
        assert rules(key, path, flags) == pyseccomp.ALLOW
    for _, path, flags in REFUSED_SO["openat"]:
        assert rules(key, path, flags) == REFUSED


@pytest.mark.parametrize("other", ["X86", "X32", "ARM", "AARCH64", "X86_64", "MIPS"])
def test_another_architecture_s_calls_end_the_process(computed, other):
    rules, arch = computed
    if (foreign := getattr(pyseccomp.Arch, other)) != arch and other != "X32":
        assert {rules(key, arch=foreign) for key in range(BEYOND)} == {pyseccomp.KILL}


def test_x32_calls_end_the_process():
    rules = Filter(pyseccomp.Arch.X86_64)
    assert {rules(0x4000_0000 | key) for key in range(BEYOND)} == {pyseccomp.KILL}


# What an attacker tries, in a function

ATTACKS = {
    "kill": "libc.kill(victim, 9)",
    "its group": "libc.killpg(victim, 9)",
    "all that the user has": "libc.kill(-1, 0)",
    "tkill": "call('tkill', victim, 9)",
    "tgkill": "call('tgkill', victim, victim, 9)",
    "sigqueue": "libc.sigqueue(victim, 9, 0)",
    "rt_sigqueueinfo": "call('rt_sigqueueinfo', victim, 9, info)",
    "rt_tgsigqueueinfo": "call('rt_tgsigqueueinfo', victim, victim, 9, info)",
    "pidfd_open": "call('pidfd_open', victim, 0)",
    "pidfd_send_signal": "call('pidfd_send_signal', channel, 9, 0, 0)",
    "a limit on its time": "call('prlimit64', victim, 0, limit, 0)",
    "a signal when something can be read": "libc.fcntl(channel, 8, victim)",
    "another signal than SIGIO": "libc.fcntl(channel, 10, 9)",
    "the same by ioctl": "libc.ioctl(channel, 0x8901, limit)",
    "asynchronous by ioctl": "libc.ioctl(channel, 0x5452, limit)",
    "keys into its terminal": "libc.ioctl(0, 0x5412, b'x')",
    "ptrace": "libc.ptrace(16, victim, 0, 0)",
    "its memory read": "call('process_vm_readv', victim, limit, 1, limit, 1, 0)",
    "its memory written": "call('process_vm_writev', victim, limit, 1, limit, 1, 0)",
    "its priority": "libc.setpriority(0, victim, 19)",
    "its processors": "libc.sched_setaffinity(victim, 8, limit)",
    "a timer": "call('timer_create', 0, 0, limit)",
    "io_uring": "call('io_uring_setup', 1, limit)",
    "bpf": "call('bpf', 0, limit, 72)",
    "keys of the user": "call('keyctl', 0, -3, 0)",
    "userfaultfd": "call('userfaultfd', 1)",
    "performance counters": "call('perf_event_open', limit, victim, -1, -1, 0)",
    "prctl": "libc.prctl(4, 0)",
    "the kernel's log": "libc.klogctl(3, limit, 10)",
    "the domain's name": "libc.setdomainname(b'x', 1)",
    "accounting": "libc.acct(None)",
    "hanging up": "libc.vhangup()",
    "fanotify": "libc.fanotify_init(0, 0)",
    "inotify": "libc.inotify_init1(0)",
    "mounting": "libc.mount(None, b'/', None, 32, None)",
    "another kernel": "call('kexec_load', 0, 0, 0, 0)",
}

TEXT = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
limit = (ctypes.c_ulong * 64)(1, 1)
info = (ctypes.c_int * 32)(9, 0, -1)

def change(record, context):
    def call(name, *arguments):
        number = context.parameters["numbers"][name]
        return libc.syscall(ctypes.c_long(number), *arguments)

    scope = {**globals(), "call": call, "victim": context.parameters["victim"]}
    scope["channel"] = context.parameters["channel"]
    tried, done = 0, []
    for name, attack in context.parameters["attacks"].items():
        ctypes.set_errno(0)
        tried += 1
        if (eval(attack, scope), ctypes.get_errno()) != (-1, 1):
            done.append(name)
    return {"skip": f"{tried} tried, done: {done}"}
"""


@pytest.fixture
def victim():
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.communicate(b"\n")


def test_attacks_on_another_process_of_the_user(bench, victim):
    arch = NATIVE[platform.machine()]
    runner = bench.runner(TEXT)
    parameters = {
        "attacks": ATTACKS,
        "numbers": {name: number(name, arch) for name in NEVER},
        "victim": victim.pid,
        "channel": 3,
    }
    parameters["numbers"]["prlimit64"] = number("prlimit64", arch)
    answer = runner.call(given_of(parameters=parameters))
    assert answer == Skipped(reason=f"{len(ATTACKS)} tried, done: []")
    assert victim.poll() is None


@pytest.mark.skipif(platform.machine() != "x86_64", reason="these forms are of x86_64")
@pytest.mark.parametrize(
    "line",
    [
        "libc.syscall(ctypes.c_long(0x40000000 | 39))",
        # mov eax, 20; int 0x80; ret: getpid of the 32-bit table
        "ctypes.CFUNCTYPE(ctypes.c_int)(code(b'\\xb8\\x14\\0\\0\\0\\xcd\\x80\\xc3'))()",
    ],
)
def test_another_table_of_calls_ends_it(bench, line):
    text = (
        "import ctypes, mmap\nlibc = ctypes.CDLL(None)\n"
        "def code(given):\n"
        "    global page\n"
        "    page = mmap.mmap(-1, 4096, prot=7)\n"
        "    page.write(given)\n"
        "    return ctypes.addressof(ctypes.c_char.from_buffer(page))\n"
        f"def change(record, context):\n    {line}\n    return {{'skip': 'it could'}}\n"
    )
    with pytest.raises(Refused, match="its process ended by signal 31"):
        bench.call(text)
