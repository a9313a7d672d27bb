"""Word: every sign of the text, and nothing that Word keeps beside it."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from lorewright.data.readers.word import WORD, read_word

BODY = (
    '<w:p><w:pPr><w:pStyle w:val="Titel"/></w:pPr><w:r><w:t>The Ledger</w:t></w:r></w:p>'
    "<w:p><w:r><w:t>Contents</w:t></w:r></w:p>"
    '<w:sdt><w:sdtContent><w:p><w:pPr><w:pStyle w:val="Verzeichnis1"/></w:pPr><w:r><w:t>One</w:t><w:tab/><w:t>3</w:t></w:r></w:p></w:sdtContent></w:sdt>'
    '<w:p><w:pPr><w:pStyle w:val="Kapitel"/></w:pPr><w:r><w:br w:type="page"/><w:t>One</w:t></w:r></w:p>'
    '<w:p><w:r><w:t xml:space="preserve">Smith &amp; Sons said </w:t></w:r><w:r><w:rPr><w:i/></w:rPr><w:t>never</w:t></w:r><w:r><w:t>: 3 &lt; 4 * 5_6.</w:t></w:r>'
    '<w:r><w:footnoteReference w:id="2"/></w:r></w:p><w:p><w:r><w:t>#</w:t></w:r></w:p>'
    '<w:p><w:r><w:t>Roses are red</w:t><w:br/><w:t>violets</w:t><w:tab/><w:t>blue</w:t></w:r></w:p>'
    '<w:p><w:ins><w:r><w:t>Added.</w:t></w:r></w:ins><w:del><w:r><w:delText>Gone.</w:delText></w:r></w:del>'
    '<w:r><w:rPr><w:vanish/></w:rPr><w:t>Hidden.</w:t></w:r></w:p>'
    '<w:tbl><w:tr><w:tc><w:p><w:r><w:t>In a table.</w:t></w:r></w:p></w:tc></w:tr></w:tbl>'
)  # fmt: skip
STYLES = (
    '<w:style w:styleId="Titel"><w:name w:val="Title"/></w:style><w:style w:styleId="Verzeichnis1"><w:name w:val="toc 1"/></w:style>'
    '<w:style w:styleId="berschrift1"><w:name w:val="heading 1"/></w:style>'
    '<w:style w:styleId="Kapitel"><w:name w:val="Kapitel"/><w:basedOn w:val="berschrift1"/></w:style>'
)


@pytest.mark.req("S1")
def test_no_sign_is_lost_and_nothing_beside_the_text_comes_in(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.docx", "w") as archive:
        for name, root, inner in (("document", "document", f"<w:body>{BODY}</w:body>"), ("styles", "styles", STYLES)):
            archive.writestr(f"word/{name}.xml", f'<w:{root} xmlns:w="{WORD[1:-1]}">{inner}</w:{root}>')
        archive.writestr(
            "word/footnotes.xml", f'<w:footnotes xmlns:w="{WORD[1:-1]}"><w:p><w:r><w:t>A note.</w:t></w:r></w:p></w:footnotes>'
        )
    reading = read_word(tmp_path / "a.docx")
    assert reading.text.strip().split("\n\n") == [
        "# The Ledger", "## One", "Smith & Sons said never: 3 < 4 * 5_6.", "#", "Roses are red\nviolets blue", "Added.", "In a table.",
    ]  # fmt: skip
    assert reading.removed == {"contents lines": 1, "notes and marks": 1}
