"""Patterns: changes that do the same stand together, told in one line, whatever their order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkrunner.adapters.reports.language import language
from bulkrunner.adapters.reports.phrasing import effect_line
from bulkrunner.domain.plan import Action, PlannedChange
from bulkrunner.domain.report_groups import Grouped, PatternGroup, ReportedChange
from bulkrunner.services.report import collect
from bulkrunner.services.report.groups import group_changes
from bulkrunner.services.report.service import differences_of
from tests.support import reports
from tests.support.sizes import examples

SV, EN = language("sv"), language("en")


def change(number: int, sigel: str = "Ylm", before: Any = None, after: Any = None) -> PlannedChange:
    """A change whose item has these properties before and after; None: there is none."""
    action = Action.CREATE if before is None else Action.DELETE if after is None else Action.UPDATE
    record = reports.record_id(number)
    return reports.a_reported(
        number,
        action,
        sigel=sigel,
        before=None if before is None else item(record, before),
        after=None if after is None else item(record, after),
    )


def item(record: str, body: dict[str, Any]) -> dict[str, Any]:
    document = reports.holding(record)
    kept = {key: document["@graph"][1][key] for key in ("@id", "@type", "heldBy", "itemOf")}
    document["@graph"][1] = {**kept, **deepcopy(body)}
    del document["@graph"][0]["encodingLevel"]
    return document


def mark(label: str) -> dict[str, Any]:
    return {"shelfMark": {"@type": "ShelfMark", "label": label}}


def note(*labels: str) -> dict[str, Any]:
    return {"hasNote": [{"@type": "Note", "label": label} for label in labels]}


def grouped(changes: Sequence[PlannedChange]) -> Grouped:
    told = {
        one.number: ReportedChange(change=one, differences=differences_of(one)) for one in changes
    }
    ordered = [told[one.number] for one in changes]
    return group_changes(
        lambda: iter(ordered), (), lambda numbers: {number: told[number] for number in numbers}
    )


def lines(found: Grouped, words: Any = EN) -> list[tuple[int, str]]:
    return [(group.count, effect_line(group, words)) for group in found.patterns]


def numbers(group: PatternGroup) -> list[int]:
    return [one.change.number for one in group.samples]


def test_says_what_changes_into_what() -> None:
    changes = [change(n, before=mark("Hc"), after=mark("Hce")) for n in range(1, 8)]
    assert lines(grouped(changes)) == [(7, "Change holding of Ylm: shelf mark: “Hc” → “Hce”")]
    assert lines(grouped(changes), SV) == [(7, "Ändra beståndspost för Ylm: hyllkod: ”Hc” → ”Hce”")]


def test_values_that_differ_are_told_by_what_they_begin_with() -> None:
    changes = [
        change(n, before=note("kept", f"Gåva {n} från vännerna"), after=note("kept"))
        for n in range(1, 30)
    ]
    (group,) = grouped(changes).patterns
    assert (
        effect_line(group, EN) == "Change holding of Ylm: note: remove text beginning with “Gåva”"
    )
    assert group.different == 29


def test_deletions_come_before_all_else_and_say_what_goes_away() -> None:
    changes = [change(n, before=mark("Hc"), after=mark("Hce")) for n in range(1, 10)]
    changes += [change(n, before={}) for n in (20, 21)]
    changes += [reports.a_reported(22, Action.DELETE, before=reports.holding("h22"))]
    assert lines(grouped(changes)) == [
        (2, "Delete holding of Ylm, no item data"),
        (1, "Delete holding of Ylm with availability, shelving location and shelf mark"),
        (9, "Change holding of Ylm: shelf mark: “Hc” → “Hce”"),
    ]


def test_a_creation_says_what_it_makes() -> None:
    made = mark("Hc") | {"physicalLocation": ["MAG"]}
    assert lines(grouped([change(1, after=made)])) == [
        (1, "Create holding of Ylm: shelving location “MAG”; shelf mark “Hc”")
    ]
    assert lines(grouped([change(1, after={})])) == [(1, "Create holding of Ylm without item data")]


def test_common_values_get_groups_of_their_own_and_the_rest_one_together() -> None:
    changes = [change(n, before=mark("Hc"), after=mark("Hce")) for n in range(1, 101)]
    changes += [change(n, before=mark("Hcf"), after=mark("Hce")) for n in range(101, 141)]
    changes += [change(n, before=mark(f"Hd{n}"), after=mark("Hce")) for n in range(141, 161)]
    found = grouped(changes)
    assert lines(found) == [
        (100, "Change holding of Ylm: shelf mark: “Hc” → “Hce”"),
        (40, "Change holding of Ylm: shelf mark: “Hcf” → “Hce”"),
        (20, "Change holding of Ylm: shelf mark: different values → “Hce” (other values)"),
    ]
    assert [group.level for group in found.patterns] == ["values", "values", "others"]
    assert found.patterns[2].different == 20


def test_counts_each_library() -> None:
    changes = [
        change(n, sigel="NO" if n % 3 else "Ylm", before=mark("Hc"), after=mark("Hce"))
        for n in range(1, 10)
    ]
    (group,) = grouped(changes).patterns
    assert group.sigels == {"NO": 6, "Ylm": 3}
    assert effect_line(group, EN) == "Change holding: shelf mark: “Hc” → “Hce”"
    assert {one.change.sigel for one in group.samples} == {"NO", "Ylm"}


def test_samples_are_chosen_to_differ() -> None:
    changes = [change(n, before=note("a", "b"), after=note("a")) for n in range(1, 50)]
    changes += [change(n, before=note("a", f"b{n}"), after=note("a")) for n in range(60, 80)]
    group = grouped(changes).patterns[-1]
    values = {str(one.differences) for one in group.samples}
    assert len(values) == len(group.samples) == 3


def test_outliers_are_the_rare_value_the_longest_text_and_the_most_places() -> None:
    changes = [
        change(n, before=note("a", f"Gåva {n % 20}"), after=note("a")) for n in range(1, 1001)
    ]
    changes += [change(2000, before=note("a", "Gåva " + "mycket lång " * 30), after=note("a"))]
    changes += [change(2001, before=note("a", "Gåva 1", "Gåva 2"), after=note("a"))]
    (group,) = (one for one in grouped(changes).patterns if one.level == "others")
    told = {one.why: one.change.change.number for one in group.outliers}
    assert told["longest"] == 2000
    assert told["most"] == 2001
    assert told["rare"] in (2000, 2001)


def test_components_are_named_and_their_place_in_the_list_does_not_count() -> None:
    def part(label: str) -> dict[str, Any]:
        return {"@type": "Item", **mark(label)}

    changes = [
        change(
            n,
            before={"hasComponent": [part("x"), part("y"), part("Hc")][-(n % 2 + 2) :]},
            after={"hasComponent": [part("x"), part("y"), part("Hce")][-(n % 2 + 2) :]},
        )
        for n in range(1, 9)
    ]
    assert lines(grouped(changes)) == [
        (8, "Change holding of Ylm: component › shelf mark: “Hc” → “Hce”")
    ]


def test_too_many_shapes_are_told_by_property_and_then_by_kind() -> None:
    coarse = [
        change(n, before={"hasNote": {}}, after={"hasNote": {f"x{n}": "1"}}) for n in range(1, 80)
    ]
    assert lines(grouped(coarse)) == [(79, "Change holding of Ylm in different ways in note")]
    wild = [change(n, before={}, after={f"x{n}": "1"}) for n in range(1, 80)]
    assert lines(grouped(wild)) == [(79, "Change holding of Ylm in different ways")]


def test_values_too_many_to_count_are_not_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collect, "MAX_VALUES", 500)
    labels = range(1, 503)
    changes = [change(n, before=mark(f"{n} a"), after=mark(f"{n} b")) for n in labels]
    (group,) = grouped(changes).patterns
    assert group.count == len(changes)
    assert (group.different, group.variants) == (None, ())
    assert len(group.samples) == 3


LABELS = st.sampled_from(["Hc", "Hce", "Hcf", "Hd 1", "Hd 2", "Gåva " * 40])
BODIES = st.one_of(
    LABELS.map(mark),
    st.lists(LABELS, max_size=3).map(lambda labels: note(*labels)),
    st.just({}),
)
CHANGES = st.lists(
    st.tuples(st.sampled_from(["Ylm", "NO"]), st.none() | BODIES, st.none() | BODIES), max_size=60
)


@settings(max_examples=examples(60), deadline=None)
@given(CHANGES, st.randoms(use_true_random=False))
def test_the_order_of_the_changes_is_no_matter(made: list[Any], dice: Any) -> None:
    changes = [
        change(number, *one) for number, one in enumerate(made, start=1) if one[1:] != (None, None)
    ]
    shuffled = list(changes)
    dice.shuffle(shuffled)
    one, other = grouped(changes), grouped(shuffled)
    assert one == other
    assert sum(group.count for group in one.patterns) == len(changes)
    for group in one.patterns:
        assert sum(group.sigels.values()) == group.count
        assert len(group.samples) == min(3, group.count)
        assert len(set(numbers(group))) == len(group.samples)
    told = [ReportedChange(change=one, differences=differences_of(one)) for one in changes]
    found = Counter(one.pattern_of(item) for item in told)
    assert found == Counter({n: group.count for n, group in enumerate(one.patterns)})


@pytest.mark.parametrize("lang", [SV, EN])
def test_a_hostile_value_stays_one_bounded_line(lang: Any) -> None:
    text = "\u202e<script>\n=1+1" + "x" * 100_000
    line = effect_line(grouped([change(1, before=mark("a"), after=mark(text))]).patterns[0], lang)
    assert len(line) < 400
    assert "\u202e" not in line
    assert "\n" not in line


def test_what_holds_one_record_shows_its_values() -> None:
    pairs = [(old, new) for old, new in zip("abcd", "efgh", strict=True) for _ in range(5)]
    changes = [
        change(number, before=mark(old), after=mark(new))
        for number, (old, new) in enumerate([*pairs, ("x", "y")], start=1)
    ]
    found = grouped(changes)
    (lone,) = [group for group in found.patterns if group.count == 1]
    assert effect_line(lone, EN) == "Change holding of Ylm: shelf mark: “x” → “y”"
    assert (lone.level, lone.different, numbers(lone)) == ("values", 1, [21])
    told = ReportedChange(change=changes[-1], differences=differences_of(changes[-1]))
    assert found.patterns[found.pattern_of(told)] == lone
