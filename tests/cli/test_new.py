"""``new`` and ``schema``: what they write, and what they say to a word they do not know."""

import json

import pytest

from bulkrunner.adapters.machine import share_folder
from bulkrunner.adapters.manifests.job_schema import schema, schema_text
from bulkrunner.cli.main import main


def told(capsys, *given):
    code = main([str(word) for word in given])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def document(capsys, *given, expect=0):
    code, out, _ = told(capsys, *given, "--json")
    assert code == expect
    return json.loads(out)


def test_a_job_folder_holds_manifest_input_files_and_schema(capsys, tmp_path):
    made = document(capsys, "new", "lista", "--kind", "table", "--in", tmp_path)
    folder = tmp_path / "lista"
    assert made == {
        "job": "lista",
        "kind": "table",
        "folder": str(folder),
        "manifest": str(folder / "job.yaml"),
        "files": ["job.yaml", "tabell.csv", "job.schema.json"],
        "kinds": None,
    }
    assert sorted(path.name for path in folder.iterdir()) == sorted(made["files"])


def test_without_a_kind_it_is_an_update(capsys, tmp_path):
    assert document(capsys, "new", "lista", "--in", tmp_path)["kind"] == "update"


def test_the_first_line_of_a_manifest_names_the_schema_beside_it(capsys, tmp_path):
    for kind in sorted(path.name for path in share_folder("templates").iterdir()):
        folder = tmp_path / kind
        document(capsys, "new", kind, "--kind", kind, "--in", tmp_path)
        first = (folder / "job.yaml").read_text(encoding="utf-8").splitlines()[0]
        prefix, _, name = first.partition("$schema=")
        assert prefix == "# yaml-language-server: "
        assert json.loads((folder / name).read_text(encoding="utf-8")) == schema()


def test_sigels_take_the_place_of_the_words(capsys, tmp_path):
    given = ["new", "a", "--kind", "query", "--in", tmp_path, "--sigel", "G bg"]
    document(capsys, *given)
    text = (tmp_path / "a" / "job.yaml").read_text(encoding="utf-8")
    assert 'sigels: ["G bg"]' in text
    assert "https://libris.kb.se/library/G+bg" in text
    document(
        capsys, "new", "b", "--kind", "move", "--in", tmp_path, "--sigel", "Ylm", "--sigel", "NO"
    )
    text = (tmp_path / "b" / "job.yaml").read_text(encoding="utf-8")
    assert "sigels: [Ylm, NO]" in text
    assert "move: {to: NO}" in text


KINDS = [
    ("tabel", "did you mean table?"),
    ("Delete", "did you mean delete?"),
    ("splitt", "did you mean split?"),
    ("csv", "did you mean table?"),
    ("search", "did you mean query?"),
    ("undo", "did you mean revert?"),
    ("xyzzy", "the kinds are copy, create, delete"),
]


@pytest.mark.parametrize(("given", "hint"), KINDS)
def test_a_wrong_kind_suggests_the_probable_one(capsys, tmp_path, given, hint):
    error = document(capsys, "new", "a", "--kind", given, "--in", tmp_path, expect=2)["error"]
    assert error["code"] == "unknown_kind"
    assert given in error["message"]
    assert hint in error["hint"]
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--sigel", "a/b"], "is no sigel"),
        (["--sigel", " "], "is no sigel"),
        (["--sigel", "A", "--sigel", "B", "--sigel", "C"], "at most two sigels"),
    ],
)
def test_a_wrong_sigel_makes_nothing(capsys, tmp_path, more, said):
    error = document(capsys, "new", "a", "--in", tmp_path, *more, expect=2)["error"]
    assert said in error["message"]
    assert list(tmp_path.iterdir()) == []


def test_the_kinds_are_listed_with_a_sentence(capsys):
    kinds = document(capsys, "new", "--kinds")["kinds"]
    code, out, _ = told(capsys, "new", "--kinds")
    assert code == 0
    assert len(out.splitlines()) == len(kinds) == 18
    for line, (kind, sentence) in zip(out.splitlines(), kinds.items(), strict=True):
        assert line.split() == [kind, *sentence.split()]


def test_a_name_is_needed_but_for_the_list(capsys):
    error = document(capsys, "new", expect=2)["error"]
    assert (error["code"], "NAME" in error["message"]) == ("usage", True)


def test_the_schema_is_printed_and_written(capsys, tmp_path):
    code, out, _ = told(capsys, "schema")
    assert (code, json.loads(out)) == (0, schema())
    path = tmp_path / "job.schema.json"
    assert document(capsys, "schema", "--out", path) == {"schema": schema(), "path": str(path)}
    assert path.read_text(encoding="utf-8") == schema_text()


def test_a_schema_that_cannot_be_written(capsys, tmp_path):
    error = document(capsys, "schema", "--out", tmp_path / "no" / "x.json", expect=2)["error"]
    assert "cannot write" in error["message"]
