"""Every kind of bad manifest gives a clear message with its place."""

from __future__ import annotations

import os
import socket
import tracemalloc
from pathlib import Path

import pytest

from bulkrunner.errors import ManifestError
from tests.support.manifests import HEAD, ID, OTHER, brief, load, make_job, problems_of, resolved

ONE = f"operations:\n  - {{delete: {ID}}}\n"


@pytest.mark.parametrize(
    ("text", "code", "line", "column", "words"),
    [
        ("a: [1\nb: }", "not_yaml", 2, 2, "not YAML"),
        ("a:\n\tb: 1", "not_yaml", 2, 1, "tab"),
        ("title: one: two", "not_yaml", 1, 11, "colon"),
        ("title: @x", "not_yaml", 1, 8, "`@`"),
        ("", "empty", 1, 1, "empty"),
        ("# only a comment\n", "empty", 1, 1, "empty"),
        ("~", "empty", 1, 1, "empty"),
        ("- a\n- b\n", "wrong_type", 1, 1, "key: value"),
        ("hello", "wrong_type", 1, 1, "key: value"),
        ("a: \x01", "control_character", 1, 4, "U+0001"),
        ("a: 1\n---\nb: 2\n", "several_documents", 2, 1, "second document"),
        ("a: &x {b: 1}\nc: {<<: *x}\n", "merge_key", 2, 5, "merge keys"),
        ("a: *x\n", "bad_alias", 1, 4, "no anchor"),
        ("a: &x [*x]\n", "bad_alias", 1, 8, "inside the value"),
        ("? [a]\n: b\n", "bad_key", 1, 3, "plain text"),
        ("&x a: 1\n*x : 2\n", "bad_alias", 2, 1, "no anchor"),
        ("a: " + "[" * 5_000, "too_deep", 1, 67, "64 deep"),
        ("".join(" " * n + "a:\n" for n in range(200)), "too_deep", 65, 65, "64 deep"),
        ('a: "\\ud83d"', "not_yaml", 1, 7, "Unicode"),
    ],
)
def test_text_that_cannot_be_read(
    tmp_path: Path, text: str, code: str, line: int, column: int, words: str
) -> None:
    (problem,) = problems_of(make_job(tmp_path, text))
    assert brief([problem]) == [(code, "job.yaml", line, column)]
    assert words in problem.message


@pytest.mark.parametrize(
    ("data", "line", "column", "words"),
    [
        ((HEAD + ONE).encode("utf-16"), 1, 1, "UTF-16"),
        ((HEAD + "# å\n").encode("latin-1"), 7, 3, "0xE5"),
    ],
)
def test_other_encodings(tmp_path: Path, data: bytes, line: int, column: int, words: str) -> None:
    (problem,) = problems_of(make_job(tmp_path, data))
    assert brief([problem]) == [("not_utf8", "job.yaml", line, column)]
    assert words in problem.message
    assert problem.hint == "save it as UTF-8"


def test_alias_bomb_is_refused_before_it_is_expanded(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]
    folder = make_job(tmp_path, "\n".join(lines))
    tracemalloc.start()
    (problem,) = problems_of(folder)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert problem.code == "alias_bomb"
    assert problem.source.line == 7
    assert peak < 5_000_000


def test_alias_of_a_long_text_counts_its_length(tmp_path: Path) -> None:
    text = HEAD + f"x: &x {'y' * 100_000}\nz: [{', '.join(['*x'] * 200)}]\n"
    assert [problem.code for problem in problems_of(make_job(tmp_path, text))] == ["alias_bomb"]


def test_modest_aliases_are_fine(tmp_path: Path) -> None:
    text = HEAD + (
        "operations:\n"
        f"  - {{update: {ID}, changes: &c [{{set: {{at: shelfMark.label, to: Hce}}}}]}}\n"
        f"  - {{update: {OTHER}, changes: *c}}\n"
    )
    first, second = load(make_job(tmp_path, text)).operations()
    assert first.changes == second.changes  # type: ignore[union-attr]


