"""A catalogue instance, and how politely it is asked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from ipaddress import ip_address
from urllib.parse import urlsplit

PRODUCTION_HOST = "libris.kb.se"

PRODUCTION_LOGIN = "login.libris.kb.se"

KB_TEST_HOSTS = ("libris-stg.kb.se", "libris-qa.kb.se", "libris-edu.kb.se")

KB_BASES = tuple(f"https://{host}/" for host in (PRODUCTION_HOST, *KB_TEST_HOSTS))


class Kind(StrEnum):
    """What an environment is for."""

    TEST = "test"
    PRODUCTION = "production"


def host_of(url: str) -> str:
    """Return the lower-case host of a URL, without port and trailing dot."""
    return (urlsplit(url).hostname or "").lower().rstrip(".")


def is_loopback(url: str) -> bool:
    """Return True if the URL's host is this machine's loopback address or ``localhost``."""
    host = host_of(url)
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, kw_only=True)
class Environment:
    """One catalogue instance."""

    name: str
    kind: Kind
    base_url: str
    token_url: str
    base_uri: str
    rate: float  # writes per second
    read_rate: float  # reads per second
    concurrency: int  # requests at a time
    # ``HH:MM-HH:MM`` hours in ``timezone`` when writes may be sent; empty: always.
    windows: tuple[str, ...] = ()
    timezone: str = "Europe/Stockholm"

    @property
    def loopback(self) -> bool:
        """Return True if the catalogue is on this machine."""
        return is_loopback(self.base_url)

    def addresses(self) -> dict[str, str]:
        """Return what the gate ``environment`` compares and the plan digest contains."""
        return {
            "kind": self.kind.value,
            "base_url": self.base_url,
            "token_url": self.token_url,
            "base_uri": self.base_uri,
        }


CEILING_KEYS = ("records", "create", "update", "delete")


@dataclass(frozen=True, kw_only=True)
class Speed:
    """Writes per second, reads per second, requests at a time."""

    rate: float
    read_rate: float
    concurrency: int


POLITE = {
    Kind.PRODUCTION: Speed(rate=5.0, read_rate=20.0, concurrency=4),
    Kind.TEST: Speed(rate=20.0, read_rate=50.0, concurrency=8),
}


def allowed_rate(environment: Environment, agreement_rate: float | None) -> float:
    """Return the writes per second that may be used."""
    # Loopback takes any value. Elsewhere the configured rate counts up to what is agreed, or up to
    # the polite default where nothing is.
    most = most_rate(environment, agreement_rate)
    return environment.rate if most is None else min(environment.rate, most)


def most_rate(environment: Environment, agreement_rate: float | None) -> float | None:
    """Return the writes per second that nobody may exceed; None where any value goes."""
    if environment.loopback:
        return None
    return POLITE[environment.kind].rate if agreement_rate is None else agreement_rate


def within_agreement(environment: Environment, agreement_rate: float | None) -> Environment:
    """Return the environment with no more speed than is allowed."""
    # An agreement on more writes than the default also frees reads and requests at a time, which
    # have no number of their own in it.
    polite = POLITE[environment.kind]
    allowed = replace(environment, rate=allowed_rate(environment, agreement_rate))
    if environment.loopback or (agreement_rate is not None and agreement_rate > polite.rate):
        return allowed
    return replace(
        allowed,
        read_rate=min(environment.read_rate, polite.read_rate),
        concurrency=min(environment.concurrency, polite.concurrency),
    )
