"""What runs in a process of its own: a program as it is, or with the library's classes and one thing changed."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .. import book
from ..book import losses, world

__all__ = ["CHANGES", "run"]


def _init() -> None:
    sys.modules["nnfs"].init(random_seed=None)


def _exp() -> None:
    type(world.arithmetic).exp = staticmethod(np.exp)  # type: ignore[assignment]


def _product() -> None:
    type(world.arithmetic).matmul = staticmethod(np.matmul)  # type: ignore[assignment]


def _dtype() -> None:
    def init(*_: Any, random_seed: int | None = 0, **__: Any) -> None:
        world.init(False, "float64", random_seed)

    book.init = init


def _sum() -> None:
    def times(kind: Any) -> None:
        backward = kind.backward

        def summed(self: Any, dvalues: Any, y_true: Any) -> None:
            backward(self, dvalues, y_true)
            self.dinputs = self.dinputs * len(dvalues)

        kind.backward = summed

    times(losses.Loss)
    times(losses.Activation_Softmax_Loss_CategoricalCrossentropy)


def _scale(number: float) -> None:
    book.Layer_Dense.weight_scale = number


CHANGES: dict[str, Callable[..., None]] = {
    "init": _init, "exp": _exp, "order of sums": _product, "dtype": _dtype, "batch mean": _sum, "weight scale": _scale,
}  # fmt: skip


def _stand_in() -> None:
    """The book's helper package, which changes NumPy itself: so it does here too, in this process alone."""
    module, data = types.ModuleType("nnfs"), types.ModuleType("nnfs.datasets")
    vars(data).update({name: getattr(book, name) for name in ("spiral_data", "vertical_data", "sine_data")})
    zeros, eye, randn, dot = np.zeros, np.eye, np.random.randn, np.dot

    def init(dot_precision_workaround: bool = True, default_dtype: Any = "float32", random_seed: Any = 0) -> None:
        world.init(dot_precision_workaround, default_dtype, random_seed)
        replaced: Any = np
        if default_dtype:
            replaced.zeros = lambda shape, dtype=default_dtype, **k: zeros(shape, dtype, **k)
            replaced.eye = lambda n, *a, dtype=default_dtype, **k: eye(n, *a, dtype=dtype, **k)
            replaced.random.randn = lambda *shape: np.asarray(randn(*shape)).astype(default_dtype)[()]
        if dot_precision_workaround:
            exact: Any = np.float64
            replaced.dot = lambda a, b: np.asarray(
                dot(np.asarray(a).astype(exact), np.asarray(b).astype(exact))
            ).astype("float32")[()]

    vars(module).update(init=init, datasets=data)
    book.init = init
    sys.modules |= {"nnfs": module, "nnfs.datasets": data}


def run(kind: str, path: str, changes: list[str]) -> None:
    """Run the program as it is (`kind` "own"), or the text on standard input as that program with changes."""
    text = Path(path).read_text(encoding="utf-8") if kind == "own" else sys.stdin.read()
    _stand_in()
    for change in changes:
        name, _, number = change.partition("=")
        CHANGES[name](*([float(number)] if number else []))
    sys.argv, sys.path[0] = [path], str(Path(path).resolve().parent)
    main = types.ModuleType("__main__")
    vars(main)["__file__"] = path
    sys.modules["__main__"] = main
    exec(compile(text, path, "exec"), vars(main))


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2], sys.argv[3:])
