"""Selections of steps: tables, earlier reports, mixed lists, and every line accounted for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkrunner.adapters.manifests import LoadedJob, load_job
from bulkrunner.domain.manifest import Unreadable
from bulkrunner.domain.steps import InputLine, StepEntry, StepSelection
from bulkrunner.errors import UsageError
from tests.support.manifests import (
    BASES,
    HEAD,
    ID,
    OTHER,
    brief,
    left_out,
    load,
    make_job,
    problems_of,
)
from tests.support.tables import xlsx

Files = dict[str, str | bytes]


def step(folder: Path, text: str, files: Files | None = None) -> LoadedJob:
    return load(make_job(folder, HEAD + f"steps: [{{{text}, delete: true}}]\n", files))


def told(loaded: LoadedJob) -> list[tuple[int, str]]:
    """Line and ref of each entry; code where there is none."""
    found = []
    for one in loaded.operations():
        match one:
            case StepEntry(ref=ref):
                found.append((one.source.line, ref))
            case Unreadable(code=code) | InputLine(code=code):
                found.append((one.source.line, code))
    return found


class TestMixedLists:
    def test_errors_of_a_spreadsheet_s_column_are_no_comments(self, tmp_path: Path) -> None:
        lines = [ID, "#SAKNAS!", "#N/A", "=A2", "# ny hylla!", "####"]
        loaded = step(tmp_path, "ids: ids.txt", {"ids.txt": "\n".join(lines)})
        wanted = [(1, ID), (2, "cell_error"), (3, "cell_error"), (4, "cell_error")]
        assert told(loaded) == [*wanted, (5, "comment"), (6, "comment")]

    def test_every_dialect_in_one_column(self, tmp_path: Path) -> None:
        lines = [
            ID,
            f"https://libris.kb.se/{OTHER}#it",
            "(LIBRIS)12",
            "13",
            "917000059X",
            "0347-0547",
        ]
        lines += ["(OCoLC)5", "", "# slut", "13 ", "x", "91-7000-059-1"]
        loaded = step(tmp_path, "ids: {file: ids.txt, as: bib}", {"ids.txt": "\r\n".join(lines)})
        assert told(loaded) == [
            (1, ID),
            (2, OTHER),
            (3, "http://libris.kb.se/bib/12"),
            (4, "http://libris.kb.se/bib/13"),
            (5, "isbn:9789170000591"),
            (6, "issn:0347-0547"),
            (7, "system:(OCoLC)5"),
            (8, "blank"),
            (9, "comment"),
            (10, "repeat"),
            (11, "unreadable_id"),
            (12, "bad_check_digit"),
        ]
        assert left_out(loaded)[-1] == (10, "repeat", "ids.txt:4")

    def test_a_bare_number_needs_its_meaning(self, tmp_path: Path) -> None:
        files: Files = {"ids.txt": f"{ID}\n1234567\n"}
        first = step(tmp_path / "a", "ids: ids.txt", files)
        assert told(first) == [(1, ID), (2, "ambiguous_number")]
        bad = [one for one in first.operations() if isinstance(one, Unreadable)]
        assert "as: bib" in bad[0].message
        second = step(tmp_path / "b", "ids: {list: ['1234567', 1234568x], as: holding}")
        assert told(second) == [(7, "http://libris.kb.se/hold/1234567"), (7, "bad_check_digit")]

    def test_the_given_encoding_counts(self, tmp_path: Path) -> None:
        files: Files = {"ids.txt": f"# å\n{ID}\n".encode("latin-1")}
        loaded = step(tmp_path / "a", "ids: {file: ids.txt, encoding: iso-8859-1}", files)
        assert loaded.inputs[0]["encoding"] == "iso-8859-1"
        text = HEAD + "steps: [{ids: {file: ids.txt, encoding: utf-8}, delete: true}]\n"
        assert brief(problems_of(make_job(tmp_path / "b", text, files))) == [
            ("not_in_encoding", "ids.txt", 1, 0)
        ]

    @pytest.mark.parametrize(
        "ids",
        [
            "{as: bib}",
            "{file: a, list: [b]}",
            "{file: ids.txt, as: number}",
            "{file: ids.txt, as: []}",
        ],
    )
    def test_bad_lists(self, tmp_path: Path, ids: str) -> None:
        text = HEAD + f"steps: [{{ids: {ids}, delete: true}}]\n"
        assert problems_of(make_job(tmp_path, text, {"ids.txt": ID}))


class TestRows:
    TABLE = f"Bibid;Signum\n{ID};Hc\n;Hd\n\n{OTHER};He\n{ID};Hc\n{ID};Hf\n12;Hg;x\n"

    def test_every_row_is_accounted_for(self, tmp_path: Path) -> None:
        loaded = step(tmp_path, "rows: {file: t.csv, key: Bibid}", {"t.csv": self.TABLE})
        assert told(loaded) == [
            (2, ID),
            (3, "empty_key"),
            (4, "blank"),
            (5, OTHER),
            (6, "repeat"),
            (7, ID),
            (8, "too_many_cells"),
        ]
        rows = [one.row for one in loaded.operations() if isinstance(one, StepEntry)]
        assert rows[0] == {"Bibid": ID, "Signum": "Hc"}
        assert loaded.inputs == [
            {
                "step": 1,
                "file": "t.csv",
                "kind": "text",
                "encoding": "utf-8",
                "separator": ";",
                "header_separator": ";",
                "columns": ("Bibid", "Signum"),
                "lines": 7,
                "left_out": {"empty_key": 1, "blank": 1, "too_many_cells": 1, "repeat": 1},
            }
        ]

    def test_an_empty_key_is_never_the_row_before(self, tmp_path: Path) -> None:
        table = "Bibid\tSignum\n" + f"{ID}\tHc\n" + "\tHd\n" * 3
        loaded = step(tmp_path, "rows: {file: t.tsv, key: Bibid}", {"t.tsv": table})
        assert told(loaded) == [(2, ID), (3, "empty_key"), (4, "empty_key"), (5, "empty_key")]

    def test_a_spreadsheet_names_its_sheet_and_row(self, tmp_path: Path) -> None:
        data = xlsx([["Bibid", "Signum"], [1234567, "Hc"], ["", "Hd"]])
        loaded = step(tmp_path, "rows: {file: t.xlsx, key: Bibid, as: bib}", {"t.xlsx": data})
        found = list(loaded.operations())
        assert isinstance(found[0], StepEntry)
        assert found[0].ref == "http://libris.kb.se/bib/1234567"
        assert str(found[1].source) == "t.xlsx[Blad1]:3"

    def test_cells_go_through_the_functions_of_their_column(self, tmp_path: Path) -> None:
        table = "Id;Signum;Not\n(NR)0012 x;hc ;a\n(NR) ;hd;b\n"
        clean = "{Id: ['strip_prefix((NR))', first_word, strip_zeros], Signum: [upper]}"
        loaded = step(
            tmp_path, f"rows: {{file: t.csv, key: Id, as: bib, clean: {clean}}}", {"t.csv": table}
        )
        assert told(loaded) == [(2, "http://libris.kb.se/bib/12"), (3, "empty_key")]
        (first, _) = loaded.operations()
        assert isinstance(first, StepEntry)
        assert first.row == {"Id": "12", "Signum": "HC", "Not": "a"}

    def test_a_function_that_is_none_is_told_with_its_place(self, tmp_path: Path) -> None:
        text = HEAD + "steps:\n  - rows: {file: t.csv, key: Id, clean: {Id: [trim, uper]}}\n"
        text += "    delete: true\n"
        (problem,) = problems_of(make_job(tmp_path, text, {"t.csv": f"Id\n{ID}\n"}))
        assert (problem.code, problem.source.line) == ("bad_function", 8)
        assert "upper" in problem.hint

    def test_a_cell_that_a_function_swells_is_its_rows_fault(self, tmp_path: Path) -> None:
        table = "Id;Not\n" + f"{ID};{'a' * 90_000}\n" + f"{OTHER};a\n"
        clean = "{Not: ['replace(a, bbbbbbbbbbbbbbbbbbbb)']}"
        loaded = step(tmp_path, f"rows: {{file: t.csv, key: Id, clean: {clean}}}", {"t.csv": table})
        assert told(loaded) == [(2, "cell_too_long"), (3, OTHER)]

    def test_columns_by_number(self, tmp_path: Path) -> None:
        files: Files = {"t.tsv": f"x\t{ID}\ny\n"}
        loaded = step(tmp_path, "rows: {file: t.tsv, key: 2, header: false}", files)
        assert told(loaded) == [(1, ID), (2, "empty_key")]

    def test_every_column_that_is_missing_is_told_at_once(self, tmp_path: Path) -> None:
        text = """\
