"""Passes whose names are not English: which go together by words of several languages, and by what they hand on."""

from __future__ import annotations

import ast
import inspect
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .signatures import parameters_of, source_of

__all__ = ["flows_into", "methods_together", "names_backward", "pairs_together"]

# Backward and derivative in Spanish, Portuguese, Italian, French and German, without accents.
_BACK = re.compile(
    r"atras|(?<![a-z])tras(?![a-z])|retro[a-z]*|ru?e?ckw(ae|a)rts?|ru?e?ck(propag|fuhr|fuehr)[a-z]*|arriere|indietro|"
    r"derivad[ao]s?|derivat[ai](?![a-z])|derivees?|derivar|derivazion[ei]|ableitung[a-z]*|abgeleitet[a-z]*|"
    r"gradient(e|es|en|i)(?![a-z])"
)
_FORWARD = re.compile(
    r"adelante|avant|vorw(ae|a)rts|avanti|(?<![a-z])frente|propag[a-z]*|durchlauf|"
    r"(?<![a-z])(calcul|berechn|calcol)[a-z]*"
)
_NEITHER = re.compile(
    r"numer|check|plot|test|descent|descen|abstieg|update|clip|norm|train|fit|step|predi|load|save|init|reset|zero|score"
)
_SMALL = {"de", "la", "le", "el", "del", "der", "des", "die", "da", "do", "di", "du", "von", "of", "the", "hacia",
          "para", "em", "en", "a", "pass", "passe", "paso", "passo", "schritt", "funcion", "fonction", "funktion",
          "funzione", "funcao", "f", "y"}  # fmt: skip


def names_backward(name: str) -> bool:
    """Whether a name says backward or derivative in one of a few languages other than English.

    >>> names_backward("rückwärts"), names_backward("derivada_custo"), names_backward("adelante")
    (True, True, False)
    """
    return _BACK.search(_plain(name)) is not None and not _NEITHER.search(_plain(name))


def _plain(name: str) -> str:
    """Small letters without accents, words apart."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return "".join(c for c in unicodedata.normalize("NFKD", apart.lower()) if not unicodedata.combining(c))


def _kept(name: str) -> frozenset[str]:
    """The words of a name that say neither forward nor backward."""
    rest = _FORWARD.sub("_", _BACK.sub("_", _plain(name)))
    return frozenset(re.split(r"[_\d]+", rest)) - _SMALL - {""}


# Functions


def pairs_together(functions: Mapping[str, Callable[..., Any]], taken: set[str]) -> Iterator[tuple[str, str]]:
    """Pairs among the functions that no English name tells, each as forward and backward.

    What one hands on and the other takes apart comes first, then what their names have in common.
    """
    free = {n: f for n, f in functions.items() if n not in taken and _takes(f) and not _NEITHER.search(_plain(n))}
    for name, function in free.items():
        others = {n: f for n, f in free.items() if n != name and not names_backward(n)}
        forward = next((n for n, f in others.items() if flows_into(f, function)), "")
        if not forward and names_backward(name):
            alike = [n for n in others if _kept(n) == _kept(name)]
            forward = next((n for n in alike if _kept(n) or _FORWARD.search(_plain(n))), "")
        if forward:
            yield forward, name


def _takes(function: Callable[..., Any]) -> bool:
    try:
        return bool(parameters_of(function))
    except (TypeError, ValueError):
        return False


def flows_into(forward: Callable[..., Any], backward: Callable[..., Any]) -> bool:
    """Whether forward returns a tuple behind its value that backward takes apart, under the same names.

    Arguments of forward are in it, as in what is kept for a backward pass, and backward takes something beside it.

    >>> def scale(x, a): return a * x, (x, a)
    >>> def elacs(d, kept):
    ...     x, a = kept
    ...     return a * d, (x * d).sum()
    >>> flows_into(scale, elacs), flows_into(elacs, scale)
    (True, False)
    """
    arguments = set(parameters_of(forward))
    handed = {names for names in _tuples_returned(source_of(forward)) if arguments & {*names}}
    if not handed or len(parameters_of(backward)) < 2:
        return False
    again = _taken_apart(source_of(forward), arguments)  # it goes on from what it is handed: a step of a state
    return bool(handed & _taken_apart(source_of(backward), set(parameters_of(backward))) - again)


def _tree(source: str) -> ast.AST:
    try:
        return ast.parse(source)
    except SyntaxError:
        return ast.Pass()


def _tuples_returned(source: str) -> set[tuple[str, ...]]:
    """The tuples of two names and more that are returned behind something else, by themselves or under a name."""
    tree, made = _tree(source), dict[str, tuple[str, ...]]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and _names(node.value):
            made[node.targets[0].id] = _names(node.value)
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple):
            for each in node.value.elts[1:]:
                found.add(made.get(each.id, ()) if isinstance(each, ast.Name) else _names(each))
    return found - {()}


def _names(node: ast.AST) -> tuple[str, ...]:
    names = [e.id for e in node.elts if isinstance(e, ast.Name)] if isinstance(node, ast.Tuple) else []
    return tuple(names) if isinstance(node, ast.Tuple) and len(names) == len(node.elts) > 1 else ()


def _taken_apart(source: str, parameters: set[str]) -> set[tuple[str, ...]]:
    return {
        _names(node.targets[0])
        for node in ast.walk(_tree(source))
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name) and node.value.id in parameters
    } - {()}


# Methods


def methods_together(kind: type, own: set[str]) -> Iterator[tuple[str, str]]:
    """Pairs of methods, the second of which says backward in another language and reads what the first has stored.

    Where it stores nothing, as in a loss or an activation, the first takes the same arguments.
    """
    methods = {n: getattr(kind, n) for base in kind.__mro__[:-1] for n in vars(base) if n in own and n != "__init__"}
    methods = {n: m for n, m in methods.items() if inspect.isroutine(m) and _takes_more(m)}
    methods = {n: m for n, m in methods.items() if not _NEITHER.search(_plain(n))}
    for name, backward in methods.items():
        if not names_backward(name):
            continue
        others = {n: m for n, m in methods.items() if n != name and not names_backward(n) and name not in source_of(m)}
        reads = _attributes(backward, ast.Load) - {*methods}
        stores = {n: _attributes(m, ast.Store) & reads for n, m in others.items()}
        made = sorted(
            (n for n in others if stores[n]), key=lambda n: (_FORWARD.search(_plain(n)) is None, -len(stores[n]))
        )
        alike = [n for n, m in others.items() if _arguments(m) == _arguments(backward)]
        same = [n for n in others if _kept(n) == _kept(name)]
        for forward in dict.fromkeys([*made, *same, *alike]):
            yield forward, name


def _takes_more(method: Any) -> bool:
    return _takes(method) and bool(_arguments(method))


def _arguments(method: Any) -> list[str]:
    try:
        return [name for name in parameters_of(method) if name not in ("self", "cls")]
    except (TypeError, ValueError):
        return []


def _attributes(method: Any, context: type[ast.expr_context]) -> set[str]:
    return {
        node.attr
        for node in ast.walk(_tree(source_of(method)))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"
        and isinstance(node.ctx, context)
    }  # fmt: skip
