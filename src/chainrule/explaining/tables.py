"""The rules of the library's own layers, losses and penalties: one entry for each class."""

from __future__ import annotations

from typing import Any

from .. import layers, losses, penalties
from .rules import Maker, Rule, Steps

__all__ = ["RULES"]


def _entrywise(
    forward: str,
    derivative: str,
    steps: Steps = (),
    *,
    kinks: tuple[str, ...] = (),
    settings: dict[str, str] | None = None,
    where: dict[str, str] | None = None,
    noise: bool = False,
    note: str = "",
) -> Rule:
    """The rule of a function of one number, applied to every entry."""
    arrays = {"inputs": "x[...]"} | ({"noise": "u[...]"} if noise else {})
    return Rule(
        "y[...]",
        forward,
        arrays,
        {"inputs": derivative},
        settings=settings or {},
        where=where or {},
        kinks=kinks,
        steps={"inputs": steps} if steps else {},
        note=note,
    )


DENSE = Rule(
    "y[b,n]",
    "sum(i, x[b,i]*w[i,n]) + bias[0,n]",
    {"inputs": "x[b,i]", "weights": "w[i,n]", "biases": "bias[0,n]"},
    {"inputs": "w[i,n]", "weights": "x[b,i]", "biases": "1"},
    steps={
        "weights": (
            ("the output of neuron n is a sum of products", "D(sum(k, x[b,k]*w[k,n]) + bias[0,n], w[i,n])"),
            ("a sum is differentiated term by term; only the term k = i holds this weight", "D(x[b,i]*w[i,n], w[i,n])"),
            ("the derivative of a product by one factor is the other factor", "x[b,i]"),
        ),
        "biases": (
            ("the bias is added once", "D(sum(i, x[b,i]*w[i,n]) + bias[0,n], bias[0,n])"),
            ("nothing else in the sum depends on it", "1"),
        ),
        "inputs": (
            ("the output of neuron n is a sum of products", "D(sum(k, x[b,k]*w[k,n]) + bias[0,n], x[b,i])"),
            ("only the term k = i holds this input", "D(x[b,i]*w[i,n], x[b,i])"),
            ("the derivative of a product by one factor is the other factor", "w[i,n]"),
        ),
    },
    note="The gradient of a weight sums over the samples, that of an input over the neurons that it feeds.",
)

RELU = _entrywise(
    "max(x[...], 0)",
    "1 if x[...] > 0 else 0",
    (
        ("above 0 the output is the input, else it is 0", "D(x[...] if x[...] > 0 else 0, x[...])"),
        ("differentiate each branch", "D(x[...], x[...]) if x[...] > 0 else 0"),
        ("at the kink itself, x = 0, the derivative is taken as 0", "1 if x[...] > 0 else 0"),
    ),
    kinks=("x[...]",),
)

LEAKY_RELU = _entrywise(
    "x[...] if x[...] > 0 else a*x[...]",
    "1 if x[...] > 0 else a",
    (
        ("two straight lines", "D(x[...] if x[...] > 0 else a*x[...], x[...])"),
        ("differentiate each branch; at 0 the slope a is taken", "1 if x[...] > 0 else a"),
    ),
    kinks=("x[...]",),
    settings={"a": "slope"},
)

ELU = _entrywise(
    "x[...] if x[...] > 0 else alpha*(exp(x[...]) - 1)",
    "1 if x[...] > 0 else alpha*exp(x[...])",
    (
        (
            "a straight line above 0, an exponential below",
            "D(x[...] if x[...] > 0 else alpha*(exp(x[...]) - 1), x[...])",
        ),
        ("differentiate each branch: the derivative of exp is exp", "1 if x[...] > 0 else alpha*exp(x[...])"),
    ),
    kinks=("x[...]",),
    settings={"alpha": "alpha"},
)

