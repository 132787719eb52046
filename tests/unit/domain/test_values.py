"""Values with references, and how faults in them are told."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkrunner.domain.expressions.references import Context, parse_reference, values_at
from bulkrunner.domain.expressions.value_parsing import parse_value
from bulkrunner.domain.expressions.values import Dynamic, bind, references_of, resolve, written
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.refusals import Refused
from bulkrunner.errors import Fault
from tests.support.documents import BIB, HOLDINGS, PRODUCTION_BASE, TEST_BASE, VALUES, holding

BASES = (TEST_BASE, PRODUCTION_BASE)


def context(base=TEST_BASE, document=None, **rest):
    return Context(
        document=document or holding(base=base), iris=IriMap(bases=BASES, target=base), **rest
    )


@given(VALUES)
def test_what_has_no_mark_is_a_constant(value):
    assert parse_value(value) == value
    assert resolve(value, context()) == value


def test_braces_and_percent_signs_are_text():
    for text in ("{row.a}", "100 % {x}", "${HOME}", "\\1", "{{", "a@row.b", "@ row.a", "@item.a"):
        assert parse_value(text) == text


@pytest.mark.parametrize(
    "text", ["@row.Nytt", "@bib.hasTitle.mainTitle", "@param.x", "@self.id", "Köpt {@row.a} av"]
)
def test_a_reference_without_its_mark_is_not_written_as_text(text):
    for value in (text, {"label": [text]}):
        with pytest.raises(Fault, match="as it stands") as refused:
            parse_value(value)
        assert "$" in refused.value.hint
    assert parse_value({"$text": text.replace("{", "{{").replace("}", "}}")}) == text


def test_a_text_without_references_is_a_constant():
    assert parse_value({"a": [{"$text": "{{x}}"}]}) == {"a": ["{x}"]}


@pytest.mark.parametrize(
    ("value", "path", "says"),
    [
        ({"$valeu": "a"}, (), "$valeu"),
        ({"$value": 1}, ("$value",), "text"),
        ({"$value": ""}, ("$value",), "empty"),
        ({"$value": "a..b"}, ("$value",), "a..b"),
        ({"$value": "a", "x": 1}, (), "beside"),
        ({"$value": "a", "$text": "b"}, (), "beside"),
        ({"$text": "a", "default": "b"}, (), "beside"),
        ({"$value": "a", "through": "trimm"}, ("through",), "trimm"),
        ({"$value": "a", "through": [1]}, ("through",), "list"),
        ({"$value": "a", "through": ["trim"] * 21}, ("through",), "20"),
        ({"$text": "a {b"}, ("$text",), "not closed"),
        ({"$text": "a } b"}, ("$text",), "}"),
        ({"$text": "{}"}, ("$text",), "empty"),
        ({"$text": "{a|trimm}"}, ("$text",), "trimm"),
        ({"$text": "x" * 20_001}, ("$text",), "20,000"),
        ({"a": [1, {"b": {"$value": "@row."}}]}, ("a", 1, "b", "$value"), "@row."),
        ([{"$value": "a"}] * 201, (), "200"),
    ],
)
def test_faults_are_told_with_their_place(value, path, says):
    with pytest.raises(Fault) as caught:
        parse_value(value)
    assert caught.value.path == path
    assert says in caught.value.message


def test_nesting_is_bounded():
    value = {"$value": "a"}
    for _ in range(50):
        value = [value]
    with pytest.raises(Fault):
        parse_value(value)


def test_functions_with_quotes_pipes_and_braces():
    value = parse_value({"$text": "{@row.a|replace('|', '}')|strip_suffix(\"|x\")}!"})
    assert resolve(value, context(row={"a": "1|2|x"})) == "1}2}x!"
    assert written(value) == {"$text": "{@row.a|replace('|', '}')|strip_suffix(\"|x\")}!"}


def test_a_default_is_any_value_and_not_looked_into():
    value = parse_value({"$value": "@row.a", "default": {"$value": "@row.b"}})
    assert resolve(value, context(row={"b": "x"})) == {"$value": "@row.b"}


def test_references_are_found():
    value = parse_value({"a": {"$value": "@row.a"}, "b": [{"$text": "{c.d} {@bib.id}"}]})
    assert [ref.text for ref in references_of(value)] == ["@row.a", "c.d", "@bib.id"]


def test_a_value_is_the_same_in_every_environment():
    value = parse_value(
        {"link": {"@id": {"$value": "@item.itemOf.@id"}}, "all": {"$value": "itemOf"}}
    )
    forms = [resolve(value, context(base)) for base in BASES]
    assert forms[0] == forms[1]
    assert forms[0] == {
        "link": {"@id": f"libris:{BIB}#it"},
        "all": {"@id": f"libris:{BIB}#it"},
    }


def test_rows_and_parameters_are_put_in_and_the_rest_stays():
    value = parse_value(
        [
            {"$text": "{{{@row.a}}} {copyNumber|trim} {@param.b}"},
            {"$value": "@row.a", "through": ["upper"]},
            {"x": {"$value": "@row.none"}},
            {"y": {"$value": "@bib.id"}},
        ]
    )
    bound = bind(value, context(row={"a": "{x}"}, parameters={"b": 4}))
    assert isinstance(bound, Dynamic)
    assert written(bound) == [
        {"$text": "{{{{x}}}} {copyNumber|trim} 4"},
        "{X}",
        {"x": {"$value": "@row.none"}},
        {"y": {"$value": "@bib.id"}},
    ]
    assert written(parse_value(written(bound))) == written(bound)
    value = parse_value({"$text": "{@row.a}-{copyNumber}"})
    bound = bind(value, context(row={"a": "{x}"}))
    assert resolve(bound, context().at({"copyNumber": "1"})) == "{x}-1"


def test_a_value_of_rows_alone_becomes_a_constant():
    value = parse_value({"label": [{"$text": "{@row.a}!"}, {"$value": "@row.a"}]})
    assert bind(value, context(row={"a": "x"})) == {"label": ["x!", "x"]}


def test_too_long_a_text_is_refused():
    value = parse_value({"$value": "@row.a", "through": [f"replace(a, {'b' * 400})"]})
    with pytest.raises(Refused) as caught:
        resolve(value, context(row={"a": "a" * 100_000}))
    assert caught.value.refusal.code == "value_too_long"


@given(
    st.recursive(
        st.one_of(VALUES, st.none()),
        lambda inner: st.dictionaries(
            st.sampled_from(["$value", "$text", "through", "default", "a"]), inner, max_size=3
        ),
        max_leaves=5,
    ),
    HOLDINGS,
)
def test_any_data_is_a_value_or_refused(data, document):
    with suppress(Fault, Refused):
        resolve(parse_value(data), context(document=document))


@given(st.text(alphabet="{}|'\"(),ab @.", max_size=20))
def test_any_text_is_a_text_or_refused(text):
    with suppress(Fault, Refused):
        resolve(parse_value({"$text": text}), context())


ELEMENTS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "a": st.sampled_from(["x", "y", ["x", "y"], 4]),
            "b": st.sampled_from(["x", "4"]),
        },
    ),
    max_size=4,
)
PICKS = st.sampled_from(["[a]", "[a=x]", "[a!=x]", "[a=4][b]", "[b='4'][a!=\"y\"]", "[c]"])


@given(ELEMENTS, PICKS)
def test_elements_that_are_picked_are_those_that_meet_the_condition(elements, pick):
    tests = {
        "[a]": lambda one: "a" in one,
        "[a=x]": lambda one: "x" in listed_of(one.get("a")),
        "[a!=x]": lambda one: "x" not in listed_of(one.get("a")),
        "[a=4][b]": lambda one: one.get("a") == 4 and "b" in one,
        "[b='4'][a!=\"y\"]": lambda one: one.get("b") == "4" and "y" not in listed_of(one.get("a")),
        "[c]": lambda one: False,
    }
    document = {"@graph": [{}, {"e": [{**one, "n": n} for n, one in enumerate(elements)]}]}
    known = context(document=document)
    meant = [n for n, one in enumerate(elements) if tests[pick](one)]
    assert list(values_at(parse_reference(f"e{pick}.n"), known)) == meant
    value = {"$values": f"e{pick}.n", "default": []}
    assert resolve(parse_value(value), known) == meant
    assert parse_value(written(parse_value(value))) == parse_value(value)


def listed_of(value):
    return value if isinstance(value, list) else [value]
