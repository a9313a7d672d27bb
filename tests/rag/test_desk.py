"""The page in a browser: written to with real keys, against the real proxy and against a scripted one."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.responses import JSONResponse

from lorewright.rag.store import Index

from .browser import Browser
from .desk import PASSAGE, desk, finished, send
from .fakes import running_proxy, wait_until
from .scripted_proxy import DONE, Answer, ScriptedProxy, said, serving
from .upstream_server import Reply, UpstreamServer

pytestmark = [pytest.mark.real, pytest.mark.req("F8")]
MODELS = b'{"object": "list", "data": [{"id": "starter", "object": "model"}]}'
TEXT = "Elena > The arm\n\n- The ring finger closes **one tick** late.\n- <img src=x onerror='window.harmed=1'>"


def test_a_question_is_answered_through_the_real_proxy(browser: Browser, upstream: UpstreamServer, index: Index) -> None:
    chunks = (*tuple(said(word) for word in ("Her left ", "arm. *Steel*", ", brushed.\n\nIt “ticks”.")), DONE)
    upstream.replies |= {
        "/v1/models": Reply((MODELS,), length=True),
        "/v1/chat/completions": Reply(chunks, content_type="text/event-stream", pause=0.05),
    }
    with running_proxy(upstream.address, index) as port, browser.page(f"http://127.0.0.1:{port}/") as page:
        page.wait("document.querySelector('#with-model').textContent === 'starter'")
        page.wait("document.querySelector('#stats').textContent.includes('3 passages')")
        send(page, "Which arm is cybernetic?")
        page.wait("document.querySelector('.answer.writing .prose').textContent.includes('Her left')")
        finished(page)
        assert page.text(".prose p") == ["Her left arm. Steel, brushed.", "It “ticks”."]
        assert page.text(".prose em") == ["Steel"]
        assert page.text(".words") == ["Which arm is cybernetic?"]
        names, sources = page.text(".passage .name"), page.text(".passage .source")
        assert (names[0].endswith("Augmentations"), sources[0], len(names)) == (True, "characters/elara.md", 3)
        assert page.text(".passage .figures")[0].startswith(("distance 0.", "score "))
        page.wait("document.querySelector('#stats').textContent.startsWith('1 question answered')")
        page.click("#lore")
        send(page, "And without lore?")
        finished(page, 2)
        assert page.text(".notes")[1] == "Written without lore."
        assert page.complaints == []
        assert {one.split("/")[2] for one in page.requested} == {f"127.0.0.1:{port}"}
    first, second = upstream.bodies()
    assert (first["model"], first["stream"], first["messages"][-1]["content"]) == ("starter", True, "Which arm is cybernetic?")
    assert "brushed steel" in first["messages"][0]["content"]
    roles = [(one["role"], one["content"]) for one in second["messages"]]
    assert roles[1:] == [("assistant", "Her left arm. *Steel*, brushed.\n\nIt “ticks”."), ("user", "And without lore?")]


def test_the_margin_unfolds_the_texts_and_says_what_was_left_out(browser: Browser) -> None:
    used = PASSAGE | {"text": TEXT, "distance": 0.4123, "score": 0.0328}
    far = PASSAGE | {"heading": "What it cost", "text": "x", "distance": 0.91, "score": 0.0, "reason": "farther than 0.8"}
    stream = b"".join([said("Naïve — “yes”"), DONE])
    script = ScriptedProxy([Answer([stream[place : place + 1] for place in range(len(stream))])], {"passages": [used], "dropped": [far]})
    with desk(browser, script) as page:
        send(page, "Does it close?")
        finished(page)
        assert page.text(".prose") == ["Naïve — “yes”"]  # though it came byte by byte
        assert page.text(".lore > summary")[0].endswith("Lore: 1 passage")
        assert page.text(".passages .figures")[0] == "score 0.033 · distance 0.41 · 61 tokens"
        assert page.text(".passage .text") == ["", ""]
        page.click(".passage summary")
        assert page.text(".passage .text li") == ["The ring finger closes one tick late.", "<img src=x onerror='window.harmed=1'>", "x"][:2]
        assert page.text(".passage .text strong") == ["one tick"]
        assert page.evaluate("document.querySelector('.dropped').open") is False
        page.click(".dropped > summary")
        assert page.text(".dropped .reason") == ["farther than 0.8"]
        assert page.evaluate("[document.images.length, window.harmed ?? 0]") == [0, 0]


def test_what_the_model_says_stays_text(browser: Browser) -> None:
    harm = "<img src=x onerror='window.harmed=1'><script>window.harmed=1</script> <b>bold</b> [a](javascript:window.harmed=1) &amp;"
    with desk(browser, ScriptedProxy([Answer([said(harm), DONE])])) as page:
        send(page, f"Say {harm}")
        finished(page)
        assert page.text(".prose") == [harm]
        assert page.text(".words") == [f"Say {harm}"]
        assert page.text("#shelf button")[0].startswith("Say <img src=x")
        assert page.evaluate(
            "[document.images.length, window.harmed ?? 0, document.querySelectorAll('.turns :is(a, b, script)').length]"
        ) == [0, 0, 0]


def test_escape_stops_the_answer_and_keeps_what_was_written(browser: Browser) -> None:
    script = ScriptedProxy([Answer([said("Half a ")], hang=True), Answer([said("whole"), DONE])])
    with desk(browser, script) as page:
        send(page, "Begin")
        page.wait("document.querySelector('.prose').textContent === 'Half a '.trim()")
        assert page.evaluate("document.querySelector('.prose').getAttribute('aria-busy')") == "true"
        assert page.evaluate("[document.querySelector('#send').hidden, document.querySelector('#stop').hidden]") == [True, False]
        page.press("Escape")
        finished(page)
        wait_until(lambda: script.left == 1)
        assert page.text(".prose") == ["Half a"]
        assert page.text(".fate")[0].startswith("stopped")
        assert page.text("#said") == ["Stopped."]
        page.click(".answer:last-child .actions button")
        finished(page)
        assert page.text(".prose") == ["whole"]
    assert [[one["content"] for one in body["messages"]] for body in script.asked] == [["Begin"], ["Begin"]]


def test_the_last_message_is_edited_and_sent_again(browser: Browser) -> None:
    script = ScriptedProxy([Answer([said(f"answer {number}"), DONE]) for number in range(3)])
    with desk(browser, script) as page:
        send(page, "first")
        finished(page)
        send(page, "secund")
        finished(page, 2)
        page.press("ArrowUp")
        assert page.evaluate("document.querySelector('#text').value") == "secund"
        page.press("Escape")
        assert page.evaluate("document.querySelector('#text').value") == ""
        page.press("ArrowUp")
        page.evaluate("document.querySelector('#text').select()")
        send(page, "second")
        finished(page, 2)
        assert page.text(".words") == ["first", "second"]
        assert page.text(".prose") == ["answer 0", "answer 2"]
    assert [one["content"] for one in script.asked[-1]["messages"]] == ["first", "answer 0", "second"]


def test_settings_are_sent_and_kept(browser: Browser) -> None:
    script = ScriptedProxy([Answer([said("So. "), said("", "length"), b"data: [DONE]\n\n"])])
    with desk(browser, script) as page:
        assert page.text("#model option") == ["starter", "late-style (adapter)"]
        for field, value in {"model": "late-style", "temperature": "0.7", "max-tokens": "40", "system": "You are Josip."}.items():
            page.evaluate(
                f"(() => {{ const one = document.getElementById('{field}'); one.value = '{value}'; one.dispatchEvent(new Event('change')); }})()"
            )
        page.click("#lore")
        page.evaluate("document.querySelector('#text').focus()")
        page.write("one")
        page.press("Enter", shift=True)
        page.write("\ntwo")
        page.press("Enter")
        finished(page)
        assert "reached its most tokens" in page.text(".fate")[0]
        page.reload()
        page.wait("document.querySelector('#with-model')?.textContent === 'late-style'")
        assert page.evaluate("['temperature', 'max-tokens', 'system'].map((id) => document.getElementById(id).value)") == [
            "0.7",
            "40",
            "You are Josip.",
        ]
        assert page.evaluate("document.querySelector('#lore').checked") is False
    (body,) = script.asked
    assert (body["model"], body["temperature"], body["max_tokens"], body["lore"]) == ("late-style", 0.7, 40, "off")
    assert body["messages"][0] == {"role": "system", "content": "You are Josip."}
    assert body["messages"][1]["content"].startswith("one\n")


@pytest.mark.parametrize(
    ("answer", "shown", "kept"),
    [
        (Answer(refused=JSONResponse({"error": {"message": "too many requests wait"}}, 429, {"retry-after": "5"})), "too many requests wait (try again in 5 s)", ""),
        (Answer(refused=JSONResponse({"detail": "Not Found"}, 404)), "Not Found", ""),
        (Answer([said("Half"), b'data: {"error": {"message": "the model server broke off"}}\n\n']), "the model server broke off", "Half"),
        (Answer([said("Half")]), "The answer broke off: the stream ended before it said so.", "Half"),
        (Answer([said("Half")], die=True, pause=0.1), "The connection to the proxy broke off.", "Half"),
        (Answer([b"data: {\n\n"]), "The proxy sent something that is no event: {", ""),
    ],
)  # fmt: skip
def test_errors_are_shown_where_the_answer_would_be(browser: Browser, answer: Answer, shown: str, kept: str) -> None:
    script = ScriptedProxy([answer, Answer([said("At last"), DONE])])
    with desk(browser, script) as page:
        send(page, "Begin")
        finished(page)
        assert page.text(".answer .problem") == [shown]
        assert page.text(".prose") == [kept]
        page.click(".answer:last-child .actions button")
        finished(page)
        assert page.text(".prose") == ["At last"]
        assert page.text(".answer .problem") == [""]


def test_a_key_is_asked_for_and_used(browser: Browser) -> None:
    script = ScriptedProxy([Answer([said("Welcome"), DONE])], key="hidden-key")
    with desk(browser, script) as page:
        page.wait("!document.querySelector('#key-form').hidden")
        assert page.text("#trouble") == ["an API key is needed"]
        send(page, "Begin")
        finished(page)
        assert page.text(".answer .problem") == ["an API key is needed"]
        page.evaluate("document.querySelector('#key').focus()")
        page.write("hidden-key")
        page.press("Enter")
        page.wait("document.querySelector('.prose').textContent === 'Welcome'")
        assert page.text("#with-model") == ["starter"]
        assert page.evaluate("JSON.stringify(localStorage).includes('hidden-key')") is False


def test_a_proxy_that_is_gone_is_said(browser: Browser) -> None:
    with serving(ScriptedProxy([Answer()]).app()) as address, browser.page(address) as page:
        page.wait("document.querySelector('#stats').textContent")
        page.evaluate("globalThis.fetch = () => Promise.reject(new TypeError('Failed to fetch'))")
        send(page, "Begin")
        finished(page)
        assert page.text(".answer .problem") == ["The proxy does not answer. Is it still running?"]


def test_a_model_server_that_is_down_is_said_before_anything_is_asked(browser: Browser) -> None:
    down = JSONResponse({"error": {"message": "the model server cannot be reached; is it running?"}}, 502)
    script = ScriptedProxy([Answer([said("Up again"), DONE])], models=down)
    with desk(browser, script) as page:
        page.wait("!document.querySelector('#trouble').hidden")
        assert page.text("#trouble") == ["the model server cannot be reached; is it running?"]
        script.models = {"data": [{"id": "starter"}]}
        send(page, "Are you there?")
        finished(page)
        page.wait("document.querySelector('#with-model').textContent === 'starter'")
        assert page.text("#trouble") == [""]
    assert "model" not in script.asked[0]


def test_conversations_stay_in_this_browser(browser: Browser, tmp_path: Path) -> None:
    script = ScriptedProxy([Answer([said("The tide is *out*."), DONE])], {"passages": [PASSAGE | {"distance": 0.2}], "dropped": []})
    with desk(browser, script) as page:
        send(page, "Where is the tide?")
        finished(page)
        page.click(".drawer .begin")
        assert page.text(".words") == []
        send(page, "And now?\nAgain?")
        finished(page)
        assert page.text("#shelf button") == ["And now? Again?", "Where is the tide?"]
        page.reload()
        page.wait("document.querySelectorAll('#shelf button').length === 2")
        assert page.text(".words") == ["And now?\nAgain?"]  # the tab's own
        page.click("#shelf li:last-child button")
        assert page.text(".words") == ["Where is the tide?"]
        assert page.text(".passage .name") == ["Elena › The arm"]
        page.downloads_to(tmp_path)
        page.click("#export")
        export = tmp_path / "Where-is-the-tide.md"
        wait_until(lambda: export.exists() and export.stat().st_size)  # the browser makes an empty file of that name first
        made = export.read_text(encoding="utf-8")
        assert made.startswith("# Where is the tide?\n\n*Begun 20")
        assert made.endswith("> Where is the tide?\n\nThe tide is *out*.\n\n*Lore:*\n\n- characters/elena.md, The arm\n")
        page.evaluate("globalThis.confirm = () => true")
        page.click("#remove")
        assert page.text("#shelf button") == ["And now? Again?"]
        assert page.text(".words") == []


def test_a_full_storage_is_said_and_the_talk_goes_on(browser: Browser) -> None:
    with desk(browser, ScriptedProxy([Answer([said("Still here"), DONE])])) as page:
        page.evaluate("Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); }")
        send(page, "Begin")
        finished(page)
        assert "storage is full" in page.text("#unkept")[0]
        assert page.text(".prose") == ["Still here"]
