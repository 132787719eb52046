"""The command line speaks the language that it is asked for."""

import errno
import json
import re

import pytest

from bulkrunner.errors import why_of
from bulkrunner.sentences import Sentence
from tests.project.test_sentences import CODE, ENGLISH
from tests.support.cli import Workplace


def test_language_of_an_error(place: Workplace, monkeypatch) -> None:
    from bulkrunner.errors import UsageError
    from bulkrunner.sentences import verbatim

    monkeypatch.setattr(
        "bulkrunner.sentences.catalogue",
        lambda language: {
            "gone": {"en": "{what} is gone", "sv": "{what} finns inte"}[language],
            "error": {"en": "error: {message}", "sv": "fel: {message}"}[language],
            "hint": {"en": "hint:  {hint}", "sv": "tips: {hint}"}[language],
        },
    )

    def fail(*_args, **_kwargs):
        raise UsageError(Sentence("gone", what="x"), hint=verbatim("look"))

    monkeypatch.setattr("bulkrunner.bootstrap.oversight.StatusWiring.status", fail)
    assert place("status", expect=2).document["error"]["message"] == "x is gone"
    done = place("--lang", "sv", "status", expect=2)
    assert done.document["error"]["message"] == "x is gone"
    assert done.stderr == "fel: x finns inte\ntips: look\n"
    place.variables["BULKRUNNER_LANG"] = "sv"
    assert place("status", expect=2).stderr == "fel: x finns inte\ntips: look\n"
    assert place("status", "--lang", "en", expect=2).stderr == "error: x is gone\nhint:  look\n"


LABEL = {"set": {"at": "shelfMark.label", "to": "Hx"}}

QUOTED = re.compile(r"[`»'\"][^`»«'\"]*[`«'\"]|\S*/\S*|\b[\w.-]*[\d_][\w.-]*")
"""What a command line quotes: values of files, paths, ids and codes."""


def english(said: str) -> list[str]:
    """Return the lines in which English words are left."""
    return [
        line
        for line in said.splitlines()
        if ENGLISH.search(QUOTED.sub("", CODE.sub("", line)).lower())
    ]


def in_swedish(place: Workplace, *words: object, expect: int = 0) -> str:
    said = place("--lang", "sv", *words, expect=expect).stderr
    assert said
    assert english(said) == []
    return said


def test_what_a_job_goes_through_is_told_in_swedish(place: Workplace, own: list[str]) -> None:
    job = place.job("road", title="Prov", steps=[{"ids": own[:2], **LABEL}])
    assert "nästa: bulkrunner plan" in in_swedish(place, "check", job)
    explained = in_swedish(place, "check", job, "--explain")
    assert 'Steg 1: för varje id av de 2 i manifestet: shelfMark.label blir "Hx".' in explained
    assert "tips: " in in_swedish(place, "run", job, "--env", "staging", expect=4)
    planned = in_swedish(place, "plan", job, "--env", "staging")
    assert "2 ändras" in planned
    assert "planens kontrollsumma" in planned
    assert "2 genomförda" in in_swedish(place, "run", job, "--env", "staging")
    run = place("status").document["runs"][0]["run"]
    in_swedish(place, "verify", run)
    in_swedish(place, "undo", run, "--out", place.folder / "back")
    in_swedish(place, "report", run, "--out", place.folder / "run.html")
    in_swedish(place, "resume", run)
    in_swedish(place, "stop", run, expect=2)
    in_swedish(place, "pause", run, expect=2)
    in_swedish(place, "rate", run, "3", expect=2)
    settled = ("--as", "applied", "--by", "Ek", "--reason", "x")
    in_swedish(place, "settle", run, "1", *settled, expect=2)
    in_swedish(place, "resume", expect=2)
    in_swedish(place, "status", "x", expect=2)
    in_swedish(place, "ledger", "check")
    in_swedish(place, "clients")
    told = in_swedish(place, "status")
    assert f"  körning {run}: slutförd; 2 genomförda" in told
    assert "nästa: bulkrunner " in told
    gates = in_swedish(place, "status", run)
    assert "  spärr planen (plan)                öppen   " in gates


