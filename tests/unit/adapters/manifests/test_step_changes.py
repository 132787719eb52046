"""Changes, conditions and values of steps: read, checked with their places, and digested."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulkrunner.domain.canonical import canonical_bytes
from bulkrunner.domain.changes.by_example import ExampleChange
from bulkrunner.domain.changes.replacements import ReplaceValueChange
from bulkrunner.domain.expressions.conditions import condition_data
from bulkrunner.domain.operations import neutral_operation
from bulkrunner.domain.steps import StepEntry, StepUpdate
from tests.support.documents import IRIS
from tests.support.manifests import HEAD, ID, OTHER, brief, load, make_job, problems_of, resolved

FILES: dict[str, str | bytes] = {
    "lista.csv": f"Id;Signum;År\n{ID};Hce;2026\n{OTHER};Uce;2025\n",
    "signum.csv": "gammalt;nytt\nHc;Hce\nUc;Uce\n",
    "signum.txt": "Hc\r\n\r\n Uc \r\n",
}


def step(text: str) -> str:
    return HEAD + "parameters: {since: 2020-01-01}\nsteps:\n" + text


def entries(tmp_path: Path, text: str, files: dict[str, str | bytes] | None = None):
    loaded = load(make_job(tmp_path, step(text), {**FILES, **(files or {})}))
    return [one for one in loaded.operations() if isinstance(one, StepEntry)]


def changes_of(entry: StepEntry):
    assert isinstance(entry.step.action, StepUpdate)
    return entry.step.action.changes


def test_every_verb_is_read(tmp_path: Path) -> None:
    text = f"""\
  - ids: [{ID}]
    changes:
      - {{set: {{at: shelfMark.label, to: Hce}}, in: each_place, when: {{shelfMark.label: Hc}}}}
      - {{remove: {{at: x}}, in: {{each: hasNote}}}}
      - {{append: {{at: x, value: {{$value: "@param.since"}}}}}}
      - {{remove_items: {{at: x, matching: {{label: {{in_file: signum.txt}}}}}}}}
      - {{replace_value: {{at: x, table: {{file: signum.csv}}, otherwise: refuse}}}}
      - {{replace_text: {{at: x, pattern: "(a)", with: '\\1'}}}}
      - {{move_value: {{from: x, to: "@item.y"}}}}
      - {{retype: {{at: x, to: Note}}}}
