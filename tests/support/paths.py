"""Where the repository keeps what tests read."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data"
CASSETTES = ROOT / "tests" / "contract" / "cassettes"
ID_LISTS = DATA / "id-lists"

RECORDS = Path(os.environ.get("REAL_RECORDS") or DATA / "records")
"""Made records, or the real ones of whoever names a folder of them."""
