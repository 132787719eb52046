"""Any job on the sandbox: the order of its input changes nothing, and what it leaves it leaves.

Each number is a scene of its own: bibs and holdings with random content, and a job whose steps,
lists (with repeats, in mixed dialects) and tables are drawn for it. Everything goes through the
program's commands; what a plan holds is read from its ledger.
"""

import json
import random
from collections import Counter

import pytest

from bulkrunner.adapters.ledger import open_ledger
from bulkrunner.domain.canonical import canonical_bytes
from bulkrunner.domain.plan import WRITING
from tests.support.cases import document, held
from tests.support.cli import Workplace
from tests.support.ledgers import SetClock, ledger_url
from tests.support.sandbox import running_sandbox

LIBRARY = "https://libris.kb.se/library/"
KINDS = (
    *("update", "example", "table", "create", "delete", "resave"),
    *("move", "copy", "merge", "split", "repoint", "titles"),
)
SCENES = range(3 * len(KINDS))
BIBS, OWN = 6, 5
"""Bibs of a scene, and on how many of them Ylm has a holding."""

REFUSALS = (
    *("in_component", "duplicate", "no_target", "all_components", "unexpected_value", "linked"),
    *("no_such_place", "ambiguous_place", "deleted_in_plan", "place_taken", "no_holding"),
)


def bib(scene, number):
    return f"b{scene:03}{number:02}000000000"


def own(scene, number, sigel="Ylm"):
    return f"h{scene:03}{number:02}{'YNS'.index(sigel[0])}00000000"


def mark(rng):
    return {"@type": "ShelfMark", "label": rng.choice(["Hc", "Hce", "REF 1", "REF 2", "Uc"])}


def notes(rng):
    labels = rng.sample(["a", "b", "Import 1", "Import 2"], k=rng.randint(0, 2))
    return [{"@type": "Note", "label": label} for label in labels]


def item(rng, sigel):
    found = {}
    if rng.random() < 0.6:
        found["shelfMark"] = mark(rng)
    if rng.random() < 0.6:
        found["hasNote"] = notes(rng) or [{"@type": "Note", "label": "z"}]
    if rng.random() < 0.5:
        link = {"heldBy": {"@id": LIBRARY + sigel}}
        count = rng.randint(1, 3)
        found["hasComponent"] = [
            {"@type": "Item", **link, "shelfMark": mark(rng)} for _ in range(count)
        ]
    return found


FIRST = {
    "hasNote": [{"@type": "Note", "label": "a"}],
    "hasComponent": [
        {"@type": "Item", "heldBy": {"@id": LIBRARY + "Ylm"}, "shelfMark": {"label": label}}
        for label in ("REF 0", "Hc")
    ],
}
"""The first holding of a scene, on a bib of which no other library has one: every job finds work."""


def records(scene):
    """The scene's documents: Ylm has a holding on all bibs but the last, others on some."""
    rng = random.Random(f"records {scene}")
    for number in range(BIBS):
        title = {"@type": "Title", "mainTitle": f"{scene}/{number}"}
        yield document(bib(scene, number), {"@type": "Instance", "hasTitle": [title]}, {})
        if number < OWN:
            content = item(rng, "Ylm") if number else FIRST
            yield held(own(scene, number), "Ylm", bib(scene, number), content)
        for sigel, share in (("NO", 0.3), ("S", 0.2)):
            if number and rng.random() < share:
                yield held(own(scene, number, sigel), sigel, bib(scene, number), item(rng, sigel))


# --- jobs ----------------------------------------------------------------------------------------


def spelled(rng, record):
    """The record's id in a dialect."""
    dialects = (record, f"https://libris.kb.se/{record}", f"https://libris.kb.se/{record}#it")
    return rng.choice(dialects)


def listed(rng, ids):
    """Lines that name the first and some more of the records, some of them more than once."""
    chosen = [ids[0], *rng.sample(ids[1:], k=rng.randint(1, len(ids) - 1))]
    again = rng.choices(chosen, k=rng.randint(0, 3))
    return [spelled(rng, record) for record in (*chosen, *again)]


def some_change(rng):
    """A change that says the same of what it has made."""
    return rng.choice(
        [
            {"set": {"at": "shelfLabel", "to": rng.choice(["x", "y"])}},
            {"append": {"at": "hasNote", "value": {"@type": "Note", "label": "ny"}}},
            {
                "remove_items": {"at": "hasNote", "matching": {"label": {"starts_with": "Imp"}}},
                "in": rng.choice(["each_place", "item_and_components", "anywhere"]),
            },
            {
                "replace_value": {"at": "shelfMark.label", "table": {"Hc": "Hd", "Uc": "Ud"}},
                "in": "each_place",
            },
            {
                "replace_text": {"at": "shelfMark.label", "find": "REF", "with": "Ref"},
                "in": "anywhere",
            },
            {"move_value": {"from": "shelfLabel", "to": "cataloguersNote"}},
            {"retype": {"at": "hasNote", "to": "Note"}, "in": "item"},
        ]
    )


def table_step(kind, scene, rng):
    """A step over rows of a record and a value, and its table."""
    holdings = [own(scene, number) for number in range(OWN)]
    bibs = [bib(scene, number) for number in range(BIBS)]
    rows = {
        "table": [(record, f"L{number}") for number, record in enumerate(holdings)],
        # One pair a target: who gives first would decide the order of what it is given.
        "merge": [(holdings[0], holdings[1]), (holdings[2], holdings[3])],
        # One holding for the free bib, the others where they are: nobody comes too late.
        "repoint": [(holdings[0], bibs[-1]), *zip(holdings[1:], bibs[1:OWN], strict=True)],
    }[kind]
    second = {"$value": "@row.2"}
    action = {
        "table": {"set": {"at": "shelfLabel", "to": second}},
        "merge": {"merge": {"into": second, "take": ["hasNote", "hasComponent"]}},
        "repoint": {"repoint": {"to": second}},
    }[kind]
    step = {"rows": {"file": "tabell.csv", "key": 1, "header": False}, **action}
    lines = [";".join(row) for row in [rows[0], *rng.choices(rows, k=5)]]
    return step, {"tabell.csv": lines}