"""
    loaded = load(make_job(tmp_path, step(text), FILES))
    (op,) = resolved(loaded)
    assert neutral_operation(op, IRIS)["changes"] == [
        {
            "set": {"at": "shelfMark.label", "to": "Hce"},
            "in": "each_place",
            "when": {"shelfMark.label": {"equals": "Hc"}},
        },
        {"remove": {"at": "x"}, "in": {"each": "hasNote"}},
        {"append": {"at": "x", "value": {"$value": "@param.since"}}},
        {"remove_items": {"at": "x", "matching": {"label": {"in_file": ["Hc", "Uc"]}}}},
        {
            "replace_value": {
                "at": "x",
                "table": {"Hc": "Hce", "Uc": "Uce"},
                "otherwise": "refuse",
            }
        },
        {"replace_text": {"at": "x", "pattern": "(a)", "with": "\\1"}},
        {"move_value": {"from": "x", "to": "@item.y"}},
        {"retype": {"at": "x", "to": "Note"}},
    ]


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("set: {at: x, to: 1}", "changes: [{set: {at: x, to: 1}}]"),
        (
            "set: {at: x, to: 1}\n    in: components\n    when: {x: 2}",
            "changes: [{set: {at: x, to: 1}, in: components, when: {x: {equals: 2}}}]",
        ),
        (
            "replace_text: {at: x, find: a, with: b}",
            "update: {changes: [{replace_text: {at: x, find: a, with: b, trim: false}}]}",
        ),
        (
            "remove_items: {at: x, matching: a}",
            "changes: [{remove_items: {at: x, matching: {equals: a}}}]",
        ),
        (
            "replace_value: {at: x, table: {file: signum.csv}}",
            "changes: [{replace_value: {at: x, table: {Uc: Uce, Hc: Hce}, otherwise: keep}}]",
        ),
        (
            "replace_value: {at: x, table: {file: signum.csv, from: gammalt, to: nytt}}",
            "replace_value: {at: x, table: {file: signum.csv, header: true}}",
        ),
        (
            "set: {at: x, to: 1}\n    where: {x: null}",
            "set: {at: x, to: 1}\n    where: {x: {exists: false}}",
        ),
    ],
)
def test_what_means_the_same_has_one_digest(tmp_path: Path, short: str, long: str) -> None:
    digests = {
        load(
            make_job(tmp_path / name, step(f"  - ids: [{ID}]\n    {text}\n"), FILES)
        ).job.effect_digest
        for name, text in (("one", short), ("two", long))
    }
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("text", "file", "content"),
    [
        ("where: {x: {in_file: signum.txt}}\n    set: {at: x, to: 1}", "signum.txt", "Hc\nIc\n"),
        ("set: {at: x, to: 1}\n    when: {x: {in_file: signum.txt}}", "signum.txt", "Hc\nIc\n"),
        ("replace_value: {at: x, table: {file: signum.csv}}", "signum.csv", "a;b\nHc;Hcx\n"),
    ],
)
def test_input_files_count_with_their_content(
    tmp_path: Path, text: str, file: str, content: str
) -> None:
    manifest = step(f"  - ids: [{ID}]\n    {text}\n")
    one = load(make_job(tmp_path / "one", manifest, FILES)).job
    crlf = {
        name: str(held).replace("\r\n", "\n").replace("\n", "\r\n") for name, held in FILES.items()
    }
    same = load(make_job(tmp_path / "two", manifest, crlf)).job
    other = load(make_job(tmp_path / "three", manifest, {**FILES, file: content})).job
    assert one.effect_digest == same.effect_digest
    assert one.effect_digest != other.effect_digest


def test_long_tables_count_with_every_row(tmp_path: Path) -> None:
    manifest = step(f"  - ids: [{ID}]\n    replace_value: {{at: x, table: {{file: signum.csv}}}}\n")
    rows = [f"a{number};b" for number in range(100)]
    digests = {
        load(
            make_job(tmp_path / str(number), manifest, {"signum.csv": "x;y\n" + "\n".join(lines)})
        ).job.effect_digest
        for number, lines in enumerate((rows, [*rows[:-1], "a99;c"]))
    }
    assert len(digests) == 2


def test_values_of_rows_and_expectations(tmp_path: Path) -> None:
    first, second = entries(
        tmp_path,
        """\
  - rows: {file: lista.csv, key: Id}
    expect: {shelfMark.label: {$value: "@row.Signum"}}
    set: {at: shelfMark.label, to: {$text: "{@row.Signum} ({@row.År})"}}
""",
    )
    assert first.row == {"Id": ID, "Signum": "Hce", "År": "2026"}
    assert second.row is not None
    assert first.step.expect["shelfMark.label"].data == {"$value": "@row.Signum"}


def test_a_template_of_a_holding_may_refer(tmp_path: Path) -> None:
    (entry, _) = entries(
        tmp_path,
        """\
  - rows: {file: lista.csv, key: Id}
    create:
      creates: holding
      sigel: {$value: "@row.Signum"}
      body: {hasNote: [{"@type": Note, label: {$text: "{@bib.hasTitle.mainTitle}"}}]}
""",
    )
    action = entry.step.action
    assert action.sigel.data == {"$value": "@row.Signum"}
    assert action.body.data["hasNote"][0]["label"] == {"$text": "{@bib.hasTitle.mainTitle}"}


def test_an_example_is_a_change(tmp_path: Path) -> None:
    (entry,) = entries(
        tmp_path,
        f"""\
  - ids: [{ID}]
    example:
      match: {{shelfMark: {{label: Hc}}}}
      result: {{shelfMark: {{label: Hce}}}}
