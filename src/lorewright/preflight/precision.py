"""What the recipe asks of the card's arithmetic and attention, against what the card can."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lorewright.preflight.found import Found, bad, good, warn
from lorewright.serving.gpu import Card
from lorewright.training.attention import attention

NAME = "precision"
AMPERE, HOPPER = 8.0, 9.0  # compute capabilities
# attn_implementation -> the compute capability from which on it works
ATTENTION = {"flash_attention_2": AMPERE, "flash_attention_3": HOPPER, "fp8": HOPPER, "sage": AMPERE}


def precision(config: Mapping[str, Any], cards: Sequence[Card]) -> list[Found]:
    """For the least of the cards that will be used; nothing where its compute capability is not known."""
    known = [card for card in cards if card.capability]
    if not known:
        return []
    card = min(known, key=lambda card: card.capability)
    found = [*_eight_bit(config, card), *_attention(config, card), *_half(config, card)]
    return found or [good(NAME, f"{_said(config)}; the card has it")]


def _half(config: Mapping[str, Any], card: Card) -> list[Found]:
    """Older cards compute bf16 through 32 bit: torch calls that support (torch.cuda.is_bf16_supported), and `auto` takes it."""
    wants = [key for key in ("bf16", "bfloat16") if config.get(key)]
    if card.capability < AMPERE and wants and not config.get("fp16"):
        what = f"{card.name} has no bf16 of its own and would compute it the long way"
        return [warn(NAME, what, f"--set axolotl.{wants[0]}=false --set axolotl.fp16=true")]
    if card.capability < AMPERE and config.get("tf32") is True:
        return [warn(NAME, f"{card.name} has no tf32; axolotl.tf32 does nothing there", "tf32: auto says the same for any card")]
    if not wants and not config.get("fp16") and not config.get("float16"):
        return [warn(NAME, "the recipe names no half precision: weights and activations take twice the room", "axolotl.bf16: auto")]
    return []


def _eight_bit(config: Mapping[str, Any], card: Card) -> list[Found]:
    """Axolotl's own bound (cli/config.py, compute_supports_fp8)."""
    if config.get("fp8") and card.capability < HOPPER:
        return [
            bad(NAME, f"axolotl.fp8 wants compute capability {HOPPER}, and {card.name} has {card.capability}", "axolotl.bf16: auto instead")
        ]
    return []


def _attention(config: Mapping[str, Any], card: Card) -> list[Found]:
    asked = attention(config)
    least = ATTENTION.get(asked, 0.0)
    if card.capability >= least:
        return []
    what = f"attn_implementation {asked} wants compute capability {least}, and {card.name} has {card.capability}"
    return [bad("attention", what, "axolotl.attn_implementation: sdpa")]


def _said(config: Mapping[str, Any]) -> str:
    return (
        ", ".join(f"{key} {str(config[key]).lower()}" for key in ("bf16", "fp16", "tf32", "fp8") if config.get(key)) or "as the recipe says"
    )
