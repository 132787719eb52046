"""Nothing that a record, a file or a server says is obeyed by a terminal."""

import json
import logging
import unicodedata

import pytest

from bulkrunner.cli.console import ConsoleProgress, tell
from bulkrunner.cli.main import _Visible
from bulkrunner.domain.text import escaped, visible

HOSTILE = "\x1b[2J\x1b]0;x\x07\u202egnp\r\x9b1m"
SHOWN = "⟨U+001B⟩[2J⟨U+001B⟩]0;x⟨U+0007⟩⟨U+202E⟩gnp⟨U+000D⟩⟨U+009B⟩1m"


def test_what_is_told_is_written_out(capsys: pytest.CaptureFixture[str]) -> None:
    tell(HOSTILE)
    tell(HOSTILE, err=True)
    assert capsys.readouterr() == (f"{SHOWN}\n", f"{SHOWN}\n")


def test_progress_and_notes_are_written_out(capsys: pytest.CaptureFixture[str]) -> None:
    progress = ConsoleProgress(str)
    progress.begin(f"running {HOSTILE}", 1)
    progress.waiting(HOSTILE, None)
    progress.note(HOSTILE, action="note")
    progress.end()
    told = capsys.readouterr().err
    assert told.count(SHOWN) == 6
    assert not set(told) & set("\x1b\r\x07\u202e\x9b")


def test_the_log_is_written_out() -> None:
    record = logging.LogRecord("b", logging.INFO, "", 0, HOSTILE, None, None)
    assert _Visible("%(message)s").format(record) == SHOWN


def every_unseen() -> str:
    unseen = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
    return "".join(chr(n) for n in range(0x110000) if unicodedata.category(chr(n)) in unseen)


def test_every_character_that_is_not_seen_is_written_out() -> None:
    told = visible(every_unseen().replace("\n", "").replace("\t", ""))
    assert set(told) <= set("⟨U+0123456789ABCDEF⟩")


def test_in_json_it_is_an_escape_and_says_the_same() -> None:
    text = every_unseen() + "å–”€𐍈"
    written = escaped(json.dumps(text, ensure_ascii=False))
    assert set(written) <= {*map(chr, range(0x20, 0x7F)), *"å–”€𐍈"}
    assert json.loads(written.encode()) == json.loads(json.dumps(text))
