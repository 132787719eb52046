"""What conditions and changes need from outside, with files that exist in memory only."""

from bulkrunner.adapters.manifests.outside import Re2Engine
from bulkrunner.domain.expressions import Outside
from bulkrunner.errors import Fault


class Lists:
    """Input files by name: a list of values, or a table of old and new ones."""

    def __init__(self, files):
        self._files = files

    def values(self, file):
        return self._content(file)

    def table(self, declared):
        return self._content(declared["file"])

    def _content(self, file):
        if file not in self._files:
            raise Fault(f"the file {file} does not exist")
        return self._files[file]


def outside(files=None):
    return Outside(engine=Re2Engine(), lists=Lists(files or {}))
