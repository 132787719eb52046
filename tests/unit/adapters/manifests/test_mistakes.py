"""Mistakes that people make: each is told with its place, what is wrong and what was meant.

``mistakes.json`` holds them: what somebody wrote (after a head without faults, unless it is the
``whole`` manifest) and, word for word, what ``check`` says. A new mistake is a new entry there.
``notes`` are what is said of manifests that are accepted all the same.
"""

import json
import re
from pathlib import Path

import pytest

from bulkrunner.adapters.manifests import load_job
from bulkrunner.domain.environment import KB_BASES
from bulkrunner.errors import ManifestError

MISTAKES = json.loads(Path(__file__).with_name("mistakes.json").read_text(encoding="utf-8"))
HEAD = "bulkrunner: 1\njob: j\ntitle: T\npurpose: P\non_behalf_of: Ylm\nsigels: [Ylm]\n"


def written(folder, entry):
    text = "".join(line + "\n" for line in entry["manifest"])
    (folder / "job.yaml").write_text("" if entry.get("whole") else HEAD, encoding="utf-8")
    with (folder / "job.yaml").open("a", encoding="utf-8") as file:
        file.write(text)
    (folder / "ids.txt").write_text("fzr8v1sn2k3m4p5\n", encoding="utf-8")
    (folder / "t.csv").write_text("Id;Gammalt;Nytt\nfzr8v1sn2k3m4p5;a;b\n", encoding="utf-8")
    (folder / "rules.py").write_text("def change(record, context):\n    return record\n")
    return folder


def told(problems, folder):
    return [str(problem.whole).replace(f"{folder}/", "") for problem in problems]


@pytest.mark.parametrize("entry", MISTAKES["faults"], ids=lambda entry: entry["mistake"])
def test_a_mistake(tmp_path, entry):
    with pytest.raises(ManifestError) as refused:
        load_job(written(tmp_path, entry), bases=KB_BASES)
    assert told(refused.value.problems, tmp_path) == entry["said"]
    # Each says where; and one at least what to do, or what is allowed there.
    assert all(re.match(r"job\.yaml:\d+:\d+: ", said) for said in entry["said"])


@pytest.mark.parametrize("entry", MISTAKES["notes"], ids=lambda entry: entry["mistake"])
def test_a_word_that_nobody_knows_is_noted(tmp_path, entry):
    assert told(load_job(written(tmp_path, entry), bases=KB_BASES).notes, tmp_path) == entry["said"]
    assert entry["said"]


@pytest.mark.parametrize(
    "where",
    [
        '{"@row.Gammalt": {exists: true}}',
        '{"@row.Nytt": a, "@row.Hyllplats ny": b}',
        '{any: [{"@param.skick": x}, {not: {"@row.Id": {starts_with: x}}}]}',
        '{"@bib.id": fzr8v1sn2k3m4p5}',
        '{"@self.id": {in: [fzr8v1sn2k3m4p5]}}',
    ],
)
def test_a_column_and_a_parameter_are_no_words_of_the_vocabulary(tmp_path, where):
    entry = {
        "manifest": [
            "parameters: {skick: {type: text, default: x}}",
            "steps:",
            "  - rows: {file: t.csv, key: Id}",
            f"    where: {where}",
            "    set: {at: shelfMark.label, to: Hce}",
        ]
    }
    folder = written(tmp_path, entry)
    (folder / "t.csv").write_text("Id;Gammalt;Nytt;Hyllplats ny\nfzr8v1sn2k3m4p5;a;b;c\n")
    assert told(load_job(folder, bases=KB_BASES).notes, tmp_path) == []


def test_a_table_as_a_spreadsheet_program_saves_it(tmp_path):
    entry = {
        "manifest": [
            "steps:",
            "  - rows: {file: e.csv, key: Id}",
            '    set: {at: shelfMark.label, to: {$value: "@row.Nytt"}}',
        ]
    }
    folder = written(tmp_path, entry)
    (folder / "e.csv").write_bytes("\ufeffId;Nytt\r\nfzr8v1sn2k3m4p5;Åäö\r\n".encode())
    loaded = load_job(folder, bases=KB_BASES)
    (made,) = loaded.operations()
    assert dict(made.row) == {"Id": "fzr8v1sn2k3m4p5", "Nytt": "Åäö"}
    (read,) = loaded.inputs
    assert (read["encoding"], read["separator"]) == ("utf-8", ";")


def test_sigels_and_numbers_stay_what_they_were_written_as(tmp_path):
    entry = {
        "whole": True,
        "manifest": [
            *HEAD.replace("Ylm", "NO").splitlines(),
            "steps:",
            "  - ids: ids.txt",
            "    changes:",
            "      - {set: {at: shelfMark.label, to: 0123}}",
            "      - {set: {at: shelfLabel, to: yes}}",
            "      - {set: {at: inventoryLevel, to: 4}}",
        ],
    }
    loaded = load_job(written(tmp_path, entry), bases=KB_BASES)
    assert loaded.job.sigels == ("NO",)
    (made,) = loaded.operations()
    assert [change.to for change in made.step.action.changes] == ["0123", "yes", 4]


def test_the_examples_and_what_new_writes_give_no_notes(tmp_path):
    from bulkrunner.adapters.machine import share_folder
    from bulkrunner.adapters.manifests.folder import find, read_tree
    from bulkrunner.adapters.manifests.problems import Problems
    from bulkrunner.adapters.manifests.warnings import noticed

    folders = [path for name in ("jobs", "templates") for path in share_folder(name).iterdir()]
    assert len(folders) > 30
    for folder in folders:
        if folder.is_dir():
            assert noticed(read_tree(find(folder), Problems(""))) == [], folder
