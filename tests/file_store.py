"""Models as TensorFlow wrote them, files and folders, each packed with what TensorFlow computes of it.

`write_files` in tests/oracle packs them into tests/golden/files; tests unpack them without TensorFlow.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

FOLDER = Path(__file__).with_name("golden") / "files"
Arrays = dict[str, np.ndarray[Any, Any]]
NAMES = sorted(path.stem for path in FOLDER.glob("*.zip"))


class Model(NamedTuple):
    """Paths of a model and of its variables (None: its own), what to differentiate, and what comes of it.

    `ys` and `xs` are names of tensors or of the signature; `values` has the ys, and the gradients under 'd' + x.
    """

    path: Path
    variables: Path | None
    ys: list[str]
    xs: list[str]
    feeds: Arrays
    values: Arrays


def unpacked(name: str, folder: Path) -> Model:
    """The files of a model, in a folder."""
    with zipfile.ZipFile(FOLDER / f"{name}.zip") as archive:
        archive.extractall(folder)
    return described(folder)


def described(folder: Path) -> Model:
    """A model whose files are there already."""
    case = json.loads((folder / "case.json").read_text())
    feeds, values = (dict(np.load(folder / f"{kind}.npz")) for kind in ("feeds", "values"))
    variables = case["variables"] and folder / case["variables"]
    return Model(folder / case["model"], variables, case["ys"], case["xs"], feeds, values)


def pack(folder: Path, name: str) -> None:
    """Packs a folder so that the same files give the same bytes."""
    FOLDER.mkdir(exist_ok=True)
    with zipfile.ZipFile(FOLDER / f"{name}.zip", "w", zipfile.ZIP_LZMA) as archive:
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            archive.writestr(zipfile.ZipInfo(path.relative_to(folder).as_posix()), path.read_bytes(), zipfile.ZIP_LZMA)
