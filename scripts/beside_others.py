"""The same ten right and ten wrong backward passes, checked by this library, PyTorch, JAX and SciPy, in one table.

Each pass is written once, for NumPy. What the others need around it is written here: a `torch.autograd.Function`, a
`jax.custom_vjp` with callbacks, and for SciPy a function of one vector, the sum of the outputs times fixed numbers.
Each tool runs with its own defaults, in float64. A tool that is not installed is left out.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from chainrule import check

RNG = np.random.default_rng(0)


class Pass(NamedTuple):
    """A backward pass: the arrays it takes, forward, backward, and whether it is right."""

    inputs: dict[str, Any]
    forward: Callable[..., Any]
    backward: Callable[..., Any]  # (dvalues, *inputs) -> a gradient for each input
    right: bool


def softmax(x: Any) -> Any:
    """Softmax of each row."""
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def norm(x: Any) -> tuple[Any, Any]:
    """Each column with mean 0 and variance 1, and what it was divided by."""
    s = np.sqrt(((x - x.mean(0)) ** 2).mean(0) + 1e-5)
    return (x - x.mean(0)) / s, s


def norm_back(d: Any, x: Any) -> Any:
    """The gradient of `norm`."""
    z, s = norm(x)
    return (d - d.mean(0) - z * (d * z).mean(0)) / s


def conv(x: Any, w: Any) -> Any:
    """A valid convolution of rows with one kernel, without a flip."""
    return np.stack([(x[:, i : i + len(w)] * w).sum(1) for i in range(x.shape[1] - len(w) + 1)], axis=1)


def conv_back(d: Any, x: Any, w: Any) -> Any:
    """The gradients of `conv`."""
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for i in range(d.shape[1]):
        dx[:, i : i + len(w)] += d[:, i : i + 1] * w
        dw += (d[:, i : i + 1] * x[:, i : i + len(w)]).sum(0)
    return dx, dw


def embedding_back(d: Any, w: Any, once: bool = False) -> Any:
    """The gradient of the table; with `once` a word that comes twice counts once."""
    dw = np.zeros_like(w)
    if once:
        dw[EMBEDDED] += d
    else:
        np.add.at(dw, EMBEDDED, d)
    return dw


def one_entry(gradient: Any, by: float) -> Any:
    """The same with its last entry off by a factor."""
    changed = gradient.copy()
    changed.flat[-1] *= by
    return changed


X, W, B = RNG.normal(size=(5, 4)), RNG.normal(size=(4, 3)), RNG.normal(size=3)
LARGE = RNG.normal(size=(40, 30))
TIE = np.array([[1.0, 1.0, 0.0], [0.0, -1.0, 2.0]])
EMBEDDED = np.array([0, 2, 2, 1])

dense = {"x": X, "w": W, "b": B}
PASSES: dict[str, Pass] = {
    "dense": Pass(dense, lambda x, w, b: x @ w + b, lambda d, x, w, b: (d @ w.T, x.T @ d, d.sum(0)), True),
    "tanh": Pass({"x": X}, np.tanh, lambda d, x: d * (1 - np.tanh(x) ** 2), True),
    "ReLU at 0": Pass({"x": TIE}, lambda x: np.maximum(x, 0), lambda d, x: d * (x > 0), True),
    "softmax": Pass({"x": X}, softmax, lambda d, x: softmax(x) * (d - (d * softmax(x)).sum(1, keepdims=True)), True),
    "batch norm": Pass({"x": X}, lambda x: norm(x)[0], norm_back, True),
    "convolution": Pass({"x": X, "w": B}, conv, conv_back, True),
    "embedding": Pass({"w": W}, lambda w: w[EMBEDDED], embedding_back, True),
    "float32 inside": Pass({"x": X}, lambda x: np.tanh(np.float32(x)).astype(np.float64) if not np.iscomplexobj(x)
                           else np.tanh(x), lambda d, x: d * (1 - np.tanh(x) ** 2), True),
    "exp of 20": Pass({"x": X + 20}, np.exp, lambda d, x: d * np.exp(x), True),
    "1,200 squares": Pass({"x": LARGE}, lambda x: x * x, lambda d, x: 2 * x * d, True),
    "dense, mean over samples": Pass(dense, lambda x, w, b: x @ w + b,
                                     lambda d, x, w, b: (d @ w.T, x.T @ d, d.mean(0)), False),
    "dense, one entry off by 0.05 %": Pass(dense, lambda x, w, b: x @ w + b,
                                           lambda d, x, w, b: (d @ w.T, one_entry(x.T @ d, 1.0005), d.sum(0)), False),
    "1,200 squares, one off by 1 %": Pass({"x": LARGE}, lambda x: x * x,
                                          lambda d, x: one_entry(2 * x * d, 1.01), False),
    "tanh taken at the output": Pass({"x": X}, np.tanh, lambda d, x: d * (1 - np.tanh(np.tanh(x)) ** 2), False),
    "ReLU that passes at 0": Pass({"x": TIE}, lambda x: np.maximum(x, 0), lambda d, x: d * (x >= 0), False),
    "softmax, diagonal alone": Pass({"x": X}, softmax, lambda d, x: d * softmax(x) * (1 - softmax(x)), False),
    "batch norm, variance held": Pass({"x": X}, lambda x: norm(x)[0], lambda d, x: (d - d.mean(0)) / norm(x)[1], False),
    "convolution, kernel flipped": Pass({"x": X, "w": B}, conv,
                                        lambda d, x, w: (conv_back(d, x, w[::-1])[0], conv_back(d, x, w)[1]), False),
    "embedding, a word twice": Pass({"w": W}, lambda w: w[EMBEDDED],
                                    lambda d, w: embedding_back(d, w, once=True), False),
    "half of a tiny gradient": Pass({"x": X}, lambda x: 1e-7 * x * x, lambda d, x: 1e-7 * x * d, False),
}  # fmt: skip


def gradients(one: Pass, d: Any) -> tuple[Any, ...]:
    """The gradients for an upstream gradient, as a tuple."""
    given = one.backward(d, *one.inputs.values())
    return given if isinstance(given, tuple) else (given,)


def by_chainrule(one: Pass) -> str:
    """What the report says first; empty where it passes."""
    names = ", ".join(one.inputs)
    scope: dict[str, Any] = {"run": one.forward, "back": one.backward}
    lines = (f"def forward({names}): return run({names})", f"def backward(dout, {names}): return back(dout, {names})")
    exec("\n".join(lines), scope)
    report = check((scope["forward"], scope["backward"]), one.inputs)
    if report.passed:
        return ""
    found = report.errors[0]
    return found.diagnoses[0].says if found.diagnoses and found.mistake != "unknown" else found.says


def by_torch(one: Pass) -> str:
    """The message of `torch.autograd.gradcheck`."""
    import torch

    class Function(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *arrays: Any) -> Any:
            ctx.save_for_backward(*arrays)
            return torch.from_numpy(np.array(one.forward(*(a.detach().numpy() for a in arrays))))

        @staticmethod
        def backward(ctx: Any, *dvalues: Any) -> Any:
            given = one.backward(dvalues[0].numpy(), *(a.detach().numpy() for a in ctx.saved_tensors))
            given = given if isinstance(given, tuple) else (given,)
            return tuple(torch.from_numpy(np.array(g)) for g in given)

    tensors = tuple(torch.tensor(a, requires_grad=True) for a in one.inputs.values())
    try:
        torch.autograd.gradcheck(Function.apply, tensors)
    except Exception as error:
        return str(error)
    return ""


def by_jax(one: Pass) -> str:
    """The message of `jax.test_util.check_grads`, of the first order in reverse mode."""
    import jax
    from jax.test_util import check_grads

    with jax.enable_x64(True):
        shapes = tuple(jax.ShapeDtypeStruct(a.shape, a.dtype) for a in one.inputs.values())
        output = np.asarray(one.forward(*one.inputs.values()))

        @jax.custom_vjp
        def function(*arrays: Any) -> Any:
            shape = jax.ShapeDtypeStruct(output.shape, output.dtype)
            return jax.pure_callback(lambda *a: np.array(one.forward(*map(np.asarray, a))), shape, *arrays)

        def back(arrays: Any, d: Any) -> Any:
            def run(d: Any, *a: Any) -> Any:
                given = one.backward(np.asarray(d), *map(np.asarray, a))
                return tuple(np.array(g) for g in (given if isinstance(given, tuple) else (given,)))

            return jax.pure_callback(run, shapes, d, *arrays)

        function.defvjp(lambda *arrays: (function(*arrays), arrays), back)
        try:
            check_grads(function, tuple(one.inputs.values()), order=1, modes=["rev"])
        except AssertionError as error:
            return " ".join(str(error).split())
    return ""


def by_scipy(one: Pass) -> str:
    """The distance that `scipy.optimize.check_grad` gives, where it is above 1e-5, the bar that people take."""
    from scipy.optimize import check_grad

    shapes = [a.shape for a in one.inputs.values()]
    ends = np.cumsum([a.size for a in one.inputs.values()])[:-1]
    d = np.random.default_rng(1).normal(size=np.shape(one.forward(*one.inputs.values())))

    def arrays(flat: Any) -> list[Any]:
        return [part.reshape(shape) for part, shape in zip(np.split(flat, ends), shapes, strict=True)]

    def gradient(flat: Any) -> Any:
        given = one.backward(d, *arrays(flat))
        return np.concatenate([np.ravel(g) for g in (given if isinstance(given, tuple) else (given,))])

    start = np.concatenate([np.ravel(a) for a in one.inputs.values()])
    distance = check_grad(lambda flat: float(np.sum(d * one.forward(*arrays(flat)))), gradient, start)
    return f"{distance:.3g}" if distance > 1e-5 else ""


TOOLS = {"chainrule": by_chainrule, "torch": by_torch, "jax": by_jax, "scipy": by_scipy}


def main() -> None:
    """Run everything; print what was caught, false alarms, the median time, and what each says of one mistake."""
    verdicts: dict[str, dict[str, str]] = {}
    times: dict[str, list[float]] = {}
    for tool, run in TOOLS.items():
        try:
            run(PASSES["tanh"])  # imports and first use
        except ImportError:
            continue
        verdicts[tool], times[tool] = {}, []
        for name, one in PASSES.items():
            started = time.perf_counter()
            verdicts[tool][name] = run(one)
            times[tool].append(time.perf_counter() - started)
    print(f"| input | {' | '.join(verdicts)} |\n|---|{'---|' * len(verdicts)}")
    for name, one in PASSES.items():
        cells = []
        for said in verdicts.values():
            alarm = bool(said[name])
            cells.append(("passed" if one.right else "**missed**") if not alarm else "caught" if not one.right
                         else "**false alarm**")  # fmt: skip
        print(f"| {name} | {' | '.join(cells)} |")
    right = [name for name, one in PASSES.items() if one.right]
    wrong = [name for name, one in PASSES.items() if not one.right]
    for label, names in (("caught of 10", wrong), ("false alarms of 10", right)):
        print(f"| {label} | {' | '.join(str(sum(bool(said[n]) for n in names)) for said in verdicts.values())} |")
    print(f"| median time, ms | {' | '.join(f'{1e3 * np.median(t):.1f}' for t in times.values())} |")
    print("\nWhat each says of `dense, mean over samples`:")
    for tool, said in verdicts.items():
        print(f"- {tool}: {' '.join(said['dense, mean over samples'].split())[:200]}")


if __name__ == "__main__":
    main()
