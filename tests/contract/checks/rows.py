"""The server's check tables as a run meets them, row by row."""

from __future__ import annotations

import json
from typing import Any

from bulkrunner.domain.run import Outcome
from tests.contract.checks.scene import LIBRARY, Rows, Scene, Steps
from tests.support.executing import creating_bib, creating_holding, deleting, setting

ROWS = Rows()

NOT_AUTHORIZED = "You are not authorized to perform this operation"
NOT_FOUND = "Document not found."
SILENT = {"body": ""}


# --- token: the authentication filter -----------------------------------------------------------


@ROWS.add("token 2", "the login is down and stays down", 6, "login_stays_down", "waited 90 s")
def _(scene: Scene) -> Steps:
    yield setting(scene.holding(), "Hx")
    scene.rig.control.fault("login_down")


@ROWS.add("token 2", "the login is down for a while", Outcome.APPLIED)
def _(scene: Scene) -> Steps:
    yield setting(scene.holding(), "Hx")
    scene.rig.control.fault("login_down", times=5)


@ROWS.add("token 3", "the token has run out", Outcome.APPLIED)
def _(scene: Scene) -> Steps:
    yield setting(scene.holding(), "Hx")
    scene.fault("expire_token", "PUT", times=1)


@ROWS.add("token 4", "the client is revoked", 7, "login_refused", "invalid_client")
def _(scene: Scene) -> Steps:
    yield setting(scene.holding(), "Hx")
    scene.fault("revoke_client", "PUT", times=1)


@ROWS.add("token 5", "401 without a word, once", Outcome.APPLIED)
def _(scene: Scene) -> Steps:
    yield setting(scene.holding(), "Hx")
    scene.fault("status", "PUT", status=401, times=1, **SILENT)


@ROWS.add(
    "token 5",
    "401 again and again, while the login accepts the token",
    6,
    "token_not_accepted",
    "refuses a token that the login accepts",
)
def _(scene: Scene) -> Steps:
    yield setting(scene.holding(), "Hx")
    scene.fault("status", "PUT", status=401, **SILENT)


@ROWS.add("token 6", "500 without a word, once", Outcome.APPLIED)
def _(scene: Scene) -> Steps:
    yield setting(scene.holding(), "Hx")
    scene.fault("status", "PUT", status=500, times=1, **SILENT)


@ROWS.add(
    "token 6",
    "500 without a word, each time",
    Outcome.FAILED,
    "server_error",
    "sent 3 times, nothing was stored",
)
def _(scene: Scene) -> Steps:
    yield setting(scene.holding(), "Hx")
    scene.fault("status", "PUT", status=500, **SILENT)


# --- rights -------------------------------------------------------------------------------------


@ROWS.add(
    "rights 1", "the active sigel is the client's no more", 7, "rights_lost", "none for NO any more"
)
def _(scene: Scene) -> Steps:
    scene.head["active_sigel"] = "NO"
    yield setting(scene.holding(), "Hx")
    scene.fault("drop_permission", "PUT", sigel="NO", times=1)


@ROWS.add(
    "rights 2",
    "somebody takes the library away just before the delete",
    Outcome.REFUSED,
    "invalid",
    "Missing sigel in document",
)
def _(scene: Scene) -> Steps:
    record = scene.holding()
    yield deleting(record)
    scene.just_before("DELETE", scene.edit(record, set={"heldBy": None}))


@ROWS.add(
    "rights 2",
    "the client may write the holding's library no more",
    7,
    "rights_lost",
    "none for Ylm any more",
)
def _(scene: Scene) -> Steps:
    scene.head["active_sigel"] = "NO"
    yield setting(scene.holding(), "Hx")
    scene.fault("drop_permission", "PUT", sigel="Ylm", times=1)


@ROWS.add(
    "rights 2",
    "refused, though the client's rights are what they were",
    Outcome.REFUSED,
    "forbidden",
    "the server refused it (403)",
)
def _(scene: Scene) -> Steps:
    yield setting(scene.holding(), "Hx")
    scene.fault("status", "PUT", **message(403, NOT_AUTHORIZED))


@ROWS.add(
    "rights 4",
    "the bib has become read-only data",
    Outcome.REFUSED,
    "forbidden",
    "do not have sufficient privileges to perform this operation",
)
def _(scene: Scene) -> Steps:
    record = scene.bib()
    yield deleting(record)
    scene.just_before("DELETE", lambda: make_read_only(scene, record))


