"""How fast an environment may be asked, unless something else is agreed with its owner."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bulkrunner.domain.environment import Environment, Kind


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
    """Return the writes per second that may be used.

    Loopback takes any value. Elsewhere the configured rate counts up to what is agreed, or up to
    the polite default where nothing is.
    """
    if environment.loopback:
        return environment.rate
    most = POLITE[environment.kind].rate if agreement_rate is None else agreement_rate
    return min(environment.rate, most)


def most_rate(environment: Environment, agreement_rate: float | None) -> float | None:
    """Return the writes per second that nobody may exceed; None where any value goes."""
    if environment.loopback:
        return None
    return POLITE[environment.kind].rate if agreement_rate is None else agreement_rate


def within_agreement(environment: Environment, agreement_rate: float | None) -> Environment:
    """Return the environment with no more speed than is allowed.

    An agreement on more writes than the default also frees reads and requests at a time, which
    have no number of their own in it.
    """
    if environment.loopback:
        return environment
    polite = POLITE[environment.kind]
    rate = allowed_rate(environment, agreement_rate)
    if agreement_rate is not None and agreement_rate > polite.rate:
        return replace(environment, rate=rate)
    return replace(
        environment,
        rate=rate,
        read_rate=min(environment.read_rate, polite.read_rate),
        concurrency=min(environment.concurrency, polite.concurrency),
    )
