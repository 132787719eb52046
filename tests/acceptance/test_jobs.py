"""The example jobs run on the sandbox as they are."""

import shutil

import pytest

from bulkrunner.sandbox import seed
from bulkrunner.share import share_folder
from tests.support.cli import Workplace
from tests.support.sandbox import running_sandbox

EXPECTED = {
    "2026-11-shelf-marks": {"update": 200},
    "2026-11-weeded-holdings": {"delete": 60, "not_found": 1},
    "2026-11-new-holdings": {"create": 80},
}


@pytest.fixture(scope="module")
def big():
    with running_sandbox(bibs=seed.BIBS, holdings=seed.HOLDINGS) as control:
        yield control


def test_every_example_is_listed_here():
    folders = {path.name for path in share_folder("jobs").iterdir() if path.is_dir()}
    assert folders == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_an_example_goes_the_whole_road(big, tmp_path, name):
    place = Workplace(folder=tmp_path / "place", sandbox=big)
    job = place.folder / "jobs" / name
    shutil.copytree(share_folder("jobs") / name, job)
    place("check", job)
    plan = place("plan", job, "--env", "staging").document
    counts = {action: count for action, count in plan["counts"].items() if count}
    assert counts == EXPECTED[name]
    assert len((job / "README.md").read_text(encoding="utf-8").splitlines()) <= 7
    place("run", job, "--env", "staging")
    approved = place("plan", job, "--env", "production").document["plan"]
    place("approve", approved, "--by", "Karin Ek", "--reference", "KB 1")
    done = place("run", job, "--env", "production")
    writes = sum(count for action, count in EXPECTED[name].items() if action != "not_found")
    assert done.document["outcomes"]["applied"] == writes
    assert place("verify", done.document["run"]).document["checked"] == writes