@ROWS.add("rights 4", "level 2 is gone", 7, "rights_lost", "Ylm is no longer cataloger")
def _(scene: Scene) -> Steps:
    yield setting(scene.bib(), "x", at="responsibilityStatement")
    registrant = {"registrant": True}
    scene.just_before(
        "PUT",
        lambda: scene.only_rights(*({"code": code, **registrant} for code in ("Ylm", "NO"))),
    )


@ROWS.add(
    "rights 5",
    "somebody gives the holding to another library just before the update",
    Outcome.REFUSED,
    "forbidden",
    "not authorized to perform this operation",
)
def _(scene: Scene) -> Steps:
    record = scene.holding()
    yield setting(record, "Hx")
    scene.just_before("PUT", scene.edit(record, set={"heldBy": {"@id": LIBRARY + "S"}}))


def make_read_only(scene: Scene, record: str) -> None:
    document = scene.environment.catalogue.entry(record).document()
    document["@graph"][0]["inDataset"] = [{"@id": "https://id.kb.se/dataset/definitions"}]
    scene.environment.editor.edit(record, doc=document, sigel="S")


# --- POST ---------------------------------------------------------------------------------------


@ROWS.add(
    "POST 3",
    "the body is cut on its way",
    Outcome.REFUSED,
    "invalid",
    "Failed to read request body",
)
def _(scene: Scene) -> Steps:
    yield creating_holding(scene.bib())
    scene.fault("status", "POST", **message(400, "Failed to read request body: cut"))


@ROWS.add(
    "POST 6",
    "a property that the vocabulary does not know",
    Outcome.REFUSED,
    "invalid",
    "Invalid JSON-LD: MISSING_DEFINITION at @graph.1.noSuchProperty",
)
def _(scene: Scene) -> Steps:
    yield creating_holding(scene.bib(), noSuchProperty="x")


@ROWS.add(
    "POST 7", "the client may write the library no more", 7, "rights_lost", "none for Ylm any more"
)
def _(scene: Scene) -> Steps:
    scene.head["active_sigel"] = "NO"
    yield creating_holding(scene.bib())
    scene.fault("drop_permission", "POST", sigel="Ylm", times=1)


@ROWS.add(
    "POST 8",
    "another record has the new bib's name",
    Outcome.REFUSED,
    "rejected",
    "considered a duplicate",
)
def _(scene: Scene) -> Steps:
    name = scene.rig.control.record_iri(scene.bib())
    yield creating_bib("En bok", sameAs=[{"@id": name}])


@ROWS.add(
    "POST 9",
    "the bib is deleted just before",
    Outcome.REFUSED,
    "bib_gone",
    "the bib is not there any more",
)
def _(scene: Scene) -> Steps:
    bib = scene.bib()
    yield creating_holding(bib)
    scene.just_before("POST", scene.delete(bib))


@ROWS.add(
    "POST 9",
    "the bib is deleted after the plan",
    Outcome.REFUSED,
    "bib_gone",
    "the bib is not there any more",
)
def _(scene: Scene) -> Steps:
    bib = scene.bib()
    yield creating_holding(bib)
    scene.delete(bib)()


@ROWS.add(
    "POST 9",
    "the library's record is gone",
    Outcome.REFUSED,
    "library_unresolved",
    "the library Ylm has no record there any more",
    own_sandbox=True,
)
def _(scene: Scene) -> Steps:
    yield creating_holding(scene.bib())
    scene.library_gone()


@ROWS.add(
    "POST 10",
    "somebody makes the holding just before",
    Outcome.REFUSED,
    "duplicate",
    "already has a holding on this bib",
)
def _(scene: Scene) -> Steps:
    yield creating_holding(scene.bib())
    scene.fault("foreign_edit", "POST", sigel="S", times=1)


@ROWS.add(
    "POST 10",
    "the same, answered 409",
    Outcome.REFUSED,
    "duplicate",
    "already has a holding on this bib",
)
def _(scene: Scene) -> Steps:
    yield creating_holding(scene.bib())
    scene.fault("foreign_edit", "POST", sigel="S", times=1)
    scene.fault("status", "POST", status=409, times=1)


@ROWS.add("POST 11", "the server cannot store a holding, once", Outcome.APPLIED)
def _(scene: Scene) -> Steps:
    yield creating_holding(scene.bib())
    scene.fault("status", "POST", status=404, times=1)


@ROWS.add(
    "POST 11",
    "the server cannot store a holding",
    Outcome.FAILED,
    "not_found",
    "sent 3 times, nothing was stored",
)
def _(scene: Scene) -> Steps:
    yield creating_holding(scene.bib())
    scene.fault("status", "POST", **message(404, NOT_FOUND))


