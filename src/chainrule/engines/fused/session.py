"""The fused engine at work on a task: flat arrays for the compiled function, and the threads that run it."""

from __future__ import annotations

import ctypes
import math
import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...blasthreads import one_thread
from ...layer import Arrays
from ..contract import Block, Outcome, Task
from . import layout as k
from .cache import address
from .foreign import address_of_gemm, address_of_yield, cores
from .lines import aligned_zeros
from .program import compile_network, functions_of, loss_of
from .segments import segments_of

__all__ = ["FusedSession"]

_WORK_FOR_THREADS = 2**20  # multiplications in a forward pass from which on two threads pay
_CACHE_BYTES = 2**19  # what outputs and gradients of a tile of samples may take
_SLOTS = {"velocity": 0, "momentum": 0, "cache": 1}  # in M or in V


class FusedSession:
    """Raises `NotCovered` for a task that the compiled functions cannot carry out."""

    def __init__(self, task: Task, values: Arrays, slots: Arrays) -> None:
        self.task, self.dtype = task, task.X.dtype
        gemm, wide = address_of_gemm("s" if self.dtype == np.float32 else "d")
        self.program = program = compile_network(task, bool(gemm))
        self.segments = segments_of(task, program.places)
        self.names = task.network.trainable_names()
        large = program.work * task.batch_size >= _WORK_FOR_THREADS and task.batch_size >= 32
        self.threads = 2 if large and cores() > 1 and not program.mixes else 1
        self.addresses = {name: address(name, self.dtype.name) for name in functions_of(task, program, self.segments)}
        self._lay_out(gemm, wide)
        self._targets()
        self.cuts = self._cuts()
        self.block = _callable(self.addresses["block"])
        self.load(values, slots)

    def _lay_out(self, gemm: int, wide: bool) -> None:
        """The arrays of samples, and what the compiled functions need to know."""
        task, program, shared = self.task, self.program, self.program.blas
        line = k.LINE
        whole = -(-task.batch_size // line) * line
        share = whole if shared else min(whole, -(-task.batch_size // self.threads // line) * line + line)
        fits = _CACHE_BYTES // (2 * program.rows * self.dtype.itemsize) // line * line
        tile = share if shared or program.mixes else min(share, max(64, fits))
        self.stride = tile + (0 if tile // line % 2 else line)  # rows on an odd number of cache lines apart
        areas = 1 if shared else self.threads
        self.A, self.D = (aligned_zeros((areas, program.rows, self.stride), self.dtype) for _ in range(2))
        self.A[:, program.ones] = 1
        self.T = aligned_zeros((areas, task.outputs + 1, self.stride), self.dtype)
        self.ops, self.plan = self._addressed(), np.zeros(k.SETTINGS, np.int64)
        still = task.batch_size == task.samples and tile * areas >= task.batch_size
        settings = {
            k.PER_EPOCH: task.steps_per_epoch, k.BATCH: task.batch_size, k.SAMPLES: task.samples,
            k.INPUTS: math.prod(task.X.shape[1:]), k.CLASSES: task.outputs, k.SIZE: program.size,
            k.STATE_END: program.total, k.STRIDE: self.stride, k.TILE: tile, k.LOSS: self.addresses[loss_of(task)],
            k.MEAN: task.loss.reduction == "mean", k.GEMM: gemm, k.WIDE: wide, k.YIELD: address_of_yield(),
            k.SEED: task.seed, k.X_BY_SAMPLES: program.by_samples, k.OUTPUT: program.output,
            k.WEIGHTED: task.weights is not None, k.LIMITED: task.optimizer.clip_norm is not None, k.SHARED: shared,
            k.AREA: 0 if shared else self.A[0].size, k.TARGETS: 0 if shared else self.T[0].size, k.STILL: still,
            k.OPS: len(self.ops), k.SEGMENTS: len(self.segments.names), k.RATES: len(self.names),
            k.GATHER: self.addresses["gather"],
        }  # fmt: skip
        for index, value in settings.items():
            self.plan[index] = value

    def _addressed(self) -> NDArray[np.int64]:
        """The operations with the addresses of their functions and with places that count entries."""
        ops = self.program.table.copy()
        for column in (k.X, k.Y, k.KEPT, k.OTHER):
            ops[:, column] *= self.stride
        for row, names in zip(ops, self.program.names, strict=True):
            row[[k.FORWARD, k.BACKWARD, k.GRADIENTS]] = [self.addresses[name] if name else 0 for name in names]
        for row, name in zip(self.segments.table, self.segments.names, strict=True):
            row[k.UPDATE] = self.addresses[name]
        return ops

    def _cuts(self) -> NDArray[np.int64]:
        """Where each thread's part of the parameters begins: at a row of a dense layer's weights, or at a layer."""
        size, ops = self.program.size, self.program.table
        cuts = [0]
        for thread in range(1, self.threads):
            aim = size * thread // self.threads
            begins = [0, size]
            for op, (_, _, gradients) in zip(ops, self.program.names, strict=True):
                if gradients:
                    rows = op[k.FEATURES] + 1 if op[k.OUTPUTS] else 1
                    begins += [op[k.PARAMETERS] + row * op[k.OUTPUTS] for row in range(rows)]
            cuts.append(max(cuts[-1], min(begins, key=lambda begin: abs(begin - aim))))
        return np.array([*cuts, size], np.int64)

    def _targets(self) -> None:
        task, loss = self.task, self.task.loss
        numbers = np.zeros(k.NUMBERS)
        clip = getattr(loss, "clip", None)
        numbers[k.LOSS_NUMBER] = getattr(loss, "delta", 0.0) if clip is None else clip
        numbers[k.LOSS_TOP] = 1 - max(clip or 0.0, float(np.finfo(self.dtype).eps) / 2)
        smoothing = getattr(loss, "label_smoothing", 0.0)
        numbers[k.ON], numbers[k.OFF] = 1 - smoothing + smoothing / task.outputs, smoothing / task.outputs
        bound = task.optimizer.clip_norm, task.optimizer.clip_value
        numbers[k.CLIP_NORM], numbers[k.CLIP_VALUE] = (math.inf if limit is None else limit for limit in bound)
        self.numbers, self.labels = numbers, np.zeros(0, np.int64)
        encoded: Any = task.encoded
        if encoded is None and task.y.ndim == 1 and loss.metric == "accuracy" and task.outputs > 1:
            self.labels, encoded = task.y.astype(np.int64), np.zeros(0, self.dtype)
            self.plan[k.LABELLED] = 1
        elif encoded is None:
            encoded = np.concatenate([task.targets(slice(i, i + 4096)) for i in range(0, task.samples, 4096)])
        self.encoded = np.ascontiguousarray(encoded, self.dtype).reshape(-1)
        self.X = np.ascontiguousarray(task.X).reshape(-1)
        self.weights = np.zeros(0) if task.weights is None else np.ascontiguousarray(task.weights, np.float64)

    def load(self, values: Arrays, slots: Arrays) -> None:
        program = self.program
        self.P = aligned_zeros(program.total, self.dtype)
        self.G = aligned_zeros(self.threads * program.size, self.dtype)
        kinds = {name.rpartition(".")[2] for name in slots}
        self.M, self.V = (
            aligned_zeros(program.size if any(_SLOTS[kind] == i for kind in kinds) else 0, self.dtype) for i in (0, 1)
        )
        for name, (begin, end) in program.places.items():
            self.P[begin:end] = values[name].ravel()
        self.shapes = {name: value.shape for name, value in values.items()}
        self.slot_names = list(slots)
        for name, value in slots.items():
            self._slot(name)[:] = value.ravel()
        self.counters = aligned_zeros((self.threads + 1) * k.SPACING, np.int64)
        self.held = (
            self.plan, self.numbers, self.ops, self.program.numbers, self.segments.table, self.segments.settings,
            self.cuts, self.X, self.encoded, self.labels, self.weights, self.P, self.G, self.M, self.V, self.A, self.D,
            self.T, self.counters, aligned_zeros((self.threads, 8), np.float64),
        )  # fmt: skip
        self.places = [array.ctypes.data for array in self.held]

    def _slot(self, name: str) -> NDArray[Any]:
        own, _, kind = name.rpartition(".")
        begin, end = self.program.places[own]
        return (self.M, self.V)[_SLOTS[kind]][begin:end]

    def run(self, block: Block) -> Outcome:
        task, plan = self.task, self.plan
        plan[k.STEP], plan[k.STEPS], plan[k.FIRST] = block.step, block.steps, block.first
        plan[k.SHUFFLED], plan[k.PREDICT] = block.order is not None, block.predict
        order = np.zeros(0, np.int64) if block.order is None else np.ascontiguousarray(block.order)
        sizes = [size for _, size in block.batches(task)] if block.predict else []
        predictions = np.zeros(sum(sizes) * task.outputs, self.dtype)
        losses, penalties = np.zeros(block.steps), np.zeros(block.steps)
        arrays = (np.ascontiguousarray(block.rates), order, losses, penalties, predictions)
        done = self._call(arrays)
        met = predictions.reshape(-1, task.outputs) if block.predict else None
        return Outcome(done, losses[:done], penalties[:done], met)

    def _call(self, arrays: tuple[NDArray[Any], ...]) -> int:
        """The compiled loop on the arrays of the session and on those of a block."""
        arguments = (*self.places, *(array.ctypes.data for array in arrays))
        self.counters[:] = 0
        if self.threads == 1 and not self.program.blas:
            return int(self.block(0, 1, *arguments))

        def take_part(number: int, held: Any = (arrays, self.held)) -> None:
            self.block(number, self.threads, *arguments)  # what is `held` outlives this call, whoever is interrupted

        others = [threading.Thread(target=take_part, args=(number,), daemon=True) for number in range(1, self.threads)]
        with one_thread():
            try:
                for other in others:
                    other.start()
                return int(self.block(0, self.threads, *arguments))
            except BaseException:
                self.counters[k.ABORT] = 1  # Ctrl-C before this thread's own call: the others must not wait for it
                raise
            finally:
                for other in others:
                    if other.ident is not None:
                        other.join()

    def values(self) -> Arrays:
        return {name: self.P[slice(*self.program.places[name])].reshape(s).copy() for name, s in self.shapes.items()}

    def slots(self) -> Arrays:
        return {n: self._slot(n).reshape(self.shapes[n.rpartition(".")[0]]).copy() for n in self.slot_names}

    def gradient_squares(self) -> dict[str, float]:
        places = self.program.places
        return {n: float(np.sum(np.square(self.G[slice(*places[n])], dtype=np.float64))) for n in self.names}


def _callable(address: int) -> Any:
    """The compiled loop; the interpreter's lock is free while it runs."""
    whole, pointer = ctypes.c_int64, ctypes.c_void_p
    return ctypes.CFUNCTYPE(whole, whole, whole, *[pointer] * 25)(address)
