"""Reports are to the letter what a person has looked at."""

import pytest

from tests.report import golden

MADE = dict(golden.made())


@pytest.mark.parametrize("name", sorted(MADE))
def test_the_report_is_as_it_was_looked_at(name: str) -> None:
    kept = (golden.FOLDER / name).read_bytes().decode("utf-8")
    assert MADE[name] == kept, "look at: python -m tests.report.golden && git diff"


def test_no_golden_file_is_left_over() -> None:
    assert {path.name for path in golden.FOLDER.iterdir()} == set(MADE)
