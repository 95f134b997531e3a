"""The session of a distributed run: a step is the passes over the rank's own pieces, one sum, and the same update."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..backprop import Pass
from ..engines.contract import Block, Outcome, Task
from ..engines.fused.adam import step_in_one_pass
from ..engines.numpy import Updates, UpdatesSession, inferred, sum_of_squares
from ..layer import Arrays, Context
from ..ranks import Team
from .passes import PiecePasses
from .pieces import pieces_of, share_of
from .recorder import PieceRecorder
from .sums import Scratch, Sums

__all__ = ["PiecesSession"]

_ROWS = 128  # samples that are inferred together


class PiecesSession(UpdatesSession):
    """An engine whose numbers depend neither on the number of ranks nor on who computes what."""

    def __init__(self, team: Team, task: Task, values: Arrays, slots: Arrays) -> None:
        self.team, self.task = team, task
        self.updates = Updates(task, values, slots, step_in_one_pass)
        self.room = Scratch() if self.updates.keeps_no_gradient() else None

    def run(self, block: Block) -> Outcome:
        task, network, rates = self.task, self.task.network, block.rates.tolist()
        recorder = PieceRecorder(self.team, task, block) if block.record else None
        losses, penalties, terms = [], [], network.penalty_terms()
        with np.errstate(all="ignore"):
            for index, (rows, size) in enumerate(block.batches(task)):
                self.team.at(block.step + index)
                result = self._pass(rows, size, block.step + index, recorder)
                penalty = self._penalize(result.gradients, terms)
                finite = math.isfinite(result.data_loss + penalty)
                if not (finite and self.updates.step(block.step + index, result, rates[index])):
                    break
                losses.append(result.data_loss)
                penalties.append(penalty)
                if recorder is not None and recorder.looks(index):
                    recorder.squares([sum_of_squares(result.gradients[name]) for name in self.updates.names])
        whole = recorder is not None and len(losses) == block.steps
        records = recorder.finished(penalties) if recorder is not None and whole else None
        return Outcome(len(losses), np.array(losses), np.array(penalties), records)

    def _pass(self, rows: Any, size: int, step: int, recorder: PieceRecorder | None) -> Pass:
        """One batch: its loss, and the gradients of what is trained, penalties left out."""
        task, xp, network = self.task, self.updates.xp, self.task.network
        context = Context(not network.frozen, task.seed, step)
        passes = PiecePasses(xp, network, self.team, self.updates.values, context, size, task.X)
        own = [_rows_of(rows, span) for span in passes.spans]
        shares = task.shares(rows, size)  # (B,1)
        outputs = passes.forward([task.X[each] for each in own])
        shapes = {name: self.updates.values[name].shape for name in self.updates.names}
        sums = Sums(self.team, shapes, task.X.dtype, len(pieces_of(size)), self.room)
        predictions = [piece[network.flat.output] for piece in outputs]
        parts, dvalues = [], []
        for span, each, predicted in zip(passes.spans, own, predictions, strict=True):
            losses, kept = task.loss.forward_pass(xp, predicted, task.targets(each))  # (b,)
            parts.append(xp.sum(losses * shares[span, 0]))
            dvalues.append(task.loss.backward_pass(xp, shares[span], kept))
        passes.backward(dvalues, sums)
        sums.add_losses(parts)
        if recorder is not None:
            first = share_of(len(pieces_of(size)), self.team.rank, self.team.size).start
            recorder.add(first, own, parts, predictions, outputs)
        loss, gradients = sums.whole()
        nothing = np.zeros(0)
        return Pass(loss, 0.0, nothing, nothing, nothing, nothing, gradients, passes.state)

    def _penalize(self, gradients: Arrays, terms: Any) -> float:
        """Add the gradients of the penalties, once for the whole batch; returns what they are."""
        xp, penalty = self.updates.xp, 0.0
        for name, own in terms.items():
            for term in own:
                available = {"parameter": self.updates.values[name]}
                penalty = penalty + float(term.run_forward(xp, available)[0])
                if name in gradients:
                    gradients[name] = gradients[name] + term.run_backward(xp, 1, available)["parameter"]
        return penalty

    def outputs(self, X: NDArray[Any]) -> NDArray[Any]:
        """Every rank computes some batches, and all hear of all."""
        network, values = self.task.network, self.updates.values

        def part(index: int) -> NDArray[Any]:
            return inferred(network, values, X[index * _ROWS : (index + 1) * _ROWS])

        found: NDArray[Any] = self.team.heard(self.team.shared(max(1, -(-len(X) // _ROWS)), part))
        return np.concatenate(found)


def _rows_of(rows: Any, span: slice) -> Any:
    """Some rows of a batch, which is given as a slice or as indices."""
    if isinstance(rows, slice):
        return slice(rows.start + span.start, rows.start + span.stop)
    found: NDArray[np.int64] = rows[span]
    return found
