"""Each step of a manifest is explained in a sentence."""

from __future__ import annotations

import pytest

from bulkrunner.adapters.manifests.explaining import explained
from bulkrunner.share import share_folder
from tests.support.manifests import load

SAID = [
    (
        {
            "ids": "ids.txt",
            "set": {"at": "shelfMark.label", "to": "Hce"},
            "expect": {"shelfMark.label": "Hc"},
        },
        (
            'Step 1: for every id in ids.txt: shelfMark.label becomes "Hce"; '
            'refused unless shelfMark.label is "Hc".'
        ),
    ),
    (
        {"ids": ["a", "b"], "holdings": "own", "delete": True, "name": "bestånden"},
        "Step 1 (bestånden): for 2 ids, the holdings on it of the job's libraries: it is deleted.",
    ),
    (
        {
            "rows": {"file": "t.csv", "key": "Bibid"},
            "where": {
                "any": [
                    {"@bib.publication.year": {"before": "1980"}},
                    {"not": {"shelfLabel": {"exists": True}}},
                ]
            },
            "changes": [
                {"append": {"at": "hasNote", "value": "x"}, "in": "each_place"},
                {"remove": {"at": "shelfLabel"}, "when": {"shelfLabel": {"contains": "gammal"}}},
            ],
        },
        (
            "Step 1: for every row of t.csv, by its column Bibid, where "
            '(@bib.publication.year is before "1980" or not (shelfLabel is there)) '
            '(others are passed over): hasNote gets "x", unless it is there where the shelf data is, '
            "on the item or in its components; then shelfLabel is removed, when "
            'shelfLabel contains "gammal".'
        ),
    ),
    (
        {"library": ["Ylm", "NO"], "function": "rules:change"},
        "Step 1: for every holding of Ylm, NO: the function rules:change of the job folder decides.",
    ),
    (
        {"ids": "b.txt", "create": {"creates": "holding", "sigel": "Ylm"}, "on_duplicate": "skip"},
        (
            'Step 1: for every id in b.txt: "Ylm" gets a new holding on it; '
            "passed over where the library has a holding already."
        ),
    ),
    (
        {"ids": "ids.txt", "set": {"at": "x", "to": "\u202evänd\x07"}},
        'Step 1: for every id in ids.txt: x becomes "\\u202evänd\\u0007".',
    ),
]

SAID += [
    (
        {"ids": "a.txt", **action},
        f"Step 1: for every id in a.txt: {said}.",
    )
    for action, said in (
        ({"move": {"to": "NO"}}, 'it is created anew for "NO", then deleted'),
        ({"repoint": {"to": "b1"}}, 'it is hung on the bib "b1"'),
        ({"copy": {"sigel": "NO", "of": "b1"}}, 'a copy of it is created for "NO" on the bib "b1"'),
        (
            {"merge": {"into": "h2", "take": ["hasNote", "hasComponent"]}},
            'its hasNote, hasComponent are added to "h2", then it is deleted',
        ),
        (
            {"split": {"components": {"shelfMark.label": "REF"}, "sigel": "NO"}},
            'its components where shelfMark.label is "REF" become a holding of their own for "NO"',
        ),
        ({"revert": {"version": -2}}, "it gets back the content of version -2"),
        (
            {"revert": {"before_run_of": {"job": "marks"}}},
            "it gets back the content from before the job marks",
        ),
        ({"resave": True}, "it is saved again as it is"),
    )
]


@pytest.mark.parametrize(("step", "said"), SAID)
def test_a_step(step, said):
    assert explained({"steps": [step]}) == [said]


def test_operations():
    assert explained({"operations": {"file": "ops.jsonl"}}) == [
        "The operations in ops.jsonl are carried out one by one."
    ]
    assert explained({"operations": [{"delete": "x"}]}) == [
        "1 explicit operations are carried out one by one."
    ]


@pytest.mark.parametrize(
    "folder", sorted(p for p in share_folder("jobs").iterdir() if p.is_dir()), ids=lambda p: p.name
)
def test_every_example_is_explained(folder):
    for sentence in load(folder).explained:
        assert sentence.startswith("Step ")
        assert sentence.endswith(".")
        assert "{" not in sentence.replace('{"', "").replace("{@", "") or "search" in sentence
