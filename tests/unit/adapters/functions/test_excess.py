"""Functions that overdo it: each is bounded, refused and explained, and the next call works."""

from __future__ import annotations

import json
import resource
import time

import pytest

from bulkrunner.adapters.functions import FunctionNotLoaded
from bulkrunner.domain.functions import Skipped
from bulkrunner.domain.refusals import Refused
from bulkrunner.errors import Fault
from tests.unit.adapters.functions.conftest import given_of

GOOD = "    if context.id == 'good':\n        return {'skip': 'fine'}\n"
SECRET = "/root/.config/bulkrunner/bulkrunner.toml"

EXCESS = {
    "prints a gigabyte": ("[print('x' * 10**6) for _ in range(1000)]", None),
    "prints a gigabyte to where errors go": (
        "import sys; [sys.stderr.write('x' * 10**6) for _ in range(1000)]",
        None,
    ),
    "returns a gigabyte": ("return {'skip': ['x' * 10**6 for _ in range(1000)]}", "*"),
    "returns a record of hundreds of megabytes": (
        "record['@graph'][1]['hasNote'] = ['x' * 10**5] * 2000; return record",
        "*",
    ),
    "fills the memory bit by bit": (
        "kept = []\n    while True: kept.append(bytearray(10**6))",
        "function_memory",
    ),
    "nests a value without end": (
        "value = []\n    for _ in range(100_000): value = [value]\n    return {'refuse': value}",
        "*",
    ),
    "nests a record deeply": (
        "value = 'x'\n    for _ in range(500): value = {'a': value}\n    return {'@graph': [{}, value]}",
        "function_answer",
    ),
    "returns what goes round in itself": ("value = []; value.append(value); return value", "*"),
    "recurses without end": ("f = lambda: f()\n    f()", "function_failed"),
    "raises with a message of a gigabyte": (
        "raise ValueError('x' * 10**8)",
        "function_failed",
    ),
    "raises something that cannot be told": (
        "class E(Exception):\n        def __str__(self): raise E\n    raise E",
        "function_failed",
    ),
    "asks for records without end": (
        "n = 0\n    while True:\n        n += 1; context.lookup(f'b{n}')",
        "function_failed",
    ),
    "leaves by way of sys.exit": ("import sys; sys.exit('bye')", "function_failed"),
    "pretends to have been interrupted": ("raise KeyboardInterrupt", "function_failed"),
    "returns text of half a character": ("return {'skip': '\\ud800'}", "function_answer"),
    "returns a number that is none": ("return {'skip': float('nan')}", "*"),
    "returns an endless integer": ("return {'skip': 10 ** 100_000}", "*"),
    "sleeps": ("import time; time.sleep(60)", "function_timeout"),
    "ignores the signal to end": (
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n    while True: pass",
        "function_timeout",
    ),
    "explodes in a regular expression": (
        "import re; re.match('(a+)+$', 'a' * 40 + 'b')",
        "function_timeout",
    ),
}


def tried(bench, text, **more):
    """Return the answer, or None, and what was said instead."""
    try:
        return bench.call(text, **more), ""
    except (Fault, FunctionNotLoaded, Refused) as error:
        return None, getattr(error, "message", "") or " ".join(str(error).split())


@pytest.mark.parametrize("what", EXCESS)
def test_a_function_that(bench, what):
    body, code = EXCESS[what]
    text = f"def change(record, context):\n{GOOD}    {body}\n    return {{'skip': 'done'}}\n"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    runner = bench.runner(text, megabytes=300, seconds=2)
    begun = time.monotonic()
    given = "fine"
    try:
        runner.call(given_of())
    except Refused as caught:
        given, said = caught.refusal.code, caught.refusal.message
        assert (len(said) < 2_000, said.isprintable()) == (True, True)
    assert time.monotonic() - begun < 30
    assert given == code or (code == "*" and given != "fine") or code is None
    # What the program itself needed stays small, and the next record is answered.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000
    assert runner.call(given_of(id="good")) == Skipped(reason="fine")