steps:
  - rows:
      file: t.csv
      key: Bid
      clean: {Signun: [trim]}
    changes:
      - {set: {at: x, to: {$value: "@row.Nytt"}}}
      - {set: {at: y, to: {$value: "@row.Plats"}}}
"""
        found = problems_of(make_job(tmp_path, HEAD + text, {"t.csv": self.TABLE}))
        names = [problem.message.split("`")[3] for problem in found]
        assert names == ["Bid", "Signun", "Nytt", "Plats"]
        assert len({problem.source.line for problem in found}) == 4

    def test_a_missing_column_is_a_fault_that_says_which_there_are(self, tmp_path: Path) -> None:
        text = HEAD + "steps: [{rows: {file: t.csv, key: bibid}, delete: true}]\n"
        (problem,) = problems_of(make_job(tmp_path / "a", text, {"t.csv": self.TABLE}))
        assert (problem.code, problem.hint) == ("missing_column", "did you mean `Bibid`?")
        text = HEAD + "steps: [{rows: {file: t.csv, key: Kolumn}, delete: true}]\n"
        (problem,) = problems_of(make_job(tmp_path / "b", text, {"t.csv": f"{ID};a\n{OTHER};b\n"}))
        assert "header: false" in problem.hint

    def test_faults_name_file_and_row(self, tmp_path: Path) -> None:
        text = HEAD + "steps: [{rows: {file: t.csv, key: Id}, delete: true}]\n"
        (problem,) = problems_of(make_job(tmp_path, text, {"t.csv": 'Id;a\n1;b\n2;"c\n'}))
        assert brief([problem]) == [("bad_quotes", "t.csv", 3, 0)]

    def test_digests_hash_values_not_bytes(self, tmp_path: Path) -> None:
        rows = [["Bibid", "Signum"], [ID, "Hå"], [OTHER, "Hd"]]
        text = "\n".join(";".join(row) for row in rows)
        files: list[tuple[str, str, bytes]] = [
            ("a", "t.csv", text.encode()),
            ("b", "t.csv", text.replace(";", "\t").encode("utf-16")),
            ("c", "t.xlsx", xlsx(rows)),
        ]
        digests = {
            step(
                tmp_path / name, f"rows: {{file: {file}, key: Bibid}}", {file: data}
            ).job.effect_digest
            for name, file, data in files
        }
        assert len(digests) == 1
        other = step(
            tmp_path / "d", "rows: {file: t.csv, key: Bibid}", {"t.csv": text.replace("Hd", "He")}
        )
        assert other.job.effect_digest not in digests

    @pytest.mark.parametrize(
        "rows",
        [
            "{file: t.csv}",
            "{key: Id}",
            "{file: t.csv, key: Id, columns: [Id]}",
            "{file: t.csv, key: Id, separator: x}",
            "{file: t.csv, key: 0}",
        ],
    )
    def test_bad_tables(self, tmp_path: Path, rows: str) -> None:
        text = HEAD + f"steps: [{{rows: {rows}, delete: true}}]\n"
        assert problems_of(make_job(tmp_path, text, {"t.csv": f"Id\n{ID}\n"}))


def report_line(record: str, **more: Any) -> str:
    return json.dumps({"record": record, "action": "update", "outcome": "applied", **more}) + "\n"


class TestReports:
    LINES = (
        report_line(ID)
        + report_line(OTHER, outcome="failed", result={"code": "server_error"})
        + report_line("0" * 15, action="refused", outcome=None, code="duplicate")
    )

    @pytest.mark.parametrize(
        ("wanted", "refs"),
        [
            ("", [ID]),
            (", outcomes: [failed]", [OTHER]),
            (", outcomes: [applied, failed]", [ID, OTHER]),
            (", actions: [refused]", ["0" * 15]),
            (", codes: [duplicate, server_error]", [OTHER, "0" * 15]),
        ],
    )
    def test_lines_by_outcome_action_and_code(
        self, tmp_path: Path, wanted: str, refs: list[str]
    ) -> None:
        loaded = step(tmp_path, f"report: {{file: run.jsonl{wanted}}}", {"run.jsonl": self.LINES})
        found = [one.ref for one in loaded.operations() if isinstance(one, StepEntry)]
        assert found == refs
        assert len(left_out(loaded)) == 3 - len(refs)
        assert {code for _, code, _ in left_out(loaded)} <= {"other_outcome"}

    def test_a_report_without_a_line_that_is_meant_says_so(self, tmp_path: Path) -> None:
        text = HEAD + "steps: [{report: {file: run.jsonl}, delete: true}]\n"
        lines = report_line(ID, outcome="failed") + report_line(OTHER, outcome="refused")
        (problem,) = problems_of(make_job(tmp_path, text, {"run.jsonl": lines}))
        assert problem.code == "empty"
        assert problem.message == "no line of `run.jsonl` (2 in all) ended applied"

    def test_what_is_no_report(self, tmp_path: Path) -> None:
        text = HEAD + "steps: [{report: {file: run.jsonl}, delete: true}]\n"
        (problem,) = problems_of(make_job(tmp_path, text, {"run.jsonl": f"{ID}\n"}))
        assert brief([problem]) == [("not_a_report", "run.jsonl", 1, 0)]


class TestSearches:
    def test_a_search_is_left_to_the_environment(self, tmp_path: Path) -> None:
        loaded = step(tmp_path, "find: {'@type': Item, physicalLocation: [Hc, Hd]}")
        (found,) = loaded.operations()
        assert isinstance(found, StepSelection)
        assert found.selects == {"find": {"@type": "Item", "physicalLocation": ["Hc", "Hd"]}}
        assert loaded.counts["selection"] == 1

    def test_what_is_searched_for_counts_in_the_digest(self, tmp_path: Path) -> None:
        one = step(tmp_path / "a", "find: {a: b}").job.effect_digest
        two = step(tmp_path / "b", "find: {a: c}").job.effect_digest
        assert one != two != step(tmp_path / "c", "library: Ylm").job.effect_digest

    @pytest.mark.parametrize("find", ["{}", "{_limit: 5}", "{a: null}"])
    def test_bad_searches(self, tmp_path: Path, find: str) -> None:
        text = HEAD + f"steps: [{{find: {find}, delete: true}}]\n"
        assert problems_of(make_job(tmp_path, text))

    @pytest.mark.parametrize(
        ("text", "code", "words"),
        [
            ("find: {a: {$value: '@row.x'}}", "bad_value", "@row.x"),
            ("find: {a: {$value: '@param.sinse'}}", "unknown_parameter", "@param.since"),
            ("find: {a: {$valeu: x}}", "bad_value", "$valeu"),
            ("library: Gbg", "sigel_not_in_job", "Gbg"),
            ("library: [Ylm, Gbg]", "sigel_not_in_job", "Gbg"),
            (f"ids: [{ID}], holdings: [Gbg]", "sigel_not_in_job", "Gbg"),
        ],
    )
    def test_what_only_the_whole_manifest_shows(
        self, tmp_path: Path, text: str, code: str, words: str
    ) -> None:
        manifest = HEAD + "parameters: {since: {type: date}}\n"
        manifest += f"steps: [{{{text}, delete: true}}]\n"
        (problem,) = problems_of(make_job(tmp_path, manifest))
        assert problem.code == code
        assert words in problem.message + problem.hint

    OWN = "'@type': Item, heldBy.@id: 'https://libris.kb.se/library/Ylm'"

    @pytest.mark.parametrize(
        ("find", "words", "where"),
        [
            (
                f"{OWN}, exists-shelfMark: 'true'",
                "shelfMark.@id",
                '{"shelfMark": {"exists": true}}',
            ),
            (f"{OWN}, exists-hasNote: false", "`hasNote`", '{"hasNote": {"exists": false}}'),
            (f"{OWN}, shelfLabel: a", "`shelfLabel`", '{"shelfLabel": {"equals": "a"}}'),
            (f"{OWN}, copyNumber: [1, 2]", "`copyNumber`", '{"copyNumber": {"in": [1, 2]}}'),
            (
                f"{OWN}, not-shelfMark.label: 'Hc*'",
                "`not-shelfMark.label`",
                '{"not": {"shelfMark.label": {"starts_with": "Hc"}}}',
            ),
            (f"{OWN}, min-inventoryLevel: 2", "`inventoryLevel`", "put the condition into"),
            (f"{OWN}, or-shelfLabel: a", "`or-shelfLabel`", "put the condition into"),
            (f"{OWN}, hasComponent.shelfMark.label: a", "`shelfMark`", "put the condition into"),
            (f"{OWN}, q: a", "any text", "put the condition into"),
            (
                "'@type': Instance, '@reverse.itemOf.shelfLabel': a",
                "`shelfLabel`",
                '{"shelfLabel": {"equals": "a"}}',
            ),
            ("hasNote.label: a", "`hasNote`", 'say so: `"@type": Instance`'),
        ],
    )
    def test_what_the_index_does_not_hold_of_holdings(
        self, tmp_path: Path, find: str, words: str, where: str
    ) -> None:
        text = HEAD + f"steps: [{{find: {{{find}}}, delete: true}}]\n"
        (problem,) = problems_of(make_job(tmp_path, text))
        assert problem.code == "not_indexed"
        assert words in problem.message
        assert ("`library: Ylm`" if self.OWN in find else "`library: [Ylm, NO]`") in problem.hint
        assert where in problem.hint
        line = text.splitlines()[problem.source.line - 1]
        at_last = find.removeprefix(f"{self.OWN}, ").removeprefix("'@type': Instance, ")
        assert problem.source.column - 1 == line.index(at_last)

    def test_every_such_condition_is_told(self, tmp_path: Path) -> None:
        find = "{'@type': Item, shelfLabel: a, physicalLocation: b, exists-hasNote: true}"
        text = HEAD + f"steps: [{{find: {find}, delete: true}}]\n"
        found = problems_of(make_job(tmp_path, text))
        assert [problem.code for problem in found] == ["not_indexed"] * 2

    @pytest.mark.parametrize(
        "step",
        [
            f"find: {{{OWN}, physicalLocation: a, min-meta.created: '2026'}}",
            f"find: {{{OWN}, exists-shelfMark.@id: true}}",
            "find: {'@type': Instance, hasNote.label: a}, holdings: [Ylm]",
            "find: {hasNote.label: a}, holdings: [Ylm]",
        ],
    )
    def test_what_the_index_holds(self, tmp_path: Path, step: str) -> None:
        text = HEAD + f"steps: [{{{step}, delete: true}}]\n"
        assert problems_of(make_job(tmp_path, text)) == []

    def test_one_selection_for_a_step(self, tmp_path: Path) -> None:
        text = HEAD + "steps: [{find: {a: b}, library: Ylm, delete: true}]\n"
        (problem,) = problems_of(make_job(tmp_path, text))
        assert "exactly one of ids, rows, report, find, library" in problem.message


class TestParameters:
    TEXT = (
        HEAD
        + "parameters: {shelf: Hce, since: {type: date, required: true}}\n"
        + f"steps: [{{ids: [{ID}], delete: true}}]\n"
    )

    def load(self, folder: Path, **given: Any) -> LoadedJob:
        return load_job(make_job(folder, self.TEXT), bases=BASES, parameters=given)

    def test_values_are_part_of_the_digests(self, tmp_path: Path) -> None:
        without = self.load(tmp_path)
        assert [one.name for one in without.missing] == ["since"]
        first = self.load(tmp_path, since="2026-01-01")
        assert first.missing == []
        assert first.head["parameters"] == {"shelf": "Hce", "since": "2026-01-01"}
        assert first.job.parameters == first.head["parameters"]
        second = self.load(tmp_path, since="2026-01-02")
        assert first.job.effect_digest != second.job.effect_digest
        again = self.load(tmp_path, **first.head["parameters"])
        assert again.job.manifest_digest == first.job.manifest_digest

    @pytest.mark.parametrize("given", [{"since": "yesterday"}, {"sinse": "2026-01-01"}])
    def test_a_bad_value_is_told(self, tmp_path: Path, given: dict[str, str]) -> None:
        with pytest.raises(UsageError) as error:
            self.load(tmp_path, **given)
        assert error.value.code == "bad_parameter"

    def test_a_bad_default_is_a_fault_of_the_manifest(self, tmp_path: Path) -> None:
        text = HEAD + "parameters: {since: {type: date, default: soon}}\n"
        text += f"operations: [{{delete: {ID}}}]\n"
        (problem,) = problems_of(make_job(tmp_path, text))
        assert (problem.code, problem.source.line) == ("wrong_value", 7)


@given(st.permutations(range(12)))
def test_the_order_of_lines_does_not_change_what_is_selected(
    tmp_path_factory: pytest.TempPathFactory, order: list[int]
) -> None:
    lines = [ID, OTHER, "(LIBRIS)1", "1", "917000059X", "", "# x", ID, "x", "y", "x", "0347-0547"]
    shuffled = "\n".join(lines[at] for at in order)
    folder = tmp_path_factory.mktemp("order")
    loaded = step(folder, "ids: {file: ids.txt, as: bib}", {"ids.txt": shuffled})
    refs = sorted(one.ref for one in loaded.operations() if isinstance(one, StepEntry))
    assert refs == sorted(
        {ID, OTHER, "http://libris.kb.se/bib/1", "isbn:9789170000591", "issn:0347-0547"}
    )
    assert loaded.counts["duplicates"] == 3
    assert loaded.counts["unreadable"] == 2
