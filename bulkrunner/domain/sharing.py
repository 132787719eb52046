"""How the requests at a time that an environment allows are shared among processes."""

from __future__ import annotations

from collections.abc import Sequence


def shares(wants: Sequence[int], places: int, turn: int) -> list[int]:
    """Return how many places each process may have; together no more than there are.

    Nobody gets fewer than it wants while another has more than it; what nobody wants is given out
    evenly too, so that whoever is alone has all. Where there are more processes than places, each
    has one in its turn.

    Args:
        wants: places that each process could use now, at least 1.
        places: how many there are.
        turn: a number that grows with time.
    """
    count = len(wants)
    if count > places:
        begin = turn % count
        lucky = {(begin + place) % count for place in range(places)}
        return [int(number in lucky) for number in range(count)]
    given = [0] * count
    left = places
    while left and (hungry := [n for n in range(count) if given[n] < wants[n]]):
        for number in hungry[:left]:
            given[number] += 1
        left -= len(hungry[:left])
    return [one + left // count + (n < left % count) for n, one in enumerate(given)]
