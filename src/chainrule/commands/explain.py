"""`chainrule explain`: writes out one gradient of a trained model."""

from __future__ import annotations

from pathlib import Path

from ..errors import ConfigurationError, DataError
from ..files import write_atomically
from ..model import Model
from .console import say
from .reading import rows_for

__all__ = ["MOST", "explain"]

MOST = 128  # samples, by default


def explain(
    path: Path,
    name: str,
    weight: str,
    sample: int | None,
    samples: int,
    training: bool,
    max_terms: int,
    html: Path | None,
    latex: bool,
    json: bool,
) -> None:
    """Print the derivation of a gradient, on the first rows of a table or of a data set's held-out part."""
    from rich.console import Console

    if latex and json:
        raise ConfigurationError("--latex and --json: choose one of them.")
    model = Model.load(path)
    X, y, _ = rows_for(model, name)
    if y is None:
        target = "the target" if model.preprocessing is None else f"the column {model.preprocessing.target!r}"
        raise DataError(f"{name} does not hold {target} in every row: a gradient needs targets.")
    if sample is not None and not 0 <= sample < len(X):
        raise DataError(f"--sample must be from 0 to {len(X) - 1}, not {sample}.")
    rows = max(samples, 0 if sample is None else sample + 1)
    one = model.explain(X[:rows], y[:rows], weight, sample=sample, training=training, max_terms=max_terms)
    if html is not None:
        write_atomically(html, one.to_html().encode())
    if json or latex:
        print(one.to_json() if json else one.to_latex())
        return
    console = Console()
    say(console, f"The first {min(rows, len(X))} of {len(X)} rows of {name}; --samples takes more.")
    console.print(one)
    if html is not None:
        say(console, f"Saved {html}")