def test_answers_and_gates_are_told_in_swedish(place: Workplace, own: list[str]) -> None:
    job = place.job("asked", title="Prov", steps=[{"ids": own[:2], **LABEL}])
    place("plan", job, "--env", "staging")
    place("run", job, "--env", "staging")
    plan = place("plan", job, "--env", "production").document["plan"]
    in_swedish(place, "run", job, "--env", "production", expect=4)
    answer = (plan, "--by", "Ek", "--reference", "KB 1")
    said = place("--lang", "sv", "approve", *answer).stderr
    assert said.startswith("godkänd: planen ")
    assert "inte signerat" in said
    assert english(said) == []
    assert in_swedish(place, "reject", *answer).startswith("avslagen: planen ")


def test_what_an_empty_ledger_and_a_closed_gate_mean_is_told_in_swedish(
    place: Workplace, own: list[str]
) -> None:
    assert in_swedish(place, "status").startswith("Liggaren har ingen plan ännu.\nnästa: ")
    job = place.job("early", title="Prov", steps=[{"ids": own[:1], **LABEL}])
    tried = place("plan", job, "--env", "staging").document["plan"]
    plan = place("plan", job, "--env", "production").document["plan"]
    assert "  spärr provet i testmiljö (staging) STÄNGD  " in in_swedish(place, "status", plan)
    answer = ("--by", "Ek", "--reference", "KB 1", "--per-night", "1")
    assert "\ninte ännu: spärren provet i testmiljö (staging) är stängd: " in in_swedish(
        place, "approve", plan, *answer
    )
    assert "  godkänd på villkor: " in in_swedish(place, "status", plan)
    assert "inget godkännande behövs" in in_swedish(place, "approve", tried, *answer)
    newer = place("plan", job, "--env", "production").document["plan"]
    assert f"Planen {newer} är nyare" in in_swedish(place, "approve", plan, *answer)


def test_what_doctor_finds_is_told_in_swedish(place: Workplace) -> None:
    said = place("--lang", "sv", "doctor").stderr
    assert english(said.replace("  NO: ", "  ")) == [], "NO is a sigel"
    assert "staging (testmiljö): http" in said
    assert "  inloggning http" in said
    assert "  inget är i vägen" in said


def test_every_kind_of_job_is_told_in_swedish(place: Workplace) -> None:
    said = in_swedish(place, "new", "--kinds")
    kinds = place("new", "--kinds").document["kinds"]
    assert len(said.splitlines()) == len(kinds)
    assert not any(sentence in said for sentence in kinds.values())


FAULTY = {
    "bulkrunner": 1,
    "job": "Faulty!",
    "titel": "x",
    "sigels": "Ylm",
    "agreement": {"agreed_on": "2026-02-31"},
    "steps": [
        {"ids": "gone.txt", "set": {"at": "a", "too": 1}},
        {"find": {"q": "x"}, "deleet": {}},
        {"rows": {"file": "rows.csv", "key": "Id"}, "set": {"at": "a", "to": {"$value": "@row.X"}}},
        {"ids": [], "delete": True, "expect": {"a": {"in_file": "missing"}}},
        {"ids": ["x"], "revert": {"before": "last year", "since": "2026"}},
    ],
}


def test_the_faults_of_a_manifest_are_told_in_swedish(place: Workplace) -> None:
    folder = place.folder / "jobs" / "faulty"
    folder.mkdir(parents=True)
    (folder / "job.json").write_text(json.dumps(FAULTY), encoding="utf-8")
    said = in_swedish(place, "check", folder, expect=2)
    assert len(said.splitlines()) > 6


@pytest.mark.parametrize(
    "text",
    [
        "a: [1\n",
        "a: {b: 1\n",
        "\ta: 1\n",
        "a: *b\n",
        "a: &b [*b]\n",
        "<<: {}\n",
        "a: 1\na: 2\n",
        "a: !!str 1\n",
        "--- 1\n--- 2\n",
        "a: 99999999999999999999999\n",
        "a: @b\n",
        "? [a]\n: 1\n",
        "",
        "- 1\n",
        "a: 'x\n",
        "a:\n - 1\n b: 2\n",
    ],
)
def test_what_is_no_manifest_is_told_in_swedish(place: Workplace, text: str) -> None:
    folder = place.folder / "jobs" / "odd"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "job.yaml").write_text(text, encoding="utf-8")
    in_swedish(place, "check", folder, expect=2)