""",
    )
    (change,) = changes_of(entry)
    assert isinstance(change, ExampleChange)


def test_a_condition_of_the_step(tmp_path: Path) -> None:
    (entry,) = entries(
        tmp_path, f"  - {{ids: [{ID}], where: {{x: {{matches: '^a'}}}}, set: {{at: x, to: 1}}}}\n"
    )
    assert condition_data(entry.step.where) == {"x": {"matches": "^a"}}


def test_tables_as_spreadsheets_and_without_header(tmp_path: Path) -> None:
    (entry,) = entries(
        tmp_path,
        f"  - {{ids: [{ID}], replace_value: {{at: x, table: {{file: t.tsv, header: false, from: 2, to: 1}}}}}}\n",
        {"t.tsv": "Hce\tHc\n"},
    )
    (change,) = changes_of(entry)
    assert isinstance(change, ReplaceValueChange)
    assert change.table.pairs == {"Hc": "Hce"}


# --- faults ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "code", "at", "says"),
    [
        ("set: {at: a..b, to: 1}", "bad_place", "a..b", "steps[0].set.at"),
        ("set: {at: x, to: {$valeu: a}}", "wrong_value", "$valeu", "$value"),
        ("set: {at: x, to: {$value: '@row.x'}}", "no_row", "'@row.x", "@row.x"),
        ("set: {at: x, to: {$value: '@param.sinc'}}", "unknown_parameter", "'@param.sinc", "@param.since"),
        ("set: {at: x, to: {$text: '{x'}}", "wrong_value", "'{x'", "not closed"),
        ("set: {at: x, to: 1}\n    in: component", "wrong_value", "component", "components"),
        ("set: {at: x, to: 1}\n    in: [item]", "wrong_type", "[item]", "text or an object"),
        ("set: {at: x, to: 1}\n    when: {x: {start_with: a}}", "wrong_value", "{start_with", "starts_with"),
        ("set: {at: x, to: 1}\n    when: {x: {matches: '('}}", "bad_pattern", "'('", "regular expression"),
        ("set: {at: x, to: 1}\n    where: {x: {in_file: sigum.txt}}", "missing_file", "sigum.txt", "signum.txt"),
        ("remove_items: {at: x, matching: {x: {is: 1}}}", "wrong_value", "{is", "is"),
        ("replace_value: {at: x, table: {file: sigum.csv}}", "missing_file", "{file", "signum.csv"),
        ("replace_value: {at: x, table: {file: signum.csv, from: gamalt}}", "missing_column", "gamalt", "gammalt"),
        ("replace_value: {at: x, table: {Hc: Hce}, otherwise: refus}", "wrong_value", "refus", "refuse"),
        ("replace_text: {at: x, with: b}", "missing_key", "{at", "find"),
        ("replace_text: {at: x, find: a, pattern: b, with: c}", "wrong_choice", "{at", "find"),
        ("replace_text: {at: x, pattern: '(a)', with: '\\2'}", "wrong_value", "'\\2'", "1 groups"),
        ("replace_txt: {at: x, find: a, with: b}", "unknown_key", "replace_txt", "replace_text"),
        ("move_value: {from: x, to: x.y}", "wrong_value", "x.y", "inside"),
        ("retype: {at: x, to: två ord}", "wrong_value", "två ord", "type"),
        ("update: {changes: [{set: {at: a..b, to: 1}}]}", "bad_place", "a..b", "steps[0].update.changes[0].set.at"),
        ("changes: [{set: {at: x, to: 1}, in: item, wen: {x: 1}}]", "unknown_key", "wen", "when"),
        ("changes: [{set: {at: x, to: 1}}]\n    when: {x: 1}", "missing_key", "ids", "where"),
        ("delete: {expect: {a..b: 1}}", "bad_place", "a..b", "steps[0].delete.expect"),
        ("delete: true\n    expect: {x: {$value: '@row.x'}}", "no_row", "'@row.x", "@row.x"),
        ("example: {match: {x: a}, result: {x: 1}}", "wrong_value", "1}", "text"),
        ("example: {match: {x: a}}", "missing_key", "{match", "result"),
        ("example: {match: {}, result: {}}", "wrong_value", "{}, result", "empty"),
    ],
)  # fmt: skip
def test_faults_are_told_with_their_place(
    tmp_path: Path, text: str, code: str, at: str, says: str
) -> None:
    manifest = step(f"  - ids: [{ID}]\n    {text}\n")
    found = problems_of(make_job(tmp_path, manifest, FILES))
    by_code = {problem.code: problem for problem in found}
    assert code in by_code, found
    problem = by_code[code]
    assert says in problem.message + problem.hint
    if at != "ids":
        line = manifest.splitlines()[problem.source.line - 1]
        assert line[problem.source.column - 1 :].startswith(at)


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    text = f"""\
  - ids: [{ID}]
    where: {{x: {{matches: "("}}}}
    changes:
      - {{set: {{at: a..b, to: 1}}}}
      - {{set: {{at: a, to: {{$value: "@param.x"}}}}}}
