"""What a backward pass wants to be handed, by the names of its arguments: several ways where there is a choice."""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Container, Iterator
from typing import Any, NamedTuple

import numpy as np

from .calls import loss_place
from .inplace import buffers_of
from .names import RATES, TARGETS, TRAINING, same_stem
from .plans import Passes
from .signatures import parameters_of, returned_names
from .steps import rates_of

__all__ = ["Manner", "manners", "unknown_to"]

_UPSTREAM = re.compile(
    r"(?i)^(d\w*|\u03b4\w*|\u2202\w*|delta\w*|\w*grad\w*|upstream\w*|err(or)?s?|accum\w*|eta|g|top_?diff|above|back\w*)$"
)
_CACHE = re.compile(r"(?i)(^|_)(cache[sd]?|ctx|memory|tape|saved|stash|state_cache|aux)$|^cache")
_ACTIVATED = ("a", "y", "o", "h")  # what an activation gives, where it does not take an argument of that name
_OUTPUT = re.compile(r"(?i)^(out(put)?s?|y_?pred|y_?hat|pred(iction)?s?|al|probs?|a|activated|activations?)$")
_BACKWARD = re.compile(r"(?i)back|bprop")
_LOCAL = re.compile(r"(?i)prime|deriv|gradient|^grad|_grad$|^d_?f|^der|^df|^d[a-z]+$|jacobian")
_MOST = 32


class Manner(NamedTuple):
    """What kind of thing it is, what backward is handed, and which of the things returned are outputs."""

    kind: str
    slots: tuple[str, ...]
    outputs: tuple[int, ...]


def manners(call: Passes, names: tuple[str, ...], target: str, returned: Any, value: Any) -> Iterator[Manner]:
    """Every way to run the backward pass of a call that returned this; the likeliest first."""
    if call.gradient is None:
        yield Manner("loss", (), (loss_place(returned_names(call.of(call.value, call.item))),))
        return
    wants = _wants(call, names, not target)
    number = np.ndim(value) == 0 or (np.size(value) == 1 and bool(target))
    seen: set[Manner] = set()
    for reading in _all(call, names, target, returned, wants, number):
        if reading not in seen:
            seen.add(reading)
            yield reading
        if len(seen) >= _MOST:
            return


def _wants(call: Passes, names: tuple[str, ...], layer: bool) -> list[str]:
    """What backward is handed: what it must be, and settings that forward is handed too; of a layer always the first.

    The upstream gradient may be 1 or None by default.
    """
    backward = call.of(call.gradient, call.item)
    known, rates = list(parameters_of(backward).items()), rates_of(backward)
    set_too = [i for i, (name, _) in enumerate(known) if name in dict(call.words) and name in names]
    last = max(set_too, default=-1)  # arguments go by place: all before it must be known
    return [
        name
        for i, (name, default) in enumerate(known)
        if default is inspect.Parameter.empty
        or name in rates
        or name.lower() in TRAINING
        or (name in names and i <= last)
        or (layer and not i and _UPSTREAM.match(name))
    ]


def unknown_to(call: Passes, names: tuple[str, ...], slots: tuple[str, ...], layer: bool) -> list[str]:
    """The arguments of the backward pass that say nothing of what they are, and got what was left."""
    if call.gradient is None:
        return []
    lower = {name.lower() for name in names}
    return [
        name
        for position, (name, slot) in enumerate(zip(_wants(call, names, layer), slots, strict=False))
        if position
        and not slot.startswith(("cache", "returned", "upstream", "rate", "buffer"))
        and name.lower() not in {*lower, *RATES, *TRAINING, *TARGETS, "xp", "ctx"}
        and not any(pattern.search(name) for pattern in (_UPSTREAM, _CACHE, _OUTPUT))
    ]


def _all(
    call: Passes, names: tuple[str, ...], target: str, returned: Any, wants: list[str], number: bool
) -> Iterator[Manner]:
    named = call.gradient if isinstance(call.gradient, str) else call.gradient.__name__
    backward = _BACKWARD.search(named) is not None
    local = bool(_LOCAL.search(re.sub(r"^_+", "", named))) and not backward
    anew = backward and len(wants) == 1 and not target
    several = isinstance(returned, tuple | list)
    rates = rates_of(call.of(call.gradient, call.item))
    behind = returned_names(call.of(call.value, call.item)) if several else ()
    options = [
        [f"returned:{behind.index(name)}"]
        if name in behind[1:] and name not in names and not _CACHE.search(name)
        else _options(name, anew, position, names, target, local, number, rates)
        for position, name in enumerate(wants)
    ]
    _place_buffers(options, wants, call, [n for n in names if n not in (target, "xp", "ctx")])
    left = [i for i, each in enumerate(options) if each[0] == "cache" and not _CACHE.search(wants[i])]
    if backward and not target and len(left) == 1 and not any("upstream" in each for each in options):
        options[left[0]].insert(0, "upstream")  # all the others are known: it is what is left
    if not isinstance(returned, tuple | list):  # there is no cache to hand on
        options = [[o for o in each if o != "cache"] or each for each in options]
    for slots in itertools.islice(itertools.product(*options), _MOST):
        for placed, outputs in _placed(slots, returned, call):
            has_upstream = any(slot.partition(":")[0] in ("upstream", "upstreams", "list") for slot in placed)
            if number or (target and not has_upstream):
                yield Manner("loss", tuple("one" if s.startswith("upstream") else s for s in placed), outputs)
            if has_upstream and not number:
                yield Manner("layer", placed, outputs)
            if (not has_upstream and local and not number) or (
                not has_upstream and not number and not target and any(s.startswith("argument") for s in placed)
            ):
                yield Manner("derivative", placed, outputs)


