"""The recipe that calls a written graph from C: compiled and run as the page says, with the libraries of tensorflow-cpu."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_recipe_in_c(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "recipes.md").read_text()
    section = page.partition("## Calling the gradient from C\n")[2].partition("\n## ")[0]
    blocks = dict(re.findall(r"^```(\w+)\n(.*?)^```$", section, re.S | re.M))
    assert list(blocks) == ["sh", "c", "bash", "text"]
    shutil.copytree(ROOT / "samples" / "06_hessian_vector", tmp_path / "samples" / "06_hessian_vector")
    (tmp_path / "gradient.c").write_text(blocks["c"])
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", blocks["sh"] + blocks["bash"]],
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, blocks["text"]), done.stderr
    assert "warning:" not in done.stderr
