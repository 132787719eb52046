"""What a client may write, by what its login says."""

import pytest

from bulkrunner.domain.rights import Permission, Rights


def permission(sigel, *flags):
    names = ("registrant", "cataloger", "global_registrant")
    return Permission(sigel=sigel, **{name: name in flags for name in names})


@pytest.mark.parametrize(
    ("permissions", "sigel", "may"),
    [
        ([permission("Ylm", "registrant")], "Ylm", True),
        ([permission("Ylm", "cataloger")], "Ylm", True),
        ([permission("Ylm")], "Ylm", False),
        ([permission("Ylm", "registrant", "cataloger")], "S", False),
        ([permission("Ylm", "registrant"), permission("S")], "S", False),
        ([permission("Ylm"), permission("S", "registrant")], "S", True),
        ([permission("Ylm", "global_registrant")], "S", True),
        ([permission("Ylm"), permission("NO", "global_registrant")], "S", False),
        ([permission("S", "registrant")], "S", False),  # it may not act as Ylm
        ([], "Ylm", False),
    ],
)
def test_holdings_of_a_sigel_while_acting_as_ylm(permissions, sigel, may):
    found = Rights(permissions=tuple(permissions))
    assert found.may_write_holding(sigel, active="Ylm") is may
