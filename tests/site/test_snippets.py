"""The snippets for CI systems are what these read, and their commands run; the workflow runs what .ci/run runs."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

import graphgrad
from graphgrad import dtypes
from tests.docs.test_links import PAGES

ROOT = Path(__file__).parents[2]


def snippets() -> dict[str, Any]:
    """Each YAML block of the recipes by the words that stand before it."""
    found = re.findall(r"^([\w -]+):\n\n```yaml\n(.*?)^```$", (ROOT / "docs" / "recipes.md").read_text(), re.S | re.M)
    return {title: yaml.safe_load(text) for title, text in found}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "samples" / "01_mlp" / "graph.pb", tmp_path / "model.pb")
    shutil.copy(ROOT / "samples" / "04_convnet" / "graph.pb", tmp_path / "other.pb")
    shutil.copy(ROOT / "samples" / "01_mlp" / "feeds.npz", tmp_path / "batch.npz")
    return tmp_path


def run(words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        words, cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
    )


def test_all_snippets_are_known() -> None:
    assert list(snippets()) == ["GitHub Actions", "GitLab CI", "pre-commit"]
    assert (ROOT / "docs" / "recipes.md").read_text().count("```yaml") == 3


def test_github_and_gitlab(folder: Path) -> None:
    steps = [step["run"] for step in snippets()["GitHub Actions"]]
    job = snippets()["GitLab CI"]["gradients"]
    assert steps == job["script"]
    install, check = steps
    assert install == "pip install graphgrad"
    done = run(["bash", "-ec", check], folder)
    assert done.returncode == 0, done.stderr
    assert (folder / job["artifacts"]["reports"]["junit"]).read_text().count("<testcase") == 2


def test_pre_commit(folder: Path) -> None:
    """It calls the entry with the names of all files that match."""
    ((hook,),) = (repository["hooks"] for repository in snippets()["pre-commit"])
    matching = [name for name in sorted(os.listdir(folder)) if re.search(hook["files"], name)]
    assert matching == ["model.pb", "other.pb"]
    done = run([*shlex.split(hook["entry"]), *matching], folder)
    assert (done.returncode, done.stdout.count("all can be differentiated")) == (0, 2)
    (folder / "model.pb").write_bytes(b"no graph")
    assert run([*shlex.split(hook["entry"]), *matching], folder).returncode != 0


def test_pre_commit_itself(folder: Path) -> None:
    """In a repository of its own, with graphgrad installed from here instead of from the index."""
    python = [sys.executable, "-m"]
    wheels = folder / "wheels"
    subprocess.run([*python, "pip", "wheel", "-q", "--no-deps", "-w", wheels, ROOT], check=True)
    environment = os.environ | {"PIP_FIND_LINKS": str(wheels), "PRE_COMMIT_HOME": str(folder / "home")}
    environment |= {f"GIT_{who}_{what}": "someone" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    (folder / ".pre-commit-config.yaml").write_text(yaml.safe_dump({"repos": snippets()["pre-commit"]}))
    graph = graphgrad.Graph()
    graph.build.Lu(graph.build.Placeholder(dtype=dtypes.float32, shape=(2, 2), name="x"), name="lu")

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)

    call("git", "init", "-q", ".")
    assert call(*python, "pre_commit", "install").returncode == 0
    call("git", "add", "model.pb", ".pre-commit-config.yaml")
    committed = call("git", "commit", "-m", "fine")
    assert committed.returncode == 0 and "Passed" in committed.stderr, committed.stderr
    graphgrad.save(graph, folder / "other.pb")
    call("git", "add", "other.pb")
    refused = call("git", "commit", "-m", "an op without a gradient")
    assert refused.returncode == 1 and "in other.pb" in refused.stderr and "Lu" in refused.stderr, refused.stderr


def test_the_workflow_is_the_script() -> None:
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())["jobs"]
    commands = {name: [step["run"] for step in job["steps"] if "run" in step] for name, job in jobs.items()}
    assert commands["everything"] == [".ci/run"] and commands["package"] == [".ci/package"]
    setups = [step["with"]["python-version"] for step in jobs["everything"]["steps"] if "with" in step]
    tried = {*setups, *jobs["suite"]["strategy"]["matrix"]["python"]}
    project = (ROOT / "pyproject.toml").read_text()
    assert tried == set(re.findall(r"Python :: (3\.\d+)", project))
    assert f'requires-python = ">={min(tried, key=lambda v: int(v[2:]))}"' in project


def test_the_workflow_asks_the_hosts_of_links() -> None:
    """On every page whose links tests/docs looks at without a network."""
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())["jobs"]
    (step,) = (step for step in jobs["links"]["steps"] if "lychee" in step["uses"])
    assert step["with"]["fail"] is True
    asked = {page for glob in shlex.split(step["with"]["args"]) if "*" in glob for page in ROOT.glob(glob)}
    assert asked == set(PAGES)
