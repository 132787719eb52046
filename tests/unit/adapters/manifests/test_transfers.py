"""Steps that move, copy, merge, split and revert: as written, and what ``check`` says of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bulkrunner.domain.expressions.values import Dynamic
from bulkrunner.domain.steps import (
    StepCopy,
    StepEntry,
    StepMerge,
    StepMove,
    StepRepoint,
    StepRevert,
    StepSplit,
    StepUpdate,
)
from tests.support.manifests import HEAD, ID, OTHER, load, make_job, problems_of

EFFECT = "sha256:" + "0" * 64


def job(folder: Path, step: str) -> Path:
    files: dict[str, str | bytes] = {"t.csv": f"Bibid;Till\n{ID};NO\n"}
    return make_job(folder, HEAD + f"steps:\n  - {step}\n", files)


def action(folder: Path, step: str) -> Any:
    (entry,) = load(job(folder, step)).operations()
    assert isinstance(entry, StepEntry)
    return entry.step.action


ROWS = "rows: {file: t.csv, key: Bibid}"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("move: {to: NO}", StepMove(to="NO")),
        (f"repoint: {{to: {OTHER}}}", StepRepoint(to=OTHER)),
        ("copy: {sigel: NO}", StepCopy(sigel="NO")),
        (f"copy: {{sigel: NO, of: {OTHER}}}", StepCopy(sigel="NO", of=OTHER)),
        (
            f"merge: {{into: {OTHER}, take: [hasNote]}}",
            StepMerge(into=OTHER, take=("hasNote",)),
        ),
        ("revert: {version: -2}", StepRevert(version=-2)),
        ("revert: {version: 0}", StepRevert(version=0)),
        (
            f"revert: {{before_run_of: {{job: marks, effect_digest: '{EFFECT}'}}}}",
            StepRevert(job="marks", effect_digest=EFFECT),
        ),
        ("resave: true", StepUpdate(resave=True)),
    ],
)
def test_forms(tmp_path: Path, written: str, meant: Any) -> None:
    assert action(tmp_path, f"{{ids: [{ID}], {written}}}") == meant


def test_values_of_the_row(tmp_path: Path) -> None:
    found = action(tmp_path, f"{{{ROWS}, move: {{to: {{$value: '@row.Till'}}}}}}")
    assert isinstance(found, StepMove)
    assert isinstance(found.to, Dynamic)


def test_a_split_has_a_condition(tmp_path: Path) -> None:
    found = action(
        tmp_path, f"{{ids: [{ID}], split: {{components: {{shelfMark.label: Ob}}, sigel: NO}}}}"
    )
    assert isinstance(found, StepSplit)
    assert found.sigel == "NO"


@pytest.mark.parametrize(
    ("written", "code", "words"),
    [
        ("move: {to: S}", "sigel_not_in_job", "`S` is not among `sigels`"),
        ("copy: {}", "missing_key", "at least one of sigel, of"),
        ("copy: {sigel: S}", "sigel_not_in_job", "`S`"),
        ("repoint: {to: nothing}", "unreadable_id", "`nothing`"),
        ("merge: {into: x, take: [a]}", "unreadable_id", "`x`"),
        (f"merge: {{into: {OTHER}, take: [a..b]}}", "bad_place", "no place"),
        (f"merge: {{into: {OTHER}}}", "missing_key", "`take`"),
        ("split: {components: {a: 1}}", "missing_key", "at least one of sigel, of"),
        ("split: {sigel: NO}", "missing_key", "`components`"),
        ("split: {components: {a..b: 1}, sigel: NO}", "bad_place", "no place"),
        ("revert: {}", "missing_key", "exactly one of version"),
        ("revert: {version: -1}", "wrong_value", "-2 is the one before it"),
        ("revert: {version: yes}", "wrong_type", "whole number"),
        ("resave: false", "wrong_value", "must be `true`"),
        ("move: {to: NO}, delete: true", "wrong_choice", "exactly one of"),
        ("move: {to: {$value: '@row.Till'}}", "no_row", "names a column"),
        ("move: {too: NO}", "missing_key", "`too` meant to be `to`"),
    ],
)
def test_faults(tmp_path: Path, written: str, code: str, words: str) -> None:
    problems = problems_of(job(tmp_path, f"{{ids: [{ID}], {written}}}"))
    assert [problem.code for problem in problems][:1] == [code], problems
    assert words in problems[0].message + problems[0].hint
    assert problems[0].source.line == 8


def test_what_is_said_counts(tmp_path: Path) -> None:
    texts = [
        "move: {to: NO}",
        "move: {to: Ylm}",
        "copy: {sigel: NO}",
        "split: {components: {a: 1}, sigel: NO}",
        "split: {components: {a: 2}, sigel: NO}",
        "revert: {version: -2}",
        "revert: {version: -3}",
        f"merge: {{into: {OTHER}, take: [a]}}",
        f"merge: {{into: {OTHER}, take: [b]}}",
        "move: {to: NO}, expect: {a: 1}",
        "move: {to: NO}, on_duplicate: skip",
    ]
    digests = {
        load(job(tmp_path / str(number), f"{{ids: [{ID}], {text}}}")).job.effect_digest
        for number, text in enumerate(texts)
    }
    assert len(digests) == len(texts)
