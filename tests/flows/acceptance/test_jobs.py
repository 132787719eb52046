"""The example jobs run on the sandbox as they are."""

import shutil

import pytest

from bulkrunner.adapters.machine import share_folder
from bulkrunner.sandbox import seed
from tests.support.cli import Workplace
from tests.support.sandbox import running_sandbox

EXPECTED = {
    # Before those that make new holdings, which it would find.
    "2026-12-since-last-time": {"update": 15, "unchanged": 5},
    "2026-11-shelf-marks": {"update": 200},
    "2026-11-weeded-holdings": {"delete": 60, "not_found": 1},
    "2026-11-new-holdings": {"create": 80},
    "2026-12-brackets": {"update": 6},
    "2026-12-by-example": {"update": 4, "unchanged": 4},
    "2026-12-code-table": {"update": 8},
    "2026-12-discontinued-titles": {"delete": 12},
    "2026-12-ebook-package": {"create": 9, "unchanged": 1},
    "2026-12-former-place": {"update": 8},
    "2026-12-from-a-report": {"update": 8},
    "2026-12-inventory-table": {"update": 8},
    "2026-12-lending-note": {"update": 5, "unchanged": 5},
    "2026-12-note-texts": {"update": 3, "unchanged": 5},
    "2026-12-old-books-by-isbn": {"update": 6, "unchanged": 4},
    "2026-12-query": {"update": 4, "unchanged": 18},
    "2026-12-resave": {"update": 12},
    "2026-12-one-by-one": {"create": 2, "update": 1, "delete": 1},
    "2026-12-whole-library": {"update": 23, "unchanged": 217, "refused": 4},
    "2026-12-wrong-edit": {"update": 6},
    # These take records away that a search above would count.
    "2026-12-copy-to-branch": {"create": 6},
    "2026-12-merge-doubles": {"update": 5, "delete": 5},
    "2026-12-move-library": {"create": 10, "delete": 10, "unchanged": 1},
    "2026-12-split-reference": {"create": 6, "update": 6},
    "2026-12-wrong-bib": {"update": 5},
}


@pytest.fixture(scope="module")
def big():
    with running_sandbox(bibs=seed.BIBS, holdings=seed.HOLDINGS) as control:
        yield control


def test_every_example_is_listed_here():
    folders = {path.name for path in share_folder("jobs").iterdir() if path.is_dir()}
    assert folders == set(EXPECTED)


EDITED = {"2026-12-wrong-edit": {"physicalLocation": ["Fel hylla"]}}
"""What somebody has to have done to every record of the list before the job has anything to do."""

WRITES = ("create", "update", "delete")


@pytest.mark.parametrize("name", EXPECTED)
def test_an_example_goes_the_whole_road(big, tmp_path, name):
    place = Workplace(folder=tmp_path / "place", sandbox=big, client="cataloguer")
    job = place.folder / "jobs" / name
    shutil.copytree(share_folder("jobs") / name, job)
    place("check", job)
    for environment in big.environments if name in EDITED else ():
        for record in (job / "ids.txt").read_text(encoding="utf-8").split():
            environment.edit(record, sigel="Ylm", set=EDITED[name])
    plan = place("plan", job, "--env", "staging").document
    counts = {action: count for action, count in plan["counts"].items() if count}
    assert counts == EXPECTED[name]
    assert len((job / "README.md").read_text(encoding="utf-8").splitlines()) <= 7
    place("run", job, "--env", "staging")
    approved = place("plan", job, "--env", "production").document
    place("approve", approved["plan"], "--by", "Karin Ek", "--reference", "KB 1")
    done = place("run", job, "--env", "production")
    writes = sum(approved["counts"][action] for action in WRITES)
    assert done.document["outcomes"]["applied"] == writes > 0
    assert place("verify", done.document["run"]).document["checked"] == writes