"""
    found = problems_of(make_job(tmp_path, step(text), FILES))
    assert [(problem.code, problem.source.line) for problem in found] == [
        ("bad_pattern", 10),
        ("bad_place", 12),
        ("unknown_parameter", 13),
    ]


def test_a_column_that_the_table_has_not(tmp_path: Path) -> None:
    text = """\
  - rows: {file: lista.csv, key: Id}
    set: {at: x, to: {$value: "@row.Signun"}}
"""
    (problem,) = problems_of(make_job(tmp_path, step(text), FILES))
    assert brief([problem]) == [("missing_column", "job.yaml", 10, 31)]
    assert "Signum" in problem.hint


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("a;b\nHc;Hce\nHc;Hcx\n", "line 3"),
        ("a;b\nHc;\n", "new value"),
        ("a;b\n;Hce\n", "old value"),
        ("a\nHc\n", "one column"),
        ("a;b\n", "no row"),
        (b"PK\x03\x04 no zip", ""),
    ],
)
def test_tables_that_cannot_be_used(tmp_path: Path, content: str | bytes, says: str) -> None:
    text = f"  - {{ids: [{ID}], replace_value: {{at: x, table: {{file: t.csv}}}}}}\n"
    (problem,) = problems_of(make_job(tmp_path, step(text), {"t.csv": content}))
    assert says in problem.message


@pytest.mark.parametrize(
    "operation",
    [
        f'{{update: "{ID}", changes: [{{set: {{at: x, to: {{$value: y}}}}}}]}}',
        f'{{update: "{ID}", changes: [{{append: {{at: x, value: [{{a: {{$text: "y"}}}}]}}}}]}}',
        f'{{update: "{ID}", replace: {{item: {{x: {{$value: y}}}}}}}}',
        f'{{create: holding, of: "{ID}", sigel: Ylm, body: {{x: {{$value: y}}}}}}',
        f'{{delete: "{ID}", expect: {{x: {{$value: y}}}}}}',
    ],
)
def test_explicit_operations_hold_plain_values(tmp_path: Path, operation: str) -> None:
    (problem,) = problems_of(make_job(tmp_path, HEAD + f"operations:\n  - {operation}\n"))
    assert problem.code == "unknown_key"
    assert "steps" in problem.hint
    line = (tmp_path / "job.yaml").read_text().splitlines()[-1]
    assert line[problem.source.column - 1 :].startswith("$")


@pytest.mark.parametrize("extra", ["in: item", "when: {x: 1}"])
def test_explicit_operations_have_no_conditions(tmp_path: Path, extra: str) -> None:
    text = (
        HEAD
        + f'operations:\n  - {{update: "{ID}", changes: [{{set: {{at: x, to: 1}}, {extra}}}]}}\n'
    )
    assert "unknown_key" in {problem.code for problem in problems_of(make_job(tmp_path, text))}


def test_plain_braces_stay_text(tmp_path: Path) -> None:
    (entry,) = entries(tmp_path, f"  - {{ids: [{ID}], set: {{at: x, to: '{{x}}'}}}}\n")
    (change,) = changes_of(entry)
    assert canonical_bytes(change.to) == b'"{x}"'