GELU = _entrywise(
    "x[...]*Phi(x[...])",
    "Phi(x[...]) + x[...]*phi(x[...])",
    (
        ("the input times the normal distribution function", "D(x[...]*Phi(x[...]), x[...])"),
        ("the product rule", "D(x[...], x[...])*Phi(x[...]) + x[...]*D(Phi(x[...]), x[...])"),
        ("the derivative of the distribution function is the density", "Phi(x[...]) + x[...]*phi(x[...])"),
    ),
)

_BEND = {"g[...]": "sqrt(2/pi)*(x[...] + 0.044715*x[...]**3)", "pi": "3.141592653589793"}
GELU_TANH = _entrywise(
    "x[...]*(1 + tanh(g[...]))/2",
    "(1 + tanh(g[...]))/2 + x[...]*(1 - tanh(g[...])**2)*sqrt(2/pi)*(1 + 0.134145*x[...]**2)/2",
    (
        ("a tanh in the place of the normal distribution", "D(x[...]*(1 + tanh(g[...]))/2, x[...])"),
        ("the product rule", "(1 + tanh(g[...]))/2 + x[...]*D(tanh(g[...]), x[...])/2"),
        (
            "the chain rule: the derivative of tanh is 1 - tanh²",
            "(1 + tanh(g[...]))/2 + x[...]*(1 - tanh(g[...])**2)*D(g[...], x[...])/2",
        ),
        (
            "the derivative of g; 3·0.044715 = 0.134145",
            "(1 + tanh(g[...]))/2 + x[...]*(1 - tanh(g[...])**2)*sqrt(2/pi)*(1 + 0.134145*x[...]**2)/2",
        ),
    ),
    where=_BEND,
)

SIGMOID_STEPS = (
    ("the logistic function", "D(1/(1 + exp(-x[...])), x[...])"),
    ("the quotient rule; the derivative of exp(-x) is -exp(-x)", "exp(-x[...])/(1 + exp(-x[...]))**2"),
    ("split the fraction", "1/(1 + exp(-x[...])) * (exp(-x[...])/(1 + exp(-x[...])))"),
    ("the first factor is y, the second is 1 - y", "y[...]*(1 - y[...])"),
)
SIGMOID = _entrywise("sigma(x[...])", "y[...]*(1 - y[...])", SIGMOID_STEPS, note="σ(x) = 1 / (1 + exp(-x)).")

SILU = _entrywise(
    "x[...]*sigma(x[...])",
    "sigma(x[...]) + x[...]*sigma(x[...])*(1 - sigma(x[...]))",
    (
        ("the input times the logistic function", "D(x[...]*sigma(x[...]), x[...])"),
        ("the product rule", "sigma(x[...]) + x[...]*D(sigma(x[...]), x[...])"),
        ("the derivative of σ is σ·(1 - σ)", "sigma(x[...]) + x[...]*sigma(x[...])*(1 - sigma(x[...]))"),
    ),
)

SOFTPLUS = _entrywise(
    "log(1 + exp(x[...]))",
    "sigma(x[...])",
    (
        ("a smooth ReLU", "D(log(1 + exp(x[...])), x[...])"),
        ("the derivative of log is one over, times what is inside differentiated", "exp(x[...])/(1 + exp(x[...]))"),
        ("divide above and below by exp(x)", "1/(1 + exp(-x[...]))"),
        ("which is the logistic function", "sigma(x[...])"),
    ),
)

TANH = _entrywise(
    "tanh(x[...])",
    "1 - y[...]**2",
    (
        (
            "the hyperbolic tangent",
            "D((exp(x[...]) - exp(-x[...]))/(exp(x[...]) + exp(-x[...])), x[...])",
        ),
        (
            "the quotient rule",
            "((exp(x[...]) + exp(-x[...]))**2 - (exp(x[...]) - exp(-x[...]))**2)/(exp(x[...]) + exp(-x[...]))**2",
        ),
        ("divide: the second part is y²", "1 - y[...]**2"),
    ),
)

LINEAR = _entrywise("x[...]", "1", (("the output is the input", "D(x[...], x[...])"), ("its slope is 1", "1")))

