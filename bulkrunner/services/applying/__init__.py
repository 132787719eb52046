"""Apply a plan: the loop that runs and resumes a run, one attempt at a time."""

from bulkrunner.services.applying.executor import Executor, Parts
from bulkrunner.services.applying.lease import RunHeld
from bulkrunner.services.applying.listening import WaitingNow

__all__ = ["Executor", "Parts", "RunHeld", "WaitingNow"]
