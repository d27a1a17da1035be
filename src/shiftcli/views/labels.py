"""Labels as the formats can hold them."""

from __future__ import annotations

import re
from collections.abc import Sequence

#: What a column of blank-separated text cannot hold.
BLANKS = re.compile(r"[\s\x00-\x1f\x7f-\x9f]")

#: What may mean something else in a format with comments, brackets or quotes.
UNUSUAL = re.compile(r"[^A-Za-z0-9_.'*+-]")

_SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def as_words(labels: Sequence[str], unwanted: re.Pattern[str]) -> list[str]:
    """Replace characters of labels that match `unwanted` by ``_``: one word a label, not empty.

    The same label gives the same word, different labels give different words, and a label without
    unwanted characters stays.
    """
    words = {label: unwanted.sub("_", label) or "_" for label in labels}
    taken = {label for label, word in words.items() if word == label}
    for label, word in words.items():
        if word == label:
            continue
        number, new = 1, word
        while new in taken:
            number += 1
            new = f"{word}_{number}"
        taken.add(new)
        words[label] = new
    return [words[label] for label in labels]


def nuclide(text: str) -> str:
    """Text whose first word is a nuclide, its mass raised: ``¹³C shift/ppm``."""
    return re.sub(r"^\d+(?=[A-Z])", lambda mass: mass[0].translate(_SUPERSCRIPT), text)