def test_200_mb_of_inline_operations_are_not_read(tmp_path: Path) -> None:
    folder = make_job(tmp_path, HEAD + "operations:\n")
    with (folder / "job.yaml").open("r+b") as file:
        file.truncate(200_000_000)
    tracemalloc.start()
    (problem,) = problems_of(folder)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert problem.code == "too_large"
    assert "200 MB" in problem.message
    assert "operations: {file: ops.jsonl}" in problem.hint
    assert peak < 1_000_000


def test_every_fault_is_told_at_once_with_its_place(tmp_path: Path) -> None:
    text = (
        'bulkrunner: "1"\n'
        "job: 2026\n"
        "title: 7\n"
        "purpose:\n"
        "on_behalf_of: Xyz\n"
        "sigels: [Ylm, 5]\n"
        'ceilings: {update: "5", delete: -1, creates: 2}\n'
        "agreement: {agreed_on: 2026-02-30, covers: [bib], rate: 0}\n"
        "accept: [{code: X, at_most: 1, reason: r}]\n"
        "on_missing: ignore\n"
        "operations:\n"
        "  - 3\n"
        "  - {updat: a}\n"
        "  - {update: a, delete: b}\n"
        "  - {update: 5, resave: true}\n"
        "  - {update: a, changes: [{sett: {at: x}}]}\n"
        "  - {update: a, changes: [{set: {at: 1, to: 2}}]}\n"
        "  - {create: holdin}\n"
        '  - {create: holding, of: x, sigel: NO, body: {"@id": x, heldBy: {}, "@type": Item}}\n'
        "  - {create: bib, sigel: NO, body: {a: 1}}\n"
        "  - {update: a}\n"
    )
    assert brief(problems_of(make_job(tmp_path, text))) == [
        ("wrong_value", "job.yaml", 1, 13),
        ("wrong_type", "job.yaml", 2, 6),
        ("wrong_type", "job.yaml", 3, 8),
        ("wrong_type", "job.yaml", 4, 9),
        ("sigel_not_in_job", "job.yaml", 5, 15),
        ("wrong_type", "job.yaml", 6, 15),
        ("wrong_type", "job.yaml", 7, 20),
        ("wrong_value", "job.yaml", 7, 33),
        ("unknown_key", "job.yaml", 7, 37),
        ("wrong_value", "job.yaml", 8, 24),
        ("wrong_value", "job.yaml", 8, 45),
        ("wrong_value", "job.yaml", 8, 57),
        ("wrong_value", "job.yaml", 9, 17),
        ("wrong_value", "job.yaml", 10, 13),
        ("wrong_type", "job.yaml", 12, 5),
        ("missing_key", "job.yaml", 13, 5),
        ("wrong_choice", "job.yaml", 14, 5),
        ("wrong_type", "job.yaml", 15, 14),
        ("unknown_key", "job.yaml", 16, 28),
        ("wrong_type", "job.yaml", 17, 38),
        ("wrong_value", "job.yaml", 18, 14),
        ("forbidden_key", "job.yaml", 19, 48),
        ("forbidden_key", "job.yaml", 19, 58),
        ("forbidden_key", "job.yaml", 19, 70),
        ("bibs_not_covered", "job.yaml", 20, 14),
        ("missing_key", "job.yaml", 21, 5),
    ]


@pytest.mark.parametrize(
    ("given", "meant", "line"),
    [
        ("sigel: Ylm", "`sigels`", 9),
        ("aktive_sigel: Ylm", "`active_sigel`", 9),
        ("Operations: []", "`operations`", 9),
    ],
)
def test_unknown_key_suggests_the_meant_one(
    tmp_path: Path, given: str, meant: str, line: int
) -> None:
    (problem,) = problems_of(make_job(tmp_path, HEAD + ONE + given + "\n"))
    assert brief([problem]) == [("unknown_key", "job.yaml", line, 1)]
    assert problem.hint == f"did you mean {meant}?"


