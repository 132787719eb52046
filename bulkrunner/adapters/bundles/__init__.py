"""Bundles: a plan with its answers, run and events in one file that is verified by itself."""

from bulkrunner.adapters.bundles.bundle import write_bundle
from bulkrunner.adapters.bundles.proof import Checked, check_bundle

__all__ = ["Checked", "check_bundle", "write_bundle"]
