"""Addresses of environments: what may stand in a URL, and what an address gives away.

``kind`` is never believed against the address, and a secret goes only where it belongs.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address
from urllib.parse import urlsplit

from bulkrunner.domain.environment import (
    KB_TEST_HOSTS,
    PRODUCTION_HOST,
    PRODUCTION_LOGIN,
    Environment,
    Kind,
    host_of,
    is_loopback,
)
from bulkrunner.errors import Fault
from bulkrunner.sentences import Sentence

TEST_LOGIN = "login-stg.libris.kb.se"
BUILT_IN = {
    "production": (PRODUCTION_HOST, PRODUCTION_LOGIN),
    "staging": (KB_TEST_HOSTS[0], TEST_LOGIN),
    "qa": (KB_TEST_HOSTS[1], TEST_LOGIN),
    "edu": (KB_TEST_HOSTS[2], TEST_LOGIN),
}
"""Host and login host of KB's environments."""

_LABEL = re.compile(r"[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?")
_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*/?")

Note = Callable[[str, Sentence], None]


def clean_url(text: str, *, identifier: bool = False) -> str:
    """Return a URL in its plain form: lower-case host without final dot, no needless port.

    An identifier (a base URI) is compared and never fetched, so it may begin with http anywhere.

    Raises:
        Fault: it is no plain http or https URL; says why.
    """
    if not text.isascii() or not text.isprintable() or any(sign in text for sign in " \\%?#<>\"'"):
        raise Fault(Sentence("address_plain"))
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https"):
        raise Fault(Sentence("address_scheme"))
    if "@" in parts.netloc:
        raise Fault(Sentence("address_user"))
    host = clean_host((parts.hostname or "").removesuffix("."))
    port = clean_port(parts.netloc, {"http": 80, "https": 443}[parts.scheme])
    if not _PATH.fullmatch(parts.path) or "/." in parts.path:
        raise Fault(Sentence("address_path"))
    if parts.scheme == "http" and not identifier and not is_loopback(text):
        raise Fault(Sentence("address_http"))
    return f"{parts.scheme}://{host}{port}{parts.path}"


def clean_host(host: str) -> str:
    """Return a host in its plain form.

    Raises:
        ValueError: it is none.
    """
    host = host.lower()
    if ":" in host:
        return f"[{ip_address(host).compressed}]"
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in host.split(".")):
        raise Fault(Sentence("address_host"))
    return host


def clean_port(netloc: str, usual: int) -> str:
    """Return ``:PORT``, empty for the usual one.

    Raises:
        Fault: it is none.
    """
    text = netloc.rpartition("]")[2].partition(":")
    if not text[1]:
        return ""
    if not re.fullmatch(r"\d{1,5}", text[2]) or not 0 < int(text[2]) < 65536:
        raise Fault(Sentence("address_port"))
    return "" if int(text[2]) == usual else f":{int(text[2])}"


def looks_like(host: str) -> str:
    """Return the host as a reader would see it: look-alike letters and signs made plain."""
    with suppress(UnicodeError):
        host = host.encode("ascii").decode("idna")
    return unicodedata.normalize("NFKC", host).casefold().rstrip(".")


def is_production(base_url: str, token_url: str, base_uri: str) -> bool:
    """Return True if the addresses are those of KB's production, whatever the environment is called.

    A base URI of production gives it away wherever the catalogue is reached: this machine's own
    address may be the near end of a tunnel.
    """
    hosts = (host_of(base_url), host_of(base_uri))
    login = host_of(token_url)
    return any(_within(host, PRODUCTION_HOST) for host in hosts) or _within(login, PRODUCTION_LOGIN)


def is_of_kb(url: str) -> bool:
    """Return True if a URL leads to a host of KB."""
    return _within(host_of(url), "kb.se")


def _within(host: str, known: str) -> bool:
    """Return True if a host is a known one, or below it."""
    host = looks_like(host)
    return host == known or host.endswith(f".{known}")


def check_addresses(environment: Environment, note: Note) -> None:
    """Note what contradicts: the kind, and where secret and token would go."""
    base, token = host_of(environment.base_url), host_of(environment.token_url)
    production = is_production(environment.base_url, environment.token_url, environment.base_uri)
    if production and environment.kind is not Kind.PRODUCTION:
        note(
            "kind",
            Sentence("address_is_production", host=PRODUCTION_HOST),
        )
    if environment.name in BUILT_IN and not is_loopback(environment.token_url):
        login = BUILT_IN[environment.name][1]
        if token != login:
            note(
                "token_url",
                Sentence("secret_goes_to", environment=environment.name, login=login),
            )
    kb_login = token in (PRODUCTION_LOGIN, TEST_LOGIN)
    if kb_login and not (base == "kb.se" or base.endswith(".kb.se")):
        note("base_url", Sentence("token_goes_to_kb", login=token))
    if (token == TEST_LOGIN and base == PRODUCTION_HOST) or (
        token == PRODUCTION_LOGIN and base in KB_TEST_HOSTS
    ):
        note("token_url", Sentence("login_of_another", login=token, host=base))