def test_wrong_word_suggests_the_meant_one(tmp_path: Path) -> None:
    (problem,) = problems_of(make_job(tmp_path, HEAD + ONE + "on_missing: refused\n"))
    assert problem.hint == "did you mean `refuse`?"


def test_number_for_text_says_how_to_keep_it(tmp_path: Path) -> None:
    (problem,) = problems_of(make_job(tmp_path, HEAD.replace("A title", "1984") + ONE))
    assert problem.message == "title: must be text, not `1984`"
    assert problem.hint == "put it in quotes"


def test_duplicate_key_names_both_lines(tmp_path: Path) -> None:
    (problem,) = problems_of(make_job(tmp_path, HEAD + "title: again\n" + ONE))
    assert brief([problem]) == [("duplicate_key", "job.yaml", 7, 1)]
    assert "line 3" in problem.message


def test_tags_are_never_obeyed(tmp_path: Path) -> None:
    text = HEAD.replace("A title", '!!python/object/apply:os.system ["touch pwned"]') + ONE
    problems = problems_of(make_job(tmp_path, text))
    assert problems[0].code == "tag"
    assert "!!python/object/apply:os.system" in problems[0].message


def test_control_character_behind_an_escape(tmp_path: Path) -> None:
    (problem,) = problems_of(make_job(tmp_path, HEAD.replace("A title", '"a\\0b"') + ONE))
    assert brief([problem]) == [("control_character", "job.yaml", 3, 8)]


def test_messages_hold_nothing_that_harms_a_terminal(tmp_path: Path) -> None:
    bad = '"\\e[31m\\u202Edrow ' + "x" * 500 + '"'
    problems = problems_of(make_job(tmp_path, HEAD + f"{bad}: 1\non_missing: {bad}\n" + ONE))
    assert problems
    for problem in problems:
        assert str(problem.whole).isprintable()
        assert len(problem.message) < 300


def test_nothing_to_do(tmp_path: Path) -> None:
    (problem,) = problems_of(make_job(tmp_path, HEAD))
    assert "operations, steps" in problem.message


def test_many_problems_are_counted_not_shown(tmp_path: Path) -> None:
    folder = make_job(tmp_path, HEAD + "operations:\n" + "  - {updat: x}\n" * 1_000)
    with pytest.raises(ManifestError) as caught:
        load(folder)
    assert caught.value.exit_code == 2
    assert caught.value.message.startswith("1,000 problems")
    assert len(caught.value.problems) == 301
    assert "700 more" in str(caught.value.problems[-1])


class TestJson:
    def test_same_places(self, tmp_path: Path) -> None:
        text = '{"bulkrunner": 1,\n "titel": "😀",\t"titel": NaN, "x": 1e999}'
        problems = problems_of(make_job(tmp_path, text, name="job.json"))
        found = [place for place in brief(problems) if place[0] != "missing_key"]
        assert found == [
            ("unknown_key", "job.json", 2, 2),
            ("duplicate_key", "job.json", 2, 16),
            ("bad_number", "job.json", 2, 25),
            ("unknown_key", "job.json", 2, 30),
            ("bad_number", "job.json", 2, 35),
        ]

    @pytest.mark.parametrize(
        ("text", "code", "column"),
        [
            ('{"a" 1}', "not_json", 6),
            ("[" * 100_000, "too_deep", 1),
            ('{"a":' + "[" * 500 + "]" * 500 + "}", "too_deep", 69),
            ("bulkrunner: 1", "not_json", 1),
            ("", "empty", 1),
        ],
    )
    def test_text_that_cannot_be_read(
        self, tmp_path: Path, text: str, code: str, column: int
    ) -> None:
        problems = problems_of(make_job(tmp_path, text, name="job.json"))
        assert brief(problems) == [(code, "job.json", 1, column)]

    def test_half_a_character(self, tmp_path: Path) -> None:
        problems = problems_of(make_job(tmp_path, '{"title": "\\ud83d"}', name="job.json"))
        assert ("control_character", "job.json", 1, 11) in brief(problems)


