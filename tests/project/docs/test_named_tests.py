"""Tests that a page names are there."""

import re

import pytest

from tests.support.docs import PAGES, ROOT, read

NAMED = re.compile(r"`(tests/[\w/]+\.py)`(?:: ((?:`test_\w+`(?:, )?)+))?")


def named():
    for path in PAGES:
        for found in NAMED.finditer(read(path)):
            yield str(path.relative_to(ROOT)), found[1], found[2] or ""


@pytest.mark.parametrize(("path", "file", "tests"), sorted(set(named())))
def test_a_named_test_is_there(path, file, tests):
    source = ROOT / file
    assert source.exists(), path
    for name in re.findall(r"test_\w+", tests):
        assert f"def {name}(" in read(source), path
