"""Prompts in, answers out: against a scripted server with faults, broken off and gone on with, at a price."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lorewright.data.augment import Item, items_of_passages
from lorewright.errors import LorewrightError
from tests.conftest import free_port
from tests.data.augment.conftest import ask, prompts
from tests.fakes.chat_server import prompt_of, questions


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


@pytest.mark.req("Z2")
def test_every_prompt_is_answered_once_in_order_in_spite_of_faults(serve: Any, tmp_path: Path) -> None:
    served = serve(faults=0.25)
    facts = ask(served, prompts(80), tmp_path, in_flight=16, timeout=0.5, retries=8)
    rows = lines(tmp_path / "answers.jsonl")
    assert [(row["id"], row["chart"], row["completion"]) for row in rows] == [
        (f"p{n}", n, f"Answer to: What does bell {n} say?") for n in range(80)
    ]
    assert set(served.chat.well.values()) == {1} and set(served.chat.made) == {"busy", "error", "hang", "garbage", "cut"}
    journal = lines(tmp_path / "journal.jsonl")
    assert len({record["key"] for record in journal}) == len(journal) == 80
    assert (facts["answered"], facts["failed"], facts["rows"]) == (80, 0, 80)
    assert (tmp_path / "rejected.jsonl").read_text() == ""


@pytest.mark.req("Z2")
def test_limit_then_going_on_asks_only_what_is_open(serve: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    served = serve()
    ask(served, prompts(10), tmp_path, limit=4)
    assert len(served.chat.bodies) == 4 and len(lines(tmp_path / "answers.jsonl")) == 4
    facts = ask(served, prompts(10), tmp_path)
    assert len(served.chat.bodies) == 10 and facts["answered"] == 10
    assert "4 of 10 prompts settled earlier; 6 to ask of m: about" in capsys.readouterr().err
    ask(served, prompts(10), tmp_path)
    assert len(served.chat.bodies) == 10


def test_other_settings_ask_anew_and_the_same_prompt_twice_is_asked_once(serve: Any, tmp_path: Path) -> None:
    served = serve()
    twice = [Item("a", "Same?"), Item("b", "Same?")]
    assert ask(served, twice, tmp_path)["prompts"] == 1 and len(served.chat.bodies) == 1
    assert [row["id"] for row in lines(tmp_path / "answers.jsonl")] == ["a", "b"]
    ask(served, twice, tmp_path, temperature=0.1)
    assert len(served.chat.bodies) == 2 and len(lines(tmp_path / "journal.jsonl")) == 2


def test_a_request_carries_the_settings(serve: Any, tmp_path: Path) -> None:
    served = serve()
    ask(served, prompts(1), tmp_path, key="sk-test-123", system_prompt="Be brief.", temperature=None, max_tokens=77)
    assert served.chat.bodies == [{
        "model": "m", "max_tokens": 77,
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What does bell 0 say?"}],
    }]  # fmt: skip
    assert served.chat.headers[0]["authorization"] == "Bearer sk-test-123"


def test_so_many_in_flight_and_no_more(serve: Any, tmp_path: Path) -> None:
    served = serve(slow=0.05)
    ask(served, prompts(12), tmp_path, in_flight=3)
    assert served.chat.most_at_once == 3


@pytest.mark.req("P3")
def test_questions_for_each_passage_whose_answer_is_the_passage(serve: Any, tmp_path: Path) -> None:
    served = serve(questions)
    passages = [("book.md", number, f"The bell of dock {number} rang. {{braces}} stay.") for number in range(6)]
    facts = ask(served, items_of_passages(passages), tmp_path, job="qa")
    rows = lines(tmp_path / "qa.jsonl")
    assert len(rows) == facts["rows"] == 12
    assert [(row["document"], row["passage"], row["answer"]) for row in rows[:3]] == [passages[0], passages[0], passages[1]]
    assert rows[0]["question"] != rows[1]["question"]
    sent = served.chat.bodies[0]
    assert sent["response_format"]["json_schema"]["schema"]["required"] == ["questions"]
    assert "Think of 2 questions" in prompt_of(sent) and "{braces} stay." in prompt_of(sent)


@pytest.mark.req("P3")
def test_a_server_without_structured_output_is_asked_without(serve: Any, tmp_path: Path) -> None:
    def reply(body: dict[str, Any]) -> Any:
        return (400, {"error": {"message": "response_format is not supported"}}) if "response_format" in body else questions(body)

    served = serve(reply)
    ask(served, items_of_passages([("b", n, f"Text {n}.") for n in range(9)]), tmp_path, job="qa", in_flight=1)
    assert sum("response_format" in body for body in served.chat.bodies) == 1
    assert len(lines(tmp_path / "qa.jsonl")) == 18


def test_a_server_that_wants_other_names_gets_them(serve: Any, tmp_path: Path) -> None:
    def reply(body: dict[str, Any]) -> Any:
        if "max_tokens" in body:
            return 400, {"error": {"message": "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."}}
        return (400, {"error": {"message": "'temperature' does not support 0.7"}}) if "temperature" in body else "Ding."

    served = serve(reply)
    assert ask(served, prompts(3), tmp_path, in_flight=1, max_tokens=9)["answered"] == 3
    assert len(served.chat.bodies) == 5 and served.chat.bodies[-1]["max_completion_tokens"] == 9


def test_useless_answers_are_kept_aside_and_asked_again_as_often_as_told(serve: Any, tmp_path: Path) -> None:
    def reply(body: dict[str, Any]) -> str:
        return "I'm sorry, but I can't help with that." if "bell 3 " in prompt_of(body) else "Ding."

    served = serve(reply)
    facts = ask(served, prompts(20), tmp_path, reask=2)
    rejected = lines(tmp_path / "rejected.jsonl")
    assert [(record["name"], record["reason"]) for record in rejected] == [("p3", "refused")] * 3
    assert (facts["answered"], facts["rejected"], facts["reasons"]) == (19, 1, {"refused": 1})
    ask(served, prompts(20), tmp_path, reask=2)
    assert len(served.chat.bodies) == 22


def test_below_the_coverage_it_fails_says_what_to_do_and_loses_nothing(serve: Any, tmp_path: Path) -> None:
    served = serve(lambda body: "" if prompt_of(body) < "What does bell 3" else "Ding.")
    with pytest.raises(LorewrightError) as caught:
        ask(served, prompts(10), tmp_path, reask=0)
    assert "70% of the prompts have an answer, 90% are wanted (3 × empty); all that is allowed was tried" in str(caught.value)
    assert not (tmp_path / "answers.jsonl").exists() and len(lines(tmp_path / "journal.jsonl")) == 7
    assert ask(served, prompts(10), tmp_path, reask=0, coverage=0.7)["rows"] == 7


def test_a_refused_prompt_is_set_aside_and_a_refused_key_ends_it(serve: Any, tmp_path: Path) -> None:
    def reply(body: dict[str, Any]) -> Any:
        return (400, {"error": {"message": "the prompt is too long"}}) if "bell 3 " in prompt_of(body) else "Ding."

    ask(serve(reply), prompts(20), tmp_path / "a")
    assert [(r["reason"], r["final"]) for r in lines(tmp_path / "a/rejected.jsonl")] == [("answered 400: the prompt is too long", True)]
    served = serve(lambda body: (401, {"error": {"message": "bad key sk-secret-9"}}))
    with pytest.raises(LorewrightError, match=r"answered 401: bad key \[key\]; check the key"):
        ask(served, prompts(500), tmp_path / "b", key="sk-secret-9")
    assert len(served.chat.bodies) <= 8


def test_no_credit_is_not_waited_for(serve: Any, tmp_path: Path) -> None:
    served = serve(lambda body: (429, {"error": {"message": "exceeded your quota", "code": "insufficient_quota"}}))
    with pytest.raises(LorewrightError, match="the account has no credit left"):
        ask(served, prompts(50), tmp_path)


def test_nobody_there_is_not_asked_ten_thousand_times(tmp_path: Path) -> None:
    with pytest.raises(
        LorewrightError, match=r"8 prompts in a row got no answer; gave up after 1 try: no connection.*see that the server runs"
    ):
        ask(f"http://127.0.0.1:{free_port()}/v1", prompts(10_000), tmp_path, retries=0)


def test_a_second_writer_is_told_who_writes(serve: Any, tmp_path: Path) -> None:
    from lorewright.data.augment.journal import sole_writer

    with sole_writer(tmp_path), pytest.raises(LorewrightError, match=r"is being written by pid \d+"):
        ask(serve(), prompts(1), tmp_path)


@pytest.mark.req("P3")
def test_cost_is_shown_before_and_after_and_agreed_to_above_the_limit(
    serve: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    served = serve()
    paid = {"free": False, "model": "big", "prices": {"big": {"input": 100, "output": 1000}}}
    with pytest.raises(
        LorewrightError, match=r"would spend money unasked \(about \$5\.\d\d, at most \$10\.\d\d.*lorewright augment` takes --yes"
    ):
        ask(served, prompts(10), tmp_path, **paid)
    assert served.chat.bodies == []
    facts = ask(served, prompts(10), tmp_path, yes=True, **paid)
    assert facts["dollars"] == pytest.approx((facts["tokens_in"] * 100 + facts["tokens_out"] * 1000) / 1e6)
    assert facts["tokens_out"] == sum(len(row["completion"]) // 4 + 1 for row in lines(tmp_path / "answers.jsonl"))
    assert f"${facts['dollars']:.2f}" in capsys.readouterr().err.splitlines()[-1]
    with pytest.raises(LorewrightError, match=r"the price of unheard is not known.*data\.augment\.prices"):
        ask(served, prompts(10), tmp_path, free=False, model="unheard")
    assert ask(served, prompts(10), tmp_path, free=False, model="gpt-4o-mini-2024-07-18")["dollars"] > 0


def test_a_person_at_a_terminal_is_asked(serve: Any, tmp_path: Path) -> None:
    """In a real terminal: n spends nothing, y goes on."""
    import os
    import pty
    import subprocess
    import sys

    from tests.conftest import REPO

    served = serve()
    script = (
        "from pathlib import Path\n"
        "from tests.data.augment.conftest import ask, prompts\n"
        f"ask({served.url!r}, prompts(3), Path({str(tmp_path)!r}), ask_above=0, prices={{'m': {{'input': 1, 'output': 1}}}})\n"
    )
    for said, code, asked in (("n\n", 1, 0), ("y\n", 0, 3)):
        ours, theirs = pty.openpty()
        os.write(ours, said.encode())
        settings = os.environ | {"PYTHONPATH": f"{REPO / 'src'}:{REPO}"}
        done = subprocess.run([sys.executable, "-c", script], stdin=theirs, stdout=theirs, stderr=theirs, env=settings, timeout=60)
        shown = os.read(ours, 100_000).decode()
        os.close(ours)
        os.close(theirs)
        assert (done.returncode, len(served.chat.bodies)) == (code, asked), shown
        assert "go on? [y/N]" in shown and ("nothing was sent" in shown) == (code == 1)
