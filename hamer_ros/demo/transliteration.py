"""Transliteration of text in any script to ASCII, whose letters OpenCV's fonts have."""

from __future__ import annotations

# ruff: noqa: RUF001 - letters that look alike are meant
import re
import unicodedata

_CYRILLIC = (
    "а:a б:b в:v г:g д:d е:e ё:yo ж:zh з:z и:i й:y к:k л:l м:m н:n о:o п:p р:r с:s т:t у:u ф:f "
    "х:kh ц:ts ч:ch ш:sh щ:shch ъ: ы:y ь: э:e ю:yu я:ya і:i ї:yi є:ye ґ:g ў:w "
    "ј:j љ:lj њ:nj ћ:c ђ:dj џ:dz"
)
_GREEK = (
    "α:a β:v γ:g δ:d ε:e ζ:z η:i θ:th ι:i κ:k λ:l μ:m ν:n ξ:x ο:o π:p ρ:r σ:s ς:s τ:t υ:y φ:f χ:ch "
    "ψ:ps ω:o"
)
_LATIN = "ß:ss æ:ae ø:o œ:oe đ:d ð:d ł:l ı:i þ:th –:- —:- ‘:' ’:' “:' ”:' «:' »:'"
_LETTERS = {
    letter: reading
    for letter, _, reading in (
        pair.partition(":") for pair in f"{_CYRILLIC} {_GREEK} {_LATIN}".split(" ")
    )
}
_SYLLABLE = re.compile(r"(?:(?:HIRAGANA|KATAKANA) LETTER|HANGUL SYLLABLE) (?:SMALL )?([A-Z]+)$")


def spelled(text: str) -> str:
    """Return the text in printable ASCII: letters and syllables as they sound, without accents.

    A character without a reading, such as an ideograph, is its number in Unicode: <U+624B>.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_spelled, unicodedata.normalize("NFC", text)))


def _spelled(character: str) -> str:
    if character.isspace() or (character.isascii() and not character.isprintable()):
        return " "
    if character.isascii():
        return character
    for form in (character, *unicodedata.normalize("NFKD", character)):  # й, or α of ά
        reading = _LETTERS.get(form.lower())
        if reading is not None:
            return reading if form == form.lower() else reading.capitalize()
    if unicodedata.combining(character):
        return ""
    plain = "".join(c for c in unicodedata.normalize("NFKD", character) if c.isascii())
    if plain:
        return plain
    match = _SYLLABLE.match(unicodedata.name(character, ""))
    return match[1].lower() if match else f"<U+{ord(character):04X}>"
