"""A chat template in Go's template language, as Ollama reads it, and the proof that it says the same as the model's own.

Ollama gives a template `.Messages`, each with `.Role` and `.Content`, in the order in which they were said; several in a row of one role
have been made one. Nothing is trimmed: literal text stands as it is, so it is written without the `{{-` that eats white space.
(https://pkg.go.dev/text/template, https://docs.ollama.com/template)
"""

from __future__ import annotations

from collections.abc import Iterator

from lorewright.models.export.go_render import go_render
from lorewright.models.export.turns import NoSchemeError, Scheme, say, scheme_of
from lorewright.models.rendering import ChatTemplate, NotRenderedError

QUESTION = 'Who says "late"?\nAnd why {{ .Content }}, {% if %} or <b>?'
TURNS = (
    say("user", QUESTION),
    say("assistant", "Nobody, said Elena; “it’s the tide”.\n\n— 海 \U0001f30a"),
    say("user", "One word, then: {0}?"),
    say("assistant", "Late."),
    say("user", "Why?"),
)
INSTRUCTION = 'You are "Josip".\n\nWrite plainly; {{ braces }} stay.'


def go_template(template: ChatTemplate, bos: str = "") -> str:
    """The Go template that writes what the chat template writes.

    bos: the token that the engine puts before every text by itself, so that the template must not. Raises NoSchemeError.
    """
    scheme = scheme_of(template)
    written = _written(scheme, bos)
    for turns in _chats(with_system=scheme.system is not None):
        try:
            wanted = template.render(turns, asked=True)
        except NotRenderedError as problem:
            raise NoSchemeError(f"it refuses {len(turns)} turns: {problem}") from None
        if go_render(written, turns) != wanted.removeprefix(bos):
            raise NoSchemeError(f"a chat of {len(turns)} turns is not written turn by turn")
    return written


def _chats(*, with_system: bool) -> Iterator[list[dict[str, str]]]:
    """Chats that end with a question: what an engine is asked to go on with."""
    for length in (1, 3, 5):
        yield [*TURNS[:length]]
        if with_system:
            yield [say("system", INSTRUCTION), *TURNS[:length]]


def _written(scheme: Scheme, bos: str) -> str:
    opening = scheme.opening.removeprefix(bos)
    parts = ["{{ range $i, $m := .Messages }}{{ $last := eq (len (slice $.Messages $i)) 1 }}"]
    if opening:
        parts.append(f'{{{{ if and (eq $i 0) (ne .Role "system") }}}}{_literal(opening)}{{{{ end }}}}')
    if scheme.system:
        before, after = (_literal(text) for text in (scheme.system.before.removeprefix(bos), scheme.system.after))
        parts.append(f'{{{{ if eq .Role "system" }}}}{before}{{{{ .Content }}}}{after}{{{{ end }}}}')
    opens = _literal(scheme.user.before)
    if scheme.joined and opens:
        opens = f'{{{{ if ne $before "system" }}}}{opens}{{{{ end }}}}'
    asked = f"{{{{ if $last }}}}{_literal(scheme.asked)}{{{{ end }}}}" if scheme.asked else ""
    parts.append(f'{{{{ if eq .Role "user" }}}}{opens}{{{{ .Content }}}}{_literal(scheme.user.after)}{asked}{{{{ end }}}}')
    # an answer that is given in part is gone on with, so it stays open
    closes = f"{{{{ if not $last }}}}{_literal(scheme.assistant.after)}{{{{ end }}}}" if scheme.assistant.after else ""
    parts.append(f'{{{{ if eq .Role "assistant" }}}}{_literal(scheme.assistant.before)}{{{{ .Content }}}}{closes}{{{{ end }}}}')
    if scheme.joined:
        parts = ['{{ $before := "" }}', *parts, "{{ $before = .Role }}"]
    return "".join([*parts, "{{ end }}"])


def _literal(text: str) -> str:
    """Text as it stands in a Go template, within a Modelfile's three quotes: what would end or open something is put as a value."""
    text = text.replace("{{", '\0{{ "{{" }}\0').replace('"""', '\0{{ "\\"\\"\\"" }}\0').replace("\0", "")
    return f'{text[:-1]}{{{{ "{{" }}}}' if text.endswith("{") else text
