"""The style analysis tells writings apart that a reader would tell apart."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lorewright.data.clean import clean
from lorewright.data.style import Style, analyse, distance, from_json, system_prompt, to_json
from lorewright.data.style.speech import told_and_spoken
from lorewright.errors import LorewrightError

RAW = Path(__file__).parents[3] / "fine-tuning/data/raw"
FIRST_PAST = "I was late. I took the stairs and I knew my room was cold.\n\nMy hands had stopped. I thought of her."
THIRD_PRESENT = (
    "She walks along the quay, and the gulls that have followed the boats since morning wheel over her head; she does not look up, "
    "because she knows what they want; he waits beside the crane, as he always does when the wind comes round to the north.\n\n"
    "“You are late,” says Anna. “The tide is in and the others are gone, every one of them.”"
)
FIRST_PRESENT = (
    "I lean on the rail and count the lights. My coat is wet through.\n\n“He went down at noon,” she says. “He took his knife and "
    "his lamp, and he told nobody. They found the lamp. He was fond of it, and he had carried it since he was a boy.”\n\n"
    "I nod. I know the lamp. We are all tired, and I want my bed."
)
THIRD_PAST = (
    "Mara set down the kettle and turned to the window. The yard was empty, and her brother had left the gate open.\n\n"
    "“I am going,” he said. “I have my ticket, I know my way, and I want my money. I think I need nothing else. My bag is here.”\n\n"
    "She gave him the money. His hand was cold, and he did not thank her."
)
SECOND_PRESENT = "You open the door. Your hand shakes, and you know that you are not alone. You hold your breath. The stair creaks."
OTHERS = {
    "de": (
        "Ich stand am Fenster und sah auf den Hof. Der Regen hatte aufgehört, aber die Steine waren noch nass, und ich wusste nicht, was "
        "ich ihm sagen sollte.\n\n„Er ist fort“, sagte meine Mutter. „Er hat seinen Hut genommen und ist gegangen.“\n\n"
        "Ich ging in die Küche. Es war kalt, und mir war, als hätte ich das alles schon einmal gesehen.",
        "first person, past tense", "German",
    ),
    "fr": (
        "Elle ouvre la porte et regarde la rue. Il est tard, et les lampes sont déjà allumées. Elle pense à son frère, qui ne vient "
        "plus, et elle ferme la fenêtre.\n\n« J’étais là, dit-il, et j’avais peur. »\n\nElle ne sait pas ce qu’elle veut. Il prend "
        "son manteau et s’en va sans un mot.",
        "third person, present tense", "French",
    ),
    "es": (
        "Ella miraba el mar y pensaba en su hermano. La casa estaba vacía, y las ventanas eran grandes como puertas. Nadie sabía dónde "
        "estaba él.\n\n—Yo tengo su llave —dijo Marta—. Estoy aquí y no me voy.\n\nEntonces ella vio que la llave era de su padre, y "
        "le dijo que no con la cabeza.",
        "third person, past tense", "Spanish",
    ),
}  # fmt: skip


@pytest.mark.req("F3")
@pytest.mark.parametrize(
    ("text", "person", "tense"),
    [
        (FIRST_PAST, "first", "past"), (THIRD_PRESENT, "third", "present"), (FIRST_PRESENT, "first", "present"),
        (THIRD_PAST, "third", "past"), (SECOND_PRESENT, "second", "present"),
    ],
)  # fmt: skip
def test_person_and_tense_are_the_narrators(text: str, person: str, tense: str) -> None:
    style = analyse([text])
    assert (style.person, style.tense) == (person, tense)
    assert f"{person} person, {tense} tense" in system_prompt(style)


@pytest.mark.req("F3")
@pytest.mark.parametrize("language", OTHERS)
def test_other_languages_are_known_by_themselves(language: str) -> None:
    text, manner, name = OTHERS[language]
    style = analyse([text])
    assert style.language == language
    assert manner in system_prompt(style)
    assert f"Write in {name}." in system_prompt(style)
    assert style.adverbs is None
    assert 0.05 < style.dialogue < 0.4


def test_what_cannot_be_measured_is_not_in_the_prompt() -> None:
    chinese = analyse(["她把门关上，听着雨声。\n\n“你来晚了。”他说。"])
    assert (chinese.language, chinese.sentence_length, chinese.person, chinese.tense) == ("zh", None, None, None)
    assert chinese.dialogue > 0.2
    assert (
        system_prompt(chinese)
        == "You are a fiction writer. You write prose. Balance narration and dialogue. Write in Chinese. Stay in this voice."
    )
    polish = analyse(
        [
            "Stał przy oknie i patrzył na podwórze. Nie było tam nikogo, a on nie wiedział, co powie, kiedy ona do niego przyjdzie z tym listem."
        ]
    )
    assert (polish.language, polish.person, polish.tense) == ("pl", None, None)
    assert "person" not in system_prompt(polish)


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("“Go,” he said. “Now.”", "“Go,”\n“Now.”"),
        ('"Go," he said.', '"Go,"'),
        ("‘I can’t go,’ he said. ‘It’s late.’", "‘I can’t go,’\n‘It’s late.’"),
        ("'I can't go,' he said. 'It's late.'", "'I can't go,'\n'It's late.'"),
        ("„Geh“, sagte er.", "„Geh“"),
        ("»Geh«, sagte er.", "»Geh«"),
        ("« Va », dit-il.", "« Va »"),
        ("—Vete —dijo él—. Ya.", " Vete . Ya."),
        ("“A speech that goes on\n“and ends here,” he said.", "“A speech that goes on\n“and ends here,”"),
        ("The dogs’ bowls and the cat's tail.", ""),
    ],
)
def test_speech_is_found_in_every_convention(text: str, spoken: str) -> None:
    told, said = told_and_spoken(text)
    assert said == spoken
    assert not any(word in told for word in ("Go", "late", "Vete", "ends here"))


def test_rhythm_marks_and_abbreviations() -> None:
    style = analyse(["Dr. Lunt met Mr. Teague at 5 p.m. on the quay; neither spoke. They went in.\n\n“Stop. Stop now.” He stopped."])
    assert style.sentences == 5
    assert style.marks["semicolon"] > 3
    assert style.short_sentences == 0.8
    assert sum(style.sentence_lengths) == style.sentences
    first, third = analyse([FIRST_PAST]), analyse([THIRD_PRESENT])
    assert first.sentence_length and third.sentence_length
    assert first.sentence_length.mean < third.sentence_length.mean
    assert "semicolons" in system_prompt(third)


def samples() -> list[str]:
    """The sample prose without its headings, cleaned."""
    texts = [re.sub(r"^#.*$", "", file.read_text(encoding="utf-8"), flags=re.MULTILINE) for file in sorted(RAW.iterdir())]
    return [clean(text) for text in texts]


@pytest.fixture(scope="module")
def sample() -> Style:
    return analyse(samples())


def test_the_samples_prompt(sample: Style) -> None:
    assert system_prompt(sample) == (
        "You are a fiction writer. You write in the first person, past tense, in medium-length sentences broken by very short ones and "
        "paragraphs of a few sentences. Balance narration and dialogue. Stay in this voice."
    )


def test_favourites_are_the_writers_own_and_no_names(sample: Style) -> None:
    words = [favourite.word for favourite in sample.favourites]
    assert {"tide", "minutes", "nine"} <= set(words[:5])
    assert not {"elena", "wim", "josip", "the", "said", "eyes"} & set(words)
    assert all(one.keyness >= other.keyness for one, other in zip(sample.favourites, sample.favourites[1:], strict=False))


def test_profile_goes_through_json(sample: Style) -> None:
    values = json.loads(json.dumps(to_json(sample) | {"system_prompt": "x"}))
    assert from_json(values) == sample
    assert from_json(json.loads(json.dumps(to_json(Style())))) == Style()


@pytest.mark.req("F3")
def test_delta_puts_a_writing_nearer_to_itself_than_to_another(sample: Style) -> None:
    texts = samples()
    even, odd, other = analyse(texts[::2]), analyse(texts[1::2]), analyse([THIRD_PRESENT * 40])
    assert distance(sample, sample) == 0
    assert distance(even, odd) == distance(odd, even)
    assert distance(even, odd) < 0.6 * distance(even, other)
    with pytest.raises(LorewrightError, match="en and de cannot be compared"):
        distance(sample, analyse([OTHERS["de"][0]]))


def test_no_text_is_no_crash() -> None:
    for texts in ([], [""], ["…"], ["* * *"], ["7 8 9"], ["“"]):
        style = analyse(texts)
        assert style.words == 0
        assert "Stay in this voice." in system_prompt(style)


def test_speed_and_light_start() -> None:
    """Five megabytes in three seconds on one idle core; here with room for a busy one. NLTK and torch stay unloaded."""
    draw = random.Random(1)
    blocks = [block for text in samples() for block in text.split("\n\n")]
    text = "\n\n".join(draw.choices(blocks, k=1 + 1_000_000 // (sum(map(len, blocks)) // len(blocks))))
    started = time.process_time()
    analyse([text])
    assert time.process_time() - started < 3
    code = "import sys; from lorewright.data.style import analyse; analyse(['I was here.']); print({'nltk', 'torch', 'matplotlib'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "set()"
