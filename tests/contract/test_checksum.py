"""What the ETag depends on (libris-api §9)."""

import copy


def etag_after(api, holding, change):
    """Store a changed document and return the ETag."""
    graph = copy.deepcopy(api.graph(holding))
    change(*graph)
    assert api.put(holding, {"@graph": graph}).status_code == 204
    return api.read(holding).headers["ETag"]


def etag_of(api, holding):
    return api.read(holding).headers["ETag"]


def test_a_value_counts(api, holding):
    """§9."""
    before = etag_of(api, holding)
    assert etag_after(api, holding, lambda _, t: t.update(copyNumber="1")) != before


def test_times_and_status_do_not_count(api, holding):
    """§9: created, modified, recordStatus are skipped."""
    before = etag_of(api, holding)

    def touch(record, _):
        record["modified"] = "1999-01-01T00:00:00Z"
        record["recordStatus"] = "marc:New"

    assert etag_after(api, holding, touch) == before


def test_the_order_of_a_set_does_not_count(api, holding):
    """§9: elements of a @set property: the ETag misses the edit."""
    before = etag_of(api, holding)
    assert api.graph(holding)[1]["physicalLocation"] == ["MAG", "REF"]
    assert etag_after(api, holding, lambda _, t: t["physicalLocation"].reverse()) == before
    assert api.graph(holding)[1]["physicalLocation"] == ["REF", "MAG"]


def test_the_order_of_another_list_counts(api, holding):
    """§9: any other array: the place counts."""
    first = etag_after(api, holding, lambda _, t: t.update(copyNumber=["1", "2"]))
    assert etag_after(api, holding, lambda _, t: t["copyNumber"].reverse()) != first


def test_the_number_is_the_one_the_rules_give(api, holding):
    """§9: Java's string hashes, summed over the tree."""
    content = api.read(holding).json()
    number = checksum({"@graph": content["@graph"]})
    assert etag_of(api, holding) == f'"{number}"'


# The rules of §9 once more, written for the properties that the suite's holding has.

SETS = {"physicalLocation", "hasNote", "sameAs"}
SKIPPED = {"created", "modified", "recordStatus"}


def checksum(document):
    total = tree(document, 1, 1, in_set=False)
    return (total + (1 << 63)) % (1 << 64) - (1 << 63)


def wrap(number):
    return (number + (1 << 31)) % (1 << 32) - (1 << 31)


def java_hash(text):
    value = 0
    units = text.encode("utf-16-be")
    for index in range(0, len(units), 2):
        value = wrap(31 * value + int.from_bytes(units[index : index + 2], "big"))
    return value


def tree(value, depth, factor, *, in_set):
    if isinstance(value, dict):
        return sum(
            wrap(java_hash(key) * depth)
            + tree(inner, depth + 1, java_hash(key), in_set=key in SETS)
            for key, inner in value.items()
            if key not in SKIPPED
        )
    if isinstance(value, list):
        return sum(
            tree(inner, depth if in_set else depth + place, 1, in_set=False)
            for place, inner in enumerate(value, start=1)
        )
    if isinstance(value, str):
        return wrap(wrap(java_hash(value) * depth) * factor)
    raise AssertionError(f"not among the suite's values: {value!r}")
