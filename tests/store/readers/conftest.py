"""Reading what a test writes: a file of given text, its cases and its rejects."""

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from kbagent.model.case import CaseRecord, Reject
from kbagent.store.readers import Export, open_export


@dataclass(frozen=True)
class ReadOut:
    """All that an export gave."""

    export: Export
    cases: list[CaseRecord]
    rejects: list[Reject]

    @property
    def only(self) -> CaseRecord:
        assert self.rejects == []
        assert len(self.cases) == 1
        return self.cases[0]

    def case(self, external_id: str) -> CaseRecord:
        return next(case for case in self.cases if case.external_id == external_id)


def facets(case: CaseRecord, name: str) -> list[str]:
    return [value for key, value in case.facets if key == name]


Reading = Callable[..., ReadOut]


@pytest.fixture
def read(tmp_path: Path) -> Reading:
    """`read("a.csv", text, "b.json", bytes, …, **options)` writes the files and reads them all."""

    def reading(*named: str | bytes, **options: object) -> ReadOut:
        paths = []
        for name, content in zip(named[::2], named[1::2], strict=True):
            assert isinstance(name, str)
            data = content.encode() if isinstance(content, str) else content
            path = tmp_path / name
            path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
            paths.append(path)
        mapping = options.get("mapping")
        if isinstance(mapping, str):
            options["mapping"] = tmp_path / "mapping.toml"
            (tmp_path / "mapping.toml").write_text(mapping)
        export = open_export(paths, **options)  # type: ignore[arg-type]
        found = list(export)
        return ReadOut(
            export,
            [each for each in found if isinstance(each, CaseRecord)],
            [each for each in found if isinstance(each, Reject)],
        )

    return reading
