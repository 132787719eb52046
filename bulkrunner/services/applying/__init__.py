"""Apply a plan: the loop that runs and resumes a run, one attempt at a time."""

from bulkrunner.services.running.executor import Executor, Parts
from bulkrunner.services.running.lease import RunHeld
from bulkrunner.services.running.orders import WaitingNow

__all__ = ["Executor", "Parts", "RunHeld", "WaitingNow"]