SOFTMAX = Rule(
    "S[...,j]",
    "exp(z[...,j])/sum(k, exp(z[...,k]))",
    {"inputs": "z[...,k]", "output": "S[...,j]"},
    {"inputs": "S[...,j]*(delta(j,k) - S[...,k])"},
    steps={
        "inputs": (
            ("each probability is a quotient", "D(exp(z[...,j])/sum(i, exp(z[...,i])), z[...,k])"),
            (
                "the quotient rule: (g'·h - g·h')/h² with g = exp(z_j), h = the sum; g' = δ_jk·exp(z_j), h' = exp(z_k)",
                "(delta(j,k)*exp(z[...,j])*sum(i, exp(z[...,i])) - exp(z[...,j])*exp(z[...,k]))"
                "/sum(i, exp(z[...,i]))**2",
            ),
            (
                "take out exp(z_j)/h",
                "exp(z[...,j])/sum(i, exp(z[...,i]))*(delta(j,k) - exp(z[...,k])/sum(i, exp(z[...,i])))",
            ),
            ("both fractions are probabilities again", "S[...,j]*(delta(j,k) - S[...,k])"),
        )
    },
    note="δ_jk is Kronecker's delta: 1 where j = k, else 0. Every input moves every probability of its row.",
)

LOG_SOFTMAX = Rule(
    "y[...,j]",
    "z[...,j] - log(sum(k, exp(z[...,k])))",
    {"inputs": "z[...,k]", "output": "y[...,j]"},
    {"inputs": "delta(j,k) - exp(y[...,k])"},
    steps={
        "inputs": (
            ("the logarithm of a softmax", "D(z[...,j] - log(sum(i, exp(z[...,i]))), z[...,k])"),
            (
                "the first term moves with z_j only; the derivative of log is one over, times the inside's",
                "delta(j,k) - exp(z[...,k])/sum(i, exp(z[...,i]))",
            ),
            ("the fraction is the softmax, exp(y_k)", "delta(j,k) - exp(y[...,k])"),
        )
    },
)

_MOVES = "The layer moves entries and computes nothing."
FLATTEN = Rule("y", "", {"inputs": "x[...]"}, {"inputs": "1"}, note=_MOVES)


def _dropout(layer: Any, training: bool, parts: int) -> Rule:
    if not training:
        return LINEAR
    return _entrywise(
        "x[...]/(1 - q) if u[...] >= q else 0",
        "1/(1 - q) if u[...] >= q else 0",
        (
            ("kept and enlarged, or dropped, as the noise u says", "D(x[...]/(1 - q) if u[...] >= q else 0, x[...])"),
            ("differentiate each branch: u does not depend on x", "1/(1 - q) if u[...] >= q else 0"),
        ),
        settings={"q": "rate"},
        noise=True,
    )


