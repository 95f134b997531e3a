"""Units that stand beside numbers: kg and g, 5'11", 1h 20m, 1.2k, 3 M€, 50° N; which of them are one, and by how much.

Families are tables of factors; a column whose units are all of one family becomes numbers in the smallest of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

__all__ = ["CURRENCIES", "SCALES", "UNIT", "common_unit", "factor", "is_known"]

_SIGNS = {
    "$": "USD", "US$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "₽": "RUB", "₹": "INR", "₩": "KRW", "₺": "TRY",
    "₴": "UAH", "zł": "PLN", "Kč": "CZK", "kč": "CZK", "Ft": "HUF", "kr": "kr", "kr.": "kr", "lei": "RON", "Fr.": "CHF",
    "руб": "RUB", "руб.": "RUB", "R$": "BRL", "円": "JPY", "￥": "JPY", "元": "CNY", "원": "KRW", "TL": "TRY",
    "грн": "UAH",
}  # fmt: skip
_CODES = (
    "USD EUR GBP JPY CHF CZK PLN HUF SEK NOK DKK RON BGN RUB UAH TRY CNY INR KRW BRL MXN AUD CAD NZD ZAR SGD HKD ILS"
)
CURRENCIES: Mapping[str, str] = _SIGNS | {code: code for code in _CODES.split()}

SCALES: Mapping[str, float] = (
    dict.fromkeys(("k", "K", "thousand", "tis.", "tis", "Tsd.", "Tsd", "тыс."), 1e3)
    | dict.fromkeys(("M", "mil.", "mil", "mio", "Mio", "Mio.", "mln", "million", "millions", "MM", "млн"), 1e6)
    | dict.fromkeys(("B", "bn", "bil", "mld", "mld.", "Mrd", "Mrd.", "billion", "billions", "млрд"), 1e9)
    | dict.fromkeys(("T", "trillion"), 1e12)
)
_WITH_MONEY: Mapping[str, float] = {**SCALES} | {"m": 1e6, "b": 1e9}
_PREFIXES = {"n": 1e-9, "µ": 1e-6, "μ": 1e-6, "m": 1e-3, "c": 1e-2, "d": 1e-1, "": 1.0, "h": 1e2, "k": 1e3, "M": 1e6,
             "G": 1e9, "T": 1e12}  # fmt: skip


def _metric(base: str, prefixes: str) -> dict[str, float]:
    return {prefix + base: _PREFIXES[prefix] for prefix in ("", *prefixes)}


def _words(factors: Mapping[str, float]) -> dict[str, float]:
    return {word: value for words, value in factors.items() for word in words.split()}


_ALONE = (  # with nothing to be converted to
    "°C C", "°F F", "km/h kmh kph", "mph", "m/s", "m2 m² m^2 sqm", "sqft ft2 ft²", "cm3 cm³ ccm cc", "m3 m³", "ppm",
    "bpm", "mmHg", "kcal", "pcs ks pieces",
)  # fmt: skip
_FAMILIES: tuple[Mapping[str, float], ...] = (
    _metric("g", "µμmk") | _words({"gram grams": 1, "kgs kilo kilos Kg KG": 1e3, "dkg dag": 10, "t tonnes tons": 1e6})
    | _words({"lb lbs pounds": 453.59237, "oz": 453.59237 / 16}),
    _metric("m", "nµμmcdk") | _words({"in inch inches \" ″ ''": 0.0254, "ft feet foot ' ′ ’": 0.3048, "yd": 0.9144})
    | _words({"mi mile miles": 1609.344, "metres meters": 1, "Km KM": 1e3}),
    _metric("l", "mcdh") | _metric("L", "mcd"),
    _metric("s", "nµμm") | _words({"sec secs second seconds": 1, "m min mins minute minutes min.": 60})
    | _words({"h hr hrs hour hours hod hod.": 3600, "d day days": 86400, "w wk week weeks": 604800}),
    {"B": 1.0, "bytes": 1.0} | _words({"kB KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}),
    _words({"KiB": 1, "MiB": 2**10, "GiB": 2**20, "TiB": 2**30}),
    _metric("Hz", "kMG"), _metric("W", "mkMG"), _metric("Wh", "kMG"), _metric("V", "mk"), _metric("A", "m"),
    _metric("Pa", "hkM"), _metric("J", "kM"), _metric("mol", "m"),
    _words({"° deg": 1, "' ′": 1 / 60, '" ″': 1 / 3600}),
    {f"{degrees}{letter}": sign for degrees in ("", "°", "° ") for letter, sign in (("N", 1.0), ("S", -1.0))},
    {f"{degrees}{letter}": sign for degrees in ("", "°", "° ") for letter, sign in (("E", 1.0), ("W", -1.0))},
    _words({"months month mo": 1, "years yrs year yr y": 12}),
    *(dict.fromkeys(names.split(), 1.0) for names in _ALONE),
)  # fmt: skip
UNIT = re.compile(r"""°\s?[A-Za-z]?|['"′″’]{1,2}|(?!h\d)[^\W\d_][\w²³^/.·%€$£-]*(?:\s[^\W\d_][\w²³/.€$£]*){0,2}""")


def factor(unit: str, wanted: str) -> float | None:
    """By what an amount in `unit` is multiplied to be one in `wanted`; "" is no unit; None where they differ.

    >>> factor("kg", "g"), factor("k", ""), factor("M€", "EUR"), factor("S", "N"), factor("kg", "m")
    (1000.0, 1000.0, 1000000.0, -1.0, None)
    """
    if unit in (wanted, ""):
        return 1.0
    for family in _FAMILIES:
        if unit in family and wanted in family:
            return float(f"{family[unit] / family[wanted]:.15g}")
    scale, money = _scaled(unit)
    return scale if money == wanted else None


def _scaled(unit: str) -> tuple[float, str]:
    """Thousands or millions, and of what; 1 and the unit itself where there are none.

    >>> _scaled("M€"), _scaled("m USD"), _scaled("k"), _scaled("EUR"), _scaled("m")
    ((1000000.0, 'EUR'), (1000000.0, 'USD'), (1000.0, ''), (1.0, 'EUR'), (1.0, 'm'))
    """
    if unit in SCALES:
        return SCALES[unit], ""
    for sign, code in CURRENCIES.items():
        for rest in (unit.removesuffix(sign).strip(), unit.removeprefix(sign).strip()):
            if rest != unit and (not rest or rest in _WITH_MONEY):
                return _WITH_MONEY.get(rest, 1.0), code
    return 1.0, unit


def is_known(unit: str) -> bool:
    """Whether a word is a unit wherever it stands, rather than where a whole column has it."""
    return unit in CURRENCIES or unit == "%" or _scaled(unit)[0] != 1 or any(unit in family for family in _FAMILIES)


def common_unit(units: Iterable[str], wanted: str | None = None) -> str | None:
    """The unit that all of these are converted to, the smallest of them, or the `wanted` one; None where they differ.

    >>> common_unit({"kg", "g"}), common_unit({"k", "", "M"}), common_unit({"apples"}), common_unit({"kg", "m"})
    ('g', '', 'apples', None)
    """
    found = {*units}
    if wanted:
        return wanted if all(factor(unit, wanted) is not None for unit in found) else None
    if len(found) == 1 and _scaled(one := next(iter(found)))[0] == 1:
        return _scaled(one)[1]
    if "°" in found and all(factor(unit, "°") is not None for unit in found):
        return "°"
    for family in _FAMILIES:
        if found <= family.keys():
            return min(sorted(found), key=lambda unit: (abs(family[unit]), family[unit] < 0))
    bases = {_scaled(unit)[1] for unit in found}
    scaled = any(_scaled(unit)[0] != 1 for unit in found)
    return bases.pop() if len(bases) == 1 and (scaled or len(found) == 1) else None
