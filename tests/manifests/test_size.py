"""Memory does not grow with the number of operations; real lists of ids are accounted for."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from bulkrunner.domain.job import Unreadable
from tests.support.manifests import HEAD, ids, load, make_job, problems_of

LISTS = Path(__file__).resolve().parents[3] / "shared" / "data" / "id-lists"


def peak_of(folder: Path, number: int) -> int:
    tracemalloc.start()
    loaded = load(folder)
    assert sum(1 for _ in loaded.operations()) == number
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def lines(number: int) -> Iterator[str]:
    return (f'{{"delete": "{name}"}}\n' for name in ids(number))


@pytest.mark.slow
def test_json_lines_are_streamed(tmp_path: Path) -> None:
    folder = make_job(tmp_path, HEAD + "operations: {file: ops.jsonl}\n")
    with (folder / "ops.jsonl").open("w") as file:
        file.writelines(lines(40_000))
    assert peak_of(folder, 40_000) < 2_000_000


@pytest.mark.slow
def test_lists_of_ids_are_streamed(tmp_path: Path) -> None:
    folder = make_job(tmp_path, HEAD + "steps: [{ids: ids.txt, delete: true}]\n")
    names = ids(50_000)
    (folder / "ids.txt").write_text("\n".join(names + names[:100]))
    del names
    assert peak_of(folder, 50_000) < 2_000_000


def test_nothing_is_read_before_it_is_asked_for(tmp_path: Path) -> None:
    text = HEAD + "operations: {file: ops.jsonl}\n"
    loaded = load(make_job(tmp_path, text, {"ops.jsonl": "".join(lines(50))}))
    with (tmp_path / "ops.jsonl").open("a") as file:
        file.write("{changed")
    assert len(list(islice(loaded.operations(), 50))) == 50


def real_lists() -> list[Path]:
    return sorted(LISTS.iterdir()) if LISTS.is_dir() else []


@pytest.mark.parametrize("path", real_lists(), ids=lambda path: path.name)
def test_every_line_of_real_lists_is_accounted_for(tmp_path: Path, path: Path) -> None:
    data = path.read_bytes()
    folder = make_job(tmp_path, HEAD + "steps: [{ids: ids.txt, delete: true}]\n", {"ids.txt": data})
    texts = [line.strip() for line in data.decode("utf-8-sig").splitlines()]
    texts = [text for text in texts if text and not text.startswith("#")]
    if problems := problems_of(folder):
        assert [problem.code for problem in problems] == ["no_readable_id"]
        assert f"{len(texts):,} in all" in problems[0].message
        return
    loaded = load(folder)
    assert sum(loaded.counts.values()) == len(texts)
    found = list(loaded.operations())
    assert len(found) == len(texts) - loaded.counts["duplicates"]
    given = {op.given for op in found if isinstance(op, Unreadable)}
    bare = {text for text in texts if text.isalnum() and text.islower() and len(text) in (15, 16)}
    assert not given & bare