class TestDuplicateOperations:
    def test_both_places_are_named(self, tmp_path: Path) -> None:
        text = HEAD + ONE + f"  - {{update: 'https://libris-stg.kb.se/{ID}#it', resave: true}}\n"
        (problem,) = problems_of(make_job(tmp_path, text))
        assert brief([problem]) == [("duplicate_operation", "job.yaml", 9, 5)]
        assert "job.yaml:8:5" in problem.message

    def test_steps_may_come_back_to_a_record(self, tmp_path: Path) -> None:
        text = HEAD + "operations: {file: o.jsonl}\nsteps:\n"
        text += "  - {ids: a.txt, delete: true}\n  - {ids: b.txt, update: {resave: true}}\n"
        files: dict[str, str | bytes] = {
            "o.jsonl": f'{{"delete": "{ID}"}}\n{{"delete": "https://libris.kb.se/{ID}"}}\n',
            "a.txt": f"{OTHER}\n{ID}\n",
            "b.txt": f"\n{OTHER}\n",
        }
        (problem,) = problems_of(make_job(tmp_path, text, files))
        assert brief([problem]) == [("duplicate_operation", "o.jsonl", 2, 0)]
        assert "o.jsonl:1" in problem.message
        files["o.jsonl"] = f'{{"delete": "{ID}"}}\n'
        assert len(resolved(load(make_job(tmp_path, text, files)))) == 4

    def test_two_holdings_of_one_library_on_one_bib(self, tmp_path: Path) -> None:
        create = f"  - {{create: holding, of: {ID}, sigel: %s}}\n"
        text = HEAD + "operations:\n" + create % "Ylm" + create % "NO" + create % "Ylm"
        assert brief(problems_of(make_job(tmp_path, text))) == [
            ("duplicate_operation", "job.yaml", 10, 5)
        ]

    def test_bib_may_be_changed_and_get_a_holding(self, tmp_path: Path) -> None:
        text = HEAD + ONE.replace("delete", "update").replace("}", ", resave: true}")
        text += f"  - {{create: holding, of: {ID}, sigel: Ylm}}\n"
        assert problems_of(make_job(tmp_path, text)) == []