_NORMALIZED = "Mean and variance move with every entry: that is where the two subtracted terms come from."
LAYER_NORM = Rule(
    "y[b,n]",
    "gamma[0,n]*xhat[b,n] + beta[0,n]",
    {
        "inputs": "x[b,m]",
        "gamma": "gamma[0,n]",
        "beta": "beta[0,n]",
        "normalized": "xhat[b,n]",
        "inverse_std": "r[b,0]",
    },
    {
        "inputs": "gamma[0,n]*r[b,0]*(delta(n,m) - 1/N - xhat[b,n]*xhat[b,m]/N)",
        "gamma": "xhat[b,n]",
        "beta": "1",
    },
    where={
        "xhat[b,n]": "(x[b,n] - mu[b])*r[b,0]",
        "r[b,0]": "1/sqrt(var[b] + eps)",
        "mu[b]": "sum(k, x[b,k])/N",
        "var[b]": "sum(k, (x[b,k] - mu[b])**2)/N",
    },
    settings={"eps": "epsilon"},
    steps={
        "inputs": (
            ("scaled and shifted", "gamma[0,n]*D((x[b,n] - mu[b])*r[b,0], x[b,m])"),
            (
                "the product rule; the mean moves by 1/N",
                "gamma[0,n]*((delta(n,m) - 1/N)*r[b,0] + (x[b,n] - mu[b])*D(r[b,0], x[b,m]))",
            ),
            (
                "r = 1/√(σ² + ε): the chain rule gives -r³/2 times the derivative of the variance, 2·(x_m - μ)/N",
                "gamma[0,n]*((delta(n,m) - 1/N)*r[b,0] - (x[b,n] - mu[b])*r[b,0]**3*(x[b,m] - mu[b])/N)",
            ),
            ("take out r; (x - μ)·r is x̂", "gamma[0,n]*r[b,0]*(delta(n,m) - 1/N - xhat[b,n]*xhat[b,m]/N)"),
        ),
        "gamma": (("a factor", "D(gamma[0,n]*xhat[b,n] + beta[0,n], gamma[0,n])"), ("the other factor", "xhat[b,n]")),
        "beta": (("added once", "D(gamma[0,n]*xhat[b,n] + beta[0,n], beta[0,n])"), ("so its slope is 1", "1")),
    },
    note=_NORMALIZED,
)

BATCH_NORM = Rule(
    "y[b,n]",
    "gamma[0,n]*xhat[b,n] + beta[0,n]",
    {
        "inputs": "x[c,n]",
        "gamma": "gamma[0,n]",
        "beta": "beta[0,n]",
        "normalized": "xhat[b,n]",
        "inverse_std": "r[0,n]",
    },
    {
        "inputs": "gamma[0,n]*r[0,n]*(delta(b,c) - 1/B - xhat[b,n]*xhat[c,n]/B)",
        "gamma": "xhat[b,n]",
        "beta": "1",
    },
    where={
        "xhat[b,n]": "(x[b,n] - mu[n])*r[0,n]",
        "r[0,n]": "1/sqrt(var[n] + eps)",
        "mu[n]": "sum(k, x[k,n])/B",
        "var[n]": "sum(k, (x[k,n] - mu[n])**2)/B",
    },
    settings={"eps": "epsilon"},
    steps={
        "inputs": (
            ("scaled and shifted", "gamma[0,n]*D((x[b,n] - mu[n])*r[0,n], x[c,n])"),
            (
                "the product rule; the mean of the batch moves by 1/B",
                "gamma[0,n]*((delta(b,c) - 1/B)*r[0,n] + (x[b,n] - mu[n])*D(r[0,n], x[c,n]))",
            ),
            (
                "r = 1/√(σ² + ε): the chain rule gives -r³/2 times the derivative of the variance, 2·(x_c - μ)/B",
                "gamma[0,n]*((delta(b,c) - 1/B)*r[0,n] - (x[b,n] - mu[n])*r[0,n]**3*(x[c,n] - mu[n])/B)",
            ),
            ("take out r; (x - μ)·r is x̂", "gamma[0,n]*r[0,n]*(delta(b,c) - 1/B - xhat[b,n]*xhat[c,n]/B)"),
        ),
        "gamma": (("a factor", "D(gamma[0,n]*xhat[b,n] + beta[0,n], gamma[0,n])"), ("the other factor", "xhat[b,n]")),
        "beta": (("added once", "D(gamma[0,n]*xhat[b,n] + beta[0,n], beta[0,n])"), ("so its slope is 1", "1")),
    },
    note=_NORMALIZED + " They are those of the batch: one sample's output depends on all the others.",
)

