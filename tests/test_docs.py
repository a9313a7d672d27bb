"""The documentation cannot drift from the code: made pages are current, links lead somewhere, commands exist."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from lorewright.cli import VERBS

REPO = Path(__file__).parents[1]
PAGES = sorted(
    [
        *REPO.glob("*.md"),
        *(REPO / "docs").glob("*.md"),
        *REPO.glob("fine-tuning/*.md"),
        *REPO.glob("RAG/*.md"),
        *REPO.glob("benchmarks/*.md"),
    ]
)


@pytest.fixture(scope="module")
def make() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_docs", REPO / "docs" / "make.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["recipes.md", "troubleshooting.md", "commands.md", "coverage.md"])
def test_made_pages_are_current(make: ModuleType, name: str) -> None:
    assert set(make.MADE) == {"recipes.md", "troubleshooting.md", "commands.md", "coverage.md"}
    assert make.page(name) == (REPO / "docs" / name).read_text(encoding="utf-8"), "run python docs/make.py"


def test_every_row_has_a_test_or_says_that_it_is_open(make: ModuleType) -> None:
    import yaml

    wanted = yaml.safe_load((REPO / "docs/requirements.yaml").read_text())
    assert len(wanted) == 31
    silent = [row for row, facts in wanted.items() if row not in make.marked_tests() and facts.get("open") != "all"]
    assert silent == []
    assert [facts["page"] for facts in wanted.values() if not (REPO / "docs" / facts["page"]).exists()] == []


@pytest.mark.req("F11")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPO)))
def test_links_lead_somewhere_and_commands_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text)]
    assert [link for link in links if link and "://" not in link and not (page.parent / link).exists()] == []
    assert [verb for verb in re.findall(r"\./lorewright ([a-z]+)", text) if verb not in VERBS] == []
    scripts = re.findall(
        r"(?<![\w/])((?:\./|fine-tuning/|RAG/|configs/|benchmarks/|docs/|models/|tests/)[\w./-]+\.(?:sh|py|yaml|jinja|json))", text
    )
    copied = re.findall(r"^cp \S+ (\S+)", text, flags=re.MULTILINE)
    assert [script for script in scripts if not (REPO / script).exists() and script not in copied] == []


def test_no_page_names_a_package_host() -> None:
    """Nor does any other tracked text file."""
    import subprocess

    files = subprocess.run(["git", "ls-files", "-z"], cwd=REPO, capture_output=True, text=True).stdout.split("\0")
    pattern = re.compile(
        "|".join(["py" + r"pi\.org", "python" + r"hosted\.org", "download\\." + r"pytorch\.org", "registry\\." + r"npmjs\.org"])
    )
    named = []
    for name in filter(None, files):
        try:
            if pattern.search((REPO / name).read_text(encoding="utf-8")):
                named.append(name)
        except (UnicodeDecodeError, OSError):
            continue
    assert named == []
