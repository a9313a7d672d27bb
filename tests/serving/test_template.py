"""A chat template that is missing or broken is told before vLLM is started."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lorewright.errors import LorewrightError
from lorewright.serving.template import check_template, has_template
from tests.conftest import REPO


def test_a_model_without_a_template_is_seen(tmp_path: Path) -> None:
    (tmp_path / "tokenizer_config.json").write_text("{}")
    assert not has_template(str(tmp_path), None)
    assert has_template(str(tmp_path), "mine.jinja")
    assert has_template("org/name", None), "of a hub model nothing is known"
    (tmp_path / "tokenizer_config.json").write_text('{"chat_template": "x"}')
    assert has_template(str(tmp_path), None)
    (tmp_path / "tokenizer_config.json").unlink()
    (tmp_path / "chat_template.jinja").write_text("x")
    assert has_template(str(tmp_path), None)


@pytest.mark.req("F6")
def test_a_broken_template_is_told_with_its_line(tmp_path: Path) -> None:
    """vLLM 0.32 starts with it (tried) and answers every chat with 400."""
    own = tmp_path / "mine.jinja"
    own.write_text("{% for message in messages %}\n{{ message['content'] }\n{% endfor %}")
    with pytest.raises(LorewrightError, match=re.escape(f"{own}:2: the chat template cannot be used: unexpected '}}'; mend it, or take")):
        check_template("org/name", str(own))
    own.rename(tmp_path / "chat_template.jinja")
    with pytest.raises(LorewrightError, match="; set chat_template in the recipe"):
        check_template(str(tmp_path), None)


def test_good_templates_pass(tmp_path: Path) -> None:
    tags = "{% for m in messages %}{% if m.role == 'tool' %}{% continue %}{% endif %}{% generation %}{{ m.content }}{% endgeneration %}{% break %}{% endfor %}"
    (tmp_path / "chat_template.jinja").write_text(tags)
    check_template(str(tmp_path), None)
    for file in (*(REPO / "configs" / "templates").glob("*.jinja"), REPO / "models" / "starter" / "chat_template.jinja"):
        check_template("org/name", str(file))
    check_template("org/name", None)
    check_template(str(tmp_path), str(tmp_path / "none.jinja"))
