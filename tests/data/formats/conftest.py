"""A template of the tiny model, and Axolotl's own preprocessing of examples."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from lorewright.data.formats import template as templates
from lorewright.data.formats.passages import jsonl
from lorewright.data.formats.template import Template
from lorewright.training.render import ON_CPU
from tests.warm import Warm

WORKER = Path(templates.__file__).parents[2] / "workers" / "axolotl_examples.py"
Example = dict[str, Any]

# Empty thinking tags before an answer without a thought, as thinking models have it; a thought where one is given.
THINKING = """{%- for message in messages %}
{{- '<|im_start|>' + message.role + '\\n' }}
{%- if message.role == 'assistant' %}{{- '<think>\\n' + (message.reasoning_content or '') + '\\n</think>\\n\\n' }}{%- endif %}
{{- message.content + '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}
{%- if enable_thinking is defined and not enable_thinking %}{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}{%- endif %}"""


@pytest.fixture(scope="session")
def template(tiny_model: Path) -> Template:
    return templates.load_template(str(tiny_model), None)


@pytest.fixture(scope="session")
def axolotl(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory, warm_axolotl: Warm) -> Callable[..., list[Example]]:
    """Examples and the `datasets` entry to what Axolotl makes of them: input_ids and labels, in order."""

    def preprocess(examples: list[Example], dataset: Mapping[str, Any], length: int = 512, **more: Any) -> list[Example]:
        folder = tmp_path_factory.mktemp("axolotl")
        (folder / "training.jsonl").write_text(jsonl(examples), encoding="utf-8")
        config = {
            "base_model": str(tiny_model), "datasets": [{"path": "training.jsonl", **dataset}], "dataset_prepared_path": "prepared",
            "output_dir": "adapter", "adapter": "lora", "lora_r": 8, "lora_alpha": 16, "lora_target_linear": True, "sequence_len": length,
            "micro_batch_size": 1, "gradient_accumulation_steps": 1, "num_epochs": 1, "learning_rate": 1e-4, "optimizer": "adamw_torch",
            "chat_template": "tokenizer_default", "shuffle_merged_datasets": False, "dataset_num_proc": 1, **ON_CPU, **more,
        }  # fmt: skip
        (folder / "axolotl.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        code = warm_axolotl.run([str(WORKER), "axolotl.yaml", "out.jsonl"], folder, folder / "log")
        assert code == 0, (folder / "log").read_text()[-3000:]
        return [json.loads(line) for line in (folder / "out.jsonl").read_text(encoding="utf-8").splitlines()]

    return preprocess
