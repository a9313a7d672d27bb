"""Makes the parts of the documentation that are made from the code: recipes, troubleshooting, commands, coverage.

Use: python docs/make.py, with the dev environment. tests/test_docs.py fails when a committed page differs.
"""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

DOCS = Path(__file__).resolve().parent
REPO = DOCS.parent
sys.path.insert(0, str(REPO / "src"))

from lorewright.cli import VERBS  # noqa: E402
from lorewright.recipe.check import OWNED, TOOLS  # noqa: E402
from lorewright.remedies import REMEDIES  # noqa: E402
from lorewright.serving.diagnosis import listed  # noqa: E402

BEGIN, END = "<!-- made by docs/make.py: begin -->", "<!-- made by docs/make.py: end -->"


def recipes() -> str:
    """The reference of all keys, from the JSON Schema."""
    schema = json.loads((REPO / "configs/schema/recipe.schema.json").read_text(encoding="utf-8"))
    lines = ["| key | takes | default | what it does |", "|---|---|---|---|", *_rows(schema, "")]
    for tool, name in TOOLS.items():
        own = ", ".join(f"`{key}`" for key in OWNED[tool])
        part = json.loads((REPO / f"configs/schema/{tool}.schema.json").read_text(encoding="utf-8"))
        count, title, file = len(part["properties"]), part["title"], f"configs/schema/{tool}.schema.json"
        lines += ["", f"Under `{tool}:` stand {name}'s own keys, {count} of them ({title}); `{file}` lists them with their descriptions."]
        lines += [f"lorewright writes these itself: {own}."]
    return "\n".join(lines)


def _rows(schema: dict[str, Any], above: str) -> Iterator[str]:
    for key, part in schema["properties"].items():
        name = f"{above}{key}"
        needed = "**required**" if key in schema.get("required", []) else ""
        default = needed or (f"`{json.dumps(part['default'])}`" if "default" in part and part["default"] != {} else "")
        yield f"| `{name}` | {_takes(part)} | {default} | {part['description']} |"
        if "properties" in part:
            yield from _rows(part, f"{name}.")


def _takes(part: dict[str, Any]) -> str:
    if "enum" in part:
        return ", ".join(f"`{choice if isinstance(choice, str) else json.dumps(choice)}`" for choice in part["enum"])
    if "$ref" in part:
        return "mapping"
    kinds = part["type"] if isinstance(part["type"], list) else [part["type"]]
    words = {"string": "text", "array": "list", "object": "mapping", "null": "nothing"}
    limits = [f"from {part['minimum']}"] if "minimum" in part else []
    limits += [f"to {part['maximum']}"] if "maximum" in part else []
    return " ".join([" or ".join(words.get(kind, kind) for kind in kinds), *limits])


def troubleshooting() -> str:
    head = ["| what happened | what helps |", "|---|---|"]
    rows = [f"| {remedy.what} | {remedy.do} |" for remedy in REMEDIES]
    serving = [f"| {what} | {do} |" for what, do in listed()]
    return "\n".join(
        [*head, *rows, "", "When vLLM does not start (the message has the numbers and names of your case):", "", *head, *serving]
    )


def commands() -> str:
    return "\n".join(
        ["| command | what it does |", "|---|---|", *(f"| `./lorewright {verb}` | {text} |" for verb, (_, text) in VERBS.items())]
    )


def coverage() -> str:
    """Requirement -> tests that show it -> page; what is missing stands beside it."""
    marks = marked_tests()
    wanted = yaml.safe_load((DOCS / "requirements.yaml").read_text(encoding="utf-8"))
    strangers = sorted(set(marks) - set(wanted))
    if strangers:
        raise SystemExit(f"tests name requirements that docs/requirements.yaml does not have: {', '.join(strangers)}")
    lines = ["| ID | feature | shown by | page | still open |", "|---|---|---|---|---|"]
    for row, facts in wanted.items():
        tests = "<br>".join(sorted(marks.get(row, []))) or "none yet"
        missing = facts.get("open", "") or ("" if row in marks else "all")
        lines.append(f"| {row} | {facts['what']} | {tests} | [{facts['page']}]({facts['page']}) | {missing} |")
    return "\n".join(lines)


def marked_tests() -> dict[str, list[str]]:
    """Requirement ID -> file::test, read from the sources."""
    found: dict[str, list[str]] = {}
    for file in sorted((REPO / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for mark in filter(_is_req, node.decorator_list):
                    for row in mark.args:  # type: ignore[attr-defined]
                        found.setdefault(ast.literal_eval(row), []).append(f"{file.relative_to(REPO)}::{node.name}")
    return found


def _is_req(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func).endswith("mark.req")


MADE = {"recipes.md": recipes, "troubleshooting.md": troubleshooting, "commands.md": commands, "coverage.md": coverage}


def page(name: str) -> str:
    """A page with its made part replaced."""
    text = (DOCS / name).read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    return f"{head}{BEGIN}\n{MADE[name]()}\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    for name in MADE:
        (DOCS / name).write_text(page(name), encoding="utf-8")
        print(DOCS / name)
