"""The encoding of a text that is not Unicode, as its letters and signs tell it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["by_letters"]

_WEST = ("äöüß", "àâæçéèêëîïôœùûüÿ", "áéíóúüñ", "àáâãçéêíóôõú", "àèéìíòóùú", "åäö", "æøåé", "ëéïèöü")
_CENTRE = ("áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "ąćęłńóśźż", "áéíóöőúüű", "ăâîşţ", "čćđšž", "äöüß")
_LETTERS: Mapping[str, tuple[str, ...]] = {  # the letters, beyond ASCII, of the languages that are written in it
    "cp1252": _WEST,
    "cp1250": _CENTRE,
    "iso-8859-2": _CENTRE,
    "cp1251": ("абвгдеёжзийклмнопрстуфхцчшщъыьэюяіїєґ",),
    "cp1253": ("αάβγδεέζηήθιίϊκλμνξοόπρσςτυύφχψωώ",),
    "cp1254": ("çğıi̇öşüâîû",),
    "cp1257": ("ąčęėįšųūž", "āčēģīķļņšūž", "äöõüšž"),
    "cp1255": ("אבגדהוזחטיךכלםמןנסעףפץצקרשת",),
}
_FREQUENT = {"cp1251": "оеаинтсрвл", "cp1253": "αοιετσνηυρ", "cp1255": "יוהלאמרבת"}  # of those that are not Latin
_SIGNS = "°€£¥¢§²³¹µ±×÷·•…‰™©®¶†‡½¼¾–—„“”‘’‹›«»¿¡ºª\u00a0"
_HIGH = r"[^\0-\x7f]"
_L, _WORD = r"[^\W\d_]", r"[^\W\d_A-Z]{2}"  # a letter, two small ones
_PLACED = re.compile(  # signs where they stand in a text; elsewhere they are more likely letters of another encoding
    rf"""(?<!{_L})[“‘„‹•](?!\\) | (?<=[\w.,:!?%)])[”’›] | […–—‰™†‡€]
       | «(?=[^«»\n]*») | (?<=«)[^«»\n]*» | (?<![a-zA-Z\x80-\uffff])[«»](?![a-zA-Z\x80-\uffff])
       | ¿(?=[A-Z]|[^\n]*\?) | ¡(?=[A-Z]|[^\n]*!)
       | (?<![a-zA-Z\x80-\uffff])[£¥¢©®¶½¼¾±](?!{_WORD}) | (?<={_L})[©®](?!{_L}) | (?<={_L})±(?=[A-Z\d])
       | (?<!{_L})µ(?={_L}{{0,3}}(?!{_L})) | (?<!{_HIGH})[×÷·§°\u00a0](?!{_HIGH})
       | (?<!{_L})[²³](?!{_WORD}) | \b(?:[A-Za-z]|[cdkmnµ]m|ft|in|yd|mi)[²³](?!{_WORD}) | (?<!{_L})¹(?!{_L})
       | (?<=[\dnNMD])[ºª](?!{_WORD}) | (?<!{_L})[ºª](?!{_WORD})""",
    re.VERBOSE,
)
_CHARACTERS = re.compile(_HIGH)
_BYTES = re.compile(rb"[\x80-\xff]")
_SEEN = 2**15  # bytes of lines that are not plain, by which the encoding is judged


@dataclass(frozen=True)
class _Pairs:
    """An encoding of two bytes a character, and the pairs that its common characters are."""

    encoding: str
    common: re.Pattern[bytes]


_TRAIL = rb"[\xa1-\xfe]"
_PAIRS = (
    _Pairs("cp932", re.compile(rb"[\x81-\x84\x88-\x97][\x40-\x7e\x80-\xfc]")),
    _Pairs("cp949", re.compile(rb"[\xa1\xb0-\xc8]" + _TRAIL)),
    _Pairs("gb18030", re.compile(rb"[\xa1\xa3\xb0-\xd7]" + _TRAIL)),
    _Pairs("big5", re.compile(rb"[\xa1\xa4-\xc6][\x40-\x7e\xa1-\xfe]")),
)


def by_letters(content: bytes) -> str:
    """The encoding in which the bytes beyond ASCII are most nearly the letters of one language.

    >>> by_letters("Třebíč,déšť".encode("cp1250")), by_letters("père,où,Noël".encode("cp1252"))
    ('cp1250', 'cp1252')
    >>> by_letters("Iğdır,Şişli".encode("cp1254")), by_letters("価格,東京".encode("cp932"))
    ('cp1254', 'cp932')
    >>> by_letters("don’t,12 °C".encode("cp1252"))  # ’t and °C, whose bytes are characters of East Asia too
    'cp1252'
    """
    lines = b"\n".join(line for line in content.splitlines() if not line.isascii())[:_SEEN]
    single = max(_LETTERS, key=lambda encoding: _fit(lines, encoding))  # the first, where two fit as well
    inside = {each.encoding: _in_pairs(content, lines, each) for each in _PAIRS}
    double = max(inside, key=lambda encoding: inside[encoding])
    return double if inside[double] > _fit(lines, single)[0] else single


def _fit(lines: bytes, encoding: str) -> tuple[int, int]:
    """How many bytes beyond ASCII are letters of one language, or signs in their places, less all others."""
    text, scripted = lines.decode(encoding, "replace"), encoding in _FREQUENT
    used = {*"".join(_LETTERS[encoding])}
    letters: Counter[str] = Counter()
    for word in re.findall(rf"{_L}{{2,}}" + (rf"|(?<!{_HIGH}){_L}(?!{_HIGH})" if scripted else ""), text):
        high = [(before, letter) for before, letter in zip(" " + word, word, strict=False) if letter > "\x7f"]
        letters.update(letter.lower() for before, letter in high if not (before.islower() and letter.isupper()))
        if scripted:  # one word is in one script
            letters["mixed"] += sum(letter.isascii() for letter in word) if high else 0
    placed = sum(len(_CHARACTERS.findall(part)) for part in _PLACED.findall(text))
    beyond = _CHARACTERS.findall(text)
    strange = sum(one not in _SIGNS and one.lower() not in used for one in beyond)
    misplaced = sum(one in _SIGNS for one in beyond) - placed
    shares = max(sum(letters[letter] for letter in language) for language in _LETTERS[encoding])
    frequent = sum(letters[letter] for letter in _FREQUENT.get(encoding, ""))
    return shares + placed - strange - misplaced - letters["mixed"], frequent


def _in_pairs(content: bytes, lines: bytes, pairs: _Pairs) -> int:
    """How many bytes beyond ASCII are in common pairs, less those that are in none; the worst where it cannot be so."""
    try:
        content[: content.rfind(b"\n") + 1 or len(content)].decode(pairs.encoding)
    except UnicodeDecodeError:
        return -len(content)
    inside = sum(len(_BYTES.findall(pair)) for pair in pairs.common.findall(lines))
    return 2 * inside - len(_BYTES.findall(lines))
