"""Job folders: manifests and their input files."""

from bulkrunner.adapters.manifests.head import job_from_head
from bulkrunner.adapters.manifests.job import LoadedJob, load_job

__all__ = ["LoadedJob", "job_from_head", "load_job"]
