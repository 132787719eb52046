"""A function written on the spot, and a runner that calls it in a process of its own."""

from __future__ import annotations

import pytest

from bulkrunner.adapters.functions import Runner
from bulkrunner.adapters.manifests.folder import JobFolder
from bulkrunner.adapters.manifests.function_sources import read_function
from bulkrunner.domain.functions import FunctionInput, FunctionSource
from bulkrunner.domain.iris import IriMap
from bulkrunner.errors import Fault, Source

IRIS = IriMap(bases=("https://libris.kb.se/",), target="https://libris.kb.se/")
AT = Source(file="job.yaml", line=12, column=5)


class Bench:
    """Writes functions into a folder and calls them."""

    def __init__(self, folder):
        self.folder = folder
        self._runners = []

    def source(self, text, *, files=(), seconds=5.0, megabytes=256, **modules) -> FunctionSource:
        (self.folder / "rules.py").write_text(text, encoding="utf-8")
        for name, content in modules.items():
            (self.folder / f"{name}.py").write_text(content, encoding="utf-8")
        self.faults: list[Fault] = []
        source = read_function(
            JobFolder(path=self.folder),
            "rules:change",
            at=AT,
            files=files,
            seconds=seconds,
            megabytes=megabytes,
            report=self.faults.append,
        )
        if source is None:
            raise self.faults[0]
        return source

    def runner(self, text, *, must_be_confined=True, **more) -> Runner:
        runner = Runner(
            self.source(text, **more), self.folder, must_be_confined=must_be_confined, iris=IRIS
        )
        self._runners.append(runner)
        return runner

    def call(self, text, document=None, **more):
        """Call a function once; ``given`` says what it is given besides the record."""
        given = more.pop("given", {})
        return self.runner(text, **more).call(given_of(document, **given))

    def close(self):
        for runner in self._runners:
            runner.close()


def given_of(document=None, **given) -> FunctionInput:
    values = {"id": "h1x2c3v4b5n6m7k", "row": None, "parameters": {}, "look": lambda _: None}
    document = document or {"@graph": [{"@id": "a"}, {"@id": "a#it", "@type": "Item"}]}
    return FunctionInput(document=document, **{**values, **given})


@pytest.fixture
def bench(tmp_path):
    bench = Bench(tmp_path)
    yield bench
    bench.close()
