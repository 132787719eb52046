"""The shape of the code does not grow back: ``make census`` prints the numbers."""

from tests.project.census import census
from tests.project.trace import traced

MOST = {
    "modules": 267,
    "lines": 74_100,
    "modules over 500 lines": 0,
    "modules under 80 lines": 3,
    "base names that stand twice": 0,
    "classes of several bases": 0,
    "modules in services/planning": 18,
    "lines of docstrings in domain and services": 2_450,
    "migrations": 1,
    "patterns that recover a language": 0,
}


def test_the_census_is_within_bounds():
    counted = census()
    assert {name: number for name, number in MOST.items() if counted[name] > number} == {}


def test_the_way_of_an_update_through_planning_is_short():
    found = traced()
    assert len(found.files) <= 30, sorted(found.files)
    assert len(found.files | found.around) <= 36, sorted(found.around)
    assert len(found.deepest) <= 8, found.deepest
    assert len(found.wrappers) <= 5, found.wrappers
    assert found.deepest, "the change was not met"
