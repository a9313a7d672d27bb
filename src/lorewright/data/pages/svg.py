"""Small charts as inline SVG. Colours come from the page's style sheet, so that a chart is at home in light and dark."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup, escape

WIDTH = 680


def drawing(height: float, label: str, *parts: str) -> Markup:
    body = "".join(parts)
    return Markup(f'<svg viewBox="0 0 {WIDTH} {height:g}" role="img" aria-label="{escape(label)}">{body}</svg>')  # noqa: S704 (parts are numbers and escaped text)


def text(x: float, y: float, said: str, kind: str = "tick", anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(said)}</text>'


def histogram(
    counts: Sequence[int], starts: Sequence[float], label: str, marked: float | None = None, said: str = "", every: int = 2
) -> Markup:
    """Columns of counts. starts: the lower edge of each class, and the upper edge of the last one.

    marked: a value that gets a line and a word (said). every: how many classes lie between two numbers on the axis.
    """
    height, base, top = 190.0, 160.0, 26.0
    width = WIDTH / max(1, len(counts))
    tallest = max([*counts, 1])
    parts = [f'<line x1="0" x2="{WIDTH}" y1="{base}" y2="{base}" class="axis"/>']
    for number, count in enumerate(counts):
        tall = (base - top) * count / tallest
        if count:
            tall = max(tall, 1.5)
            edge = f"{starts[number]:g}–{starts[number + 1]:g}"
            parts.append(
                f'<rect x="{number * width + 1.5:.1f}" y="{base - tall:.1f}" width="{max(1, width - 3):.1f}" height="{tall:.1f}" rx="1.5" '
                f'class="bar"><title>{edge}: {count}</title></rect>'
            )
        if number % every == 0:
            parts.append(text(number * width + 1.5, base + 18, f"{starts[number]:g}", anchor="start"))
    if marked is not None:
        low, high = starts[0], starts[-1]
        x = min(WIDTH - 2.0, max(2.0, WIDTH * (marked - low) / max(1e-9, high - low)))
        side, anchor = (8, "start") if x < WIDTH * 0.7 else (-8, "end")
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="6" y2="{base}" class="mark"/>' + text(x + side, 15, said, "note", anchor))
    return drawing(height, label, *parts)


def split_bar(share: float, left: str, right: str, label: str) -> Markup:
    """One bar in two parts. share: of the left part, 0 to 1."""
    cut = round(WIDTH * share, 1)
    return drawing(
        66, label,
        f'<rect x="0" y="0" width="{WIDTH}" height="30" rx="4" class="soft"/>',
        f'<path d="M4 0H{max(4, cut):g}V30H4A4 4 0 0 1 0 26V4A4 4 0 0 1 4 0Z" class="bar"/>' if cut > 0 else "",
        text(0, 54, left, "label", "start"), text(WIDTH, 54, right, "label", "end"),
    )  # fmt: skip


def bars(rows: Sequence[tuple[str, float, float | None]], label: str, unit: str = "", digits: int = 1, name: int = 162) -> Markup:
    """Lying bars with their values. rows: (name, value, what is usual or None). What is usual is a small upright line."""
    step, room = 27, WIDTH - name - 70
    most = max([value for _, value, _ in rows] + [usual for _, _, usual in rows if usual] + [1e-9])
    parts = []
    for number, (word, value, usual) in enumerate(rows):
        y = number * step
        long = max(1.0, room * value / most) if value else 0.0
        parts.append(text(name - 12, y + 17, word, "label", "end"))
        parts.append(f'<rect x="{name}" y="{y + 6}" width="{long:.1f}" height="14" rx="2" class="bar"/>')
        right = long
        if usual is not None:
            at = room * usual / most
            parts.append(f'<line x1="{name + at:.1f}" x2="{name + at:.1f}" y1="{y + 2}" y2="{y + 24}" class="usual"/>')
            right = max(long, at)
        parts.append(text(name + right + 10, y + 18, f"{value:.{digits}f}{unit}", "value", "start"))
    return drawing(len(rows) * step + 4, label, *parts)
