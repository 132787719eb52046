"""Functions of a job folder, called in a process of their own."""

from bulkrunner.adapters.functions.runner import FunctionNotLoaded, NotConfined, Runner
from bulkrunner.adapters.functions.runners import FunctionsForbidden, Runners

__all__ = ["FunctionNotLoaded", "FunctionsForbidden", "NotConfined", "Runner", "Runners"]