BATCH_NORM_INFERENCE = Rule(
    "y[b,n]",
    "gamma[0,n]*xhat[b,n] + beta[0,n]",
    {
        "inputs": "x[b,n]",
        "gamma": "gamma[0,n]",
        "beta": "beta[0,n]",
        "running_mean": "mu[0,n]",
        "running_variance": "var[0,n]",
        "normalized": "xhat[b,n]",
        "inverse_std": "r[0,n]",
    },
    {"inputs": "gamma[0,n]*r[0,n]", "gamma": "xhat[b,n]", "beta": "1"},
    where={"xhat[b,n]": "(x[b,n] - mu[0,n])*r[0,n]", "r[0,n]": "1/sqrt(var[0,n] + eps)"},
    settings={"eps": "epsilon"},
    steps={
        "inputs": (
            (
                "the running mean and variance are constants",
                "D(gamma[0,n]*(x[b,n] - mu[0,n])*r[0,n] + beta[0,n], x[b,n])",
            ),
            ("a straight line", "gamma[0,n]*r[0,n]"),
        ),
    },
)


def _batch_norm(layer: Any, training: bool, parts: int) -> Rule:
    return BATCH_NORM if training else BATCH_NORM_INFERENCE


def _gelu(layer: Any, training: bool, parts: int) -> Rule:
    return GELU_TANH if layer.approximate else GELU


def _parts(parts: int) -> dict[str, str]:
    return {f"inputs.{m}": f"x{m}[...]" for m in range(parts)}


def _add(layer: Any, training: bool, parts: int) -> Rule:
    entries = _parts(parts)
    return Rule("y[...]", " + ".join(entries.values()), entries, dict.fromkeys(entries, "1"))


def _multiply(layer: Any, training: bool, parts: int) -> Rule:
    entries = _parts(parts)
    others = {name: "*".join(e for n, e in entries.items() if n != name) or "1" for name in entries}
    return Rule("y[...]", "*".join(entries.values()), entries, others)


def _concatenate(layer: Any, training: bool, parts: int) -> Rule:
    entries = _parts(parts)
    return Rule("y", "", entries, dict.fromkeys(entries, "1"), note=_MOVES)


# Losses

_CLIPPED = {"q[b,o]": "a if p[b,o] < a else (1 - a if p[b,o] > 1 - a else p[b,o])"}
_CLIP_NOTE = "q is the probability clipped to [a, 1 - a]; the gradient is that of the logarithm at the clipped value."
_ADD_UP = "The targets of a sample add up to 1."

CROSSENTROPY = Rule(
    "ell[b]",
    "-sum(o, y[b,o]*log(q[b,o]))",
    {"predictions": "p[b,o]", "targets": "y[b,o]"},
    {"predictions": "-y[b,o]/q[b,o]"},
    where=_CLIPPED,
    settings={"a": "clip"},
    kinks=("p[b,o] - a", "p[b,o] - (1 - a)"),
    clipped=("y[b,o]*(a - p[b,o])", "y[b,o]*(p[b,o] - (1 - a))"),
    steps={
        "predictions": (
            ("the logarithm of what the true class got", "D(-sum(k, y[b,k]*log(p[b,k])), p[b,o])"),
            ("only the term k = o holds this prediction", "-y[b,o]*D(log(p[b,o]), p[b,o])"),
            ("the derivative of the natural logarithm is one over", "-y[b,o]/p[b,o]"),
            ("clipped, so that p = 0 gives no infinite gradient", "-y[b,o]/q[b,o]"),
        )
    },
    note=_CLIP_NOTE,
)

SOFTMAX_CROSSENTROPY = Rule(
    "ell[b]",
    "-sum(c, y[b,c]*log(yhat[b,c]))",
    {"predictions": "z[b,c]", "targets": "y[b,c]", "probabilities": "yhat[b,c]"},
    {"predictions": "yhat[b,c] - y[b,c]"},
    where={"yhat[b,c]": "exp(z[b,c])/sum(k, exp(z[b,k]))"},
    steps={
        "predictions": (
            ("cross-entropy of a softmax", "D(-sum(k, y[b,k]*log(yhat[b,k])), z[b,c])"),
            ("the derivative of log is one over", "-sum(k, y[b,k]/yhat[b,k]*D(yhat[b,k], z[b,c]))"),
            (
                "the derivative of the softmax, ŷ_k·(δ_kc - ŷ_c)",
                "-sum(k, y[b,k]/yhat[b,k]*yhat[b,k]*(delta(k,c) - yhat[b,c]))",
            ),
            ("ŷ_k cancels", "-sum(k, y[b,k]*(delta(k,c) - yhat[b,c]))"),
            ("the delta leaves one term of the first sum", "yhat[b,c]*sum(k, y[b,k]) - y[b,c]"),
            ("the targets add up to 1", "yhat[b,c] - y[b,c]"),
        )
    },
    note=_ADD_UP,
)

