"""The page for contributors is true: its map, its folders, and the modules that its table names."""

import re

from tests.project.house_map import BEGIN, END, drawn
from tests.support.docs import DOCS, PACKAGE, ROOT, read

PAGE = read(DOCS / "contributing.md")


def test_the_map_is_of_the_modules_as_they_are():
    there = PAGE.partition(BEGIN)[2].partition(END)[0]
    assert there.strip() == drawn().strip(), "python -m tests.project.house_map writes it anew"


def test_every_place_that_it_names_is_there():
    head = PAGE.partition(BEGIN)[0]
    named = set(
        re.findall(
            r"`((?:domain|services|adapters|config|tests|docs|bulkrunner|migrations)/[^` …]*)`",
            head,
        )
    )
    assert len(named) > 30
    missing = {
        one
        for one in named
        if not any((root / (one + end)).exists() for root in (ROOT, PACKAGE) for end in ("", ".py"))
    }
    assert missing == set()
