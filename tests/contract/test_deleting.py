"""DELETE (libris-api §7)."""

from tests.contract.target import minimal_bib


def test_a_deletion(api, holding):
    """§7: 204, no body, no ETag; then 410."""
    answer = api.delete(holding)
    assert answer.status_code == 204
    assert answer.content == b""
    assert "ETag" not in answer.headers
    assert api.read(holding).status_code == 410


def test_the_root(api):
    """§7: 405."""
    assert api.delete("").status_code == 405


def test_an_alias(api):
    """§7: 302, nothing deleted (trap 5)."""
    bib = api.target.legacy_bib
    alias = api.graph(bib)[0]["sameAs"][0]["@id"]
    assert api.delete(alias).status_code == 302
    assert api.read(bib).status_code == 200


def test_an_unknown_record(api):
    """§7: 404."""
    assert api.delete("0000000000000000").status_code == 404


def test_permission_is_asked_before_deleted_is_said(api, holding):
    """§7: 403 comes before 410."""
    assert api.delete(holding).status_code == 204
    assert api.delete(holding, sigel=api.target.foreign_sigel).status_code == 403
    assert api.delete(holding).status_code == 410


def test_if_match_is_not_read(api, holding):
    """§7: an edit one second ago is deleted too (trap 4)."""
    answer = api.send("DELETE", holding, headers={"If-Match": '"1"'})
    assert answer.status_code == 204


def test_a_bib_with_holdings(api, cataloguer):
    """§7: 403 while anything links to it; afterwards it goes at once."""
    bib = api.short_id(api.post(minimal_bib(), role=cataloguer))
    holding = api.new_holding(bib)
    answer = api.delete(bib, role=cataloguer)
    assert answer.status_code == 403
    assert answer.json()["message"] == f"Record is referenced by {holding}."
    assert api.delete(holding).status_code == 204
    assert api.delete(bib, role=cataloguer).status_code == 204


def test_what_was_deleted_can_be_read(api, holding):
    """§7: ?version=-2 shows what was removed."""
    record, thing = api.graph(holding)
    thing["shelfMark"]["label"] = "somebody's last edit"
    api.put(holding, {"@graph": [record, thing]})
    api.delete(holding)
    assert api.graph(holding, version=-2)[1]["shelfMark"]["label"] == "somebody's last edit"


def test_the_bib_is_free_again(api, bib, holding):
    """§7: soft deletion releases the pair."""
    api.delete(holding)
    assert api.find_holdings(bib) == []
    assert api.new_holding(bib)
