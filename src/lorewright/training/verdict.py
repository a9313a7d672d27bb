"""What the losses of a training mean, in plain words: was it worth it, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp

Curve = Sequence[tuple[float, float]]
LITTLE, FALLING = 0.01, 0.01  # of the loss: less is no gain; more from one evaluation to the next is still falling
RISEN = 0.005


@dataclass(frozen=True)
class Verdict:
    """said: a sentence. next: what helps, or "". good: whether the training was worth it so far; None where nothing tells."""

    said: str
    next: str = ""
    good: bool | None = None


def verdict(losses: Curve, held: Curve, kept: Sequence[int], adapter: int | None = None) -> Verdict:
    """losses, held: (step, loss), of training and of the text that was held out.

    kept: steps of the checkpoints that are still there. adapter: the step that the adapter is of, where it is not the last.
    """
    if not held:
        return _blind(losses)
    (first_step, first), (last_step, last) = held[0], held[-1]
    best_step, best = min(held, key=lambda pair: pair[1])
    if len(held) == 1 or last_step == first_step:
        return Verdict(f"The loss on the held-out text was {last:.3f}; it was measured once, so there is nothing to compare it with.")
    if best >= first * (1 - LITTLE):
        return _no_gain(first, last)
    from_when = "before the training" if first_step == 0 else f"at step {first_step:g}"
    gain = f"On the held-out text, which was not trained, the loss fell from {first:.3f} {from_when} to {best:.3f}"
    likely = f"each next word of it has become {exp(first - best):.1f} times as likely"
    if last > best * (1 + RISEN):
        return Verdict(
            f"{gain} at step {best_step:g}: {likely}. Then it rose to {last:.3f}.", _risen(int(best_step), kept, adapter), good=True
        )
    before = held[-2][1]
    falling = len(held) > 2 and last < before * (1 - FALLING)
    more = (
        "It was still falling at the end: more epochs may give more." if falling else "It had levelled off: more epochs would give little."
    )
    return Verdict(f"{gain}: {likely}.", more if len(held) > 2 else "", good=True)


def _blind(losses: Curve) -> Verdict:
    if len(losses) < 2:
        return Verdict("No loss was logged, so nothing is known of how it went.")
    said = f"The loss on the trained text went from {losses[0][1]:.3f} to {losses[-1][1]:.3f}."
    return Verdict(said, "Nothing was held out, so nobody can tell learning from learning by heart: set data.validation to 0.1.")


def _no_gain(first: float, last: float) -> Verdict:
    said = (
        f"On the held-out text, which was not trained, the loss went from {first:.3f} to {last:.3f}: so far the training was not worth it."
    )
    return Verdict(
        said, "Look into the training set's report whether the right text is trained; then try another axolotl.learning_rate.", good=False
    )


def _risen(best: int, kept: Sequence[int], adapter: int | None) -> str:
    by_heart = "From there on the model learnt the text by heart"
    if best == adapter:
        return f"{by_heart}; the adapter is that of step {best}."
    if best in kept:
        return f"{by_heart}: adapter/checkpoint-{best} is the better one, and fewer epochs would have done."
    early = "set axolotl.early_stopping_patience with eval_steps and save_steps"
    return f"{by_heart}, and no checkpoint of that step is kept: train fewer epochs, or {early}."
