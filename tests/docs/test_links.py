"""Links in Markdown lead somewhere: to a file and a heading of it, or by https to a host that is known. Whether hosts answer the
workflow asks (`links`), since tests run without a network."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).parents[2]
HOSTS = {"docs.astral.sh", "github.com", "graphviz.org", "pypi.org", "www.tensorflow.org"}
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "samples").rglob("*.md")])
CODE = re.compile(r"^```.*?^```$|`[^`\n]*`", re.S | re.M)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)[^)]*\)|<(https?:[^>\s]+)>|^\[[^\]]+\]:\s*(\S+)|(https?://[^\s)>\]]+)", re.M)


def links(text: str) -> list[str]:
    return [next(filter(None, found)) for found in LINK.findall(CODE.sub("", text))]


def anchors(page: Path) -> set[str]:
    """As Markdown renderers make them of headings."""
    headings = re.findall(r"^#+ (.*)$", CODE.sub("", page.read_text()), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def fault(page: Path, link: str) -> str | None:
    """What is wrong with a link, if anything is."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return None if parts.scheme == "https" and parts.netloc in HOSTS else "no https link to a host that is known"
    target = (page.parent / parts.path).resolve() if parts.path else page
    if not target.exists():
        return "no such file"
    is_found = not parts.fragment or target.suffix != ".md" or parts.fragment in anchors(target)
    return None if is_found else "no such heading"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    faults = {link: fault(page, link) for link in links(page.read_text())}
    assert {link: wrong for link, wrong in faults.items() if wrong} == {}


def test_wrong_links_are_found() -> None:
    text = "[a](docs/index.md#quick-start) [b](docs/none.md) <http://pypi.org> [c](docs/index.md#none) `[d](none)` https://a.b"
    page = ROOT / "README.md"
    assert [fault(page, link) is None for link in links(text)] == [True, False, False, False, False]
