"""A chat template in Go's template language, as Ollama reads it, and the proof that it says the same as the model's own.

Ollama gives a template `.Messages`, each with `.Role` and `.Content`, in the order in which they were said; several in a row of one role
have been made one. `.System` is what the system messages say. Nothing is trimmed: literal text stands as it is, so it is written without
the `{{-` that eats white space.
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
OTHERS_FIRST = 'and (eq $i 0) (ne .Role "system")'
INSTRUCTION = 'You are "Josip".\n\nWrite plainly; {{ braces }} stay.'


def go_template(template: ChatTemplate, bos: str = "") -> str:
    """The Go template that writes what the chat template writes.

    bos: the token that the engine puts before every text by itself, so that the template must not. Raises NoSchemeError.
    """
    scheme = scheme_of(template)
    written = [_written(scheme, bos, in_last=in_last) for in_last in ((False, True) if scheme.joined else (False,))]
    for turns in _chats(with_system=scheme.system is not None):
        try:
            wanted = template.render(turns, asked=True).removeprefix(bos)
        except NotRenderedError as problem:
            raise NoSchemeError(f"it refuses {len(turns)} turns: {problem}") from None
        written = [text for text in written if go_render(text, turns) == wanted]
        if not written:
            raise NoSchemeError(f"a chat of {len(turns)} turns is not written turn by turn")
    return written[0]


def _chats(*, with_system: bool) -> Iterator[list[dict[str, str]]]:
    """Chats that end with a question: what an engine is asked to go on with."""
    for length in (1, 3, 5):
        yield [*TURNS[:length]]
        if with_system:
            yield [say("system", INSTRUCTION), *TURNS[:length]]


def _written(scheme: Scheme, bos: str, *, in_last: bool) -> str:
    """in_last: of a joined scheme, whether the system's words stand in the last question; else in the first."""
    opening = _literal(scheme.opening.removeprefix(bos))
    parts = ["{{ range $i, $m := .Messages }}{{ $last := eq (len (slice $.Messages $i)) 1 }}"]
    if opening:
        parts.append(f"{{{{ if {'eq $i 0' if in_last else OTHERS_FIRST} }}}}{opening}{{{{ end }}}}")
    if scheme.system and not in_last:
        before, after = _literal(scheme.system.before.removeprefix(bos)), _literal(scheme.system.after)
        parts.append(f'{{{{ if eq .Role "system" }}}}{before}{{{{ .Content }}}}{after}{{{{ end }}}}')
    asked = f"{{{{ if $last }}}}{_literal(scheme.asked)}{{{{ end }}}}" if scheme.asked else ""
    question = f"{_opened(scheme, in_last=in_last)}{{{{ .Content }}}}{_literal(scheme.user.after)}{asked}"
    parts.append(f'{{{{ if eq .Role "user" }}}}{question}{{{{ end }}}}')
    # an answer that is given in part is gone on with, so it stays open
    closes = f"{{{{ if not $last }}}}{_literal(scheme.assistant.after)}{{{{ end }}}}" if scheme.assistant.after else ""
    parts.append(f'{{{{ if eq .Role "assistant" }}}}{_literal(scheme.assistant.before)}{{{{ .Content }}}}{closes}{{{{ end }}}}')
    if scheme.joined and not in_last:
        parts = ['{{ $before := "" }}', *parts, "{{ $before = .Role }}"]
    return "".join([*parts, "{{ end }}"])


def _opened(scheme: Scheme, *, in_last: bool) -> str:
    """What stands before a question."""
    opens = _literal(scheme.user.before)
    if not scheme.joined or not scheme.system:
        return opens
    if in_last:
        before, after = _literal(scheme.system.before.removeprefix(scheme.opening)), _literal(scheme.system.after)
        return f"{{{{ if and $last $.System }}}}{before}{{{{ $.System }}}}{after}{{{{ else }}}}{opens}{{{{ end }}}}"
    return f'{{{{ if ne $before "system" }}}}{opens}{{{{ end }}}}'


def _literal(text: str) -> str:
    """Text as it stands in a Go template, within a Modelfile's three quotes: what would end or open something is put as a value."""
    text = text.replace("{{", '\0{{ "{{" }}\0').replace('"""', '\0{{ "\\"\\"\\"" }}\0').replace("\0", "")
    return f'{text[:-1]}{{{{ "{{" }}}}' if text.endswith("{") else text
