"""Conditions, values and examples of steps, against the records of an environment."""

import pytest

from bulkrunner.adapters.reports.language import language
from bulkrunner.domain.changes.by_example import ExampleChange
from bulkrunner.domain.changes.verbs import parse_change
from bulkrunner.domain.expressions.condition_parsing import parse_condition
from bulkrunner.domain.expressions.value_parsing import parse_value
from bulkrunner.domain.plan import Action
from bulkrunner.domain.records import thing_part
from bulkrunner.domain.steps import Step, StepCreate, StepDelete, StepEntry, StepUpdate
from bulkrunner.errors import Source
from tests.support.catalogue import MemoryCatalogue, a_bib, a_holding, short_id
from tests.support.changes import outside
from tests.support.planning import Desk, listed

BIBS = [short_id(number, "b") for number in range(4)]
HOLDINGS = [short_id(number) for number in range(3)]


@pytest.fixture
def desk(tmp_path):
    records = {
        bib: a_bib(bib, publication=[{"year": str(2000 + number)}])
        for number, bib in enumerate(BIBS)
    }
    for number, (record, bib) in enumerate(zip(HOLDINGS, BIBS, strict=False)):
        records[record] = a_holding(
            record, bib, shelfMark={"label": "Hc"}, copyNumber=str(number), x={"y": "1"}
        )
    return Desk(tmp_path, MemoryCatalogue(records=records, writes_bibs=True))


def step(action, *, number=1, where=None, expect=None, **more):
    return Step(
        number=number,
        source=Source(file="job.yaml", line=number),
        action=action,
        where=None if where is None else parse_condition(where, outside()),
        expect={at: parse_value(value) for at, value in (expect or {}).items()},
        **more,
    )


def update(*changes, **more):
    parsed = tuple(parse_change(change, outside()) for change in changes)
    return step(StepUpdate(changes=parsed), **more)


def entries(step, *refs, rows=None):
    return [
        StepEntry(
            source=Source(file=f"{step.number}.csv", line=line),
            step=step,
            given=ref,
            ref=ref,
            row=rows[line - 1] if rows else None,
        )
        for line, ref in enumerate(refs, start=1)
    ]


def planned(desk, *parts, **job):
    plan = desk.plan(listed(*(entry for part in parts for entry in part), **job))
    assert desk.ledger.chain.check() == []
    return desk.changes(plan)


def outcomes(changes):
    return [(change.record, change.action, change.code) for change in changes]


MARK = {"set": {"at": "shelfMark.label", "to": "Hce"}}


def test_records_that_do_not_meet_the_condition_are_passed_over(desk):
    one = update(MARK, where={"copyNumber": {"in": ["0", "2"]}})
    changes = planned(desk, entries(one, *HOLDINGS))
    assert outcomes(changes) == [
        (HOLDINGS[0], Action.UPDATE, ""),
        (HOLDINGS[1], Action.UNCHANGED, "where_not_met"),
        (HOLDINGS[2], Action.UPDATE, ""),
    ]
    assert changes[1].source == Source(file="1.csv", line=2)


CODES = [f"c{number:02}" for number in range(30)]


@pytest.mark.parametrize(
    ("where", "named"),
    [
        ({"copyNumber": {"in": ["7"]}}, '{"copyNumber": {"in": ["7"]}}'),
        (
            {"copyNumber": {"exists": True}, "shelfMark.label": {"equals": "Hx"}},
            '{"shelfMark.label": {"equals": "Hx"}}',
        ),
        (
            {"all": [{"copyNumber": {"exists": True}}, {"not": {"copyNumber": {"exists": True}}}]},
            '{"not": {"copyNumber": {"exists": true}}}',
        ),
        (
            {"any": [{"copyNumber": "7"}, {"copyNumber": {"starts_with": "8"}}]},
            '{"any": [{"copyNumber": {"equals": "7"}}, {"copyNumber": {"starts_with": "8"}}]}',
        ),
        (
            {"copyNumber": {"in": CODES}},
            '{"copyNumber": {"in": ["c00", "c01", "c02", "c03", "c04", "…"]}}',
        ),
        (
            {"copyNumber": {"$value": "@param.old"}},
            '{"copyNumber": {"equals": {"$value": "@param.old"}}}',
        ),
    ],
)
def test_what_is_not_met_is_named(desk, where, named):
    (change,) = planned(
        desk, entries(update(MARK, where=where), HOLDINGS[0]), parameters={"old": "9"}
    )
    assert change.message == f"the record does not meet the step's condition {named}"
    assert language("sv").reason(change.message).lang == "sv"


