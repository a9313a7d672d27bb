"""The licence of a base model, as its own card names it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lorewright.models.licence import licence_of
from tests.conftest import REPO


@pytest.mark.parametrize(
    ("card", "file", "said"),
    [
        ("---\nlicense: apache-2.0\n---\nA model.", "", "apache-2.0"),
        (
            "---\nlicense: other\nlicense_name: tall-tales-1\nlicense_link: https://example.org/l\n---\n",
            "",
            "tall-tales-1 (https://example.org/l)",
        ),
        ("---\nlicense: llama3.1\n---\n", "LICENSE", "llama3.1 (its LICENSE)"),
        ("No head.", "LICENSE.txt", "(its LICENSE.txt)"),
        ("---\n: [\n---\n", "", ""),
        ("", "", ""),
    ],
)
def test_it_is_what_the_card_or_the_folder_says(card: str, file: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(card)
    if file:
        (tmp_path / file).touch()
    assert licence_of(str(tmp_path)) == said


def test_of_what_is_not_here_nothing_is_said() -> None:
    assert licence_of("org/never-fetched") == ""
    assert licence_of(str(REPO / "models" / "starter")) == "cc0-1.0"
