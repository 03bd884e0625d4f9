"""Inputs that cannot be read, outputs that cannot be written, interruptions: one line each, and no file lost or half written."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from graphgrad_cli.main import cli

import graphgrad

MLP = Path(__file__).parents[2] / "samples" / "01_mlp" / "graph.pb"
OPTIONS = ("--ys", "loss", "--xs", "W1")
COMMAND = [sys.executable, "-c", "from graphgrad_cli.main import main; main()"]


def add(model: object, out: object, *options: str) -> Any:
    return CliRunner().invoke(cli, ["add-gradients", str(model), *OPTIONS, "-o", str(out), *options])


def told(result: Any, code: int, message: str) -> None:
    assert (result.exit_code, result.stderr) == (code, f"error: {message}\n")


def test_models_that_cannot_be_read(tmp_path: Path) -> None:
    out = tmp_path / "o.pb"
    told(add(tmp_path / "no.pb", out), 3, f"{tmp_path}/no.pb cannot be read: No such file or directory")
    told(add("", out), 3, "'' cannot be read: No such file or directory")
    (tmp_path / "text.pb").write_text("This is a letter, not a graph.\n")
    assert add(tmp_path / "text.pb", out).stderr.startswith(f"error: {tmp_path}/text.pb: it looks like text and is no")
    (tmp_path / "zip.pb.gz").write_bytes(b"\x1f\x8b\x08\x00damaged")
    assert add(tmp_path / "zip.pb.gz", out).stderr.startswith(f"error: {tmp_path}/zip.pb.gz is a damaged gzip file")
    assert not out.exists()


def test_an_input_that_is_removed_underneath(tmp_path: Path) -> None:
    """Once it is loaded nothing more is read from it, its large constants included; a file that goes before is told."""
    model = tmp_path / "m.pb"
    model.write_bytes(MLP.read_bytes())
    graph = graphgrad.load(model)
    model.unlink()
    graphgrad.gradients("loss", "W1", graph=graph)
    graphgrad.save(graph, tmp_path / "o.pb")
    assert (tmp_path / "o.pb").read_bytes().startswith(MLP.read_bytes())
    (tmp_path / "link.pb").symlink_to(model)
    told(
        add(tmp_path / "link.pb", tmp_path / "p.pb"), 3, f"{tmp_path}/link.pb cannot be read: No such file or directory"
    )


def test_outputs_that_cannot_be_written(tmp_path: Path) -> None:
    told(add(MLP, tmp_path / "no" / "o.pb"), 2, f"{tmp_path}/no/o.pb cannot be written: No such file or directory")
    (tmp_path / "folder").mkdir()
    told(add(MLP, tmp_path / "folder"), 2, f"{tmp_path}/folder cannot be written: Is a directory")
    (tmp_path / "file").write_text("mine")
    told(add(MLP, tmp_path / "file" / "o.pb"), 2, f"{tmp_path}/file/o.pb cannot be written: Not a directory")
    told(add(MLP, tmp_path / ("x" * 300)), 2, f"{tmp_path}/{'x' * 300} cannot be written: File name too long")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder"]
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no full device")
def test_a_full_disk() -> None:
    told(add(MLP, "/dev/full"), 2, "/dev/full cannot be written: No space left on device")
    with open("/dev/full", "w") as full:
        for arguments in (["add-gradients", MLP, *OPTIONS, "-o", "-"], ["eval", MLP, "--fetch", "b2"]):
            result = subprocess.run([*COMMAND, *map(str, arguments)], stdout=full, stderr=subprocess.PIPE, text=True)
            assert result.returncode == 2
            assert result.stderr.splitlines()[-1].startswith("error: standard output")
            assert "Traceback" not in result.stderr


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that another user may enter; a run as root gives up its rights in the process that is tested."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        folder.chmod(0o755)


def as_nobody(*arguments: object) -> Any:
    """A run that has all it imports loaded before it becomes another user, who may not read the interpreter's files."""
    script = (
        "import os; from click.testing import CliRunner; from graphgrad_cli.main import cli, main\n"
        f"CliRunner().invoke(cli, ['add-gradients', {str(MLP)!r}, *{OPTIONS!r}, '-o', os.devnull])\n"
        "CliRunner().invoke(cli, ['add-gradients', 'no', *'--ys a --xs b'.split()])\n"
        "from tempfile import NamedTemporaryFile; NamedTemporaryFile().close()\n"
        "os.getuid() or os.setuid(65534)\n"
        "main()"
    )
    return subprocess.run([sys.executable, "-c", script, *map(str, arguments)], capture_output=True, text=True)


def test_read_only_files_and_folders(shared: Path) -> None:
    model = shared / "m.pb"
    model.write_bytes(MLP.read_bytes())
    model.chmod(0o444)
    mine = shared / "mine.pb"
    mine.write_text("mine")
    mine.chmod(0o444)
    shared.chmod(0o555)
    for out in (mine, shared / "new.pb"):
        result = as_nobody("add-gradients", model, *OPTIONS, "-o", out)
        assert (result.returncode, result.stderr) == (2, f"error: {out} cannot be written: Permission denied\n")
    assert mine.read_text() == "mine" and not (shared / "new.pb").exists()
    model.chmod(0o000)
    result = as_nobody("add-gradients", model, *OPTIONS, "-o", mine)
    assert (result.returncode, result.stderr) == (3, f"error: {model} cannot be read: Permission denied\n")