def _place_buffers(options: list[list[str]], wants: list[str], call: Passes, names: list[str]) -> None:
    """Arrays of zeros for the arguments into which backward adds its gradients, each for what it is named after."""
    own = [name for name in buffers_of(call.of(call.gradient, call.item)) if name in wants and name not in names]
    for name in own:
        of = [n for n in names if same_stem(name, n)] or (names[:1] if len(own) == 1 else [])
        if of and (name != wants[0] or len(wants) > len(own)):
            options[wants.index(name)] = [f"buffer:{of[0]}"]


def _options(
    name: str,
    anew: bool,
    position: int,
    names: tuple[str, ...],
    target: str,
    local: bool,
    number: bool,
    rates: Container[str],
) -> list[str]:
    low = name.lower()
    mine = next((n for n in names if n == name), None) or next((n for n in names if n.lower() == low), None)
    if (low in RATES or name in rates) and mine is None:
        first = low == "eta" and not position and not target and not local  # η is an error signal as well
        return ["upstream", "rate"] if anew or first else ["rate"]
    if name in ("xp", "ctx"):
        return [name]
    if mine is not None and mine == target:
        return ["target"]
    if mine is not None and anew:
        return ["upstream", f"argument:{mine}"]  # a variable of the same name used anew
    if mine is not None:
        return [f"argument:{mine}"] + (["activated"] if target else ["output"] if local else [])
    if low in TRAINING:
        return ["training"]
    if _CACHE.search(name):
        return ["cache"]
    if target and low in TARGETS:
        return ["target"]
    others = [f"argument:{n}" for n in names if n not in (target, "xp", "ctx")][:1]
    if target:
        compared = ["activated", *others, "one", "cache"]
        if not number and _UPSTREAM.match(name):
            compared = [*compared[:2], "upstream", *compared[2:]]
        return ["one", *compared[:2]] if number and re.match(r"(?i)^d(out|loss|l)?$|^grad", name) else compared
    if local and not _UPSTREAM.match(name):
        return ["output", *others] if _OUTPUT.match(name) or low in _ACTIVATED else [*others, "output"]
    if _UPSTREAM.match(name) or position == 0:
        return ["upstream"]
    every = [f"argument:{n}" for n in names if n not in (target, "xp", "ctx")]
    return ["output"] if _OUTPUT.match(name) else ["cache", "output", *every]


def _placed(slots: tuple[str, ...], returned: Any, call: Passes) -> Iterator[tuple[tuple[str, ...], tuple[int, ...]]]:
    """The slots with their numbers, and the places of the outputs that go with them."""
    ups = [i for i, slot in enumerate(slots) if slot == "upstream"]
    caches = [i for i, slot in enumerate(slots) if slot == "cache"]
    if not isinstance(returned, tuple | list) or isinstance(returned, np.ndarray):
        if not caches and len(ups) < 2:
            yield slots, ()
        return
    arrays = 0
    while arrays < len(returned) and _is_output(returned[arrays]):
        arrays += 1
    numbered = list(slots)
    for place, i in enumerate(caches):
        numbered[i] = f"cache:{place - len(caches)}"
    for place, i in enumerate(ups):
        numbered[i] = f"upstream:{place}"
    outputs = tuple(range(max(len(ups), 1)))
    left = len(returned) - len(outputs)
    if len(ups) == 1 and not caches and arrays > 1 and not call.functions:
        several = tuple(range(arrays))
        yield tuple("upstreams" if s.startswith("upstream") else s for s in numbered), several
        yield tuple("list" if s.startswith("upstream") else s for s in numbered), several
    if len(caches) <= left:
        yield tuple(numbered), outputs
    if len(caches) == 1 and left > 1:
        yield tuple("cache" if s.startswith("cache") else s for s in numbered), outputs


def _is_output(value: Any) -> bool:
    return isinstance(value, np.ndarray | np.floating | float) and np.asarray(value).dtype.kind == "f"
