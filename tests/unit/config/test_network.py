"""The way out of the network is configured, never found in the surroundings."""

from pathlib import Path

import pytest

from bulkrunner.config import load_settings
from bulkrunner.errors import ConfigError
from bulkrunner.sentences import Sentence

PROXY = "http://proxy.example.org:3128"
VARIABLES = {"HTTPS_PROXY": "https://one:s3cret@proxy.example.org", "NO_PROXY": ".kb.se"}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def network(text, variables=None, path=None):
    Path("bulkrunner.toml").write_text("[network]\n" + text)
    return load_settings(path, variables or {}).network


def own(folder, text):
    path = folder / "home" / "bulkrunner" / "bulkrunner.toml"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    path.chmod(0o600)
    return {"XDG_CONFIG_HOME": str(folder / "home")}


def test_variables_count_only_where_the_configuration_says_so(folder):
    assert load_settings(None, VARIABLES).network.proxy is None
    assert network(f'proxy = "{PROXY}"', VARIABLES).proxy.address == PROXY
    found = network('proxy = "environment"', VARIABLES)
    assert found.proxy.address == "https://proxy.example.org"
    assert found.proxy.login == ("one", "s3cret")
    assert found.proxy.named_by == "HTTPS_PROXY"
    assert found.proxy_for("https://libris-stg.kb.se") is None
    assert found.proxy_for("https://example.org") is found.proxy
    assert found.proxy_for("http://127.0.0.1") is None
    assert network('proxy = "environment"').proxy is None
    both = {"https_proxy": "small.example.org:8080", **VARIABLES}
    assert network('proxy = "environment"', both).proxy.address == "http://small.example.org:8080"


def test_nothing_shows_the_password(folder):
    found = network('proxy = "http://one:s3cret@proxy.example.org:3128"')
    assert found.proxy.login == ("one", "s3cret")
    for shown in (repr(found), str(found.as_document()), repr(load_settings(None, {}))):
        assert "s3cret" not in shown
    assert found.as_document() == {
        "proxy": {"address": PROXY, "from": "[network] proxy", "login": True},
        "ca_file": None,
    }


@pytest.mark.parametrize(
    "text",
    [
        "proxy.example.org:3128",
        "socks5://one:s3cret@proxy.example.org",
        "http://one:s3cret@proxy.example.org/path",
        "http://one:s3cret@",
        "http://one:s3cret@proxy.example.org:port",
        "http://one:s3cret@proxy.example.org:99999",
        "http://one:s3crët@proxy.example.org",
        "http://one:s3cret word@proxy.example.org",
        "http://one:s3cret%0d%0a@proxy.example.org",
        "http://one:s3cret@[::1",
        "http://one:s3cret@proxy.example.org?x",
        "Environment",
        "none",
    ],
)
def test_a_proxy_that_is_none_is_told_without_what_it_holds(folder, text):
    with pytest.raises(ConfigError, match=r"bulkrunner\.toml:2: network\.proxy: must be") as caught:
        network(f'proxy = "{text}"')
    assert "s3cr" not in caught.value.message
    assert "environment" in caught.value.message or "encoded" in caught.value.message
    if "://" in text:
        with pytest.raises(ConfigError, match="HTTPS_PROXY must be") as caught:
            network('proxy = "environment"', {"HTTPS_PROXY": text})
        assert "s3cr" not in caught.value.message


@pytest.mark.parametrize("line", ["proxy = 1", 'ca_file = ""', 'proxies = "x"', "proxy = []"])
def test_what_does_not_fit_is_told_with_its_line(folder, line):
    with pytest.raises(ConfigError, match=r"bulkrunner\.toml:2: network\."):
        network(line)


def test_the_projects_word_comes_before_the_users_own(folder):
    mine = own(folder, f'[network]\nproxy = "{PROXY}"\nca_file = "ca.pem"\n')
    found = load_settings(None, mine).network
    assert (found.proxy.address, found.ca_file) == (PROXY, folder / "home/bulkrunner/ca.pem")
    assert found.ca_file_for("https://login.libris.kb.se") == found.ca_file
    found = network('proxy = "http://other.example.org:1"\nca_file = "certs/other.pem"', mine)
    assert found.proxy.address == "http://other.example.org:1"
    assert found.ca_file == folder / "certs/other.pem"


def test_authorities_that_came_with_a_folder_do_not_vouch_for_kb(folder):
    found = network('ca_file = "ca.pem"')
    assert found.ca_file_for("https://127.0.0.1:8443") == folder / "ca.pem"
    for url in ("https://libris-stg.kb.se", "https://login.libris.kb.se/oauth/token"):
        with pytest.raises(ConfigError, match="may not vouch for KB") as caught:
            found.ca_file_for(url)
        assert "--config" in caught.value.hint
    path = Path("bulkrunner.toml")
    path.chmod(0o600)
    named = load_settings(path, {}).network
    assert named.ca_file_for("https://libris-stg.kb.se") == folder / "ca.pem"
    path.chmod(0o666)
    with pytest.raises(ConfigError):
        load_settings(path, {}).network.ca_file_for("https://libris-stg.kb.se")


def test_a_fault_of_the_users_own_file_is_told(folder):
    with pytest.raises(ConfigError, match=r"network\.proxy"):
        load_settings(None, own(folder, '[network]\nproxy = "nothing"\n'))
    assert Sentence("proxy_form").worded("sv").startswith("måste")
