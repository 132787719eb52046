"""Every breakage of ``make mutants`` can still be made, and its tests are there."""

import pytest

from tests.project.mutants import ROOT, DoesNotApply, Mutation, mutations

ALL = mutations()


@pytest.mark.parametrize("mutation", ALL, ids=lambda mutation: mutation.name)
def test_its_text_stands_exactly_once_in_its_file(mutation):
    text = (ROOT / "bulkrunner" / mutation.file).read_text(encoding="utf-8")
    compile(mutation.applied(text), mutation.file, "exec")


@pytest.mark.parametrize("mutation", ALL, ids=lambda mutation: mutation.name)
def test_the_tests_that_must_notice_it_are_there(mutation):
    assert mutation.tests
    for name in mutation.tests:
        file, *names = name.partition("[")[0].split("::")
        text = (ROOT / "tests" / file).read_text(encoding="utf-8")
        assert all(f"def {one}(" in text or f"class {one}" in text for one in names), name


def test_each_has_a_name_of_its_own():
    names = [mutation.name for mutation in ALL]
    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize("text", ["", "a = b\nif a = b"])
def test_what_does_not_stand_there_once_is_no_mutation(text):
    with pytest.raises(DoesNotApply):
        Mutation(name="x", file="x.py", old="a = b", new="", tests=("x",)).applied(text)
