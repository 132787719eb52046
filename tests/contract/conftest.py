"""Fixtures of the contract suite: one environment, one client, nothing left behind."""

import httpx
import pytest

from tests.contract.target import FIXED_URL, Api, minimal_bib, open_target


@pytest.fixture(scope="session")
def target(pytestconfig):
    """The environment under test; the sandbox has the address that cassettes show."""
    with open_target(base_uris={"test": FIXED_URL + "/"}) as found:
        recorder = pytestconfig.pluginmanager.get_plugin("contract-recorder")
        if recorder is not None:
            recorder.know(found)
        yield found


@pytest.fixture(scope="session")
def session_api(target):
    """Refuses to start where the library has holdings on the suite's bibs already."""
    with httpx.Client(follow_redirects=False, timeout=60) as http:
        api = Api(target, http)
        for bib in target.bibs:
            assert api.find_holdings(bib) == [], f"{target.sigel} has a holding on {bib} already"
        yield api


@pytest.fixture
def api(session_api):
    """Raw requests; whatever a test creates is deleted after it."""
    yield session_api
    session_api.clean()


@pytest.fixture
def cataloguer(api):
    """The role that may write bibs."""
    if api.target.cataloguer is None:
        pytest.skip("no client that may write bibs is configured")
    return "cataloguer"


@pytest.fixture
def bib(target):
    """A bib on which the library has no holding."""
    return target.bibs[0]


@pytest.fixture
def holding(api, bib):
    """A holding of the library with a shelf mark, made for the test."""
    return api.new_holding(
        bib, shelfMark={"@type": "ShelfMark", "label": "Hc"}, physicalLocation=["MAG", "REF"]
    )


@pytest.fixture
def new_bib(cataloguer):
    """A minimal bib, as it is POSTed."""
    return minimal_bib()
