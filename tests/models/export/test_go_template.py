"""Ollama's template says what the model's own does, or none is written."""

from __future__ import annotations

import pytest

from lorewright.models.export.go_render import go_render
from lorewright.models.export.go_template import go_template
from lorewright.models.export.turns import NoSchemeError, say
from lorewright.models.rendering import ChatTemplate, template_of
from tests.conftest import REPO

TURN = "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}"
CHATML = TURN + "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
LLAMA_3 = (
    "{% for m in messages %}{% set text = '<|start_header_id|>' + m['role'] + '<|end_header_id|>\n\n' + m['content'] | trim + '<|eot_id|>' %}"
    "{{ bos_token + text if loop.first else text }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
USUAL_SYSTEM = "{% if messages[0].role != 'system' %}{{ '<|im_start|>system\nYou are helpful.<|im_end|>\n' }}{% endif %}" + CHATML
JOINED = (
    "{{ bos_token }}{% set it = namespace(said='') %}{% for m in messages %}{% if m.role == 'system' %}{% set it.said = m.content + '\n\n' %}"
    "{% elif m.role == 'user' %}{{ '[INST] ' + it.said + m.content + ' [/INST]' }}{% set it.said = '' %}"
    "{% else %}{{ ' ' + m.content + eos_token }}{% endif %}{% endfor %}"
)
JOINED_LAST = (
    "{{ bos_token }}{% set said = messages[0].content + '\n\n' if messages[0].role == 'system' else '' %}{% for m in messages %}"
    "{% if m.role == 'user' %}{{ '[INST] ' + (said if loop.last else '') + m.content + '[/INST]' }}"
    "{% elif m.role == 'assistant' %}{{ ' ' + m.content + eos_token }}{% endif %}{% endfor %}"
)
# the last answer is opened with an empty thought, which earlier ones have not
THINKING = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + ('<think>\n\n</think>\n\n' if loop.last and m.role == 'assistant' else '') }}"
    "{{ m.content + '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
GEMMA = (
    "{{ bos_token }}{% if messages[0].role == 'system' %}{{ raise_exception('no system here') }}{% endif %}{% for m in messages %}"
    "{{ '<start_of_turn>' + ('model' if m.role == 'assistant' else m.role) + '\n' + m.content | trim + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)
BRACES = "{% for m in messages %}{{ '{' + m.role + '{{ \"\"\"' + m.content + '}} {' }}{% endfor %}{% if add_generation_prompt %}{{ '{{' }}{% endif %}"
SCHEMES = {
    "chatml": CHATML, "llama": LLAMA_3, "usual": USUAL_SYSTEM, "joined": JOINED, "joined last": JOINED_LAST, "thinking": THINKING,
    "gemma": GEMMA, "braces": BRACES,
}  # fmt: skip
TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}
CHAT = [say("system", "Be Josip."), say("user", "Who?"), say("assistant", "He."), say("user", "Why?")]


@pytest.mark.req("S4")
@pytest.mark.parametrize("bos", ["", "<s>"])
@pytest.mark.parametrize("text", SCHEMES.values(), ids=SCHEMES)
def test_it_says_what_the_models_own_template_says(text: str, bos: str) -> None:
    """go_template proves that itself; here it is seen not to have been lenient."""
    template = ChatTemplate(text, TOKENS)
    written = go_template(template, bos)
    for chat in (CHAT[1:2], CHAT[1:], CHAT[:2], CHAT) if text != GEMMA else (CHAT[1:2], CHAT[1:]):
        assert go_render(written, chat) == template.render(chat, asked=True).removeprefix(bos)


def test_the_starters_template() -> None:
    written = go_template(template_of(REPO / "models" / "starter"))
    assert (
        go_render(written, CHAT[:2]) == "<|im_start|>system\nBe Josip.<|im_end|>\n<|im_start|>user\nWho?<|im_end|>\n<|im_start|>assistant\n"
    )
    assert "{{-" not in written, "white space is text"


def test_an_answer_that_is_begun_stays_open() -> None:
    written = go_template(ChatTemplate(CHATML))
    assert go_render(written, [say("user", "Who?"), say("assistant", "It was")]).endswith("<|im_start|>assistant\nIt was")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{{ messages }}", "an answer is closed otherwise when it is the last"),
        (CHATML.replace("+ m.content +", "+ (m.content if m.role == 'user' else '') +"), "left out, written twice"),
        (
            CHATML.replace("'<|im_end|>\n' }}", "('<|im_end|>\n' if not loop.last else '') }}"),
            "the first question opens otherwise than the next",
        ),
        (CHATML.replace("m.role +", "m.role + loop.index|string +"), "is not written turn by turn|opens otherwise than the next"),
        (CHATML.replace("m.content", "m.content | replace('\n', ' ')"), "a chat of 1 turns is not written turn by turn"),
        ("{{ raise_exception('nobody may speak') }}", "it refuses user: nobody may speak"),
        ("{% for m in messages[-1:] %}{{ m.content }}{% endfor %}", "left out"),
        ("{{ oh no", "it refuses user"),
    ],
)
def test_what_follows_no_such_scheme_is_refused(text: str, why: str) -> None:
    with pytest.raises(NoSchemeError, match=why):
        go_template(ChatTemplate(text))


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ('a{{ "b\\n\\"" }}c', 'ab\n"c'),
        ("{{ range $i, $m := .Messages }}{{ $i }}{{ .Role }} {{ end }}", "0system 1user 2assistant 3user "),
        ('{{ range $i, $m := .Messages }}{{ if and (eq $i 1) (not (eq .Role "x")) }}{{ .Content }}{{ end }}{{ end }}', "Who?"),
        ("{{ len (slice .Messages 1) }}", "3"),
    ],
)
def test_the_renderer_knows_what_is_written(template: str, said: str) -> None:
    assert go_render(template, CHAT) == said


@pytest.mark.parametrize("template", ["{{ end }}", "{{ if eq 1 1 }}", "{{ .Role 1 }}"])
def test_the_renderer_refuses_what_go_would_refuse(template: str) -> None:
    with pytest.raises((ValueError, KeyError)):
        go_render(template, CHAT)
