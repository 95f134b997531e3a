"""The rules that are written by hand, of the library's losses."""

from __future__ import annotations

from .rule import Rule

__all__ = ["BINARY_CROSSENTROPY", "CROSSENTROPY", "SIGMOID_CROSSENTROPY", "SOFTMAX_CROSSENTROPY"]

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
