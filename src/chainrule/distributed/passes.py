"""One batch forward and back through a network, piece by piece, layer after layer.

A layer whose samples take part in one another's outputs (BatchNorm in training) sees the whole batch: its inputs, and
later its dvalues, are joined from all ranks, and every rank computes the layer on all of them. So it is the layer as it
is written, on the batch that one machine would have given it.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..graph import INPUTS, Graph
from ..layer import Array, Arrays, Context, Layer
from ..layers.dense import Dense
from ..nodes import Leaf, each_of, parts_of
from ..ranks import Team
from .pieces import pieces_of, share_of
from .sums import Sums, products_later

__all__ = ["PiecePasses"]

_LATER = products_later()


class PiecePasses:
    """The passes of one batch of `size` samples; the rank's own pieces are `spans`, rows of that batch."""

    def __init__(
        self,
        xp: Any,
        network: Graph,
        team: Team,
        values: Mapping[str, Array],
        context: Context,
        size: int,
        like: NDArray[Any],
    ) -> None:
        """`like` is an array of samples: their shape and dtype."""
        self.xp, self.network, self.team, self.values, self.context = xp, network, team, values, context
        self.dtype, self.shapes = like.dtype, network.flat.shapes(like.shape[1:])
        pieces = pieces_of(size)
        self.spans = [pieces[i] for i in share_of(len(pieces), team.rank, team.size)]
        shares = [[pieces[i] for i in share_of(len(pieces), rank, team.size)] for rank in range(team.size)]
        self.rows = [sum(span.stop - span.start for span in spans) for spans in shares]  # of each rank
        self.kept: dict[str, Any] = {}  # of each leaf: a list, one entry a piece; of a leaf that mixes, its own
        self.state: Arrays = {}
        self.needed: set[str] = set()  # the leaves whose dvalues something needs

    def forward(self, inputs: list[NDArray[Any]]) -> list[Arrays]:
        """The outputs of every leaf by name, one dict for each piece of inputs (b, ...)."""
        outputs: list[Arrays] = [{INPUTS: piece} for piece in inputs]
        for leaf in self.network.flat:
            found = self._whole(leaf, outputs) if self._mixes(leaf) else self._apart(leaf, outputs)
            for piece, output in zip(outputs, found, strict=True):
                piece[leaf.name] = output
        return outputs

    def _apart(self, leaf: Leaf, outputs: list[Arrays]) -> list[Array]:
        own, found = self._own(leaf), []
        self.kept[leaf.name] = []
        for span, piece in zip(self.spans, outputs, strict=True):
            read, inner = each_of(leaf.reads, piece), self._context(leaf, span.start)
            output, kept, _ = leaf.layer.forward_pass(self.xp, read, own, inner)
            self.kept[leaf.name].append(kept)
            found.append(output)
        return found

    def _whole(self, leaf: Leaf, outputs: list[Arrays]) -> list[Array]:
        whole = {name: self._joined(name, [piece[name] for piece in outputs]) for name in dict.fromkeys(leaf.sources)}
        read = each_of(leaf.reads, whole)
        output, kept, following = leaf.layer.forward_pass(self.xp, read, self._own(leaf), self._context(leaf, 0))
        self.kept[leaf.name] = kept
        self.state |= {leaf.arrays[local]: array for local, array in following.items()}
        return [output[span] for span in self.spans]

    def backward(self, dvalues: list[Array], sums: Sums) -> None:
        """From dL/d(predictions) of each piece: the gradient of every parameter in `sums`, layer after layer."""
        wanted = set(sums.shapes)
        tied: dict[str, list[Array]] = {full: [] for full in self.network.flat.ties.values()}
        arriving: list[Arrays] = [{self.network.flat.output: piece} for piece in dvalues]
        self.needed = _needed(self.network, wanted)
        for leaf in reversed(self.network.flat.leaves):
            if leaf.name not in self.needed:
                continue  # nothing that is trained lies before it
            upstream = [piece.pop(leaf.name) for piece in arriving]
            later = tied.keys().isdisjoint(leaf.arrays.values())
            found = self._back_whole(leaf, upstream) if self._mixes(leaf) else self._back_apart(leaf, upstream, later)
            for piece, (dinputs, _) in zip(arriving, found, strict=True):
                for source, gradient in _by_source(leaf, dinputs):
                    if source not in self.needed:
                        continue
                    piece[source] = piece[source] + gradient if source in piece else gradient
            for local, full in leaf.arrays.items():
                if full in wanted and local in leaf.layer.parameters:
                    own = [gradients[local] for _, gradients in found]
                    if full in tied:  # first over its uses in a piece, then over the pieces
                        tied[full] = [a + b for a, b in zip(tied[full], own, strict=True)] if tied[full] else own
                    else:
                        sums.add(full, own)
        for full, own in tied.items():
            if full in wanted:
                sums.add(full, own)

    def _back_apart(self, leaf: Leaf, upstream: list[Array], later: bool) -> list[tuple[Any, Arrays]]:
        own, kept, xp = self._own(leaf), self.kept.pop(leaf.name), self.xp
        if type(leaf.layer) is Dense:
            xp = _LATER if later else xp
            if self.needed.isdisjoint(leaf.sources):
                own["weights"] = own["weights"][:0]  # read for dinputs alone, which of no rows take no time
        return [
            leaf.layer.backward_pass(xp, piece, kept[i], own, self._context(leaf, span.start))
            for i, (span, piece) in enumerate(zip(self.spans, upstream, strict=True))
        ]

    def _back_whole(self, leaf: Leaf, upstream: list[Array]) -> list[tuple[Any, Arrays]]:
        """The gradients of the parameters, which are those of the whole batch, count as those of its first piece."""
        whole, kept = self._joined(leaf.name, upstream), self.kept.pop(leaf.name)
        dinputs, gradients = leaf.layer.backward_pass(self.xp, whole, kept, self._own(leaf), self._context(leaf, 0))
        nothing = {name: np.zeros_like(gradient) for name, gradient in gradients.items()}
        return [(_rows(dinputs, span), nothing if span.start else gradients) for span in self.spans]

    def _mixes(self, leaf: Leaf) -> bool:
        layer: Layer = leaf.layer
        return self._trains(leaf) and (layer.mixes_samples or bool(layer.state) or layer.least_batch > 1)

    def _trains(self, leaf: Leaf) -> bool:
        return self.context.training and not leaf.frozen

    def _context(self, leaf: Leaf, first_row: int) -> Context:
        return self.context._replace(training=self._trains(leaf), first_row=first_row, path=leaf.name)

    def _own(self, leaf: Leaf) -> Arrays:
        return {local: self.values[full] for local, full in leaf.arrays.items()}

    def _joined(self, name: str, pieces: list[Array]) -> Array:
        """What all ranks have of a value, (B, ...)."""
        own = np.concatenate([np.empty((0, *self.shapes[name]), self.dtype), *pieces])
        width = math.prod(self.shapes[name])
        return self.team.joined(own, [rows * width for rows in self.rows]).reshape(-1, *self.shapes[name])


def _needed(network: Graph, wanted: Collection[str]) -> set[str]:
    """The leaves whose dvalues something needs: a parameter that is wanted, of their own or of a leaf before them."""
    needed: set[str] = set()
    for leaf in network.flat:
        if any(full in wanted for full in leaf.arrays.values()) or any(name in needed for name in leaf.sources):
            needed.add(leaf.name)
    return needed


def _by_source(leaf: Leaf, dinputs: Any) -> Iterator[tuple[str, Array]]:
    """Each value that the leaf reads, and the gradient that goes back to it."""
    for path, source in parts_of(leaf.reads):
        gradient = dinputs
        for index in path:
            gradient = gradient[index]
        yield source, gradient


def _rows(tree: Any, span: slice) -> Any:
    return tuple(_rows(part, span) for part in tree) if isinstance(tree, tuple) else tree[span]
