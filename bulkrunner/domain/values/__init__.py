"""Values of a manifest's steps: constants, and marked forms that refer to something else.

``{"$value": reference}`` is the value that a reference leads to, ``{"$values": reference}`` a list of
all of them, ``{"$text": "…{reference}…"}`` a
text with references in it. Anything else is a constant, braces and all.
"""

from bulkrunner.domain.values.looking_up import ground, resolve, settle
from bulkrunner.domain.values.nodes import Dynamic, joined_text, references_of, text_pieces, written
from bulkrunner.domain.values.reading import MARKS, parse_value

__all__ = [
    "MARKS",
    "Dynamic",
    "ground",
    "joined_text",
    "parse_value",
    "references_of",
    "resolve",
    "settle",
    "text_pieces",
    "written",
]