@ROWS.add(
    "POST 11",
    "the server cannot store a bib",
    Outcome.FAILED,
    "not_stored",
    "the server could not store it",
)
def _(scene: Scene) -> Steps:
    yield creating_bib("En bok")
    scene.fault("status", "POST", **message(404, NOT_FOUND))


@ROWS.add("POST 12", "a holding is stored", Outcome.APPLIED)
def _(scene: Scene) -> Steps:
    yield creating_holding(scene.bib())


@ROWS.add("POST 12", "a bib is stored", Outcome.APPLIED)
def _(scene: Scene) -> Steps:
    yield creating_bib("En bok")


# --- PUT ----------------------------------------------------------------------------------------


@ROWS.add(
    "PUT 3",
    "the environment knows the record no more",
    Outcome.CONFLICT,
    "missing",
    "knows no such record any more",
)
def _(scene: Scene) -> Steps:
    record = scene.holding()
    yield setting(record, "Hx")
    scene.rig.control.fault("status", method="PUT", path=record, status=404)
    scene.rig.control.fault("status", method="GET", path=record, nth=list(range(2, 9)), status=404)


@ROWS.add(
    "PUT 3",
    "404, though the record is there",
    Outcome.FAILED,
    "not_found",
    "sent 3 times, nothing was stored",
)
def _(scene: Scene) -> Steps:
    yield setting(scene.holding(), "Hx")
    scene.fault("status", "PUT", **message(404, NOT_FOUND))


@ROWS.add(
    "PUT 4",
    "the record has been merged into another",
    Outcome.CONFLICT,
    "moved",
    "the id has become another name of",
)
def _(scene: Scene) -> Steps:
    record, other = scene.holding(), scene.rig.control.record_iri(scene.bib())
    yield setting(record, "Hx")
    moved = {"path": record, "status": 302, "location": other, **SILENT}
    scene.rig.control.fault("status", method="PUT", **moved)
    scene.rig.control.fault("status", method="GET", nth=list(range(2, 9)), **moved)


@ROWS.add(
    "PUT 6",
    "a value that the vocabulary does not know",
    Outcome.REFUSED,
    "invalid",
    "Invalid JSON-LD: MISSING_DEFINITION at @graph.1.noSuchProperty",
)
def _(scene: Scene) -> Steps:
    yield setting(scene.holding(), "x", at="noSuchProperty")


@ROWS.add(
    "PUT 6",
    "an old fault in a field that nobody touches",
    Outcome.REFUSED,
    "invalid",
    "Invalid JSON-LD: MISSING_DEFINITION at @graph.1.noSuchProperty",
)
def _(scene: Scene) -> Steps:
    record = scene.holding()
    scene.edit(record, set={"noSuchProperty": "x"})()
    yield setting(record, "Hx")


@ROWS.add("PUT 10", "somebody edits just before", Outcome.CONFLICT, "edited", "edited by S at")
def _(scene: Scene) -> Steps:
    record = scene.holding()
    yield setting(record, "Hx")
    scene.just_before("PUT", scene.edit(record))


@ROWS.add("PUT 10", "somebody saves it unchanged just before", Outcome.APPLIED)
def _(scene: Scene) -> Steps:
    record = scene.holding()
    yield setting(record, "Hx")
    scene.just_before("PUT", scene.edit(record, set={}))


@ROWS.add(
    "PUT 10",
    "somebody makes the same change just before",
    Outcome.UNCHANGED,
    "done_by_other",
    "as wanted already, and not by this run",
)
def _(scene: Scene) -> Steps:
    record = scene.holding()
    yield setting(record, "Hx")
    scene.just_before("PUT", scene.edit(record, set={"shelfMark.label": "Hx"}))


@ROWS.add(
    "PUT 10",
    "somebody deletes it just before",
    Outcome.CONFLICT,
    "deleted",
    "deleted after the plan was made",
)
def _(scene: Scene) -> Steps:
    record = scene.holding()
    yield setting(record, "Hx")
    scene.just_before("PUT", scene.delete(record))


@ROWS.add(
    "PUT 11",
    "the library's record is gone",
    Outcome.REFUSED,
    "not_saved",
    "said it was saved, but nothing was stored",
    own_sandbox=True,
)
def _(scene: Scene) -> Steps:
    yield setting(scene.holding(), "Hx")
    scene.library_gone()


@ROWS.add(
    "PUT 11",
    "the bib is deleted",
    Outcome.REFUSED,
    "not_saved",
    "said it was saved, but nothing was stored",
)
def _(scene: Scene) -> Steps:
    bib = scene.bib()
    record = scene.rig.made_holding(bib, shelfMark={"@type": "ShelfMark", "label": "Hc"})
    yield setting(record, "Hx")
    scene.delete(bib)()


