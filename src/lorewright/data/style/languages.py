"""What little has to be known of a language to tell person and tense: the words that show them."""

from __future__ import annotations

from dataclasses import dataclass

NAMES = {
    "ar": "Arabic", "bg": "Bulgarian", "ca": "Catalan", "cs": "Czech", "da": "Danish", "de": "German", "el": "Greek", "en": "English",
    "es": "Spanish", "fi": "Finnish", "fr": "French", "he": "Hebrew", "hu": "Hungarian", "id": "Indonesian", "it": "Italian",
    "ja": "Japanese", "ko": "Korean", "nb": "Norwegian", "nl": "Dutch", "pl": "Polish", "pt": "Portuguese", "ro": "Romanian",
    "ru": "Russian", "sv": "Swedish", "tr": "Turkish", "uk": "Ukrainian", "zh": "Chinese",
}  # fmt: skip
UNSPACED = {"ja", "zh"}
"""Written without blanks between the words: nothing that counts words can be measured."""
NOUNS_CAPITAL = {"de"}
"""Every noun is written with a capital, so that capitals do not tell names."""


@dataclass(frozen=True)
class Signs:
    """Words of one language that show who tells and when. Only forms that are little else."""

    first: frozenset[str]
    second: frozenset[str]
    third: frozenset[str]
    past: frozenset[str]
    present: frozenset[str]


def _signs(first: str, second: str, third: str, past: str, present: str) -> Signs:
    return Signs(*(frozenset(words.split()) for words in (first, second, third, past, present)))


SIGNS = {
    "en": _signs(
        "i me my mine myself we us our ours ourselves i'm i'd i've i'll we're we'd we've we'll",
        "you your yours yourself yourselves you're you'd you've you'll",
        "he him his himself she her hers herself they them their theirs themselves he's he'd she's she'd they're they'd",
        "",
        "",
    ),
    "de": _signs(
        "ich mir mich mein meine meinen meinem meiner wir uns unser unsere unseren",
        "du dir dich dein deine deinen deinem",
        "er ihm ihn sie ihr ihre ihren ihrem ihrer sein seine seinen seinem seiner",
        "war waren hatte hatten wurde wurden sagte ging kam stand sah fragte wusste dachte machte nahm lag saß gab ließ konnte musste",
        "ist sind bin hat habe haben wird werden sagt geht kommt steht sieht fragt weiß denkt macht nimmt liegt sitzt gibt lässt kann muss",
    ),
    "fr": _signs(
        "je j me m moi mon ma mes nous notre nos",
        "tu te t toi ton ta tes",
        "il elle ils elles lui leur leurs son sa ses eux",
        "était étaient avait avaient fut furent fit dit alla vint vit prit étais avais faisait disait allait venait savait voulait "
        "pouvait regardait restait pensait",
        "est sont suis ai a ont fait va vient voit prend sait veut peut regarde reste pense",
    ),
    "es": _signs(
        "yo me mí mi mis conmigo nos nosotros nosotras nuestra nuestro nuestros nuestras",
        "tú te ti tu tus contigo",
        "él ella ellos ellas le les su sus",
        "era eran estaba estaban había habían fue fueron dijo hizo vio tenía tenían iba iban sabía quería podía miraba pensaba estuvo tuvo",
        "es son está están ha han dice hace va van viene ve tiene tienen sabe quiere puede mira piensa soy estoy",
    ),
}  # fmt: skip
"""French `dit` and `fit`/`fait`, English `said` as a participle: single words may mislead, hundreds of them do not."""
