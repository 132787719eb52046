"""What is read of a function before it is called: its modules, its files, its faults."""

from __future__ import annotations

import pytest

from bulkrunner.adapters.manifests.folder import JobFolder
from bulkrunner.adapters.manifests.function_sources import read_function
from bulkrunner.errors import Fault
from tests.unit.adapters.functions.conftest import AT

GOOD = "def change(record, context):\n    return record\n"


def faults(bench, text, **more):
    with pytest.raises(Fault):
        bench.source(text, **more)
    return [(str(p.source), p.code) for p in bench.faults]


def test_every_module_that_is_imported_counts(bench):
    source = bench.source(
        "import os.path\nimport one\n" + GOOD + "    import two\n",
        one="from three import X\n",
        two="",
        three="X = 1\n",
        unused="Y = 1\n",
    )
    assert sorted(source.sources) == ["one", "rules", "three", "two"]


def test_packages(bench):
    package = bench.folder / "parts"
    (package / "inner").mkdir(parents=True)
    (package / "__init__.py").write_text("from . import words\n")
    (package / "words.py").write_text("from .inner.deep import WORD\n")
    (package / "inner" / "__init__.py").write_text("")
    (package / "inner" / "deep.py").write_text("WORD = 'deep'\n")
    source = bench.source("from parts.words import WORD\n" + GOOD)
    assert sorted(source.sources) == [
        "parts",
        "parts.inner",
        "parts.inner.deep",
        "parts.words",
        "rules",
    ]


@pytest.mark.parametrize("changed", ["rules", "one", "table.csv"])
def test_the_meaning_changes_with_every_part(bench, changed):
    (bench.folder / "table.csv").write_text("a")
    before = bench.source("import one\n" + GOOD, files=["table.csv"], one="X = 1\n").meaning()
    if changed == "table.csv":
        (bench.folder / "table.csv").write_text("b")
    after = bench.source(
        "import one\n" + GOOD + ("# more\n" if changed == "rules" else ""),
        files=["table.csv"],
        one="X = 2\n" if changed == "one" else "X = 1\n",
    ).meaning()
    assert before != after


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import requests\n" + GOOD, [("rules.py:1:1", "foreign_import")]),
        (GOOD + "    import bulkrunner.errors\n", [("rules.py:3:5", "foreign_import")]),
        ("def change(record:\n", [("rules.py:1:11", "function_syntax")]),
        ("def chang(record, context):\n    pass\n", [("job.yaml:12:5", "missing_function")]),
        ("def change(record):\n    pass\n", [("rules.py:1:1", "function_form")]),
        ("async def change(record, context):\n    pass\n", [("rules.py:1:1", "function_form")]),
        ("\x00", [("rules.py", "function_syntax")]),
        ("x = " + "(" * 5000, [("rules.py:1:204", "function_syntax")]),
    ],
)
def test_faults_with_their_places(bench, text, found):
    told = faults(bench, text)
    assert [code for _, code in told] == [code for _, code in found]
    if "(((" not in text:
        assert told == found


def test_a_near_name_is_suggested(bench):
    with pytest.raises(Fault) as caught:
        bench.source("def chang(record, context):\n    pass\n")
    assert "did you mean `chang`" in caught.value.hint


def test_a_module_that_is_not_there(bench):
    folder = JobFolder(path=bench.folder)
    found: list[Fault] = []
    given = {"seconds": 1, "megabytes": 100, "report": found.append}
    assert read_function(folder, "nowhere:change", at=AT, **given) is None
    assert "it would be the file nowhere.py beside the manifest" in found[0].hint


def test_links_out_of_the_folder_are_not_followed(bench, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "one.py"
    elsewhere.write_text("X = 1\n")
    (bench.folder / "one.py").symlink_to(elsewhere)
    assert faults(bench, "import one\n" + GOOD) == [("rules.py:1:1", "symbolic_link")]


def test_a_data_file_that_is_missing(bench):
    assert faults(bench, GOOD, files=["no.csv"]) == [("job.yaml:12:5", "missing_file")]
