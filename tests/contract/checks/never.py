"""Rows of the server's check tables that a run cannot meet, each with the reason."""

from __future__ import annotations

NEVER = {
    ("token", "1"): "every write carries the header; a 401 is handled alike whatever it says",
    ("rights", "3"): "the plan refuses such records: `other_kind`",
    ("POST", "0"): "as in the table of tokens",
    ("POST", "1"): "records are created at `/data` alone",
    ("POST", "2"): "every body is sent as `application/ld+json`",
    ("POST", "4"): "a document that is no record and its thing is not sent: `not_flat`",
    ("POST", "5"): "the program makes the temporary ids itself",
    ("PUT", "0"): "as in the table of tokens",
    ("PUT", "1"): "as for POST, and a body that is cut on its way is answered alike",
    ("PUT", "2"): "a document that is no record and its thing is not sent: `not_flat`",
    ("PUT", "5"): "the ids are those that were read; the plan refuses to change them: "
    "`forbidden_place`",
    ("PUT", "7"): "as in the table of rights",
    ("PUT", "8"): "a record stays of its kind, whatever the job says",
    ("PUT", "9"): "every update names the ETag that was just read",
    ("PUT", "13"): "the plan refuses to change `heldBy` and `itemOf`: `forbidden_place`; where "
    "somebody else has changed them, 412 comes first",
    ("DELETE", "1"): "records are deleted by their id alone",
}

NUMBERS = {
    "token": range(1, 7),
    "rights": range(1, 6),
    "POST": range(13),
    "PUT": range(16),
    "DELETE": range(1, 9),
}
"""How the rows of each table are numbered."""
