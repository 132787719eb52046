"""Addresses of environments, and the way to them: the proxy and the certificates."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from bulkrunner.config.toml_file import ConfigFile, Faults
from bulkrunner.domain.environment import (
    KB_TEST_HOSTS,
    PRODUCTION_HOST,
    PRODUCTION_LOGIN,
    Environment,
    Kind,
    host_of,
    is_loopback,
)
from bulkrunner.errors import ConfigError, Fault
from bulkrunner.sentences import Sentence

TEST_LOGIN = "login-stg.libris.kb.se"

# Host and login host of KB's environments.
BUILT_IN = {
    "production": (PRODUCTION_HOST, PRODUCTION_LOGIN),
    "staging": (KB_TEST_HOSTS[0], TEST_LOGIN),
    "qa": (KB_TEST_HOSTS[1], TEST_LOGIN),
    "edu": (KB_TEST_HOSTS[2], TEST_LOGIN),
}

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
    """Return a host in its plain form. ValueError: it is none."""
    host = host.lower()
    if ":" in host:
        return f"[{ip_address(host).compressed}]"
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in host.split(".")):
        raise Fault(Sentence("address_host"))
    return host


def clean_port(netloc: str, usual: int) -> str:
    """Return ``:PORT``, empty for the usual one. Fault: it is none."""
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


# What ``proxy`` says where the environment variables are to count.
ENVIRONMENT = "environment"

VARIABLES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")

EXCEPTIONS = ("no_proxy", "NO_PROXY")

_IN_FILE = "[network] proxy"


@dataclass(frozen=True, kw_only=True)
class Proxy:
    """A proxy that connects to servers by CONNECT.

    Attributes:
        address: scheme, host and port. login: user name and password, where it asks for them.
        named_by: the key or environment variable that it comes from.
    """

    address: str
    login: tuple[str, str] | None = field(default=None, repr=False)
    named_by: str = _IN_FILE

    @property
    def host(self) -> str:
        """Host and port."""
        return urlsplit(self.address).netloc

    def as_document(self) -> dict[str, Any]:
        """Return what may be shown."""
        return {"address": self.address, "from": self.named_by, "login": self.login is not None}


@dataclass(frozen=True, kw_only=True)
class Network:
    """How servers are reached.

    Attributes:
        proxy: for every https address; plain http goes to this machine alone.
        exceptions: hosts that are reached without it, as ``NO_PROXY`` has them.
        ca_file: certificates that are believed besides the system's.
        ca_is_own: it is named where only the user can have done it, so that it counts for KB too.
    """

    proxy: Proxy | None = None
    exceptions: str = ""
    ca_file: Path | None = None
    ca_is_own: bool = False

    def proxy_for(self, url: str) -> Proxy | None:
        """Return the proxy by which a URL is reached."""
        parts = urlsplit(url)
        if self.proxy is None or parts.scheme != "https":
            return None
        if self.exceptions:
            from urllib import request  # noqa: PLC0415 (slow to import)

            if request.proxy_bypass_environment(parts.netloc, {"no": self.exceptions}):  # type: ignore[attr-defined]
                return None
        return self.proxy

    def ca_file_for(self, url: str) -> Path | None:
        """Return the file whose certificates are believed of a URL, besides the system's.

        Raises:
            ConfigError: a file that came with a folder is to vouch for KB.
        """
        if self.ca_file is not None and not self.ca_is_own and is_of_kb(url):
            raise ConfigError(
                Sentence("ca_file_elsewhere", path=str(self.ca_file)),
                hint=Sentence("ca_file_elsewhere_hint"),
            )
        return self.ca_file

    def as_document(self) -> dict[str, Any]:
        """Return what may be shown."""
        return {
            "proxy": self.proxy.as_document() if self.proxy else None,
            "ca_file": str(self.ca_file) if self.ca_file else None,
        }


def read_network(
    project: Mapping[str, Any],
    file: ConfigFile | None,
    own: tuple[Mapping[str, Any], ConfigFile | None],
    faults: Faults,
    variables: Mapping[str, str],
    *,
    named: bool,
) -> Network:
    """Return what counts: the project's word before the user's own.

    Args:
        project: the section of the project's file.
        file: that file.
        own: the same of the user's own file, which nobody else can write.
        faults: gets those of the project's section.
        variables: the process' environment variables.
        named: the project's file was named by the user, so that it may be theirs alone.
    """
    section = {**own[0], **project}
    own_file = own[1]
    named_file = file if "ca_file" in project else own_file
    ca_file = section.get("ca_file")
    proxy, exceptions = None, ""
    try:
        if section.get("proxy") == ENVIRONMENT:
            proxy = _of_variables(variables)
            exceptions = next((variables[name] for name in EXCEPTIONS if variables.get(name)), "")
        elif "proxy" in section:
            proxy = read_proxy(section["proxy"])
    except Fault as fault:
        if "proxy" not in project:
            raise ConfigError(
                Sentence(
                    "config_fault",
                    at=str(own_file and own_file.path),
                    place="network.proxy",
                    said=fault.said,
                )
            ) from None
        faults.add(("network", "proxy"), fault.said)
    return Network(
        proxy=proxy,
        exceptions=exceptions,
        ca_file=named_file.path.absolute().parent / ca_file if ca_file and named_file else None,
        ca_is_own="ca_file" not in project or bool(file and file.own and named),
    )


def _of_variables(variables: Mapping[str, str]) -> Proxy | None:
    for name in VARIABLES:
        if text := variables.get(name, "").strip():
            try:
                return read_proxy(text if "://" in text else f"http://{text}", named_by=name)
            except Fault as fault:
                raise Fault(Sentence("proxy_of_variable", name=name, said=fault.said)) from None
    return None


def read_proxy(text: str, *, named_by: str = _IN_FILE) -> Proxy:
    """Read a proxy's URL; what is wrong with it is told without the URL, which may hold a password.

    Raises:
        Fault: it is none.
    """
    if not text.isascii() or not text.isprintable() or any(sign in text for sign in " \\?#<>\"'"):
        raise Fault(Sentence("proxy_plain"))
    try:
        parts = urlsplit(text)
        host = clean_host(parts.hostname or "")
        usual = {"http": 80, "https": 443}.get(parts.scheme)
        if usual is None or parts.path not in ("", "/"):
            raise Fault(Sentence("proxy_form"))
        port = clean_port(parts.netloc.rpartition("@")[2], usual)
    except ValueError:
        raise Fault(Sentence("proxy_form")) from None
    login = None
    if "@" in parts.netloc:
        login = (unquote(parts.username or ""), unquote(parts.password or ""))
        if not all(word.isprintable() for word in login) or ":" in login[0]:
            raise Fault(Sentence("proxy_plain"))
    return Proxy(address=f"{parts.scheme}://{host}{port}", login=login, named_by=named_by)
