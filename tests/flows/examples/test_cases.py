"""Every file in a folder beside this one is a case of the example job that the folder is named after.

What a case may say is in ``tests/support/cases.py``.
"""

import shutil
from pathlib import Path

import pytest

from bulkrunner.adapters.machine import share_folder
from tests.support.cases import goes_the_road, place_for, read

CASES = sorted(Path(__file__).parent.glob("*/*.json"))


@pytest.mark.parametrize("path", CASES, ids=[f"{one.parent.name}/{one.stem}" for one in CASES])
def test_a_case(path, tmp_path):
    case = read(path)
    job = tmp_path / "place" / "jobs" / path.parent.name
    shutil.copytree(share_folder("jobs") / path.parent.name, job)
    with place_for(case, job) as place:
        goes_the_road(case, place, job)


def test_every_example_has_a_case():
    examples = {path.name for path in share_folder("jobs").iterdir() if path.is_dir()}
    assert {path.parent.name for path in CASES} == examples
