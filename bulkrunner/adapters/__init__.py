"""Implementations of the ports, one outside library each."""

import sys

# httpx imports its own command line, and rich and pygments with it, which takes longer than all the
# rest of it; it does without where that cannot be imported.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