def test_a_read_only_file_in_a_folder_of_ones_own(shared: Path) -> None:
    shared.chmod(0o777)
    mine = shared / "mine.pb"
    mine.write_text("mine")
    mine.chmod(0o444)
    (shared / "m.pb").write_bytes(MLP.read_bytes())
    result = as_nobody("add-gradients", shared / "m.pb", *OPTIONS, "-o", mine)
    assert (result.returncode, result.stderr) == (2, f"error: {mine} cannot be written: Permission denied\n")
    assert mine.read_text() == "mine"


def test_the_output_may_be_the_input_and_keeps_links_and_permissions(tmp_path: Path) -> None:
    model, link = tmp_path / "m.pb", tmp_path / "link.pb"
    model.write_bytes(MLP.read_bytes())
    model.chmod(0o640)
    link.symlink_to("m.pb")
    assert add(link, link).exit_code == 0
    assert link.is_symlink() and stat.S_IMODE(model.stat().st_mode) == 0o640
    assert model.read_bytes().startswith(MLP.read_bytes()) and model.stat().st_size > MLP.stat().st_size
    assert len(list(tmp_path.iterdir())) == 2


def test_devices_and_pipes_are_written_to_as_they_are(tmp_path: Path) -> None:
    pipe, out = tmp_path / "pipe", tmp_path / "o.pb"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    assert add(MLP, pipe).exit_code == 0
    reader.join(10)
    add(MLP, out)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert read == [out.read_bytes()]


@pytest.mark.parametrize("name", ["we ird.pb", "-dash.pb", "line\nbreak.pb", "é🙂 {x} %s.pb", b"\xff\xfe.pb"])
def test_weird_names(tmp_path: Path, name: str | bytes) -> None:
    path = os.path.join(os.fspath(tmp_path), os.fsdecode(name))
    Path(path).write_bytes(MLP.read_bytes())
    out = path.removesuffix(".pb") + ".gradients.pb"
    done = subprocess.run([*COMMAND, "add-gradients", path, *OPTIONS], capture_output=True)
    assert done.returncode == 0, done.stderr
    assert Path(out).read_bytes().startswith(MLP.read_bytes())
    os.unlink(path)
    gone = subprocess.run([*COMMAND, "add-gradients", path, *OPTIONS, "--json"], capture_output=True)
    assert gone.returncode == 3
    assert gone.stderr.count(b"\n") == 1 and gone.stderr.startswith(b"error: ")


def test_closed_streams() -> None:
    for arguments, closed, code in (
        (["eval", "-", "--fetch", "b2"], "<&-", 3),
        (["add-gradients", str(MLP), *OPTIONS, "-o", "-"], ">&-", 2),
    ):
        line = f'exec "$@" {closed}'
        result = subprocess.run(["sh", "-c", line, "sh", *COMMAND, *arguments], stderr=subprocess.PIPE, text=True)
        assert result.returncode == code
        assert result.stderr.startswith("error: standard ") and result.stderr.count("\n") == 1


def test_a_reader_that_has_gone_is_no_defect() -> None:
    line = '{ "$@"; echo "exit $?" >&2; } | true'
    result = subprocess.run(["bash", "-c", line, "bash", *COMMAND, "ops", "--json"], capture_output=True, text=True)
    assert result.stderr in ("exit 0\n", "exit 1\n")


@pytest.mark.parametrize("command", ["add-gradients", "eval"])
def test_an_interruption_is_told_in_one_line(tmp_path: Path, command: str) -> None:
    """While the command waits for its model to come through a pipe."""
    pipe, out = tmp_path / "m.pb", tmp_path / "o"
    os.mkfifo(pipe)
    out.write_text("mine")
    options = OPTIONS if command == "add-gradients" else ("--fetch", "loss")
    process = subprocess.Popen(
        [*COMMAND, command, str(pipe), *options, "-o", str(out)],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # the processes of pytest-xdist ignore it
    )
    with open(pipe, "wb") as writer:  # opens once the command has opened it to read
        writer.write(MLP.read_bytes()[:100])
        writer.flush()
        said = None
        try:
            for _ in range(10):  # one that comes just before the command waits is noticed only with the next
                process.send_signal(signal.SIGINT)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    _, said = process.communicate(timeout=5)
                    break
        finally:
            process.kill()
    assert (process.returncode, said) == (130, "error: interrupted\n")
    assert out.read_text() == "mine"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.pb", "o"]


def test_an_interruption_while_writing_leaves_the_old_file(tmp_path: Path) -> None:
    from graphgrad.formats import files

    def parts() -> Iterator[bytes]:
        yield b"half"
        raise KeyboardInterrupt

    out = tmp_path / "o.pb"
    out.write_text("mine")
    with pytest.raises(KeyboardInterrupt):
        files.write(str(out), parts())
    assert out.read_text() == "mine" and list(tmp_path.iterdir()) == [out]
