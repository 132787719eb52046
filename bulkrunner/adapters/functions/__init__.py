"""Functions of a job folder: read, digested, and called in a process of their own."""

from bulkrunner.adapters.functions.runner import FunctionNotLoaded, NotConfined, Runner
from bulkrunner.adapters.functions.sources import FunctionRefused, read_function

__all__ = ["FunctionNotLoaded", "FunctionRefused", "NotConfined", "Runner", "read_function"]