def test_a_condition_on_the_bib(desk):
    one = update(MARK, where={"@bib.publication.year": {"after": "2001"}})
    assert outcomes(planned(desk, entries(one, *HOLDINGS))) == [
        (HOLDINGS[0], Action.UNCHANGED, "where_not_met"),
        (HOLDINGS[1], Action.UNCHANGED, "where_not_met"),
        (HOLDINGS[2], Action.UPDATE, ""),
    ]
    # Each bib was read once, for its name and for the condition.
    assert [desk.catalogue.asked.count(bib) for bib in BIBS[:3]] == [1, 1, 1]


def test_conditions_bound_deletions(desk):
    one = step(StepDelete(), where={"copyNumber": "1"}, expect={"shelfMark.label": "Hc"})
    assert outcomes(planned(desk, entries(one, *HOLDINGS[:2]))) == [
        (HOLDINGS[0], Action.UNCHANGED, "where_not_met"),
        (HOLDINGS[1], Action.DELETE, ""),
    ]


def test_a_condition_that_compares_with_a_missing_value_refuses(desk):
    one = update(MARK, where={"copyNumber": {"$value": "@row.None"}})
    (change,) = planned(desk, entries(one, HOLDINGS[0], rows=[{}]))
    assert (change.action, change.code) == (Action.REFUSED, "value_missing")


def test_parameters_reach_conditions_and_values(desk):
    one = update(
        {"set": {"at": "z", "to": {"$value": "@param.new"}}},
        where={"copyNumber": {"$value": "@param.old"}},
    )
    changes = planned(desk, entries(one, *HOLDINGS[:2]), parameters={"old": "0", "new": 5})
    assert outcomes(changes) == [
        (HOLDINGS[0], Action.UPDATE, ""),
        (HOLDINGS[1], Action.UNCHANGED, "where_not_met"),
    ]
    assert thing_part(changes[0].after)["z"] == 5


def test_rows_give_values_and_expectations(desk):
    one = update(
        {"set": {"at": "shelfMark.label", "to": {"$value": "@row.new"}}},
        expect={"shelfMark.label": {"$value": "@row.old"}},
    )
    rows = [{"old": "Hc", "new": "A"}, {"old": "Hx", "new": "B"}, {"old": "Hc", "new": ""}]
    changes = planned(desk, entries(one, *HOLDINGS, rows=rows))
    assert outcomes(changes) == [
        (HOLDINGS[0], Action.UPDATE, ""),
        (HOLDINGS[1], Action.REFUSED, "unexpected_value"),
        (HOLDINGS[2], Action.REFUSED, "value_missing"),
    ]
    assert changes[0].operation == {
        "update": HOLDINGS[0],
        "changes": [{"set": {"at": "shelfMark.label", "to": "A"}}],
        "expect": {"shelfMark.label": "Hc"},
    }


def test_a_deletion_expects_what_the_row_says(desk):
    one = step(StepDelete(), expect={"copyNumber": {"$value": "@row.n"}})
    changes = planned(desk, entries(one, *HOLDINGS[:2], rows=[{"n": "0"}, {"n": "7"}]))
    assert outcomes(changes) == [
        (HOLDINGS[0], Action.DELETE, ""),
        (HOLDINGS[1], Action.REFUSED, "unexpected_value"),
    ]


def test_values_of_the_record_and_its_bib(desk):
    one = update(
        {"set": {"at": "n", "to": {"$text": "{copyNumber}, {@bib.hasTitle.mainTitle}, {@bib.id}"}}}
    )
    (change,) = planned(desk, entries(one, HOLDINGS[1]))
    assert thing_part(change.after)["n"] == f"1, Titel {BIBS[1]}, {BIBS[1]}"
    assert change.operation["changes"][0]["set"]["to"] == thing_part(change.after)["n"]
    # It is known again by what was wanted, whatever the record has become.
    assert change.wish is not None


def test_the_pattern_names_what_found_something_to_do(desk):
    one = update(
        {"set": {"at": "shelfMark.label", "to": "Hce"}, "when": {"copyNumber": "0"}},
        {"remove": {"at": "x.y"}, "in": "item"},
    )
    changes = planned(desk, entries(one, *HOLDINGS[:2]))
    assert [change.pattern for change in changes] == [
        "update holding: set shelfMark.label; remove x.y in item",
        "update holding: remove x.y in item",
    ]
    assert "x" not in thing_part(changes[0].after)


def test_an_example_passes_over_what_does_not_look_like_it(desk):
    change = ExampleChange.parse(
        {
            "match": {"shelfMark": {"label": "Hc"}, "copyNumber": "0"},
            "result": {"shelfMark": {"label": "Hce"}},
        }
    )
    one = step(StepUpdate(changes=(change,)))
    changes = planned(desk, entries(one, *HOLDINGS[:2]))
    assert outcomes(changes) == [
        (HOLDINGS[0], Action.UPDATE, ""),
        (HOLDINGS[1], Action.UNCHANGED, "where_not_met"),
    ]
    assert "copyNumber" not in thing_part(changes[0].after)