class TestInputFiles:
    STEP = HEAD + "steps:\n  - {ids: %s, delete: true}\n"

    @pytest.mark.parametrize(
        ("name", "code", "words"),
        [
            ("idz.txt", "missing_file", "does not exist"),
            ("no/ids.txt", "missing_file", "does not exist"),
            ("../ids.txt", "outside_folder", "out of the job folder"),
            ("sub/../../ids.txt", "outside_folder", "out of the job folder"),
            ("/etc/passwd", "outside_folder", "absolute"),
            ("sub", "not_a_file", "regular file"),
            (".", "missing_file", "names no file"),
            ("link.txt", "symbolic_link", "symbolic link"),
            ("linked/ids.txt", "symbolic_link", "symbolic link"),
            ("inner-link.txt", "symbolic_link", "symbolic link"),
            ("ids.txt/x", "missing_file", "does not exist"),
            ("x" * 300, "missing_file", "does not exist"),
        ],
    )
    def test_refused(self, tmp_path: Path, name: str, code: str, words: str) -> None:
        outside = tmp_path / "outside"
        outside.mkdir()
        (outside / "ids.txt").write_text(ID)
        (tmp_path / "ids.txt").write_text(ID)
        folder = make_job(tmp_path / "job", self.STEP % name, {"ids.txt": ID, "sub/x": "1"})
        (folder / "link.txt").symlink_to(outside / "ids.txt")
        (folder / "linked").symlink_to(outside)
        (folder / "inner-link.txt").symlink_to("ids.txt")
        (problem,) = problems_of(folder)
        assert brief([problem]) == [(code, "job.yaml", 8, 11)]
        assert words in problem.message

    def test_missing_file_suggests_a_near_one(self, tmp_path: Path) -> None:
        (problem,) = problems_of(make_job(tmp_path, self.STEP % "idz.txt", {"ids.txt": ID}))
        assert problem.hint == "did you mean `ids.txt`?"

    def test_id_in_place_of_a_file(self, tmp_path: Path) -> None:
        (problem,) = problems_of(make_job(tmp_path, self.STEP % ID))
        assert f"ids: [{ID}]" in problem.hint

    def test_named_pipe_does_not_hang(self, tmp_path: Path) -> None:
        folder = make_job(tmp_path, self.STEP % "pipe")
        os.mkfifo(folder / "pipe")
        assert brief(problems_of(folder)) == [("not_a_file", "job.yaml", 8, 11)]

    def test_socket(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        folder = make_job(tmp_path, self.STEP % "sock")
        monkeypatch.chdir(folder)
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("sock")
            assert brief(problems_of(folder)) == [("not_a_file", "job.yaml", 8, 11)]

    def test_manifest_itself_may_not_be_a_link(self, tmp_path: Path) -> None:
        elsewhere = make_job(tmp_path / "elsewhere", HEAD + ONE)
        folder = tmp_path / "job"
        folder.mkdir()
        (folder / "job.yaml").symlink_to(elsewhere / "job.yaml")
        assert [problem.code for problem in problems_of(folder)] == ["symbolic_link"]

    def test_folder_reached_by_a_link_is_fine(self, tmp_path: Path) -> None:
        folder = make_job(tmp_path / "job", self.STEP % "ids.txt", {"ids.txt": ID})
        (tmp_path / "link").symlink_to(folder)
        assert load(tmp_path / "link").folder == str(folder)


class TestFinding:
    def test_no_such_folder(self, tmp_path: Path) -> None:
        assert [p.code for p in problems_of(tmp_path / "nowhere")] == ["missing_manifest"]

    def test_a_folder_of_that_name_further_down_is_named(self, tmp_path: Path) -> None:
        make_job(tmp_path / "jobs" / "a-job", HEAD + ONE)
        (tmp_path / "other" / "a-job").mkdir(parents=True)
        (problem,) = problems_of(tmp_path / "a-job")
        assert problem.hint == f"did you mean {tmp_path}/jobs/a-job?"

    def test_folder_without_manifest(self, tmp_path: Path) -> None:
        (problem,) = problems_of(tmp_path)
        assert "job.yaml, job.yml, job.json" in problem.message

    def test_two_manifests(self, tmp_path: Path) -> None:
        make_job(tmp_path, HEAD + ONE)
        make_job(tmp_path, "{}", name="job.json")
        assert [p.code for p in problems_of(tmp_path)] == ["several_manifests"]
        assert load(tmp_path / "job.yaml").job.id == "a-job"

    def test_other_file(self, tmp_path: Path) -> None:
        make_job(tmp_path, ID, name="ids.txt")
        assert [p.code for p in problems_of(tmp_path / "ids.txt")] == ["not_a_manifest"]

    def test_places_are_told_as_the_user_named_the_folder(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        make_job(tmp_path / "jobs" / "x", "")
        monkeypatch.chdir(tmp_path)
        assert [p.whole for p in problems_of(Path("jobs/x"))] == [
            "jobs/x/job.yaml:1:1: the manifest is empty"
        ]
        assert [p.source.file for p in problems_of(Path("jobs/x/job.yaml"))] == ["jobs/x/job.yaml"]
        monkeypatch.chdir(tmp_path / "jobs" / "x")
        assert [p.source.file for p in problems_of(Path())] == ["job.yaml"]

    def test_manifest_of_another_name_is_found_again(self, tmp_path: Path) -> None:
        make_job(tmp_path, HEAD + ONE, name="other.yaml")
        loaded = load(tmp_path / "other.yaml")
        assert load(Path(loaded.folder)).job == loaded.job