def list_step(kind, scene, rng):
    """A step over a list of holdings or of bibs, and the list."""
    component = {"shelfMark.label": {"starts_with": "REF"}}
    body = {"shelfMark": mark(rng)}
    action = {
        "update": {
            "changes": [some_change(rng), {"append": {"at": "cataloguersNote", "value": "x"}}]
        },
        "example": {
            "example": {
                "match": {"hasNote": [{"label": "a"}]},
                "result": {"hasNote": [{"label": "c"}]},
            }
        },
        "delete": {"delete": True},
        "resave": {"resave": True},
        "create": {"create": {"creates": "holding", "sigel": "NO", "body": body}},
        "move": {"move": {"to": "NO"}},
        "copy": {"copy": {"sigel": "NO"}},
        "split": {"split": {"components": component, "sigel": "NO"}},
    }[kind]
    if kind in ("update", "example", "delete", "resave"):
        ids = [own(scene, number) for number in range(OWN)]
        return {"ids": "ids.txt", **action}, {"ids.txt": listed(rng, ids)}
    bibs = {"bibs.txt": listed(rng, [bib(scene, number) for number in range(BIBS)])}
    whose = {} if kind == "create" else {"holdings": ["Ylm"]}
    return {"ids": "bibs.txt", "on_duplicate": "skip", **whose, **action}, bibs


def steps_of(scene, rng):
    """One to three steps, and their input files."""
    kind = KINDS[scene % len(KINDS)]
    if kind == "titles":
        files = {"bibs.txt": listed(rng, [bib(scene, number) for number in range(BIBS)])}
        first = {"ids": "bibs.txt", "holdings": "own", "delete": True}
        return [first, {"ids": "bibs.txt", "delete": True}], files
    make = table_step if kind in ("table", "merge", "repoint") else list_step
    step, files = make(kind, scene, rng)
    steps = [step]
    if kind in ("move", "copy", "split") and rng.random() < 0.7:
        # What is made for the other library is changed as well, before it is made.
        after = {"ids": "bibs.txt", "holdings": ["NO"], **some_change(rng)}
        steps.append(after)
    if kind in ("update", "example", "table", "merge", "repoint") and rng.random() < 0.7:
        holdings = [own(scene, number) for number in range(OWN)]
        files["fler.txt"] = listed(rng, holdings)
        more = {"append": {"at": "cataloguersNote", "value": "sedd"}}
        steps.insert(0, {"ids": "fler.txt", **more})
    return steps, files


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    load = tmp_path_factory.mktemp("scenes") / "records.jsonl"
    with load.open("w", encoding="utf-8") as file:
        for scene in SCENES:
            for one in records(scene):
                file.write(json.dumps(one) + "\n")
        for number, sigel in enumerate(("Ylm", "NO", "S")):  # every library has its record
            file.write(json.dumps(held(f"h99900{number}0000000", sigel, bib(0, 0))) + "\n")
    with running_sandbox(load=load) as control:
        yield control


def planned(place, job):
    """The plan's changes; refusals are accepted."""
    plan = place("plan", job, "--env", "staging").document
    ledger = open_ledger(ledger_url(place.ledger), clock=SetClock())
    try:
        return list(ledger.plans.changes(plan["plan"]))
    finally:
        ledger.close()


def essence(changes):
    """What would be written, without where it stands and which input named it."""
    return Counter(
        canonical_bytes([one.action.value, one.record, one.sigel, one.before, one.after])
        for one in changes
        if one.action in WRITING
    )


def told(changes):
    return Counter((one.action, one.code, one.record) for one in changes)


@pytest.mark.parametrize("scene", SCENES)
def test_order_changes_nothing_and_nothing_is_left_to_do(sandbox, tmp_path, scene):
    place = Workplace(folder=tmp_path, sandbox=sandbox, client="cataloguer")
    rng = random.Random(f"job {scene}")
    steps, files = steps_of(scene, rng)

    def job(name, order=None):
        """The same job under another id: nothing is known of what another one did."""
        shuffled = {
            file: rng.sample(lines, k=len(lines)) if order else lines
            for file, lines in files.items()
        }
        return place.job(
            name,
            sigels=["Ylm", "NO"],
            agreement={"reference": "KB 1", "covers": ["holdings", "bibs"]},
            accept=[{"code": code, "at_most": 1000, "reason": "any"} for code in REFUSALS],
            steps=steps,
            files={file: "\n".join(lines) + "\n" for file, lines in shuffled.items()},
        )

    first = planned(place, job("first"))
    assert essence(first), "a scene that does nothing shows nothing"
    for number in range(2):
        again = planned(place, job(f"shuffled-{number}", order=True))
        assert essence(again) == essence(first)
        assert told(again) == told(first)

    run = place("run", place.folder / "jobs" / "first", "--env", "staging").document
    assert run["outcomes"]["applied"] == sum(essence(first).values())
    after = planned(place, job("once-more"))
    if KINDS[scene % len(KINDS)] == "resave":
        assert all(one.before == one.after for one in after)  # each save is a write, by its name
    else:
        assert [one for one in after if one.action in WRITING] == []
