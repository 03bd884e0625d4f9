"""Bytes in and out: plain files, gzip, the standard streams; outputs appear whole or not at all.

Nothing here knows what the bytes mean.
"""

from __future__ import annotations

import contextlib
import errno
import gzip
import os
import shutil
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterable
from typing import IO

from graphgrad.errors import ArgumentError, ModelError, did_you_mean

STREAM = "-"
_GZIP_MAGIC = b"\x1f\x8b"


def read(path: str) -> tuple[bytes, bool]:
    """The content of a file or of standard input, unpacked, and whether it was gzip. Raises ModelError."""
    try:
        if path == STREAM:
            if sys.stdin is None:
                raise ModelError("standard input is closed, and a graph is to be read from it")
            data = sys.stdin.buffer.read()
        else:
            with open(path, "rb") as file:
                data = file.read()
    except IsADirectoryError:
        raise ModelError(f"{path} is a folder, and a graph file is needed") from None
    except OSError as error:
        name = "standard input" if path == STREAM else path or repr(path)
        raise ModelError(f"{name} cannot be read: {error.strerror}{_beside(path)}") from None
    if not data.startswith(_GZIP_MAGIC):
        return data, False
    try:
        return gzip.decompress(data), True
    except (OSError, EOFError, zlib.error) as error:
        raise ModelError(f"{path} is a damaged gzip file: {error}") from None


def _beside(path: str) -> str:
    """The names in the folder of a path that are spelled like its last part, as a question."""
    folder, name = os.path.split(path)
    try:
        known = os.listdir(folder or ".") if name and not os.path.lexists(path) else []
    except OSError:
        return ""
    return did_you_mean(name, known, prefix=path.removesuffix(name))


def write(path: str, parts: Iterable[bytes | memoryview], compressed: bool = False) -> None:
    """Writes the parts one behind the other. Raises ArgumentError.

    A file is written beside its place and put there whole; devices, pipes and the standard stream are written to as they are.
    """
    if compressed:
        parts = [gzip.compress(b"".join(parts), mtime=0)]
    try:
        if path == STREAM:
            if sys.stdout is None:
                raise ArgumentError("standard output is closed, and the result is to be written to it")
            _write_to(sys.stdout.buffer, parts)
            sys.stdout.buffer.flush()
        elif os.path.exists(path) and not os.path.isfile(path):
            with open(path, "wb") as file:
                _write_to(file, parts)
        else:
            _replace(os.path.realpath(path), parts)
    except BrokenPipeError:
        raise
    except OSError as error:
        name = "standard output" if path == STREAM else path or repr(path)
        raise ArgumentError(f"{name} cannot be written: {error.strerror}") from None


def _write_to(file: IO[bytes], parts: Iterable[bytes | memoryview]) -> None:
    for part in parts:
        file.write(part)


def _replace(path: str, parts: Iterable[bytes | memoryview]) -> None:
    """Puts a file in the place of another, or where there is none, whole or not at all."""
    if os.path.exists(path) and not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    temporary = None
    try:
        with tempfile.NamedTemporaryFile("wb", dir=os.path.dirname(path), prefix=".graphgrad-", delete=False) as file:
            temporary = file.name
            _write_to(file, parts)
        os.chmod(temporary, _mode(path))
        os.replace(temporary, path)
    except BaseException:  # an interruption too
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        raise


def write_folder(path: str, fill: Callable[[str], None]) -> None:
    """Makes a folder that `fill` puts everything into, first beside the target and then in its place.

    Raises ArgumentError; a folder that was there stays as it was then.
    """
    path = os.path.abspath(path)
    temporary = None
    try:
        temporary = tempfile.mkdtemp(dir=os.path.dirname(path), prefix=".graphgrad-")
        fill(temporary)
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o777 & ~mask)
        if os.path.isdir(path):
            old = tempfile.mkdtemp(dir=os.path.dirname(path), prefix=".graphgrad-")
            os.replace(path, old)
            os.replace(temporary, path)
            shutil.rmtree(old, ignore_errors=True)
        else:
            os.replace(temporary, path)
        temporary = None
    except OSError as error:
        raise ArgumentError(f"{path} cannot be written: {error.strerror or error}") from None
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _mode(path: str) -> int:
    """The permissions of the file that is replaced, or those a new file gets."""
    with contextlib.suppress(OSError):
        return os.stat(path).st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
