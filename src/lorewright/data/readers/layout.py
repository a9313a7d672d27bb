"""The layout-aware engine (docling), used where it is installed: slower, and better on tables and unusual pages."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from lorewright.data.readers.refusal import Reading, UnreadableError

KINDS = ("pdf", "docx", "html")


def installed() -> bool:
    return importlib.util.find_spec("docling") is not None


def read_layout(file: Path, device: str) -> Reading:
    """The document as Markdown. device: auto, cpu or cuda. Raises UnreadableError when it holds no text; docling's own errors pass."""
    from docling.datamodel.accelerator_options import AcceleratorOptions
    from docling.datamodel.base_models import InputFormat
    from docling.datamodel.pipeline_options import PdfPipelineOptions
    from docling.document_converter import DocumentConverter, PdfFormatOption

    options = PdfPipelineOptions(do_ocr=False, accelerator_options=AcceleratorOptions(device=device))
    converter = DocumentConverter(format_options={InputFormat.PDF: PdfFormatOption(pipeline_options=options)})
    text = converter.convert(str(file)).document.export_to_markdown(image_placeholder="")
    if not text.strip():
        raise UnreadableError("holds no text")
    return Reading(text.strip() + "\n")
