"""A new job folder with a commented manifest."""

from __future__ import annotations

import re
from pathlib import Path

from bulkrunner.errors import UsageError

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")

MANIFEST = """\
# A bulkrunner manifest. Lines that begin with # are comments; they do not count as changes.
bulkrunner: 1
job: {name}
title: Vad som ändras, i en rad
purpose: >-
  Varför det ändras, så att den som granskar på KB förstår det.

# The library the job is run for, and every library whose holdings it may touch.
on_behalf_of: SIGEL
sigels: [SIGEL]

# What was agreed with KB. Bib writes also need: covers: [holdings, bibs]
agreement:
  reference: KB 2026-0000
  contact: namn@example.org
  agreed_on: {today}

# The plan is refused when it would do more than this.
ceilings: {{update: 100, create: 0, delete: 0}}

# What to do: a list of ids and what becomes of each. One id per line in ids.txt.
steps:
  - ids: ids.txt
    update:
      expect: {{shelfMark.label: Hc}} # refuse records that say something else
      changes:
        - set: {{at: shelfMark.label, to: Hce}}
  # - ids: weeded.txt
  #   delete: true
  # - ids: bibs.txt
  #   create: {{creates: holding, sigel: SIGEL, body: {{physicalLocation: [MAG]}}}}

# Or explicit operations, one by one (or streamed from a file: operations: {{file: ops.jsonl}}):
# operations:
#   - {{update: fzr8v1sn2k3m4p5, changes: [{{remove: {{at: inventoryLevel}}}}]}}
#   - {{delete: https://libris.kb.se/h1x4v1sn2k3m4p5}}
"""

IDS = "# One id per line: present ids, record IRIs or thing IRIs.\n"


def new_job(name: str, parent: Path, *, today: str) -> Path:
    """Make the folder ``parent/name`` with ``job.yaml`` and an empty id list.

    Args:
        name: job id and folder name.
        parent: folder to make it in.
        today: ISO date for the agreement.

    Raises:
        UsageError: a name that cannot be a job id, or a folder that is already there.
    """
    if not NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be a job id",
            hint="use small letters, digits, dots, dashes and underscores, e.g. 2026-11-shelf-marks",
        )
    folder = parent / name
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise UsageError(f"{folder} is already there", hint="choose another name") from None
    except OSError as error:
        raise UsageError(f"cannot make {folder}: {error.strerror}") from None
    (folder / "job.yaml").write_text(MANIFEST.format(name=name, today=today), encoding="utf-8")
    (folder / "ids.txt").write_text(IDS, encoding="utf-8")
    return folder