BINARY_CROSSENTROPY = Rule(
    "ell[b]",
    "-sum(o, y[b,o]*log(q[b,o]) + (1 - y[b,o])*log(1 - q[b,o]))/O",
    {"predictions": "p[b,o]", "targets": "y[b,o]"},
    {"predictions": "-(y[b,o]/q[b,o] - (1 - y[b,o])/(1 - q[b,o]))/O"},
    where=_CLIPPED,
    settings={"a": "clip"},
    kinks=("p[b,o] - a", "p[b,o] - (1 - a)"),
    clipped=("a - p[b,o]", "p[b,o] - (1 - a)"),
    steps={
        "predictions": (
            (
                "a mean over the O outputs",
                "D(-sum(k, y[b,k]*log(p[b,k]) + (1 - y[b,k])*log(1 - p[b,k]))/O, p[b,o])",
            ),
            (
                "only the term k = o holds this prediction",
                "-D(y[b,o]*log(p[b,o]) + (1 - y[b,o])*log(1 - p[b,o]), p[b,o])/O",
            ),
            (
                "the derivative of log is one over; the inside of the second gives -1",
                "-(y[b,o]/p[b,o] - (1 - y[b,o])/(1 - p[b,o]))/O",
            ),
            ("clipped", "-(y[b,o]/q[b,o] - (1 - y[b,o])/(1 - q[b,o]))/O"),
        )
    },
    note=_CLIP_NOTE,
)

SIGMOID_CROSSENTROPY = Rule(
    "ell[b]",
    "sum(o, log(1 + exp(z[b,o])) - y[b,o]*z[b,o])/O",
    {"predictions": "z[b,o]", "targets": "y[b,o]"},
    {"predictions": "(sigma(z[b,o]) - y[b,o])/O"},
    steps={
        "predictions": (
            ("a mean over the O outputs", "D(sum(k, log(1 + exp(z[b,k])) - y[b,k]*z[b,k])/O, z[b,o])"),
            ("only the term k = o holds this logit", "D(log(1 + exp(z[b,o])) - y[b,o]*z[b,o], z[b,o])/O"),
            ("the derivative of log is one over", "(exp(z[b,o])/(1 + exp(z[b,o])) - y[b,o])/O"),
            ("the fraction is the logistic function", "(sigma(z[b,o]) - y[b,o])/O"),
        )
    },
)

SQUARED_ERROR = Rule(
    "ell[b]",
    "sum(o, (y[b,o] - p[b,o])**2)/O",
    {"predictions": "p[b,o]", "targets": "y[b,o]"},
    {"predictions": "2*(p[b,o] - y[b,o])/O"},
    steps={
        "predictions": (
            ("a mean over the O outputs", "D(sum(k, (y[b,k] - p[b,k])**2)/O, p[b,o])"),
            ("only the term k = o holds this prediction", "D((y[b,o] - p[b,o])**2, p[b,o])/O"),
            ("the chain rule: the inside gives -1", "-2*(y[b,o] - p[b,o])/O"),
            ("turn the difference", "2*(p[b,o] - y[b,o])/O"),
        )
    },
)

