"""What a function may not do, each tried for real."""

from __future__ import annotations

import importlib.util
import os
import sqlite3
import sys
from contextlib import closing

import pytest

from bulkrunner.adapters.functions import FunctionNotLoaded, NotConfined
from bulkrunner.adapters.functions import confinement as confining
from bulkrunner.domain.functions import Skipped
from bulkrunner.domain.refusals import Refused
from tests.unit.adapters.functions.conftest import given_of

FORBIDDEN = {
    "opens a socket": "import socket; socket.socket()",
    "opens a pair of sockets": "import socket; socket.socketpair()",
    "forks": "import os; os.fork()",
    "starts a program": "import subprocess; subprocess.run(['/bin/true'])",
    "replaces itself": "import os; os.execv('/bin/true', ['true'])",
    "starts a thread": "import threading; threading.Thread(target=print).start()",
    "kills the program": "import os; os.kill(os.getppid(), 9)",
    "reads a system file": "open('/etc/hostname')",
    "lists a folder": "import os; os.listdir('/')",
    "reads the program's environment": "import os; open(f'/proc/{os.getppid()}/environ')",
    "reads its own file descriptors": "import os; os.listdir('/proc/self/fd')",
    "reads the ledger": "open(context.file('bulkrunner.db'), 'rb')",
    "reads a file that is not declared": "open(context.file('secret.txt'))",
    "writes a file": "open('/tmp/written-by-a-function', 'w')",
    "writes in the job folder": "open(context.file('new.txt'), 'w')",
    "writes a file that it may read": "open(context.file('table.csv'), 'a')",
    "empties a file that it may read": (
        "import os; os.open(context.file('table.csv'), os.O_RDONLY | os.O_TRUNC)"
    ),
    "removes a file that it may read": "import os; os.unlink(context.file('table.csv'))",
    "changes a file's mode": "import os; os.chmod(context.file('table.csv'), 0o777)",
    "changes a file's times": "import os; os.utime(context.file('table.csv'), (1, 1))",
    "makes a link": "import os; os.symlink('/etc', context.file('link'))",
    "lifts its limits": "import resource; resource.setrlimit(resource.RLIMIT_AS, (-1, -1))",
}


@pytest.fixture(autouse=True)
def _files(bench):
    for name in ("table.csv", "secret.txt", "bulkrunner.db"):
        (bench.folder / name).write_text("kept")


@pytest.mark.parametrize("what", FORBIDDEN)
def test_a_function_that(bench, what):
    text = (
        f"def change(record, context):\n    {FORBIDDEN[what]}\n    return {{'skip': 'it could'}}\n"
    )
    before = {"rules.py", *(path.name for path in bench.folder.iterdir())}
    with pytest.raises(Refused) as caught:
        bench.call(text, files=["table.csv"])
    assert caught.value.refusal.code == "function_failed"
    assert "Error" in caught.value.refusal.message
    assert "rules.py:2" in caught.value.refusal.message
    assert {path.name for path in bench.folder.iterdir()} == before
    assert (bench.folder / "table.csv").read_text() == "kept"


def test_permission_is_explained(bench):
    with pytest.raises(Refused, match="no network, no other files and starts no processes"):
        bench.call("def change(record, context):\n    open('/etc/hostname')\n")


@pytest.mark.parametrize(
    "line",
    [
        "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9/')",
        "import socket; socket.create_connection(('127.0.0.1', 9))",
    ],
)
def test_a_missing_network_is_explained(bench, line):
    with pytest.raises(Refused, match="a function has no network, no other files"):
        bench.call(f"def change(record, context):\n    {line}\n")


def test_no_credentials_in_its_environment(bench, monkeypatch):
    monkeypatch.setenv("BULKRUNNER_STAGING_CLIENT_SECRET", "sesam")
    text = "import os\ndef change(record, context):\n    return {'skip': ' '.join(os.environ)}\n"
    answer = bench.call(text)
    assert isinstance(answer, Skipped)
    assert set(answer.reason.split()) <= {"PYTHONHASHSEED", "PATH", "TZ", "LC_CTYPE"}


