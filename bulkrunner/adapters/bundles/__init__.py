"""Bundles: a plan with its answers, run and events in one file that is verified by itself."""

from bulkrunner.adapters.bundles.checking import Checked, check_bundle
from bulkrunner.adapters.bundles.writing import write_bundle

__all__ = ["Checked", "check_bundle", "write_bundle"]
