"""SavedModel folders: one message with its graphs, and beside it variables, assets and whatever else lies there.

A folder that is written is complete: all but the message is copied from the folder that was read.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable

from graphgrad.errors import ArgumentError, ModelError
from graphgrad.formats import encodings, files
from graphgrad.formats.graphdef import Parts

MESSAGES = {"saved_model.pb": encodings.BINARY, "saved_model.pbtxt": encodings.TEXT}
_VARIABLES = os.path.join("variables", "variables")


def message_of(folder: str) -> str | None:
    """The file in a folder that holds the message; None where it is no SavedModel. Raises ModelError for one in pieces."""
    for name in MESSAGES:
        if os.path.isfile(os.path.join(folder, name)):
            return name
    if os.path.isfile(os.path.join(folder, "saved_model.cpb")):
        raise ModelError(
            f"{folder} holds its message in pieces (saved_model.cpb), which cannot be read: in TensorFlow, save it "
            "with SaveOptions(experimental_image_format=False)"
        )
    return None


def variables_of(folder: str) -> str | None:
    """The prefix of the checkpoint in a SavedModel's folder, where it has one."""
    prefix = os.path.join(folder, _VARIABLES)
    return prefix if os.path.isfile(f"{prefix}.index") else None


def write(path: str, name: str, parts: Callable[[], Parts], like: str | None) -> None:
    """Writes a folder with the message, and all else that the folder `like` holds. Raises ArgumentError."""
    if path == files.STREAM:
        raise ArgumentError("a SavedModel is a folder and cannot be written to standard output: give -o FOLDER")
    if os.path.isfile(path):
        raise ArgumentError(f"{path} is a file, and a SavedModel is written as a folder")
    if os.path.isdir(path) and os.listdir(path) and message_of(path) is None:
        raise ArgumentError(f"{path} is a folder that holds something else than a SavedModel")

    def fill(folder: str) -> None:
        if like is not None:
            ignored = shutil.ignore_patterns(*MESSAGES)
            shutil.copytree(
                like, folder, dirs_exist_ok=True, ignore=lambda at, names: ignored(at, names) if at == like else set()
            )
        with open(os.path.join(folder, name), "wb") as file:
            for part in parts():
                file.write(part)

    files.write_folder(path, fill)
