"""Each step of a manifest is explained in a sentence, and what bounds the job in others."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from bulkrunner.adapters.machine import share_folder
from bulkrunner.adapters.manifests.declared_steps import explained, read_step
from bulkrunner.adapters.manifests.folder import JobFolder
from bulkrunner.adapters.manifests.head import Manifest
from bulkrunner.adapters.manifests.job_schema import schema
from bulkrunner.adapters.manifests.outside import FolderLists, Re2Engine
from bulkrunner.adapters.manifests.parts import read_operations
from bulkrunner.adapters.manifests.problems import Problems
from bulkrunner.adapters.manifests.tree import Tree
from bulkrunner.domain.changes.verbs import VERBS
from bulkrunner.domain.expressions import Outside
from bulkrunner.domain.expressions.wording import through_said
from bulkrunner.domain.iris import IriMap
from tests.project.test_sentences import CODE, ENGLISH
from tests.support.manifests import BASES, load

EXAMPLES = json.loads(Path(__file__).with_name("explained.json").read_text(encoding="utf-8"))
"""What is said of each example job; an example that is changed changes here too."""

IDS = {"ids": "a.txt"}
SELECTIONS = [
    ({"ids": ["a", "b"]}, "for every id of the 2 in the manifest"),
    (
        {"ids": {"file": "a.txt", "as": ["bib", "isbn"]}},
        "for every id in a.txt (bare numbers are numbers of bibs or ISBN)",
    ),
    ({"ids": "a.txt", "holdings": "own"}, "for each holding of Ylm or NO on a bib in a.txt"),
    (
        {"ids": "a.txt", "holdings": "all"},
        "for each holding of Ylm or NO on a bib in a.txt (those of other libraries are reported)",
    ),
    ({"ids": "a.txt", "holdings": ["NO"]}, "for each holding of NO on a bib in a.txt"),
    (
        {"rows": {"file": "t.csv", "key": 1, "as": "libris3"}, "holdings": "own"},
        (
            "for each holding of Ylm or NO on the bib of a row of t.csv, by its column 1 "
            "(bare numbers are numbers of LIBRIS III)"
        ),
    ),
    (
        {"report": {"file": "r.jsonl", "outcomes": ["failed", "unknown"], "codes": ["lost"]}},
        "for every record of the report r.jsonl that ended failed or unknown and has the code lost",
    ),
    (
        {"report": {"file": "r.jsonl", "actions": ["refused"]}},
        "for every record of the report r.jsonl that was planned as refused",
    ),
    ({"library": ["Ylm", "NO"]}, "for every holding of Ylm and NO"),
    (
        {"find": {"@type": ["Item", {"$value": "@param.shelf"}]}},
        "for every record that the search @type=Item|the parameter shelf finds",
    ),
    (
        {
            "rows": {"file": "t.csv", "key": 1},
            "where": {"not": {"in_catalogue": {"number": {"$value": "@row.2"}, "as": "isbn"}}},
        },
        (
            "for every row of t.csv, by its column 1, where not (another record of the catalogue "
            "bears the column 2) (others are passed over)"
        ),
    ),
    (
        {
            "ids": "a.txt",
            "where": {
                "@bib.holdings[NO]": {"count": {"at_least": 1, "at_most": 2}},
                "@bib.holdings.@record.created": {"before": "2020", "count": 0},
            },
        },
        (
            "for every id in a.txt, where another holding of NO on the bib is there at least 1 time "
            "and at most 2 times and created of the record part of another holding on the bib is "
            'before "2020" and is there exactly 0 times (others are passed over)'
        ),
    ),
    (
        {
            "ids": "a.txt",
            "where": {
                "any": [
                    {"@bib.publication.year": {"before": "1980"}},
                    {"not": {"@component.shelfLabel": {"exists": True}}},
                ],
                "itemCondition": {"in": ["a", "b"]},
                "@record.cataloguersNote": {"in_file": "namn.txt"},
            },
        },
        (
            'for every id in a.txt, where (publication.year of the bib is before "1980" or '
            'not (shelfLabel of a component is there)) and itemCondition is "a" or "b" and '
            "cataloguersNote of the record part is in the file namn.txt (others are passed over)"
        ),
    ),
]

CHANGES = [
    ({"set": {"at": "x", "to": {"$value": "@row.Nytt"}}}, "x becomes the column Nytt"),
    (
        {"set": {"at": "x", "to": {"$value": "@bib.a.b", "through": ["trim"], "default": "?"}}},
        'x becomes a.b of the bib (freed of blanks at the ends), or "?" where there is none',
    ),
    (
        {"set": {"at": "x", "to": {"$text": "Köpt {@row.år|trim} av {y}"}}},
        'x becomes the text "Köpt {the column år, freed of blanks at the ends} av {y}"',
    ),
    (
        {"set": {"at": "x", "to": {"@id": "https://id.kb.se/marc/A"}}, "in": "item"},
        "x becomes the link https://id.kb.se/marc/A, on the item itself",
    ),
    ({"set": {"at": "x", "to": {"@type": "Item"}}}, "x becomes an empty Item"),
    ({"remove": {"at": "x"}}, "x is removed"),
    (
        {"remove": {"at": "x"}, "in": "components"},
        "x is removed, in every component (what that empties goes too)",
    ),
    (
        {"append": {"at": "x", "value": [1, {"a": True}]}, "in": "item_and_components"},
        "x gets [1, {a true}] unless it is there, on the item and in every component",
    ),
    (
        {"remove_items": {"at": "x", "matching": {"@type": "Note", "label": {"starts_with": "I"}}}},
        (
            'of x each is removed where @type is "Note" and label starts with "I" '
            "(what that empties goes too)"
        ),
    ),
    (
        {"remove_items": {"at": "x", "matching": {"in": ["vh", "VH"]}}, "in": "anywhere"},
        (
            'of x each is removed where it is "vh" or "VH", anywhere in the record '
            "(what that empties goes too)"
        ),
    ),
    (
        {"remove_items": {"at": "x", "matching": "MAG"}, "in": "record"},
        'of x each is removed where it is "MAG", in the record part (what that empties goes too)',
    ),
    (
        {"replace_value": {"at": "x", "table": {"a": "b", "c": None}, "otherwise": "refuse"}},
        'at x "a" becomes "b" and "c" goes; any other is refused',
    ),
    (
        {"replace_value": {"at": "x", "table": {"a": 1, "b": 2, "c": 3, "d": 4, "e": 5}}},
        (
            'at x "a" becomes 1, "b" becomes 2, "c" becomes 3 and 2 more by the table; '
            "any other is kept"
        ),
    ),
    (
        {"replace_value": {"at": "x", "table": {"file": "s.csv"}}},
        "at x each value becomes what the table s.csv says; any other is kept",
    ),
    (
        {"replace_text": {"at": "x", "find": "a", "with": ""}},
        'in the texts at x "a" is taken out',
    ),
    (
        {"replace_text": {"at": "x", "pattern": "a", "with": {"$text": r"{@row.Ny} \1"}}},
        r'in the texts at x what matches "a" becomes the text "{the column Ny} \1"',
    ),
    (
        {"set": {"at": "x", "to": {"$values": "@row.Ny", "split": ";", "through": ["upper"]}}},
        (
            'x becomes a list of the parts, split at ";", of every value of the column Ny '
            "(put in capitals)"
        ),
    ),
    (
        {"set": {"at": "x", "to": {"$value": "@bib.identifiedBy[@type=ISBN].value"}}},
        "x becomes identifiedBy[@type=ISBN].value of the bib",
    ),
    (
        {"replace_text": {"at": "x", "pattern": r"^(\d)", "with": r"\1.", "trim": True}},
        r'in the texts at x what matches "^(\d)" becomes "\1.", blanks at the ends go',
    ),
    (
        {"move_value": {"from": "x", "to": "@record.x"}},
        "x is moved to x of the record part",
    ),
    (
        {"retype": {"at": "x", "to": "Note"}, "in": {"each": "hasPart"}, "when": {"a": None}},
        "what is at x becomes of the type Note, in each object at hasPart, where a is absent",
    ),
]

ACTIONS = [
    ({"delete": {"expect": {"x": "a"}}}, 'it is deleted; refused unless x is "a"'),
    (
        {"delete": True, "on_missing": "refuse", "on_several": "all"},
        (
            "it is deleted; where an input names several records, all are meant; "
            "what does not exist is refused"
        ),
    ),
    (
        {"update": {"changes": [{"remove": {"at": "x"}}], "expect": {"x": None}}},
        "x is removed; refused unless x is absent",
    ),
    (
        {"changes": [{"remove": {"at": "x"}}, {"set": {"at": "y", "to": 1}}]},
        "x is removed; then y becomes 1",
    ),
    (
        {"example": {"match": {"a": "1"}, "result": {"a": "2"}}},
        'if it looks like {a "1"}, that becomes {a "2"}; if not, it is passed over',
    ),
    ({"function": "rules:change"}, "the function change of rules.py decides what becomes of it"),
    (
        {"function": {"call": "rules:change", "files": ["a.csv", "b.csv"]}},
        "the function change of rules.py decides what becomes of it, reading a.csv and b.csv",
    ),
    (
        {"move": {"to": "NO"}, "on_duplicate": "skip"},
        (
            "it is created anew for NO, components included, and then deleted here; "
            "passed over where the library has a holding on the bib already"
        ),
    ),
    (
        {"repoint": {"to": {"$value": "@row.Bib"}}},
        (
            "it is hung on the bib in the column Bib; "
            "refused where the library has a holding on the bib already"
        ),
    ),
    (
        {"copy": {"sigel": "NO", "of": "b1x2c3v4b5n6m7k"}},
        (
            "a copy of it is created for NO on the bib b1x2c3v4b5n6m7k; "
            "refused where the library has a holding on the bib already"
        ),
    ),
    (
        {"merge": {"into": {"holding_of": "NO"}, "take": ["hasNote"]}},
        (
            "its hasNote are added to the holding of NO on the same bib, unless they are there; "
            "when that is saved it is deleted"
        ),
    ),
    (
        {"merge": {"into": "h1x2c3v4b5n6m7k", "take": ["hasNote", "hasComponent"]}},
        (
            "its hasNote and hasComponent are added to the holding h1x2c3v4b5n6m7k, unless they are there; "
            "when that is saved it is deleted"
        ),
    ),
    (
        {"split": {"components": {"shelfMark.label": "REF"}, "sigel": "NO"}},
        (
            'its components where shelfMark.label is "REF" become a holding of their own for NO; '
            "when that is saved they are taken away here; "
            "refused where the library has a holding on the bib already"
        ),
    ),
    ({"revert": {"version": -2}}, "it gets back the content of the version before the newest"),
    ({"revert": {"before": "2026-03-01"}}, "it gets back what it was before 2026-03-01"),
    (
        {"revert": {"before_edit_by": "S", "since": {"$value": "@param.dag"}}},
        "it gets back what it was before the first edit by S since the parameter dag",
    ),
    ({"revert": {"version": 3}}, "it gets back the content of version 3"),
    (
        {"revert": {"before_run_of": {"job": "marks"}}},
        "it gets back what it was before the job marks changed it",
    ),
    ({"resave": True}, "it is saved again as it is"),
    ({"update": {"resave": True}}, "it is saved again as it is"),
]

BOUNDS = [
    (
        {"sigels": ["A"]},
        "Only holdings of A are written; any other record is refused, and reported.",
    ),
    (
        {"sigels": ["A", "B"], "agreement": {"covers": ["holdings", "bibs"]}},
        "Only bibs and holdings of A or B are written; any other record is refused, and reported.",
    ),
    (
        {"ceilings": {"records": 500, "delete": 0}},
        "A plan with more than 500 changes or any delete cannot be run.",
    ),
    (
        {"accept": [{"code": "linked", "at_most": 3, "reason": "x"}]},
        "Up to 3 refusals linked are accepted.",
    ),
    (
        {"parameters": {"since": {"type": "date"}, "shelf": "Hce"}},
        'Parameters: since, which a plan must be given and shelf, "Hce" unless a plan is given another.',
    ),
    (
        {"operations": [{"delete": "x"}, {"delete": "y"}, {"update": "z"}]},
        "Explicit operations are carried out one by one: 2 deletes and 1 update.",
    ),
    (
        {"operations": {"file": "ops.jsonl"}},
        "The operations in ops.jsonl are carried out one by one.",
    ),
]


FILES = {
    "rules.py": "def change(record, context):\n    return record\n",
    "r.py": "def f(bib, context):\n    return []\n",
    "namn.txt": "a\n",
    "s.csv": "old;new\na;b\n",
    "a.csv": "a\n",
    "b.csv": "b\n",
}


@pytest.fixture(scope="module")
def explain(tmp_path_factory):
    """Explain a manifest, as far as it is given; columns and parameters may be named at will."""
    folder = tmp_path_factory.mktemp("job")
    for name, content in FILES.items():
        (folder / name).write_text(content, encoding="utf-8")

    def said(data):
        parameters = data.get("parameters", {"shelf": "Hce", "dag": "2026-01-01"})
        problems = Problems("")
        inside = JobFolder(path=folder)
        manifest = Manifest(
            tree=Tree(file="job.yaml", data={"parameters": parameters} | data, marks=0),
            folder=inside,
            iris=IriMap(bases=BASES, target=""),
            outside=Outside(engine=Re2Engine(), lists=FolderLists(folder=inside)),
            problems=problems,
        )
        parts = []
        if "operations" in data:
            parts.append(read_operations(data["operations"], (), manifest))
        parts += [read_step(one, n, manifest) for n, one in enumerate(data.get("steps", ()))]
        return explained(manifest, parts)

    return said


@pytest.fixture
def step(explain):
    def said(given):
        first, *_ = explain({"steps": [given], "sigels": ["Ylm", "NO"]})
        return first

    return said


@pytest.mark.parametrize(("selection", "said"), SELECTIONS)
def test_a_selection(step, selection, said):
    assert step({**selection, "delete": True}) == f"Step 1: {said}: it is deleted."


@pytest.mark.parametrize(("change", "said"), CHANGES)
def test_a_change(step, change, said):
    assert step({**IDS, **change}) == f"Step 1: for every id in a.txt: {said}."
    assert step({**IDS, "changes": [change]}) == f"Step 1: for every id in a.txt: {said}."


@pytest.mark.parametrize(("action", "said"), ACTIONS)
def test_an_action(step, action, said):
    assert step({**IDS, **action}) == f"Step 1: for every id in a.txt: {said}."


@pytest.mark.parametrize(("head", "said"), BOUNDS)
def test_what_bounds_the_job(explain, head, said):
    assert explain({"parameters": {}} | head) == [said]


def test_a_new_holding_is_made_on_bibs(step):
    create = {"creates": "holding", "sigel": {"$value": "@row.Sigel"}, "body": {"a": 1, "b": 2}}
    assert step({"ids": "b.txt", "create": create}) == (
        "Step 1: for every bib in b.txt: the column Sigel gets a new holding on it with a and b; "
        "refused where the library has a holding on the bib already."
    )


def test_a_function_that_looks_at_bibs(step):
    assert step({"ids": "b.txt", "function": {"call": "r:f", "on": "bib"}}) == (
        "Step 1: for every bib in b.txt: the function f of r.py decides what becomes of it."
    )


def test_an_undo(step):
    assert (
        step({"undo": {"job": "marks", "effect_digest": "sha256:0"}})
        == "Step 1: what the job marks changed is restored."
    )


def test_what_does_not_print_is_escaped_and_what_is_long_is_cut(step):
    said = step({**IDS, "name": "a\x1b", "set": {"at": "x", "to": "\u202evänd\x07" + "å" * 500}})
    assert said.startswith('Step 1 (a\\x1b): for every id in a.txt: x becomes "\\u202evänd\\x07å')
    assert len(said) < 200


def test_functions_say_what_they_make_of_a_text():
    calls = ["strip_prefix(T. )", "split( , 2)", "replace(a, b)", "pad(4)", "upper"]
    assert through_said(calls) == (
        'freed of "T." at the beginning, then split at " ", part 2 kept, then given "b" in place '
        'of "a", then filled with zeros at the beginning to 4 characters, then put in capitals'
    )


def test_what_clean_does_to_a_column_is_said(step):
    rows = {"file": "t.csv", "key": "Id", "clean": {"Nytt": ["strip_zeros", "upper"]}}
    assert step({"rows": rows, "delete": True}) == (
        "Step 1: for every row of t.csv, by its column Id (the cells of Nytt are freed of zeros at "
        "the beginning, then put in capitals first): it is deleted."
    )


def test_every_scope_and_verb_of_the_schema_is_known(step):
    change = schema()["$defs"]["stepChange"]["properties"]
    assert set(VERBS) == set(change) - {"in", "when"}
    scopes = schema()["$defs"]["within"]["then"]["enum"]
    assert len(scopes) == 6
    said = {step({**IDS, "remove": {"at": "x"}, "in": scope}) for scope in scopes}
    assert len(said) == len(scopes)
    assert not any(", (" in one for one in said)


@pytest.mark.parametrize(
    "folder", sorted(p for p in share_folder("jobs").iterdir() if p.is_dir()), ids=lambda p: p.name
)
def test_every_example_is_explained(folder):
    assert load(folder).explained == EXAMPLES[folder.name]


@pytest.mark.parametrize("does", [one for one, _said in (*CHANGES, *ACTIONS)])
def test_a_step_is_explained_in_swedish(explain, does):
    (said, *_rest) = explain({"steps": [{**IDS, **does}]})
    swedish = CODE.sub("", re.sub(r'"[^"]*"', "", said.worded("sv"))).replace("NO", "")
    assert swedish.startswith("Steg 1: för varje ")
    assert not ENGLISH.search(swedish.lower()), swedish
