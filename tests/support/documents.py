"""Documents and strategies for tests of the domain."""

from hypothesis import strategies as st

from bulkrunner.domain.iris import IriMap

TEST_BASE = "https://libris-stg.kb.se/"
PRODUCTION_BASE = "https://libris.kb.se/"
IRIS = IriMap(bases=(TEST_BASE, PRODUCTION_BASE), target=TEST_BASE)
RECORD = "fzr8v1sn2k3m4p5"
BIB = "vwxz0123456789b"


def holding(*, base=TEST_BASE, record=RECORD, sigel="Ylm", of=BIB, head=None, **item):
    return {
        "@graph": [
            {
                "@id": f"{base}{record}",
                "@type": "Record",
                "mainEntity": {"@id": f"{base}{record}#it"},
                "controlNumber": record,
                **(head or {}),
            },
            {
                "@id": f"{base}{record}#it",
                "@type": "Item",
                "heldBy": {"@id": f"https://libris.kb.se/library/{sigel}"},
                "itemOf": {"@id": f"{base}{of}#it"},
                **item,
            },
        ]
    }


SHORT_IDS = st.text(alphabet="0123456789bcdfghjklmnpqrstvwxz", min_size=15, max_size=16)
TEXTS = st.one_of(
    st.sampled_from(["NO", "0123", "Hc", " ", "", "MAG"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
)
SCALARS = st.one_of(TEXTS, st.integers(-5, 5), st.booleans(), st.sampled_from([0.0, 1.0, -2.5]))
KEYS = st.sampled_from(
    [
        "shelfMark",
        "label",
        "physicalLocation",
        "hasNote",
        "marc:acquisitionStatus",
        "copyNumber",
        "@type",
        "availability",
    ]
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=8,
)
"""JSON values without null."""

BODIES = st.dictionaries(KEYS.filter(lambda key: key != "@type"), VALUES, max_size=4)
HOLDINGS = st.builds(lambda body: holding(**body), BODIES)