READS = {
    "its own environment in /proc": "open('/proc/self/environ', 'rb').read()",
    "the program's command line": "import os; open(f'/proc/{os.getppid()}/cmdline').read()",
    "the memory of the program": "import os; open(f'/proc/{os.getppid()}/mem', 'rb')",
    "the user's configuration": f"open({SECRET!r}).read()",
    "the configuration beside the job": "open(context.file('bulkrunner.toml')).read()",
    "the keyring": "import os; os.listdir(os.path.expanduser('~'))",
    "a file by a number": "import os; os.open('/etc/passwd', os.O_RDONLY)",
    "a module of the program": "import bulkrunner",
    "a module out of the folder": "import sys; sys.path.insert(0, '/tmp'); import outside_of_it",
    "a module by its path": (
        "import importlib.util as u; s = u.spec_from_file_location('m', '/tmp/m.py')\n"
        "    m = u.module_from_spec(s); s.loader.exec_module(m)"
    ),
    "memory shared with others": (
        "from multiprocessing import shared_memory; shared_memory.SharedMemory('x', True, 10)"
    ),
    "a library of C": "import ctypes; 1 / (ctypes.CDLL(None).system(b'true') == 0)",
}


@pytest.mark.parametrize("what", READS)
def test_it_gets_at_nothing_but_what_is_declared(bench, what, monkeypatch):
    monkeypatch.setenv("BULKRUNNER_STAGING_CLIENT_SECRET", "sesam")
    (bench.folder / "bulkrunner.toml").write_text("secret")
    text = f"def change(record, context):\n    {READS[what]}\n    return {{'skip': 'it could'}}\n"
    answer, said = tried(bench, text)
    assert answer is None
    assert "sesam" not in said
    assert "secret" not in said.replace("bulkrunner.toml", "")


PATCHES = {
    "json": "import json; json.dumps = lambda *_, **__: '{}'; json.loads = lambda *_: {}",
    "what json is made of": "import json.encoder; json.encoder.JSONEncoder.encode = lambda *_: '{}'",
    "the builtins": "import builtins; builtins.isinstance = lambda *_: True; builtins.str = int",
    "its errors": "import builtins; builtins.MemoryError = builtins.TypeError = None",
    "the channel": "import gc\nfor o in gc.get_objects():\n    if type(o).__name__ == 'Channel': o.send = print",
}


@pytest.mark.parametrize("what", PATCHES)
def test_what_it_exchanges_in_python_itself_stays_with_it(bench, what):
    """It can spoil its own calls; the program and the next function do not notice."""
    text = f"{PATCHES[what]}\ndef change(record, context):\n    return {{'skip': 'as ever'}}\n"
    answer, said = tried(bench, text, seconds=1)
    assert answer in (None, Skipped(reason="as ever"))
    assert said.isprintable()
    assert json.loads(json.dumps({"a": 1})) == {"a": 1}
    good = bench.call("def change(record, context):\n    return {'skip': 'a'}\n")
    assert good == Skipped(reason="a")


FORGED = {
    "no JSON": b"hello\n",
    "no object": b"[1]\n",
    "nothing known": b"{}\n",
    "a fault without words": b'{"fault": 7}\n',
    "an answer of its own": b'{"answer": {"skip": "forged"}}\n',
    "a look without end": b'{"look": {"a": 1}}\n',
    "half a line": b'{"answer": ',
    "no number": b'{"answer": {"@graph": [{}, {"a": NaN}]}}\n',
    "a number without end": b'{"answer": {"@graph": [{}, {"a": 1e999}]}}\n',
    "a number without end in an operation": b'{"answer": [{"delete": -1e999}]}\n',
}


@pytest.mark.parametrize("what", FORGED)
def test_what_it_writes_into_the_channel_is_looked_at_like_any_answer(bench, what):
    text = (
        "import os\n"
        "def change(record, context):\n"
        "    for fd in range(3, 64):\n"
        "        try:\n"
        f"            os.write(fd, {FORGED[what]!r})\n"
        "        except OSError:\n            pass\n"
        "    os._exit(0)\n"
    )
    answer, said = tried(bench, text, seconds=2)
    assert answer in (None, Skipped(reason="forged"))
    assert said.isprintable()
