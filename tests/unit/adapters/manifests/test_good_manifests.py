"""What manifests mean: scalars, operations, steps, lists of ids."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from bulkrunner.adapters.manifests import job_from_head
from bulkrunner.domain.changes.verbs import AppendChange, RemoveChange, SetChange
from bulkrunner.domain.manifest import (
    Accept,
    Agreement,
    Create,
    Creates,
    Delete,
    Unreadable,
    Update,
)
from bulkrunner.errors import ManifestError, Source
from tests.support.manifests import (
    HEAD,
    ID,
    OTHER,
    brief,
    ids,
    left_out,
    load,
    make_job,
    problems_of,
    resolved,
)

ONE = f"operations:\n  - {{delete: {ID}}}\n"


class TestHead:
    def test_all_keys(self, tmp_path: Path) -> None:
        text = """\
bulkrunner: 1
job: 2026-11-shelf.marks_1
title: Hyllsignum
purpose: >-
  Två rader
  i ett stycke
on_behalf_of: NO
sigels: [Ylm, NO]
active_sigel: Ylm
agreement: {reference: KB 1, contact: a@example.org, agreed_on: 2026-11-02, rate: 10, covers: [holdings, bibs]}
ceilings: {records: 9, create: 0, update: 5, delete: 4}
accept: [{code: unexpected_value, at_most: 3, reason: known}]
on_missing: refuse
policy: {plan_max_age_hours: 12, test_hosts: [x.example.org], functions: none}
parameters: {shelf: Hce, many: 3, sure: true}
"""
        loaded = load(make_job(tmp_path, text + ONE))
        job = loaded.job
        assert (job.id, job.title, job.purpose) == (
            "2026-11-shelf.marks_1",
            "Hyllsignum",
            "Två rader i ett stycke",
        )
        assert (job.on_behalf_of, job.sigels, job.active_sigel) == ("NO", ("NO", "Ylm"), "Ylm")
        assert job.agreement == Agreement(
            reference="KB 1",
            contact="a@example.org",
            agreed_on=date(2026, 11, 2),
            rate=10.0,
            covers=("bibs", "holdings"),
        )
        assert job.ceilings == {"records": 9, "create": 0, "update": 5, "delete": 4}
        assert job.accept == (Accept(code="unexpected_value", at_most=3, reason="known"),)
        assert job.on_missing == "refuse"
        assert job.policy == {
            "plan_max_age_hours": 12,
            "test_hosts": ["x.example.org"],
            "functions": "none",
        }
        assert job.parameters == {"shelf": "Hce", "many": 3, "sure": True}
        assert json.loads(json.dumps(loaded.head)) == loaded.head
        assert not {"operations", "steps"} & set(loaded.head)

    def test_defaults(self, tmp_path: Path) -> None:
        job = load(make_job(tmp_path, HEAD + ONE)).job
        assert job.active_sigel == "Ylm"
        assert job.agreement == Agreement()
        assert job.on_missing == "report"
        assert job.ceilings == {}

    def test_job_from_a_stored_head(self, tmp_path: Path) -> None:
        text = (
            HEAD
            + "agreement: {agreed_on: 2026-11-02}\naccept: [{code: a, at_most: 1, reason: r}]\n"
        )
        loaded = load(make_job(tmp_path, text + ONE))
        job = job_from_head(
            json.loads(json.dumps(loaded.head)),
            manifest_digest=loaded.job.manifest_digest,
            effect_digest=loaded.job.effect_digest,
            rule_digest=loaded.job.rule_digest,
        )
        assert job == loaded.job


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("NO", "NO"),
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("True", "True"),
        ("NULL", "NULL"),
        ("0123", "0123"),
        ("-012", "-012"),
        ("1_000", "1_000"),
        ("0x1F", "0x1F"),
        ("0o17", "0o17"),
        ("1:30", "1:30"),
        ("2026-11-02", "2026-11-02"),
        (".nan", ".nan"),
        (".inf", ".inf"),
        ("NaN", "NaN"),
        ("+1", "+1"),
        (".5", ".5"),
        ("5.", "5."),
        ("=", "="),
        ("12", 12),
        ("0", 0),
        ("-7", -7),
        ("true", True),
        ("false", False),
        ('"12"', "12"),
        ("'true'", "true"),
        ('""', ""),
    ],
)
def test_unquoted_words(tmp_path: Path, written: str, meant: Any) -> None:
    text = HEAD + (
        f"operations:\n  - update: {ID}\n    changes:\n      - set:\n"
        f"          at: shelfMark.label\n          to: {written}\n"
    )
    (update,) = load(make_job(tmp_path, text)).operations()
    assert isinstance(update, Update)
    (change,) = update.changes
    assert isinstance(change, SetChange)
    assert change.to == meant
    assert type(change.to) is type(meant)


def test_sigel_no_without_quotes(tmp_path: Path) -> None:
    text = HEAD.replace("on_behalf_of: Ylm", "on_behalf_of: NO") + ONE
    assert load(make_job(tmp_path, text)).job.on_behalf_of == "NO"


class TestOperations:
    TEXT = HEAD + (
        "agreement: {covers: [holdings, bibs]}\n"
        "operations:\n"
        '  - {update: "FIRST", changes: [{set: {at: shelfMark.label, to: "Hce"}}], expect: {shelfMark.label: "Hc"}}\n'
        '  - {update: "https://libris.kb.se/SECOND#it", changes: [{remove: {at: inventoryLevel}},'
        ' {append: {at: availability, value: {"@type": ItemAvailability, label: "Ej fjärrlån"}}}]}\n'
        "  - {update: 000000000000001, replace: {record: {a: 1}, item: {b: [2]}}}\n"
        "  - {update: 000000000000002, resave: true}\n"
        '  - {delete: "http://127.0.0.1:8001/000000000000003"}\n'
        "  - {create: holding, of: 'http://libris.kb.se/bib/1234', sigel: Ylm, body: {physicalLocation: [MAG]}}\n"
        "  - {create: bib, sigel: Ylm, record: {r: 1}, body: {'@type': Print}}\n"
    ).replace("FIRST", ID).replace("SECOND", OTHER)

    def test_every_form(self, tmp_path: Path) -> None:
        loaded = load(make_job(tmp_path, self.TEXT))
        found = list(loaded.operations())
        assert found == [
            Update(
                source=Source(file="job.yaml", line=9, column=5),
                target=ID,
                changes=(SetChange(at="shelfMark.label", to="Hce"),),
                expect={"shelfMark.label": "Hc"},
            ),
            Update(
                source=Source(file="job.yaml", line=10, column=5),
                target=OTHER,
                changes=(
                    RemoveChange(at="inventoryLevel"),
                    AppendChange(
                        at="availability",
                        value={"@type": "ItemAvailability", "label": "Ej fjärrlån"},
                    ),
                ),
            ),
            Update(
                source=Source(file="job.yaml", line=11, column=5),
                target="000000000000001",
                replace={"record": {"a": 1}, "item": {"b": [2]}},
            ),
            Update(
                source=Source(file="job.yaml", line=12, column=5),
                target="000000000000002",
                resave=True,
            ),
            Delete(source=Source(file="job.yaml", line=13, column=5), target="000000000000003"),
            Create(
                source=Source(file="job.yaml", line=14, column=5),
                creates=Creates.HOLDING,
                sigel="Ylm",
                of="http://libris.kb.se/bib/1234",
                body={"physicalLocation": ["MAG"]},
            ),
            Create(
                source=Source(file="job.yaml", line=15, column=5),
                creates=Creates.BIB,
                sigel="Ylm",
                of=None,
                record={"r": 1},
                body={"@type": "Print"},
            ),
        ]
        assert loaded.counts == {
            "update": 4,
            "delete": 1,
            "create": 2,
            "unreadable": 0,
            "duplicates": 0,
        }
        assert list(loaded.operations()) == found

    def test_id_that_is_none_is_told_in_the_plan(self, tmp_path: Path) -> None:
        text = HEAD + ONE + "  - {update: 'y11(1', resave: true}\n"
        assert list(load(make_job(tmp_path, text)).operations())[1] == Unreadable(
            source=Source(file="job.yaml", line=9, column=5),
            given="y11(1",
            code="unreadable_id",
            message="`y11(1` is no id that is known here",
        )

    def test_base_of_an_unknown_environment_is_no_id(self, tmp_path: Path) -> None:
        text = HEAD + f"operations: [{{delete: 'https://example.org/{ID}'}}]\n"
        (found,) = load(make_job(tmp_path, text)).operations()
        assert isinstance(found, Unreadable)

    def test_json_lines_mean_the_same(self, tmp_path: Path) -> None:
        inline = load(make_job(tmp_path / "inline", self.TEXT))
        lines = [
            {"update": ID, "changes": [{"set": {"at": "a.b", "to": 1.0}}], "expect": {"a": None}},
            {"delete": OTHER},
        ]
        data = "\r\n".join(["\ufeff" + json.dumps(lines[0]), "", json.dumps(lines[1])])
        text = HEAD + "operations: {file: data/ops.jsonl}\n"
        loaded = load(make_job(tmp_path / "file", text, {"data/ops.jsonl": data}))
        assert list(loaded.operations()) == [
            Update(
                source=Source(file="data/ops.jsonl", line=1),
                target=ID,
                changes=(SetChange(at="a.b", to=1.0),),
                expect={"a": None},
            ),
            Delete(source=Source(file="data/ops.jsonl", line=3), target=OTHER),
        ]
        assert inline.counts["delete"] == 1

    @pytest.mark.parametrize(
        ("line", "code", "words"),
        [
            ("{bad", "not_json", "not JSON"),
            ("[1]", "wrong_type", "must be an object"),
            ('{"delete": NaN}', "bad_number", "NaN"),
            ('{"delete": "a", "expect": {"a": -Infinity}}', "bad_number", "-Infinity"),
            ('{"delete": "a", "expect": {"a": 1e999}}', "bad_number", "too large"),
            ('{"delete": "a", "expect": {"a": 99999999999999999999}}', "bad_number", "too large"),
            ('{"delete": "a", "delete": "b"}', "duplicate_key", "twice"),
            ('{"delete": "\\u0000"}', "control_character", "U+0000"),
            ('{"delete": "a", "expect": {"a": "\\ud83d"}}', "control_character", "U+D83D"),
            ('{"update": "a", "changes": [{"set": {"at": "a..b", "to": 1}}]}', "bad_place", "a..b"),
            ('{"create": "bib", "sigel": "Ylm", "body": {"a": 1}}', "bibs_not_covered", "bibs"),
            ('{"delete": ' + "[" * 100 + "]" * 100 + "}", "too_deep", "64"),
            ('{"delete": "' + "x" * 10_000_000 + '"}', "line_too_long", "10,000,000"),
            ('{"delete": 5, "x": 1}', "wrong_type", "`5`"),
        ],
    )
    def test_bad_line(self, tmp_path: Path, line: str, code: str, words: str) -> None:
        files: dict[str, str | bytes] = {"ops.jsonl": f'{{"delete": "{ID}"}}\n{line}\n'}
        text = HEAD + "operations: {file: ops.jsonl}\n"
        problems = problems_of(make_job(tmp_path, text, files))
        assert {problem.source.line for problem in problems} == {2}
        found = next(problem for problem in problems if problem.code == code)
        assert words in found.message
        assert Path(found.source.file).name == "ops.jsonl"

    def test_line_in_latin_1(self, tmp_path: Path) -> None:
        files: dict[str, str | bytes] = {"o.jsonl": '{"delete": "å"}'.encode("latin-1")}
        problems = problems_of(make_job(tmp_path, HEAD + "operations: {file: o.jsonl}\n", files))
        assert brief(problems) == [("not_utf8", "o.jsonl", 1, 13)]

    def test_empty_file(self, tmp_path: Path) -> None:
        files: dict[str, str | bytes] = {"o.jsonl": "\n\n"}
        problems = problems_of(make_job(tmp_path, HEAD + "operations: {file: o.jsonl}\n", files))
        assert brief(problems) == [("empty", "job.yaml", 7, 20)]

    def test_bad_place_in_the_manifest(self, tmp_path: Path) -> None:
        text = HEAD + (
            "operations:\n"
            f"  - {{update: {ID}, changes: [{{remove: {{at: a..b}}}}], expect: {{'.x': 1}}}}\n"
            f"steps:\n  - {{ids: [{OTHER}], set: {{at: 'a b', to: 1}}}}\n"
            f"  - {{ids: [000000000000001], update: {{changes: [{{append: {{at: '', value: 1}}}}]}}}}\n"
            "  - {ids: [000000000000002], delete: {expect: {'a.': 1}}}\n"
        )
        lines = text.splitlines()
        assert brief(problems_of(make_job(tmp_path, text))) == [
            ("bad_place", "job.yaml", 8, lines[7].index("a..b") + 1),
            ("bad_place", "job.yaml", 8, lines[7].index("'.x'") + 1),
            ("bad_place", "job.yaml", 10, lines[9].index("'a b'") + 1),
            ("wrong_value", "job.yaml", 11, lines[10].index("''") + 1),
            ("bad_place", "job.yaml", 12, lines[11].index("'a.'") + 1),
        ]


class TestSteps:
    def run(self, folder: Path, step: str, lines: str | bytes = ID) -> list[Any]:
        text = HEAD + f"steps:\n  - {step}\n"
        return resolved(load(make_job(folder, text, {"ids.txt": lines})))

    @pytest.mark.parametrize(
        "step",
        [
            "{ids: ids.txt, update: {changes: [{set: {at: a, to: 1}}], expect: {a: 0}}}",
            "{ids: ids.txt, update: {changes: [{set: {at: a, to: 1}}]}, expect: {a: 0}}",
            "{ids: {file: ids.txt}, changes: [{set: {at: a, to: 1}}], expect: {a: 0}}",
            "{ids: ./ids.txt, set: {at: a, to: 1}, expect: {a: 0}}",
        ],
    )
    def test_forms_of_an_update(self, tmp_path: Path, step: str) -> None:
        (found,) = self.run(tmp_path, step)
        assert isinstance(found, Update)
        assert found.target == ID
        assert found.changes == (SetChange(at="a", to=1),)
        assert found.expect == {"a": 0}

    def test_remove_and_append(self, tmp_path: Path) -> None:
        (found,) = self.run(tmp_path, "{ids: ids.txt, remove: {at: a}}")
        assert found.changes == (RemoveChange(at="a"),)
        (found,) = self.run(tmp_path, "{ids: ids.txt, append: {at: a, value: b}}")
        assert found.changes == (AppendChange(at="a", value="b"),)

    def test_save_again(self, tmp_path: Path) -> None:
        (found,) = self.run(tmp_path, "{ids: ids.txt, update: {resave: true}}")
        assert found.resave
        assert found.changes == ()

    @pytest.mark.parametrize("given", ["true", "{}", "{expect: {a: b}}"])
    def test_delete(self, tmp_path: Path, given: str) -> None:
        (found,) = self.run(tmp_path, f"{{ids: ids.txt, delete: {given}}}")
        assert found == Delete(
            source=Source(file="ids.txt", line=1),
            target=ID,
            expect={"a": "b"} if "expect" in given else {},
        )

    def test_create_on_every_bib(self, tmp_path: Path) -> None:
        step = "{ids: ids.txt, create: {creates: holding, sigel: NO, body: {a: [1]}}}"
        assert self.run(tmp_path, step, f"{ID}\n{OTHER}\n") == [
            Create(
                source=Source(file="ids.txt", line=line),
                creates=Creates.HOLDING,
                sigel="NO",
                of=bib,
                body={"a": [1]},
            )
            for line, bib in ((1, ID), (2, OTHER))
        ]

    def test_ids_in_the_manifest(self, tmp_path: Path) -> None:
        found = self.run(tmp_path, f"{{ids: [{ID}, 'x y', {ID}], delete: true}}")
        assert [(op.source.line, op.source.column) for op in found] == [(8, 12), (8, 29)]
        assert isinstance(found[1], Unreadable)

    def test_steps_come_after_operations(self, tmp_path: Path) -> None:
        text = HEAD + f"steps: [{{ids: [{ID}], delete: true}}]\noperations: [{{delete: {OTHER}}}]\n"
        found = resolved(load(make_job(tmp_path, text)))
        assert [op.target for op in found] == [OTHER, ID]  # type: ignore[union-attr]

    @pytest.mark.parametrize(
        ("step", "code", "words"),
        [
            ("{ids: ids.txt}", "missing_key", "exactly one of"),
            ("{ids: ids.txt, delete: false}", "wrong_value", "must be `true`"),
            ("{ids: ids.txt, set: {at: a, to: b}, remove: {at: c}}", "wrong_choice", "exactly one"),
            ("{ids: [], delete: true}", "wrong_value", "must not be empty"),
            ("{delete: true}", "missing_key", "exactly one of ids, rows"),
            (
                "{ids: ids.txt, create: {creates: holding, sigel: NO}, expect: {a: b}}",
                "wrong_value",
                "beside a create",
            ),
            (
                "{ids: ids.txt, delete: {expect: {a: b}}, expect: {a: b}}",
                "wrong_value",
                "given twice",
            ),
            ("{ids: ids.txt, create: {creates: bib, sigel: NO}}", "wrong_value", "`holding`"),
            (
                "{ids: ids.txt, create: {creates: holding, sigel: NO, body: {itemOf: 1}}}",
                "forbidden_key",
                "`itemOf`",
            ),
        ],
    )
    def test_bad_step(self, tmp_path: Path, step: str, code: str, words: str) -> None:
        text = HEAD + f"steps:\n  - {step}\n"
        (problem,) = problems_of(make_job(tmp_path, text, {"ids.txt": ID}))
        assert problem.code == code
        assert words in problem.message
        assert problem.source.line == 8


class TestIdLists:
    TEXT = HEAD + "steps: [{ids: ids.txt, delete: true}]\n"

    def load(self, folder: Path, data: bytes) -> Any:
        return load(make_job(folder, self.TEXT, {"ids.txt": data}))

    def test_clean_up(self, tmp_path: Path) -> None:
        data = (
            b"\xef\xbb\xbf# made by hand\r\n"
            b"  fzr8v1sn2k3m4p5\t\r\n"
            b"\r\n"
            b"https://libris.kb.se/h1x2c3v4b5n6m7k\r\n"
            b"https://libris-stg.kb.se/fzr8v1sn2k3m4p5#it\n"
            b"http://libris.kb.se/bib/1234\n"
            b" # no comment\n"
            b"http://libris.kb.se/resource/hold/77\n"
            b"(LIBRIS)55\n(LIBRIS)55\n"
            b"0123456789bcdfgh"
        )
        loaded = self.load(tmp_path, data)
        found = [
            (op.source.line, getattr(op, "target", None) or op.given) for op in resolved(loaded)
        ]
        assert found == [
            (2, "fzr8v1sn2k3m4p5"),
            (4, "h1x2c3v4b5n6m7k"),
            (6, "http://libris.kb.se/bib/1234"),
            (7, "# no comment"),
            (8, "http://libris.kb.se/hold/77"),
            (9, "http://libris.kb.se/bib/55"),
            (11, "0123456789bcdfgh"),
        ]
        assert left_out(loaded) == [
            (1, "comment", ""),
            (3, "blank", ""),
            (5, "repeat", "ids.txt:2"),
            (10, "repeat", "ids.txt:9"),
        ]
        assert loaded.counts == {
            "update": 0,
            "delete": 6,
            "create": 0,
            "unreadable": 1,
            "duplicates": 2,
        }

    def test_endless_line_names_no_record(self, tmp_path: Path) -> None:
        loaded = self.load(tmp_path, b"x" * 3_000_000 + b"\n" + ID.encode())
        first, second = resolved(loaded)
        assert isinstance(first, Unreadable)
        assert len(first.given) == 201
        assert second == Delete(source=Source(file="ids.txt", line=2), target=ID)

    @pytest.mark.parametrize("length", [998, 999, 1000, 1001, 1002, 1003])
    @pytest.mark.parametrize("end", [b"\n", b"\r\n", b""])
    def test_lines_about_as_long_as_the_limit(
        self, tmp_path: Path, length: int, end: bytes
    ) -> None:
        data = ID.encode() + b"\n" + b"y" * length + end
        first, second = resolved(self.load(tmp_path, data))
        assert first.target == ID
        assert second.source.line == 2

    def test_control_characters_of_a_line_are_shown_escaped(self, tmp_path: Path) -> None:
        first, _ = self.load(tmp_path, b"\x1b[31mred\n" + ID.encode()).operations()
        assert first.given == "\\x1b[31mred"

    @pytest.mark.parametrize(
        ("encoding", "stated"),
        [("utf-16", "utf-16-le"), ("utf-16-be", "utf-16-be"), ("cp1252", "windows-1252")],
    )
    def test_other_encodings_are_found_out_and_stated(
        self, tmp_path: Path, encoding: str, stated: str
    ) -> None:
        data = f"# från hyllan\n{ID}\n{OTHER}\n".encode(encoding)
        loaded = self.load(tmp_path, data)
        assert [op.target for op in resolved(loaded)] == [ID, OTHER]  # type: ignore[union-attr]
        assert loaded.inputs[0]["encoding"] == stated

    def test_the_encoding_does_not_count_in_the_digest(self, tmp_path: Path) -> None:
        digests = set()
        for encoding in ("utf-8", "utf-16", "cp1252"):
            data = f"# från hyllan\n{ID}\n".encode(encoding)
            digests.add(self.load(tmp_path, data).job.manifest_digest)
        assert len(digests) == 1

    def test_a_file_that_is_no_text(self, tmp_path: Path) -> None:
        data = b"PK\x03\x04 and so on"
        (problem,) = problems_of(make_job(tmp_path, self.TEXT, {"ids.txt": data}))
        assert brief([problem]) == [("not_text", "ids.txt", 0, 0)]
        assert "spreadsheet" in problem.message

    @pytest.mark.parametrize(
        ("data", "code"),
        [(b"", "empty"), (b"# nothing\n\n", "empty"), (b"a\nb\n", "no_readable_id")],
    )
    def test_list_without_any_id(self, tmp_path: Path, data: bytes, code: str) -> None:
        problems = problems_of(make_job(tmp_path, self.TEXT, {"ids.txt": data}))
        assert brief(problems) == [(code, "job.yaml", 7, 15)]


class TestChangedFiles:
    def test_changed_content_is_noticed(self, tmp_path: Path) -> None:
        text = HEAD + "steps: [{ids: ids.txt, delete: true}]\n"
        names = ids(3)
        loaded = load(make_job(tmp_path, text, {"ids.txt": "\n".join(names)}))
        (tmp_path / "ids.txt").write_text("\n".join([*names, ID]))
        with pytest.raises(ManifestError, match="changed") as caught:
            list(loaded.operations())
        assert caught.value.problems[0].code == "file_changed"  # type: ignore[attr-defined]

    def test_vanished_file(self, tmp_path: Path) -> None:
        text = HEAD + "operations: {file: o.jsonl}\n"
        loaded = load(make_job(tmp_path, text, {"o.jsonl": f'{{"delete": "{ID}"}}'}))
        (tmp_path / "o.jsonl").unlink()
        with pytest.raises(ManifestError, match="changed"):
            list(loaded.operations())

    def test_same_meaning_is_no_change(self, tmp_path: Path) -> None:
        text = HEAD + "steps: [{ids: ids.txt, delete: true}]\n"
        loaded = load(make_job(tmp_path, text, {"ids.txt": f"{ID}\n{OTHER}\n{ID}\n"}))
        (tmp_path / "ids.txt").write_bytes(f"# again\r\n{ID}\r\n{OTHER}\r\n".encode())
        assert [op.target for op in resolved(loaded)] == [ID, OTHER]  # type: ignore[union-attr]
