"""The recipe's own questions, asked through the proxy."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict

from lorewright.chat import ask
from lorewright.manifest import write_json
from lorewright.plan import Step
from lorewright.services import base_url
from lorewright.stages.run import Facts, Run


def query(step: Step, run: Run) -> Facts:
    """The recipe's questions, asked through the proxy; answers and passages are kept."""
    rag = run.recipe.rag
    assert rag
    url = f"{base_url(rag.host, rag.port)}/v1"
    answers = []
    with run.console.bar("query") as bar:
        for number, question in enumerate(run.recipe.questions):
            bar(number, len(run.recipe.questions), question[:50])
            begun = time.monotonic()
            answer = asyncio.run(ask(url, run.recipe.name, question, max_tokens=120, seed=1))
            answers.append({"question": question} | asdict(answer) | {"seconds": round(time.monotonic() - begun, 2)})
    write_json(run.work / "answers.json", answers)
    return {"questions": len(answers), "said": f"{len(answers)} answered through {url}"}
