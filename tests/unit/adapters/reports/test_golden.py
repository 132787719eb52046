"""Reports are to the letter what a person has looked at."""

import pytest

from tests.unit.adapters.reports import golden

KEPT = sorted(path.name for path in golden.FOLDER.iterdir())


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    return dict(golden.made())


@pytest.mark.parametrize("name", KEPT)
def test_the_report_is_as_it_was_looked_at(name: str, made: dict[str, str]) -> None:
    kept = (golden.FOLDER / name).read_bytes().decode("utf-8")
    assert made[name] == kept, "look at: python -m tests.unit.adapters.reports.golden && git diff"


def test_no_golden_file_is_left_over(made: dict[str, str]) -> None:
    assert set(KEPT) == set(made)