def test_a_holding_from_a_template(desk):
    one = step(
        StepCreate(
            sigel=parse_value({"$value": "@row.sigel"}),
            body=parse_value(
                {
                    "hasNote": [{"@type": "Note", "label": {"$text": "{@bib.hasTitle.mainTitle}"}}],
                    "link": {"@id": {"$value": "@bib.@id"}},
                    "copyNumber": {"$value": "@row.n"},
                }
            ),
        ),
        where={"@bib.publication.year": "2003"},
    )
    rows = [{"sigel": "Ylm", "n": "5"}, {"sigel": "Ylm", "n": "6"}, {"sigel": "", "n": "6"}]
    changes = planned(desk, entries(one, BIBS[3], BIBS[2], BIBS[1], rows=rows))
    assert outcomes(changes) == [
        (BIBS[3], Action.CREATE, ""),
        (BIBS[2], Action.UNCHANGED, "where_not_met"),
        (BIBS[1], Action.REFUSED, "value_missing"),
    ]
    thing = thing_part(changes[0].after)
    assert thing["hasNote"] == [{"@type": "Note", "label": f"Titel {BIBS[3]}"}]
    assert thing["copyNumber"] == "5"
    assert thing["link"] == {"@id": f"https://libris-stg.kb.se/{BIBS[3]}#it"}
    assert changes[0].operation["body"]["link"] == {"@id": f"libris:{BIBS[3]}#it"}
    assert changes[0].pattern == "create holding: copyNumber, hasNote, link"


def test_a_template_without_its_value_is_refused(desk):
    one = step(StepCreate(sigel="Ylm", body=parse_value({"a": {"$value": "@row.n"}})))
    (change,) = planned(desk, entries(one, BIBS[3], rows=[{"n": ""}]))
    assert (change.action, change.code) == (Action.REFUSED, "value_missing")


def test_a_step_sees_what_the_step_before_leaves(desk):
    first = update(MARK)
    second = update(
        {"set": {"at": "z", "to": {"$text": "now {shelfMark.label}"}}},
        number=2,
        where={"shelfMark.label": "Hce"},
    )
    third = update(MARK, number=3, where={"shelfMark.label": "Hc"})
    (change,) = planned(
        desk,
        entries(first, HOLDINGS[0]),
        entries(second, HOLDINGS[0]),
        entries(third, HOLDINGS[0]),
    )
    assert change.action is Action.UPDATE
    assert thing_part(change.after)["z"] == "now Hce"
    assert [(part.step, part.code) for part in change.parts] == [
        (1, ""),
        (2, ""),
        (3, "where_not_met"),
    ]
    assert len(change.operation["steps"]) == 2


def test_a_bib_is_seen_as_an_earlier_step_leaves_it(desk):
    first = update({"set": {"at": "publication", "to": [{"year": "1990"}]}})
    second = update({"set": {"at": "z", "to": {"$value": "@bib.publication.year"}}}, number=2)
    changes = planned(desk, entries(first, BIBS[0]), entries(second, HOLDINGS[0]))
    assert thing_part(changes[1].after)["z"] == "1990"


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_two_rows_for_a_record_the_one_that_is_meant_counts(desk, order):
    one = update({"set": {"at": "z", "to": {"$value": "@row.n"}}}, where={"@row.status": "yes"})
    rows = [{"n": "1", "status": "yes"}, {"n": "2", "status": "no"}]
    changes = planned(
        desk, entries(one, HOLDINGS[0], HOLDINGS[0], rows=[rows[number] for number in order])
    )
    (change,) = changes
    assert change.action is Action.UPDATE
    assert thing_part(change.after)["z"] == "1"
    assert {part.code for part in change.parts} == {"", "where_not_met"}


def test_of_two_rows_that_want_different_things_none_counts(desk):
    one = update({"set": {"at": "z", "to": {"$value": "@row.n"}}})
    changes = planned(desk, entries(one, HOLDINGS[0], HOLDINGS[0], rows=[{"n": "1"}, {"n": "2"}]))
    assert {change.code for change in changes} | {
        part.code for change in changes for part in change.parts
    } >= {"conflicting_rows"}


def test_a_record_that_is_as_wanted_is_unchanged(desk):
    one = update({"set": {"at": "shelfMark.label", "to": "Hc"}, "in": "each_place"})
    assert outcomes(planned(desk, entries(one, HOLDINGS[0]))) == [
        (HOLDINGS[0], Action.UNCHANGED, "no_change")
    ]
