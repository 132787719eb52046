"""Kind is never believed against the address, and a secret goes only where it belongs."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkrunner.config import load_settings
from bulkrunner.config.network import clean_url, is_production, looks_like
from bulkrunner.errors import ConfigError

LOGIN = "https://login.example.org/oauth/token"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def load(name="mine", **keys):
    values = {"kind": "test", "base_url": "https://libris.example.org", "token_url": LOGIN, **keys}
    lines = [f"[environments.{name}]", *(f"{k} = '''{v}'''" for k, v in values.items() if v)]
    Path("bulkrunner.toml").write_text("\n".join(lines), encoding="utf-8")
    return load_settings(None, {}).environment(name)


@pytest.mark.parametrize(
    "base_url",
    [
        "https://libris.kb.se",
        "https://libris.kb.se/",
        "https://LIBRIS.KB.SE",
        "https://libris.kb.se:443",
        "https://libris.kb.se:8443",
        "https://libris.kb.se.",
        "https://LiBrIs.kb.se.:443/api",
        "https://www.libris.kb.se",
        "https://ｌｉｂｒｉｓ.kb.se",
        "https://libris。kb。se",
        "https://libris%2Ekb.se",
        "https://libris-stg.kb.se@libris.kb.se",
        "https://libris.kb.se@libris-stg.kb.se",
        "https://libris.kb.se\\@libris-stg.kb.se",
        "https://libris.kb.se#@libris-stg.kb.se",
        "https://user:password@libris.kb.se",
        "https://libris.kb.se\t",
        " https://libris.kb.se",
        "HTTPS://libris.kb.se",
        "http://libris.kb.se",
        "//libris.kb.se",
        "libris.kb.se",
        "ftp://libris.kb.se",
        "https://libris..kb.se",
        "https://libris.kb.se:port",
        "https://libris.kb.se:",
        "https://libris.kb.se?x",
        "https://libris.kb.se/../x",
    ],
)
def test_production_cannot_be_called_a_test_environment(base_url):
    with pytest.raises(ConfigError) as caught:
        load(base_url=base_url)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "token_url",
    [
        "https://login.libris.kb.se/oauth/token",
        "https://LOGIN.libris.kb.se:443/oauth/token",
        "https://login.libris.kb.se./oauth/token",
        "https://a.login.libris.kb.se/oauth/token",
        "https://a.b.LOGIN.libris.kb.se.:8443/oauth/token",
    ],
)
def test_the_login_of_production_makes_production(token_url):
    with pytest.raises(ConfigError, match='kind: must be "production"'):
        load(base_url="https://libris2.kb.se", token_url=token_url)
    assert load(base_url="https://libris2.kb.se", token_url=token_url, kind="production")


@pytest.mark.parametrize(
    "base_url",
    [
        "http://127.0.0.1:9",
        "http://127.1.2.3:9",
        "http://localhost",
        "https://localhost:8443/libris",
        "http://[::1]:9",
        "https://gateway.example.org",
        "https://libris-stg.kb.se",
    ],
)
@pytest.mark.parametrize(
    "base_uri",
    [
        "https://libris.kb.se/",
        "https://libris.kb.se",
        "http://libris.kb.se/",
        "https://LIBRIS.kb.se.:443/",
        "https://www.libris.kb.se/",
    ],
)
def test_the_records_of_production_are_production_behind_whatever_address(base_url, base_uri):
    with pytest.raises(ConfigError, match='kind: must be "production"') as caught:
        load(base_url=base_url, base_uri=base_uri)
    assert caught.value.exit_code == 2
    found = load(base_url=base_url, base_uri=base_uri, kind="production")
    assert found.kind == "production"


@pytest.mark.parametrize(
    "base_uri", ["https://libris-stg.kb.se/", "https://libris.kb.se.example.org/", None]
)
def test_other_records_on_this_machine_are_what_they_are_called(base_uri):
    base_url = "http://127.0.0.1:9"
    found = load(base_url=base_url, token_url=f"{base_url}/oauth/token", base_uri=base_uri)
    assert found.kind == "test"


def test_a_built_in_environment_cannot_become_a_tunnel():
    """A section of its own name changes single keys; the rest is KB's."""
    with pytest.raises(ConfigError, match="production"):
        load("staging", base_url="http://127.0.0.1:9", base_uri="https://libris.kb.se/")


