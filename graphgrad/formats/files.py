"""Bytes in and out: plain files, gzip, the standard streams; outputs appear whole or not at all.

Nothing here knows what the bytes mean.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import shutil
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterable

from graphgrad.errors import ArgumentError, ModelError

STREAM = "-"
_GZIP_MAGIC = b"\x1f\x8b"


def read(path: str) -> tuple[bytes, bool]:
    """The content of a file or of standard input, unpacked, and whether it was gzip. Raises ModelError."""
    try:
        if path == STREAM:
            data = sys.stdin.buffer.read()
        else:
            with open(path, "rb") as file:
                data = file.read()
    except IsADirectoryError:
        raise ModelError(f"{path} is a folder, and a graph file is needed") from None
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}") from None
    if not data.startswith(_GZIP_MAGIC):
        return data, False
    try:
        return gzip.decompress(data), True
    except (OSError, EOFError, zlib.error) as error:
        raise ModelError(f"{path} is a damaged gzip file: {error}") from None


def write(path: str, parts: Iterable[bytes | memoryview], compressed: bool = False) -> None:
    """Writes the parts one behind the other, first beside the target and then in its place. Raises ArgumentError."""
    if compressed:
        parts = [gzip.compress(b"".join(parts), mtime=0)]
    if path == STREAM:
        for part in parts:
            sys.stdout.buffer.write(part)
        sys.stdout.buffer.flush()
        return
    folder = os.path.dirname(os.path.abspath(path))
    temporary = None
    try:
        if os.path.isdir(path):
            raise IsADirectoryError(21, "it is a folder")
        with tempfile.NamedTemporaryFile("wb", dir=folder, prefix=".graphgrad-", delete=False) as file:
            temporary = file.name
            for part in parts:
                file.write(part)
        os.chmod(temporary, _mode(path))
        os.replace(temporary, path)
    except OSError as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        raise ArgumentError(f"{path} cannot be written: {error.strerror}") from None
    except BaseException:
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
