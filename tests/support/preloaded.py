"""Loads every module of the program."""

import importlib
import pkgutil

import bulkrunner

for found in pkgutil.walk_packages(bulkrunner.__path__, "bulkrunner."):
    if not found.name.endswith("__main__"):
        importlib.import_module(found.name)
