"""Changes that touch a forbidden place are refused, and what comes about with them as well."""

from bulkrunner.domain.plan import Action
from bulkrunner.domain.rules import Rule, RuleKind
from bulkrunner.services.planning.assembler import policed
from bulkrunner.services.planning.draft import Draft
from tests.support.ledgers import a_change

RULE = Rule(id="marks", kind=RuleKind.PLACES, source="Ylm", places=("shelfMark.label",))
FORBIDDEN = {"shelfMark.label": RULE}


def test_a_move_whose_create_is_forbidden_deletes_nothing():
    drafts = [
        Draft(change=a_change(1, Action.CREATE, before=None)),
        Draft(change=a_change(2, Action.DELETE, after=None, predicted=None), needs=(0,)),
    ]
    create, delete = (draft.change for draft in policed(drafts, FORBIDDEN))
    assert (create.action, delete.action) == (Action.REFUSED, Action.REFUSED)
    assert create.code == delete.code == "forbidden_place"
    assert create.after is None
    assert "rule marks forbids to change shelfMark.label (Ylm)" in delete.message


def test_what_touches_nothing_forbidden_stays_as_it_is():
    drafts = [Draft(change=a_change(1)), Draft(change=a_change(2, Action.DELETE, after=None))]
    assert policed(drafts, {}) == drafts
    assert policed(drafts, {"hasNote": RULE}) == drafts
    assert policed(drafts[1:], FORBIDDEN) == drafts[1:]


def test_what_is_not_written_keeps_its_own_reason():
    refused = a_change(1, Action.REFUSED, code="foreign_sigel")
    other = a_change(2)
    found = policed([Draft(change=refused), Draft(change=other)], FORBIDDEN)
    assert [draft.change.code for draft in found] == ["foreign_sigel", "forbidden_place"]