def test_a_loop_is_ended(bench):
    with pytest.raises(Refused) as caught:
        bench.call("def change(record, context):\n    while True: pass\n", seconds=0.2)
    assert (caught.value.refusal.code, caught.value.refusal.message) == (
        "function_timeout",
        "it took longer than 0.2 s",
    )


def test_memory_is_bounded(bench):
    text = "def change(record, context):\n    return {'skip': 'x' * 10 ** 9}\n"
    with pytest.raises(Refused) as caught:
        bench.call(text, megabytes=200)
    assert caught.value.refusal.code == "function_memory"


def test_a_process_that_ends_itself(bench):
    with pytest.raises(Refused, match="its process ended with exit code 3"):
        bench.call("import os\ndef change(record, context):\n    os._exit(3)\n")


def test_a_function_that_keeps_failing_so_is_not_called_for_ever(bench):
    runner = bench.runner("import os\ndef change(record, context):\n    os._exit(3)\n")
    codes = []
    for _ in range(22):
        with pytest.raises(Refused) as caught:
            runner.call(given_of())
        codes.append(caught.value.refusal.code)
    assert codes == ["function_failed"] * 20 + ["function_given_up"] * 2


def test_a_module_that_cannot_be_loaded(bench):
    with pytest.raises(
        FunctionNotLoaded, match=r"cannot be loaded: ZeroDivisionError.* at rules.py:1"
    ):
        bench.runner("1 / 0\ndef change(record, context):\n    pass\n")


def test_the_standard_library_works(bench):
    text = (
        "import collections, csv, datetime, decimal, json, re, sqlite3, unicodedata, zoneinfo\n"
        "def change(record, context):\n"
        "    zone = zoneinfo.ZoneInfo('Europe/Stockholm')\n"
        "    return {'skip': datetime.datetime(2026, 7, 1, tzinfo=zone).isoformat()}\n"
    )
    assert bench.call(text) == Skipped(reason="2026-07-01T00:00:00+02:00")


ELSEWHERE = {"msilib", "msvcrt", "nt", "ntpath", "winreg", "winsound"}
"""Modules of another system."""

NO_SCREEN = {"idlelib", "lib2to3", "tkinter", "turtle", "turtledemo", "antigravity", "this"}
"""Modules that need more than Python, print, or write when they are imported."""


def test_every_module_of_the_standard_library_is_imported(bench):
    names = sorted(
        name
        for name in sys.stdlib_module_names - ELSEWHERE - NO_SCREEN
        if not name.startswith("_") and importlib.util.find_spec(name) is not None
    )
    text = (
        "import importlib\n"
        "def change(record, context):\n"
        f"    for name in {names!r}: importlib.import_module(name)\n"
        "    return {'skip': 'all'}\n"
    )
    assert bench.call(text, seconds=60, megabytes=1000) == Skipped(reason="all")


WORK = {
    "reads a table": "list(csv.reader(open(context.file('table.csv'), newline='')))",
    "reads a file at once": "pathlib.Path(context.file('table.csv')).read_text()",
    "looks for a file": "os.path.exists(context.file('nothing')), os.stat(context.file('table.csv'))",
    "follows a path": "pathlib.Path(context.file('table.csv')).resolve()",
    "maps a file": "mmap.mmap(os.open(context.file('table.csv'), os.O_RDONLY), 0, prot=1)[:2]",
    "reads a database": (
        "sqlite3.connect(f'file:{context.file(\"table.db\")}?mode=ro', uri=True)"
        ".execute('select * from words').fetchall()"
    ),
    "has a database in memory": "sqlite3.connect(':memory:').executescript('create table t(a)')",
    "knows the time": "datetime.datetime.now(), time.localtime(), time.process_time(), os.times()",
    "knows every time zone": "len(zoneinfo.available_timezones())",
    "waits": "time.sleep(0.001)",
    "waits for a lock": "held = threading.Lock(); held.acquire(); held.acquire(timeout=0.01)",
    "takes a thing out of a queue": "q = queue.SimpleQueue(); q.put(1); q.get(timeout=1)",
    "draws lots": "random.SystemRandom().random(), secrets.token_hex(), uuid.uuid4(), os.urandom(8)",
    "digests": "hashlib.sha256(b'x'), hashlib.new('sha3_256', b'x'), hashlib.blake2b(b'x')",
    "packs and unpacks": "gzip.decompress(gzip.compress(b'x' * 10**5)), bz2.compress(b'x'), lzma.compress(b'x')",
    "reads XML": "xml.etree.ElementTree.fromstring('<a><b/></a>')",
    "computes": "decimal.Decimal(2).sqrt(), fractions.Fraction(1, 3), statistics.fmean([1, 2])",
    "folds letters": "unicodedata.normalize('NFKD', 'å'), 'räksmörgås'.encode('idna')",
    "asks what it runs on": "platform.platform(), os.uname(), os.cpu_count(), os.getpid()",
    "asks for its limits": "resource.getrlimit(resource.RLIMIT_AS), resource.getrusage(0)",
    "takes much memory and gives it back": "[bytearray(10**6) for _ in range(100)]; gc.collect()",
    "warns, prints and logs": "print('x'); warnings.warn('x'); logging.getLogger().warning('x')",
    "sees to an interrupt": "signal.signal(signal.SIGINT, signal.SIG_DFL)",
    "looks at itself": "inspect.getsource(json.dumps); traceback.format_stack()",
    "copies": "copy.deepcopy(record), pickle.loads(pickle.dumps(record))",
}

