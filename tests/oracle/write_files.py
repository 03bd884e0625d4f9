"""Stores the small models of `file_models`: python -m tests.oracle.write_files [NAME...]"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from graphgrad.formats import arrays
from tests import file_store
from tests.oracle import file_models
from tests.oracle.file_models import Case


def describe(case: Case, folder: Path) -> None:
    """Puts beside a model what to do with it and what comes of that."""
    text = json.dumps({"model": case.model, "variables": case.variables, "ys": case.ys, "xs": case.xs}, indent=1)
    (folder / "case.json").write_text(text + "\n")
    arrays.write_npz(folder / "feeds.npz", case.feeds)
    arrays.write_npz(folder / "values.npz", case.values)


def main(names: list[str]) -> None:
    """Writes the archives of these models, or of all."""
    for make in file_models.SMALL:
        if not names or make.__name__ in names:
            with tempfile.TemporaryDirectory() as folder:
                describe(make(Path(folder)), Path(folder))
                file_store.pack(Path(folder), make.__name__)


if __name__ == "__main__":
    main(sys.argv[1:])
