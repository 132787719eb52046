"""An environment that is copied from another is what it would be if it were made by itself."""

from __future__ import annotations

import pytest

from bulkrunner.sandbox.engine import KINDS, SandboxOptions, build_environment
from tests.support.sandbox import running_sandbox

SIZE = {"bibs": 30, "holdings": 80}
HERE = "http://127.0.0.1:4242/"


def made(kind, **options):
    return build_environment(SandboxOptions(**SIZE, **options), kind, served_at=HERE)


def copied(kind, pattern=None, **options):
    pattern = pattern or build_environment(
        SandboxOptions(**SIZE), kind, served_at="http://somewhere.invalid/"
    )
    return made(kind, patterns={kind: pattern}, **options)


def seen(environment):
    """Everything that a catalogue and its index know."""
    catalogue = environment.catalogue
    entries = {entry.short_id: entry for entry in catalogue.entries()}
    names = {iri for entry in entries.values() for iri in entry.names}
    pairs = {entry.pair for entry in entries.values() if entry.pair}
    kinds = {entry.document()["@graph"][1]["@type"] for entry in entries.values()}
    return {
        "records": {
            short_id: (
                [vars_of(version) for version in entry.versions],
                entry.names,
                entry.links,
                entry.pair,
                entry.collection,
                entry.record_iri,
                catalogue.etag(entry),
                catalogue.linked_from(short_id),
            )
            for short_id, entry in entries.items()
        },
        "names": {iri: catalogue.name(iri) for iri in names},
        "pairs": {pair: catalogue.holdings_with(pair) for pair in pairs},
        "shown": environment.index.short_ids(),
        "kinds": {kind: environment.index.with_term("@type", kind) for kind in kinds},
        "held": {pair: environment.index.with_term("itemOf.@id", pair[1]) for pair in pairs},
    }


def vars_of(version):
    return {name: getattr(version, name) for name in version.__dataclass_fields__}


@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_is_like_one_that_was_made(kind):
    assert seen(copied(kind)) == seen(made(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_in_a_file_is_there_when_it_is_opened_again(kind, tmp_path):
    first = copied(kind, data=tmp_path)
    first.store.close()
    again = made(kind, data=tmp_path)
    assert seen(again) == seen(made(kind))
    again.store.close()


def test_a_copy_goes_its_own_way():
    pattern = made("test")
    before = seen(pattern)
    copy = copied("test", pattern)
    holding = next(entry for entry in copy.catalogue.entries() if entry.collection == "hold")
    document = holding.document()
    document["@graph"][1]["physicalLocation"] = ["Elsewhere"]
    copy.catalogue.put(holding.short_id, document, now=copy.clock.now())
    bib = next(entry for entry in copy.catalogue.entries() if entry.collection == "bib")
    copy.catalogue.put(bib.short_id, bib.document(), now=copy.clock.now(), deleted=True)
    assert seen(pattern) == before
    assert seen(copy) != before


def test_two_sandboxes_of_one_size_are_apart():
    with running_sandbox(**SIZE) as one, running_sandbox(**SIZE) as other:
        assert one.staging.base_uri != other.staging.base_uri
        record = one.staging.records()[0]
        one.staging.edit(record, delete=True)
        assert one.staging.get(record).status == 410
        assert other.staging.get(record).status == 200
        assert one.staging.base_uri not in str(other.staging.document(record))
    with running_sandbox(**SIZE) as third:
        assert third.staging.get(record).status == 200
        assert len(third.staging.history(record)) == 1