@pytest.mark.parametrize(
    "table",
    [
        b"",
        b"Id;Id\nx;y\n",
        b'Id;Namn\n"x;y\n',
        b"Rubrik;;\nId;Namn;Ort\na;b;c\nd;e;f\n",
        b"\x00\x01",
        b"%PDF-1.7",
        b"<html><table>",
        b"Id;Namn\nx;\xc3\xa5\xff\xe5\n",
        b"PK\x03\x04rest",
        b"Namn;Ort\na;b\n",
        "Id;Namn\nx;Ã¥r\n".encode(),
    ],
)
def test_what_is_no_table_is_told_in_swedish(place: Workplace, table: bytes) -> None:
    folder = place.folder / "jobs" / "rows"
    folder.mkdir(parents=True, exist_ok=True)
    job = place.job("rows", steps=[{"rows": {"file": "rows.csv", "key": "Id"}, **LABEL}])
    (folder / "rows.csv").write_bytes(table)
    in_swedish(place, "check", job, expect=2)


@pytest.mark.parametrize(
    "words",
    [
        ("chekc",),
        ("no-such-thing",),
        ("plan",),
        ("plan", "x"),
        ("plan", "x", "--evn", "y"),
        ("plan", "x", "--env"),
        ("plan", "x", "--env", "staging", "--param", "a"),
        ("plan", "x", "--env", "staging"),
        ("rate", "r-1", "fast"),
        ("rate", "r-1", "0"),
        ("report",),
        ("report", "x", "--format", "doc"),
        ("report", "--diff", "x"),
        ("settle", "a", "b", "--as", "perhaps"),
        ("check", "gone"),
        ("check", "gone", "more"),
        ("new",),
        ("new", "A job"),
        ("new", "a", "--kind", "update-all"),
        ("new", "a", "--sigel", " Ylm"),
        ("approve",),
        ("approve", "--from", "gone.eml"),
        ("approve", "p-1", "--signature", "x"),
        ("approve", "p-1", "--by", "x", "--reference", "y", "--not-before", "later"),
        ("ledger", "check", "--reviewers", "x"),
    ],
)
def test_what_is_wrong_with_a_command_is_told_in_swedish(
    place: Workplace, words: tuple[str, ...]
) -> None:
    said = in_swedish(place, *words, expect=2)
    assert said.startswith("fel: ")


def test_words_of_click_are_the_same_in_english(place: Workplace) -> None:
    assert place("chekc", expect=2).document["error"]["message"] == (
        "No such command 'chekc'. Did you mean 'check'?"
    )
    for words in (("plan",), ("rate", "r", "fast"), ("plan", "x", "--evn", "y")):
        swedish = place("--lang", "sv", *words, expect=2)
        assert swedish.document == place(*words, expect=2).document
        assert swedish.document["error"]["message"] not in swedish.stderr


def test_why_the_system_refuses_is_known_by_its_number_whatever_its_words():
    full = why_of(OSError(errno.ENOSPC, "Auf dem Gerät ist kein Speicherplatz mehr verfügbar"))
    assert (full, full.worded("sv")) == (
        "No space left on device",
        Sentence("os_full").worded("sv"),
    )
    assert why_of(OSError(errno.EIO, "Input/output error")) == "Input/output error"
    assert why_of(OSError("no number")) == "no number"


@pytest.mark.parametrize("name", ["p-4pbzn3z6fj", "r-kw5jtwtk6w"])
def test_a_plan_or_run_in_place_of_a_job_is_told_as_that(place: Workplace, name) -> None:
    error = place("run", name, "--env", "staging", expect=2).document["error"]
    assert error["hint"].startswith("a job is named here, not a plan or a run: bulkrunner status")
