"""Documents in the ledger: small, whole or not at all, and no larger than a record can be."""

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkrunner.adapters.ledger import document_store
from bulkrunner.adapters.ledger.document_store import packed, unpacked
from bulkrunner.domain.canonical import canonical_bytes
from bulkrunner.sandbox.load import read_records
from tests.support.paths import RECORDS


@given(st.binary(max_size=3000))
def test_any_content_comes_back(content):
    assert unpacked(packed(content)) == content


def test_a_holding_takes_less_than_two_thirds_of_what_zlib_alone_makes_of_it():
    records = read_records(RECORDS, base_uri="https://libris.kb.se/")
    texts = [canonical_bytes(record.document) for record in records]
    holdings = [text for text in texts if b'"itemOf"' in text]
    alone = sum(len(zlib.compress(text)) for text in holdings)
    assert sum(len(packed(text)) for text in holdings) < alone * 2 / 3


@pytest.mark.parametrize(
    "spoilt",
    [
        lambda content: b"",
        lambda content: content[:-1],
        lambda content: content + b"x",
        lambda content: content[:10] + b"\xff" + content[11:],
        lambda content: b"not compressed",
    ],
    ids=["nothing", "cut", "longer", "another letter", "plain"],
)
def test_what_is_not_whole_is_nothing(spoilt):
    content = packed(b'{"@graph":[{"@type":"Record"}]}' * 3)
    with pytest.raises(zlib.error):
        unpacked(spoilt(content))


def test_content_that_grows_without_end_is_given_up(monkeypatch):
    monkeypatch.setattr(document_store, "MOST", 10_000)
    assert unpacked(packed(b"x" * 10_000))
    with pytest.raises(zlib.error):
        unpacked(packed(b"x" * 10_001))
