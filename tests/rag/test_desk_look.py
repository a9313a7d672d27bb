"""How the page looks and reads: prose, screens of all sizes, light and dark, the keyboard alone."""

from __future__ import annotations

import json

import pytest

from .browser import Browser
from .desk import PASSAGE, desk, finished, send
from .scripted_proxy import DONE, Answer, ScriptedProxy, said

pytestmark = [pytest.mark.real, pytest.mark.req("F8")]

CONTRAST = """(() => {
  const lit = ([red, green, blue]) => [red, green, blue].map((one) => (one /= 255) <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4)
    .reduce((sum, one, place) => sum + one * [0.2126, 0.7152, 0.0722][place], 0);
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const behind = (one) => { while (one) { const found = rgb(getComputedStyle(one).backgroundColor); if (found.length < 4 || found[3] > 0) return found; one = one.parentElement; } return [255, 255, 255]; };
  const ratios = [...document.querySelectorAll('.prose, .words, .faint, .stats, .quiet, .main, .source, .name, #shelf button, label, h2, summary')].map((one) => {
    const [a, b] = [lit(rgb(getComputedStyle(one).color)), lit(behind(one))];
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  });
  return Math.min(...ratios);
})()"""


def test_prose_is_set_as_prose(browser: Browser) -> None:
    cases = {
        "One *two* **three** ***four***": "<p>One <em>two</em> <strong>three</strong> <strong><em>four</em></strong></p>",
        "a\nb\n\nc": "<p>a<br>b</p><p>c</p>",
        "before\n\n* * *\n\nafter\n\n---": "<p>before</p><hr><p>after</p><hr>",
        "# The *tide*\ntext": "<h4>The <em>tide</em></h4><p>text</p>",
        "- one\n- two": "<ul><li>one</li><li>two</li></ul>",
        "1. one\n2) two": "<ol><li>one</li><li>two</li></ol>",
        "> said\n> twice": "<blockquote><p>said<br>twice</p></blockquote>",
        "2 * 3 * 4, snake_case_name, *open, _a_": "<p>2 * 3 * 4, snake_case_name, *open, <em>a</em></p>",
        "**a *b** c*": "<p><strong>a *b</strong> c*</p>",
        "": "",
        " \r\n\r\n x ": "<p>x</p>",
    }
    show = "(text, place) => { showProse(place, text); return place.innerHTML; }"
    with desk(browser, ScriptedProxy([Answer([DONE])])) as page:
        script = f"import('/page/prose.js').then(({{ showProse }}) => {json.dumps(list(cases))}.map((text) => ({show})(text, document.createElement('div'))))"
        assert dict(zip(cases, page.evaluate(script), strict=True)) == cases
        # A run of marks takes no noticeable time, and a paragraph that did not change stays the same element.
        quick = "import('/page/prose.js').then(({ showProse }) => { const begun = performance.now(); showProse(document.createElement('div'), '*a '.repeat(50_000)); return performance.now() - begun; })"
        assert page.evaluate(quick) < 2000
        kept = "import('/page/prose.js').then(({ showProse }) => { const place = document.createElement('div'); showProse(place, 'a\\n\\nb'); const first = place.firstChild; showProse(place, 'a\\n\\nbc'); return [first === place.firstChild, place.textContent]; })"
        assert page.evaluate(kept) == [True, "abc"]


@pytest.mark.parametrize("width", [320, 390, 768, 1024, 1440])
def test_small_screens_show_all_of_it(browser: Browser, width: int) -> None:
    long = "Unbroken" * 40
    passages = [PASSAGE | {"text": f"{long}\n\nb", "distance": 0.4, "source": f"worldbuilding/{long}.md"}]
    script = ScriptedProxy([Answer([said(f"{long} and *so* on. " * 3), DONE])], {"passages": passages, "dropped": []})
    with desk(browser, script, width=width, height=640) as page:
        send(page, long)
        finished(page)
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        if width < 864:
            assert page.evaluate("getComputedStyle(document.querySelector('#drawer')).visibility") == "hidden"
            page.click("#open-drawer")
            assert page.evaluate("[document.activeElement.id, document.querySelector('#talk').inert]") == ["close-drawer", True]
            page.press("Escape")
            assert page.evaluate("[document.activeElement.id, document.querySelector('#talk').inert]") == ["open-drawer", False]
        assert page.evaluate("getComputedStyle(document.querySelector('#drawer')).visibility") == ("hidden" if width < 864 else "visible")


def test_a_reader_at_the_end_is_carried_along_and_another_is_left_alone(browser: Browser) -> None:
    passages = [PASSAGE | {"text": "b", "distance": 0.4}] * 30  # a margin longer than the answer
    paragraphs = [said(f"Paragraph {number} of many.\n\n") for number in range(60)]
    script = ScriptedProxy([Answer([*paragraphs, DONE], pause=0.005)], {"passages": passages, "dropped": []})
    seen = "document.querySelector('.answer:last-child article').getBoundingClientRect().bottom < document.querySelector('#foot').getBoundingClientRect().top"
    with desk(browser, script, height=500) as page:
        send(page, "Begin")
        finished(page)
        assert page.evaluate("scrollY") > 500
        assert page.evaluate(seen)
        page.evaluate("document.querySelector('.answer .actions button').click(), scrollTo(0, 0)")
        page.wait("document.querySelectorAll('.prose p').length > 20")
        page.evaluate("scrollTo(0, 0)")
        finished(page)
        assert page.evaluate("scrollY") == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read_and_followed_by_keyboard(browser: Browser, scheme: str) -> None:
    script = ScriptedProxy([Answer([said("word " * 200), DONE])], {"passages": [PASSAGE | {"text": "a", "distance": 0.4}], "dropped": []})
    with desk(browser, script, scheme=scheme) as page:
        send(page, "Begin")
        finished(page)
        assert page.evaluate(CONTRAST) >= 4.5
        characters = page.evaluate(
            "(() => { const range = document.createRange(); range.selectNodeContents(document.querySelector('.prose p')); return 1000 / range.getClientRects().length; })()"
        )
        assert characters <= 80
        seen = []
        page.evaluate("document.activeElement.blur()")
        for _ in range(18):
            page.press("Tab")
            seen.append(page.evaluate("(document.activeElement.id || document.activeElement.textContent).slice(0, 20)"))
            assert page.evaluate("document.activeElement === document.body || document.activeElement.matches(':focus-visible')")
        assert {"model", "system", "text", "lore", "send"} <= set(seen)
