"""Memory does not grow with the number of operations; real lists of ids are accounted for."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from bulkrunner.domain.manifest import Unreadable
from bulkrunner.domain.steps import InputLine
from tests.support.manifests import HEAD, ids, load, make_job, problems_of
from tests.support.paths import ID_LISTS
from tests.support.sizes import sized


def peak_of(folder: Path, number: int) -> int:
    tracemalloc.start()
    loaded = load(folder)
    assert sum(not isinstance(one, InputLine) for one in loaded.operations()) == number
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def lines(number: int) -> Iterator[str]:
    return (f'{{"delete": "{name}"}}\n' for name in ids(number))


@pytest.mark.size
def test_json_lines_are_streamed(tmp_path: Path) -> None:
    folder = make_job(tmp_path, HEAD + "operations: {file: ops.jsonl}\n")
    with (folder / "ops.jsonl").open("w") as file:
        file.writelines(lines(sized(40_000)))
    assert peak_of(folder, sized(40_000)) < sized(2_000_000)


@pytest.mark.size
def test_lists_of_ids_are_streamed(tmp_path: Path) -> None:
    folder = make_job(tmp_path, HEAD + "steps: [{ids: ids.txt, delete: true}]\n")
    names = ids(sized(50_000))
    (folder / "ids.txt").write_text("\n".join(names + names[:100]))
    del names
    assert peak_of(folder, sized(50_000)) < sized(2_000_000)


def test_nothing_is_read_before_it_is_asked_for(tmp_path: Path) -> None:
    text = HEAD + "operations: {file: ops.jsonl}\n"
    loaded = load(make_job(tmp_path, text, {"ops.jsonl": "".join(lines(50))}))
    with (tmp_path / "ops.jsonl").open("a") as file:
        file.write("{changed")
    assert len(list(islice(loaded.operations(), 50))) == 50


@pytest.mark.parametrize("path", sorted(ID_LISTS.iterdir()), ids=lambda path: path.name)
def test_every_line_of_a_list_is_accounted_for(tmp_path: Path, path: Path) -> None:
    data = path.read_bytes()
    step = "steps: [{ids: {file: ids.txt, as: [bib, libris3]}, delete: true}]\n"
    folder = make_job(tmp_path, HEAD + step, {"ids.txt": data})
    lines = data.decode("utf-8-sig").splitlines()
    texts = [text.strip() for text in lines if text.strip() and not text.startswith("#")]
    if problems := problems_of(folder):
        assert [problem.code for problem in problems] == ["no_readable_id"]
        assert f"{len(texts):,} in all" in problems[0].message
        return
    loaded = load(folder)
    assert sum(loaded.counts.values()) == len(texts)
    found = list(loaded.operations())
    assert [one.source.line for one in found] == list(range(1, len(lines) + 1))
    assert loaded.inputs[0]["lines"] == len(lines)
    repeats = sum(isinstance(one, InputLine) and one.code == "repeat" for one in found)
    assert repeats == loaded.counts["duplicates"] == len(texts) - len(set(texts))
    given = {op.given for op in found if isinstance(op, Unreadable)}
    bare = {text for text in texts if text.isalnum() and text.islower() and len(text) in (15, 16)}
    assert not given & bare


@pytest.mark.parametrize(
    ("name", "meanings", "most"),
    [
        ("control-numbers-mixed.txt", "[bib, libris3]", 5),  # numbers of a local system, an ISSN
        ("control-numbers-and-bare.txt", "bib", 2),  # twice an ISSN
    ],
)
def test_lists_of_mixed_numbers_are_read_to_the_last_line(
    tmp_path: Path, name: str, meanings: str, most: int
) -> None:
    step = f"steps: [{{ids: {{file: ids.txt, as: {meanings}}}, delete: true}}]\n"
    loaded = load(make_job(tmp_path, HEAD + step, {"ids.txt": (ID_LISTS / name).read_bytes()}))
    assert loaded.counts["unreadable"] <= most
