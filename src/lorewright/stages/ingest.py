"""Lore files to a searchable index."""

from __future__ import annotations

from lorewright.errors import LorewrightError
from lorewright.plan import Step
from lorewright.stages.run import Facts, Run


def ingest(step: Step, run: Run) -> Facts:
    """Lore files to a searchable index."""
    from lorewright.rag.chunk import read_passages, searchable
    from lorewright.rag.embed import load_embedder
    from lorewright.rag.store import write_index

    rag = run.recipe.rag
    assert rag
    passages, problems = read_passages(rag.sources, rag.chunk_words)
    for file, reason in problems:
        run.console.line(f"ingest    {file}: {reason}")
    if not passages:
        raise LorewrightError("no lore could be read", where=", ".join(rag.sources), remedy="rag.sources wants .md or .txt files")
    texts, owners = searchable(passages)
    with run.console.bar("ingest") as bar:
        bar(0, len(texts), f"loading {rag.embedding_model}")
        embedder = load_embedder(rag.embedding_model)
        vectors = embedder.passages(texts, lambda done, total: bar(done, total, f"{done}/{total} sentences"))
    write_index(run.work / "index", passages, vectors, {"embedding_model": rag.embedding_model}, owners)
    categories = sorted({passage.category for passage in passages})
    files = len({passage.source for passage in passages})
    return {
        "files": files, "chunks": len(passages), "categories": categories,
        "problems": [f"{file.name}: {reason}" for file, reason in problems],
        "said": f"{files} lore files -> {len(passages)} passages in {len(categories)} categories",
    }  # fmt: skip
