"""Formulas written out again: as Python's own `ast.unparse` writes them."""

from __future__ import annotations

import ast

from hypothesis import given
from hypothesis import strategies as st

from chainrule.explaining.formula import unparsed

CONSTANTS = st.one_of(
    st.integers(0, 99), st.floats(0, 1e9), st.just(float("inf")), st.sampled_from(["dense_0", "a 'b'", ...])
).map(ast.Constant)
NAMES = st.sampled_from(["a", "w", "beta1"]).map(lambda name: ast.Name(name, ast.Load()))
ATOMS = st.one_of(CONSTANTS, NAMES)
OPERATORS = st.sampled_from([ast.Add(), ast.Sub(), ast.Mult(), ast.Div(), ast.Pow()])
COMPARISONS = st.sampled_from([ast.Gt(), ast.GtE(), ast.Lt(), ast.LtE(), ast.Eq(), ast.NotEq()])


def larger(parts: st.SearchStrategy[ast.expr]) -> st.SearchStrategy[ast.expr]:
    several = st.lists(parts, min_size=2, max_size=3)
    inside = st.one_of(ATOMS, several.map(lambda found: ast.Tuple(found, ast.Load())))
    return st.one_of(
        st.builds(ast.BinOp, parts, OPERATORS, parts),
        st.builds(lambda part: ast.UnaryOp(ast.USub(), part), parts),
        st.builds(lambda base, index: ast.Subscript(base, index, ast.Load()), ATOMS, inside),
        st.builds(lambda name, found: ast.Call(name, found, []), NAMES, several),
        st.builds(lambda left, sign, right: ast.Compare(left, [sign], [right]), parts, COMPARISONS, parts),
        st.builds(ast.IfExp, parts, parts, parts),
    )


@given(st.recursive(ATOMS, larger, max_leaves=12))
def test_a_formula_is_written_as_python_writes_it(node: ast.expr) -> None:
    assert unparsed(node) == ast.unparse(node)
