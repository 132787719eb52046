"""Planning: declared operations and an environment's records become a stored, immutable plan.

Planning is given a ``CatalogueReader``, which has no method that writes.
"""

from bulkrunner.services.planning.outcome import plan_findings, unaccepted
from bulkrunner.services.planning.planner import Planner, PlanRequest

__all__ = ["PlanRequest", "Planner", "plan_findings", "unaccepted"]
