"""DELETE: the checks in their order, and what is left."""

import pytest

from tests.support.lab import BASE, LIBRARY, Lab, message


def test_a_delete_leaves_a_tombstone(lab: Lab) -> None:
    answer = lab.delete("h1", If_Match='"of no interest"')
    assert (answer.status, answer.body, answer.header("etag")) == (204, b"", None)
    assert lab.versions("h1") == 2
    record = lab.stored("h1")["@graph"][0]
    assert record["recordStatus"] == "marc:Deleted"
    assert record["modified"] == "2026-03-02T10:00:00+01:00"
    assert record["descriptionLastModifier"] == {"@id": LIBRARY + "Ylm"}
    assert lab.get("/h1").status == 410
    again = lab.delete("h1")
    assert (again.status, message(again)) == (410, "Document has been deleted.")
    assert lab.versions("h1") == 2


@pytest.mark.parametrize(
    ("path", "options", "status", "text"),
    [
        ("/", {}, 405, ""),
        ("/http://libris.kb.se/bib/222", {}, 302, ""),
        ("/unknown", {}, 404, "Document not found."),
        ("/h1", {"sigel": "S"}, 403, "You do not have sufficient privileges"),
        ("/hS", {}, 403, "You do not have sufficient privileges"),
        ("/lonely", {}, 403, "You do not have sufficient privileges"),
        ("/headless", {}, 400, "Missing sigel in document."),
        ("/b2", {"client": "level2"}, 403, "Record is referenced by h2 and 1 other records."),
        ("/b2", {"client": "level2", "sigel": "S"}, 403, "You do not have sufficient privileges"),
        ("/lonely", {"client": "level2"}, 204, ""),
    ],
)
def test_the_table(lab: Lab, path: str, options: dict[str, str], status: int, text: str) -> None:
    answer = lab.write("DELETE", path, **options)
    assert answer.status == status
    assert text in message(answer)


def test_rights_come_before_gone(lab: Lab) -> None:
    lab.delete("h1")
    assert lab.delete("h1", client="other", sigel="S").status == 403


def test_holdings_then_their_bib(lab: Lab) -> None:
    assert lab.delete("b1", client="level2").status == 403
    assert lab.delete("h1").status == 204
    assert lab.delete("hS", client="other", sigel="S").status == 204
    assert lab.delete("b1", client="level2").status == 204


def test_a_sole_linker_is_named_alone(lab: Lab) -> None:
    lab.delete("hS", client="other", sigel="S")
    answer = lab.delete("b1", client="level2")
    assert (answer.status, message(answer)) == (403, "Record is referenced by h1.")


def test_weak_links_do_not_block(lab: Lab) -> None:
    lab.environment.editor.edit("b2", changes={"concerning": {"@id": BASE + "lonely#it"}})
    assert lab.delete("lonely", client="level2").status == 204


def test_a_holding_whose_bib_is_gone_is_not_deleted(lab: Lab) -> None:
    lab.environment.editor.edit("b1", delete=True)
    assert lab.delete("h1").status == 204
    assert lab.versions("h1") == 1
    assert lab.get("/h1").status == 200


def test_a_holding_whose_library_is_gone_is_deleted(lab: Lab) -> None:
    lab.environment.editor.edit("libYlm", delete=True)
    assert lab.delete("h1").status == 204
    assert lab.get("/h1").status == 410


def test_an_edit_just_before_is_deleted_too(lab: Lab) -> None:
    lab.environment.faults.add({"kind": "foreign_edit", "set": {"shelfLabel": "theirs"}})
    assert lab.delete("h1").status == 204
    lab.environment.faults.clear()
    assert b"theirs" in lab.get("/h1?version=-2").body