def test_a_test_environment_may_be_treated_as_production():
    assert load(kind="production").kind == "production"


@pytest.mark.parametrize(
    ("name", "base_url", "token_url"),
    [
        ("production", "https://libris.kb.se", "https://login-stg.libris.kb.se/oauth/token"),
        ("production", "https://libris.kb.se", "https://login.evil.example/oauth/token"),
        (
            "production",
            "https://libris.kb.se",
            "https://login.libris.kb.se.evil.example/oauth/token",
        ),
        ("staging", "https://libris-stg.kb.se", "https://login.evil.example/oauth/token"),
        ("staging", "https://evil.example", "https://login.evil.example/oauth/token"),
        ("qa", "https://libris-qa.kb.se", "https://kb.se/oauth/token"),
        # a token of KB's login would go elsewhere
        ("staging", "https://evil.example", "https://login-stg.libris.kb.se/oauth/token"),
        ("staging", "http://127.0.0.1:8000", "https://login-stg.libris.kb.se/oauth/token"),
        ("mine", "https://evilkb.se", "https://login-stg.libris.kb.se/oauth/token"),
        ("mine", "https://libris.kb.se", "https://login-stg.libris.kb.se/oauth/token"),
        ("mine", "https://libris-stg.kb.se", "https://login.libris.kb.se/oauth/token"),
    ],
)
def test_secrets_and_tokens_go_only_where_they_belong(name, base_url, token_url):
    for kind in ("test", "production"):
        with pytest.raises(ConfigError):
            load(name, base_url=base_url, token_url=token_url, kind=kind)


@pytest.mark.parametrize(
    ("name", "base_url", "token_url"),
    [
        ("production", "http://127.0.0.1:1", "http://127.0.0.1:1/oauth/token"),
        ("staging", "http://localhost:1", "http://[::1]:1/oauth/token"),
        ("mine", "https://libris-dev.kb.se", "https://login-stg.libris.kb.se/oauth/token"),
        ("mine", "https://libris-stg.kb.se", LOGIN),
    ],
)
def test_addresses_that_are_allowed(name, base_url, token_url):
    found = load(name, base_url=base_url, token_url=token_url)
    assert (found.base_url, found.token_url) == (base_url, token_url)


@pytest.mark.parametrize(
    "url",
    [
        "http://192.168.0.1/",
        "http://libris-stg.kb.se",
        "http://127.0.0.1.evil.example",
        "http://localhost.evil.example",
        "http://[::2]/",
        "http://2130706433/",
        "http://0.0.0.0/",
    ],
)
def test_plain_http_goes_only_to_this_machine(url):
    with pytest.raises(ConfigError, match="must be https"):
        load(base_url=url)
    with pytest.raises(ConfigError, match="must be https"):
        load(token_url=url)


@pytest.mark.parametrize(
    ("url", "clean"),
    [
        ("https://A.Example.ORG.:443/x/", "https://a.example.org/x/"),
        ("http://127.0.0.1:80", "http://127.0.0.1"),
        ("http://127.0.0.2:8080/", "http://127.0.0.2:8080/"),
        ("http://[0:0::1]:8080", "http://[::1]:8080"),
        ("https://a.example:0443/p", "https://a.example/p"),
    ],
)
def test_urls_are_kept_in_their_plain_form(url, clean):
    assert clean_url(url) == clean
    assert clean_url(clean) == clean


@given(st.text(max_size=60))
def test_no_text_is_mistaken_for_a_url(text):
    try:
        clean = clean_url("https://" + text)
    except ValueError:
        return
    assert clean_url(clean) == clean
    assert clean.isascii()
    assert "@" not in clean.partition("/")[2]


HOST = st.sampled_from(
    ["libris.kb.se", "LIBRIS.kb.se", "libris.KB.se.", "libris.kb.se:443", "libris.kb.se:8443"]
)


@given(host=HOST, path=st.sampled_from(["", "/", "/a/b", "/a/"]))
def test_every_spelling_of_production_is_production(host, path):
    assert is_production(clean_url(f"https://{host}{path}"), LOGIN, "https://x.example/")


@pytest.mark.parametrize(
    "host", ["ｌibris.kb.se", "libris.kb.se.", "LIBRIS.KB.SE", "xn--libris-.kb.se"]
)
def test_look_alikes_are_made_plain(host):
    assert looks_like(host).startswith(("libris.kb.se", "xn--"))
