"""Text for a terminal that cannot show every character: Σ as sum, ∂ as d, ŷ as yhat."""

from __future__ import annotations

import codecs
import sys

__all__ = ["SPELLED", "printable", "spelled"]

SPELLED = "chainrule.spelled"  # how a stream is told to spell what its encoding lacks: `errors=SPELLED`

_NAMES = {
    **{"α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "eps", "η": "eta", "λ": "lambda", "μ": "mu"},
    **{"π": "pi", "ρ": "rho", "σ": "sigma", "φ": "phi", "Φ": "Phi", "Σ": "sum"},
    **{"ℓ": "l", "ŷ": "yhat", "ĉ": "chat", "\N{COMBINING CIRCUMFLEX ACCENT}": "hat", "∂": "d", "√": "sqrt", "∞": "inf"},
    **{"₁": "1", "₂": "2", "²": "^2", "³": "^3", "·": "*", "×": "x", "−": "-", "±": "+-", "≈": "~"},
    **{"≠": "!=", "≤": "<=", "≥": ">=", "→": "->", "←": "<-", "…": "...", "–": "-", "—": "-", "’": "'", "′": "'"},
    **{
        "░": ".",
        "▒": ":",
        "▓": "%",
        "█": "#",
        "━": "-",
        "─": "-",
        "│": "|",
        "•": "*",
        "½": "1/2",
        "µ": "u",
        "ᵀ": "^T",
        "∑": "sum",
        "✓": "ok",
        "✗": "x",
    },
}


def _spell(error: UnicodeError) -> tuple[str | bytes, int]:
    """What stands in the place of characters that an encoding lacks: their spelling, or ?."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_NAMES.get(c, "?") for c in error.object[error.start : error.end]), error.end


codecs.register_error(SPELLED, _spell)


def spelled(text: str, encoding: str) -> str:
    """The text with what the encoding lacks spelled out.

    >>> spelled("∂L/∂ŷ = Σ_n w[n]²", "ascii")
    'dL/dyhat = sum_n w[n]^2'
    """
    return text.encode(encoding, SPELLED).decode(encoding)


def printable(text: str) -> str:
    """The text as `print` can write it: what the encoding of standard output lacks is spelled out."""
    encoding = getattr(sys.stdout, "encoding", None)
    try:
        return text if text.isascii() or not encoding else spelled(text, encoding)
    except LookupError:  # an encoding that Python does not know
        return text