IMPORTS = (
    "bz2, copy, csv, datetime, decimal, fractions, gc, gzip, hashlib, inspect, json, logging, lzma, "
    "mmap, os, pathlib, pickle, platform, queue, random, resource, secrets, signal, sqlite3, "
    "statistics, threading, time, traceback, unicodedata, uuid, warnings, xml.etree.ElementTree, "
    "zoneinfo"
)


@pytest.fixture
def working(bench):
    with closing(sqlite3.connect(bench.folder / "table.db")) as database:
        database.execute("create table words (word)")
        database.commit()
    return bench


@pytest.mark.parametrize("what", WORK)
def test_a_function_s_work(working, what):
    text = f"import {IMPORTS}\ndef change(record, context):\n    {WORK[what]}\n    return {{'skip': 'done'}}\n"
    answer = working.call(text, files=["table.csv", "table.db"], megabytes=600)
    assert answer == Skipped(reason="done")


def test_imports_at_run_time_are_refused(bench):
    text = "def change(record, context):\n    __import__('import' + 'lib').import_module('httpx')\n"
    with pytest.raises(Refused, match="httpx may not be imported"):
        bench.call(text)


def test_it_says_what_holds_it(bench):
    runner = bench.runner("def change(record, context):\n    pass\n")
    assert runner.confinement.startswith("Landlock ")
    assert runner.confinement.endswith(", seccomp")


@pytest.fixture
def without_confinement(monkeypatch, tmp_path):
    """Let the processes find no library that could confine them."""
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "pyseccomp.py").write_text("raise RuntimeError('Unable to find libseccomp')\n")
    monkeypatch.syspath_prepend(str(hidden))


@pytest.mark.usefixtures("without_confinement")
def test_where_nothing_confines_it_is_refused(bench):
    with pytest.raises(NotConfined) as caught:
        bench.runner("def change(record, context):\n    return {'skip': 'x'}\n")
    assert "libseccomp is not installed" in caught.value.message
    assert '[policy] functions = "any"' in caught.value.hint


@pytest.mark.usefixtures("without_confinement")
def test_where_nothing_confines_and_policy_allows_it_time_and_memory_are_bounded(bench):
    text = "def change(record, context):\n    while context.id == 'loop': pass\n    return {'skip': 'x'}\n"
    runner = bench.runner(text, must_be_confined=False, seconds=0.2)
    assert runner.confinement == "time and memory only (the library libseccomp is not installed)"
    assert runner.call(given_of()) == Skipped(reason="x")
    with pytest.raises(Refused, match="longer than"):
        runner.call(given_of(id="loop"))


def test_no_process_is_left(bench):
    runner = bench.runner("def change(record, context):\n    return {'skip': 'x'}\n")
    runner.call(given_of())
    pids = [process._process.pid for free in runner._free.values() for process in free]
    assert len(pids) == 2
    runner.close()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_other_systems_have_no_confinement(monkeypatch):
    monkeypatch.setattr(confining.sys, "platform", "darwin")
    with pytest.raises(confining.CannotConfine, match="darwin"):
        confining.confine([], megabytes=100)