ABSOLUTE_ERROR = Rule(
    "ell[b]",
    "sum(o, abs(y[b,o] - p[b,o]))/O",
    {"predictions": "p[b,o]", "targets": "y[b,o]"},
    {"predictions": "sign(p[b,o] - y[b,o])/O"},
    kinks=("p[b,o] - y[b,o]",),
    steps={
        "predictions": (
            ("a mean over the O outputs", "D(sum(k, abs(y[b,k] - p[b,k]))/O, p[b,o])"),
            ("only the term k = o holds this prediction", "D(abs(y[b,o] - p[b,o]), p[b,o])/O"),
            ("the slope of |e| is the sign of e; the inside gives -1", "-sign(y[b,o] - p[b,o])/O"),
            ("turn the difference; at 0 the slope is taken as 0", "sign(p[b,o] - y[b,o])/O"),
        )
    },
)

HUBER = Rule(
    "ell[b]",
    "sum(o, d*(abs(e[b,o]) - d/2) if abs(e[b,o]) > d else e[b,o]**2/2)/O",
    {"predictions": "p[b,o]", "targets": "y[b,o]"},
    {"predictions": "(d if e[b,o] > d else (-d if e[b,o] < -d else e[b,o]))/O"},
    where={"e[b,o]": "p[b,o] - y[b,o]"},
    settings={"d": "delta"},
    steps={
        "predictions": (
            (
                "a mean over the O outputs; only the term of this one counts",
                "D(d*(abs(e[b,o]) - d/2) if abs(e[b,o]) > d else e[b,o]**2/2, p[b,o])/O",
            ),
            ("differentiate each branch", "(d*sign(e[b,o]) if abs(e[b,o]) > d else e[b,o])/O"),
            ("which is e limited to [-d, d]", "(d if e[b,o] > d else (-d if e[b,o] < -d else e[b,o]))/O"),
        )
    },
)

# Penalties: for one entry of the parameter

L1 = Rule(
    "y",
    "lam*abs(w[...])",
    {"parameter": "w[...]"},
    {"parameter": "lam*sign(w[...])"},
    settings={"lam": "rate"},
    kinks=("w[...]",),
    steps={
        "parameter": (
            ("the size of this entry", "D(lam*abs(w[...]), w[...])"),
            ("the slope of |w| is the sign of w, 0 at 0", "lam*sign(w[...])"),
        )
    },
)
L2 = Rule(
    "y",
    "lam*w[...]**2",
    {"parameter": "w[...]"},
    {"parameter": "2*lam*w[...]"},
    settings={"lam": "rate"},
    steps={
        "parameter": (
            ("the square of this entry", "D(lam*w[...]**2, w[...])"),
            ("the power rule; no factor ½", "2*lam*w[...]"),
        )
    },
)

RULES: dict[type, Rule | Maker] = {
    layers.Dense: DENSE,
    layers.ReLU: RELU,
    layers.LeakyReLU: LEAKY_RELU,
    layers.ELU: ELU,
    layers.GELU: _gelu,
    layers.SiLU: SILU,
    layers.Softplus: SOFTPLUS,
    layers.Sigmoid: SIGMOID,
    layers.Tanh: TANH,
    layers.Linear: LINEAR,
    layers.Softmax: SOFTMAX,
    layers.LogSoftmax: LOG_SOFTMAX,
    layers.Flatten: FLATTEN,
    layers.Dropout: _dropout,
    layers.LayerNorm: LAYER_NORM,
    layers.BatchNorm: _batch_norm,
    layers.Add: _add,
    layers.Multiply: _multiply,
    layers.Concatenate: _concatenate,
    losses.CategoricalCrossentropy: CROSSENTROPY,
    losses.SoftmaxCrossentropy: SOFTMAX_CROSSENTROPY,
    losses.BinaryCrossentropy: BINARY_CROSSENTROPY,
    losses.SigmoidCrossentropy: SIGMOID_CROSSENTROPY,
    losses.MeanSquaredError: SQUARED_ERROR,
    losses.MeanAbsoluteError: ABSOLUTE_ERROR,
    losses.Huber: HUBER,
    penalties.L1: L1,
    penalties.L2: L2,
}
