"""Whatever is sent, the engine answers; it never breaks and stores nothing it refused."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bulkrunner.sandbox.wire import Request
from tests.support.lab import BASE, LD, LIBRARY, Lab, new_holding
from tests.support.sizes import examples

LAB = Lab()

NAMES = (
    "@id @type @graph @context mainEntity heldBy itemOf sameAs hasNote language identifiedBy"
    " value labelByLang inDataset recordStatus instanceOf"
)
keys = st.sampled_from(NAMES.split())
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.sampled_from(["Item", "Record", BASE + "b1#it", BASE + "h1", LIBRARY + "Ylm", "Print"]),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)


def knows(status: int) -> bool:
    return status in {200, 201, 204, 302, 304, 400, 401, 403, 404, 405, 409, 410, 412, 500, 501}


@settings(max_examples=examples(150), deadline=None)
@given(st.dictionaries(keys, values, max_size=3), st.dictionaries(keys, values, max_size=5))
def test_any_document_can_be_sent(record: dict[str, Any], thing: dict[str, Any]) -> None:
    document = new_holding("Ylm", "lonely")
    document["@graph"][0] |= record
    document["@graph"][1] |= thing
    assert knows(LAB.post(document, client="level2").status)
    stored = LAB.stored("h2")
    stored["@graph"][0] |= record
    stored["@graph"][1] |= thing
    assert knows(LAB.put("h2", stored).status)
    LAB.environment.refresh_index()
    for url in ("/h2", "/h2?framed=true", "/find?q=x&heldBy.@id=y", "/h2/_changesets"):
        assert knows(LAB.get(url).status)


@settings(max_examples=examples(150), deadline=None)
@given(values)
def test_any_json_can_be_sent(body: Any) -> None:
    assert knows(LAB.post(body).status)
    assert knows(LAB.put("h1", body).status)


@settings(max_examples=examples(150), deadline=None)
@given(
    st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD", "PATCH", "OPTIONS"]),
    st.text(max_size=20),
    st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)), max_size=3),
    st.dictionaries(
        st.sampled_from(["accept", "authorization", "if-none-match", "content-type"]),
        st.text(max_size=12),
    ),
)
def test_any_request_is_answered(
    method: str, path: str, query: list[tuple[str, str]], headers: dict[str, str]
) -> None:
    request = Request(method=method, path="/" + path, query=tuple(query), headers=headers)
    assert knows(LAB.environment.handle(request).status)


@settings(max_examples=examples(100), deadline=None)
@given(st.sampled_from(["or-", "min-", "exists-", "not-", ""]), st.text(max_size=10), st.text())
def test_any_search_is_answered(prefix: str, field: str, value: str) -> None:
    request = Request(method="GET", path="/find", query=((prefix + field, value),))
    answer = LAB.environment.handle(request)
    assert knows(answer.status)
    assert json.loads(answer.body)


def test_deep_nesting(lab: Lab) -> None:
    deep: Any = {}
    for _ in range(400):
        deep = {"hasNote": [deep]}
    answer = lab.post(new_holding("Ylm", "lonely", **deep))
    assert answer.status in (201, 500)
    headers = {"Content-Type": LD, "Authorization": f"Bearer {lab.token('level1')}"}
    sent = b'{"@graph":' * 500 + b"1" + b"}" * 500
    assert knows(lab.ask("PUT", "/h1", sent, headers).status)