@ROWS.add(
    "PUT 12",
    "the bib's row cannot be locked",
    Outcome.REFUSED,
    "invalid",
    "Failed to acquire a necessary lock",
)
def _(scene: Scene) -> Steps:
    yield setting(scene.holding(), "Hx")
    scene.fault("status", "PUT", **message(400, "Failed to acquire a necessary lock"))


@ROWS.add(
    "PUT 14",
    "the server fails for a reason that it hides",
    Outcome.FAILED,
    "server_error",
    "sent 3 times, nothing was stored",
)
def _(scene: Scene) -> Steps:
    yield setting(scene.holding(), "Hx")
    scene.fault("status", "PUT", **message(500, "Internal error", error_id="e-1"))


@ROWS.add("PUT 15", "stored", Outcome.APPLIED)
def _(scene: Scene) -> Steps:
    yield setting(scene.holding(), "Hx")


@ROWS.add("PUT 15", "stored, over a deletion made just before by the same library", Outcome.APPLIED)
def _(scene: Scene) -> Steps:
    record = scene.holding()
    yield setting(record, "Hx")
    scene.just_before("PUT", scene.edit(record, delete=True, sigel="Ylm"))


# --- DELETE -------------------------------------------------------------------------------------


@ROWS.add(
    "DELETE 2",
    "the record has been merged into another",
    Outcome.CONFLICT,
    "moved",
    "the id has become another name of",
)
def _(scene: Scene) -> Steps:
    record, other = scene.holding(), scene.rig.control.record_iri(scene.bib())
    yield deleting(record)
    moved = {"path": record, "status": 302, "location": other, **SILENT}
    scene.rig.control.fault("status", method="DELETE", **moved)
    scene.rig.control.fault("status", method="GET", nth=list(range(2, 9)), **moved)


@ROWS.add(
    "DELETE 3",
    "the environment knows the record no more",
    Outcome.CONFLICT,
    "missing",
    "knows no such record any more",
)
def _(scene: Scene) -> Steps:
    record = scene.holding()
    yield deleting(record)
    scene.rig.control.fault("status", method="DELETE", path=record, status=404)
    scene.rig.control.fault("status", method="GET", path=record, nth=list(range(2, 9)), status=404)


@ROWS.add(
    "DELETE 4",
    "the client may write the library no more",
    7,
    "rights_lost",
    "none for Ylm any more",
)
def _(scene: Scene) -> Steps:
    scene.head["active_sigel"] = "NO"
    yield deleting(scene.holding())
    scene.fault("drop_permission", "DELETE", sigel="Ylm", times=1)


@ROWS.add(
    "DELETE 5",
    "somebody deletes it just before",
    Outcome.APPLIED,
    "author_unproven",
    "whether by our request is not proven",
)
def _(scene: Scene) -> Steps:
    record = scene.holding()
    yield deleting(record)
    scene.just_before("DELETE", scene.delete(record))


@ROWS.add(
    "DELETE 6",
    "somebody links to the bib after the plan",
    Outcome.REFUSED,
    "linked",
    "Record is referenced by",
)
def _(scene: Scene) -> Steps:
    record = scene.bib()
    yield deleting(record)
    scene.rig.made_holding(record)


@ROWS.add("DELETE 7", "deleted", Outcome.APPLIED)
def _(scene: Scene) -> Steps:
    yield deleting(scene.holding())


@ROWS.add(
    "DELETE 7", "deleted, over an edit made just before", Outcome.APPLIED, "deleted_over_edit", ""
)
def _(scene: Scene) -> Steps:
    record = scene.holding()
    yield deleting(record)
    scene.just_before("DELETE", scene.edit(record))


@ROWS.add(
    "DELETE 8",
    "the bib is gone",
    Outcome.REFUSED,
    "not_deleted",
    "it does so where the bib of a holding does not resolve",
)
def _(scene: Scene) -> Steps:
    bib = scene.bib()
    record = scene.rig.made_holding(bib)
    yield deleting(record)
    scene.delete(bib)()


@ROWS.add("DELETE 8", "the library's record is gone", Outcome.APPLIED, own_sandbox=True)
def _(scene: Scene) -> Steps:
    record = scene.holding()
    yield deleting(record)
    scene.library_gone()


def message(status: int, words: str, **more: str) -> dict[str, Any]:
    """An error of the API's own, as a forced answer."""
    body = {"status_code": status, "status": "Error", "message": words, **more}
    return {"status": status, "body": json.dumps(body), "content_type": "application/json"}
