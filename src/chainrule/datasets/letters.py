"""The encoding of a text that is not Unicode, as its letters tell it."""

from __future__ import annotations

import re
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
_SIGNS = "°€£§²³µ–—„“”’«»¿¡ºª\u00a0"
_MORE_SIGNS = _SIGNS + "±×·•…‰™¼½¾"
_MIXED = re.compile(rb"(?<=[A-Za-z])[\x80-\xff]|[\x80-\xff](?=[A-Za-z])")
_WITHIN = re.compile(rb"(?<=[A-Za-z0-9( ])[\x80-\xff]")  # a cell, not at its beginning
_HIGH = re.compile(rb"[\x80-\xff]")


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
    beyond = {bytes([byte]): content.count(byte) for byte in {*content} if byte >= 128}
    mixed = len(_MIXED.findall(content))

    def covered(encoding: str, signs: str = _SIGNS) -> tuple[int, int]:
        letters = [(byte.decode(encoding, "replace").lower(), count) for byte, count in beyond.items()]
        shares = (sum(n for letter, n in letters if letter in language) for language in _LETTERS[encoding])
        strange = sum(n for letter, n in letters if not letter.isalpha() and letter[0] not in signs)
        frequent = sum(n for letter, n in letters if letter in _FREQUENT.get(encoding, ""))
        return max(shares) - strange - (mixed if encoding in _FREQUENT else 0), frequent  # one word is in one script

    single = max(_LETTERS, key=covered)  # the first, where two cover as much
    pairs = max(_PAIRS, key=lambda each: _in_pairs(content, each))
    within = () if single in _FREQUENT else _WITHIN.findall(content)
    latin = sum(byte.decode(single, "replace") in _MORE_SIGNS for byte in within)
    return pairs.encoding if _in_pairs(content, pairs) > covered(single, _MORE_SIGNS)[0] + latin else single


def _in_pairs(content: bytes, pairs: _Pairs) -> int:
    """How many bytes beyond ASCII are in common pairs, less those that are in none; the worst where it cannot be so."""
    try:
        content[: content.rfind(b"\n") + 1 or len(content)].decode(pairs.encoding)
    except UnicodeDecodeError:
        return -len(content)
    found = pairs.common.findall(content)
    inside = sum(len(_HIGH.findall(pair)) for pair in found)
    return 2 * inside - len(_HIGH.findall(content))
