"""Formulas as data: a formula is a line of Python such as `S[b,j]*(delta(j,k) - S[b,k])`.

It can be printed as text, LaTeX and MathML (see `notation`), calculated with numbers, arrays, `Value` or SymPy, and
written again with numbers in the place of its symbols, which gives a formula too.

- `w[i,n]` is a symbol with indices; `...` stands for any number of indices; a name in quotes is printed as it is.
- An index letter in upper case is its size: `N` for `n`.
- `sum(k, e)`, `delta(j, k)`, `a if x > 0 else b`, `max(a, b)`, `min(a, b)`, `exp`, `log`, `sqrt`, `abs`, `sign`, `sin`,
  `cos`, `sinh`, `cosh`, `tanh`, `arctan`, `erfc`, `sigma` (the logistic function), `Phi` and `phi` (the normal
  distribution and its density).
- `D(a, b)` is ∂a/∂b, which is printed and never calculated.
"""

from .arithmetic import ARRAYS, SCALARS, VALUES, Arithmetic
from .evaluation import NO_NAMES, Scope, evaluate
from .language import derivative_symbol, fixed, free_indices, index_sizes, parse, pattern, symbol
from .rewriting import Rewrite, bound, rounded, substituted
from .unparsing import unparsed

__all__ = [
    "ARRAYS",
    "NO_NAMES",
    "SCALARS",
    "VALUES",
    "Arithmetic",
    "Rewrite",
    "Scope",
    "bound",
    "derivative_symbol",
    "evaluate",
    "fixed",
    "free_indices",
    "index_sizes",
    "parse",
    "pattern",
    "rounded",
    "substituted",
    "symbol",
    "unparsed",
]
