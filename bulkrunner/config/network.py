"""The way out of this machine's network: the proxy and the certificates that are configured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from bulkrunner.config.addresses import clean_host, clean_port, is_of_kb
from bulkrunner.config.file import ConfigFile, Faults
from bulkrunner.errors import ConfigError, Fault
from bulkrunner.sentences import Sentence

ENVIRONMENT = "environment"
"""What ``proxy`` says where the environment variables are to count."""

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
