"""Refusals say what is probably meant: the sigel, the holdings on a bib, a holding to merge into."""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import replace
from typing import Any

import pytest

from bulkrunner.adapters.reports.language import language
from bulkrunner.domain.records import library_iri
from bulkrunner.sentences import text_of
from tests.support.cli import Workplace
from tests.support.sandbox import SandboxControl

LABEL = {"set": {"at": "shelfLabel", "to": "Hx"}}
BIB, HOLDING = "BIB", "HOLDING"
YLM = {"sigels": ["YLM"], "on_behalf_of": "YLM"}
BOTH = {"sigels": ["Ylm", "Xyz"]}
MERGE = {"merge": {"into": BIB, "take": ["hasNote"]}}
COPY = {"copy": {"sigel": "Xyz"}}


def told(place: Workplace, sandbox: SandboxControl, **manifest: Any) -> tuple[str, str]:
    """Plan a job of one entry on a holding of Ylm and its bib; code and message of its refusal."""
    here = sandbox.staging
    holding = here.records("hold", "Ylm")[0]
    bib = here.document(holding)["@graph"][1]["itemOf"]["@id"].rpartition("/")[2]
    names = {BIB: bib.removesuffix("#it"), HOLDING: holding}

    def named(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: named(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [named(inner) for inner in value]
        return names.get(value, value) if isinstance(value, str) else value

    done = place("plan", place.job("meant", **named(manifest)), "--env", "staging", expect=3)
    assert done.document["counts"]["refused"] == 1
    assert done.document["counts"]["not_found"] == 0
    (found,) = done.document["findings"]
    with contextlib.closing(sqlite3.connect(place.ledger)) as stored:
        query = "SELECT message FROM planned_changes WHERE action = 'refused'"
        (kept,) = [text_of(message) for (message,) in stored.execute(query)]
    assert kept == found["message"]
    assert language("sv").reason(kept).lang == "sv", kept
    return found["code"], found["message"]


@pytest.mark.parametrize(
    ("head", "step", "near"),
    [
        (YLM, {"ids": [HOLDING], **LABEL}, "Ylm"),
        (YLM, {"library": "YLM", **LABEL}, "Ylm"),
        (YLM, {"find": {"@type": "Item", "heldBy.@id": library_iri("YLM")}, **LABEL}, "Ylm"),
        (YLM, {"ids": [BIB], "holdings": "own", **LABEL}, "Ylm"),
        (BOTH, {"library": "Xyz", **LABEL}, ""),
        (BOTH, {"ids": [BIB], "holdings": ["Xyz"], **LABEL}, ""),
        (BOTH, {"ids": [BIB], "holdings": ["Ylm", "Xyz"], "delete": True}, ""),
        (BOTH, {"ids": [HOLDING], "move": {"to": "Xyz"}}, ""),
        (BOTH, {"ids": [HOLDING], **COPY}, ""),
    ],
)
def test_a_sigel_that_the_client_does_not_have(place, sandbox, head, step, near):
    code, message = told(place, sandbox, **head, steps=[step])
    assert code == ("active_sigel_not_permitted" if head is YLM else "no_rights")
    assert ("did you mean `" in message) == bool(near)
    assert f"did you mean `{near}`?" in message or not near
    assert "the client has " in message
    assert "Ylm" in message.partition("the client has ")[2]


@pytest.mark.parametrize(
    "step",
    [
        {"library": "Xyz", **LABEL},
        {"find": {"@type": "Item", "heldBy.@id": library_iri("Xyz")}, **LABEL},
        {"ids": [BIB], "holdings": ["Xyz"], **LABEL},
        {"ids": [BIB], "holdings": ["Ylm", "Xyz"], "delete": True},
        {"ids": [HOLDING], "move": {"to": "Xyz"}},
    ],
)
def test_a_sigel_that_nobody_has_where_the_client_may_write_all(place, sandbox, step):
    every = replace(place, client="global")
    head = {"sigels": ["SEK", *BOTH["sigels"]], "on_behalf_of": "SEK"}
    code, message = told(every, sandbox, **head, steps=[step])
    assert code == "library_unresolved"
    assert "the library Xyz has no record" in message
    assert "see that the sigel is spelled right" in message


@pytest.mark.parametrize(
    ("entry", "code", "hint"),
    [
        ({"steps": [{"ids": [BIB], "delete": True}]}, "bibs_not_agreed", "holdings: own"),
        ({"steps": [{"ids": [BIB], **LABEL}]}, "bibs_not_agreed", "holdings: own"),
        ({"operations": [{"delete": BIB}]}, "bibs_not_agreed", "id of the holding"),
        ({"steps": [{"ids": [BIB], "move": {"to": "NO"}}]}, "other_kind", "holdings: own"),
        ({"steps": [{"ids": [HOLDING], **MERGE}]}, "no_target", "id of the library's holding"),
    ],
)
def test_a_bib_where_a_holding_is_meant(place, sandbox, entry, code, hint):
    found, message = told(place, sandbox, sigels=["Ylm", "NO"], **entry)
    assert found == code
    assert "is a bib" in message
    assert hint in message
    wider = "covers: [holdings, bibs]" in message
    assert wider == ("set" in str(entry))
