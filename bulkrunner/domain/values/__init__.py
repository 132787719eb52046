"""Values of a manifest's steps: constants, and two marked forms that refer to something else.

``{"$value": reference}`` is the value that a reference leads to, ``{"$text": "…{reference}…"}`` a
text with references in it. Anything else is a constant, braces and all.
"""

from bulkrunner.domain.values.looking_up import reduce, resolve
from bulkrunner.domain.values.nodes import Dynamic, references_of, written
from bulkrunner.domain.values.reading import MARKS, parse_value

__all__ = ["MARKS", "Dynamic", "parse_value", "reduce", "references_of", "resolve", "written"]
