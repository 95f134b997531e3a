"""`chainrule explain`: writes out one gradient of a trained model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .. import datasets
from ..display.terminal import terminal
from ..ensemble import load, members_of
from ..errors import ConfigurationError, DataError
from ..files import write_atomically
from .console import say
from .reading import rows_for, warned
from .writing import require_another_file

__all__ = ["MOST", "explain"]

MOST = 128  # samples, by default


def explain(
    path: Path,
    name: str,
    weight: str | None,
    sample: int | None,
    samples: int,
    training: bool,
    max_terms: int,
    html: Path | None,
    latex: bool,
    json: bool,
    full: bool = False,
    notation: str = "book",
    member: int = 0,
) -> None:
    """Print the derivation of a gradient, on the first rows of a table or of a data set's held-out part.

    Where no weight is named it is the largest gradient of all weights. Of an ensemble it is that of one member.
    """
    from ..explaining.notations import require_notation
    from ..explaining.question import largest
    from ..explaining.render.terminal import OnTerminal

    if latex and json:
        raise ConfigurationError("--latex and --json: choose one of them.")
    require_notation(notation)
    require_another_file("--html", html, model=path, table=name)
    members = members_of(load(path))
    if member >= len(members):
        raise ConfigurationError(f"--member must be from 0 to {len(members) - 1}, not {member}: {path} holds no more.")
    model = members[member]
    with warned() as notes:
        X, y, _ = rows_for(model, name)
    if y is None:
        target = "the target" if model.preprocessing is None else f"the column {model.preprocessing.target!r}"
        raise DataError(f"{name} does not hold {target} in every row: a gradient needs targets.")
    if sample is not None and not 0 <= sample < len(X):
        raise DataError(f"--sample must be from 0 to {len(X) - 1}, not {sample}.")
    rows = max(samples, 0 if sample is None else sample + 1)
    chosen = slice(rows) if sample is None else slice(sample, sample + 1)
    asked = weight if weight is not None else largest(model.gradients(X[chosen], y[chosen], training=training))
    names = datasets.resolve(name).feature_names if name in datasets.NAMES else ()
    options: dict[str, Any] = {"training": training, "max_terms": max_terms, "feature_names": names}
    one = model.explain(X[:rows], y[:rows], asked, sample=sample, **options)
    if html is not None:
        write_atomically(html, one.to_html(notation=notation).encode())
    if json or latex:
        print(one.to_json() if json else one.to_latex())
        return
    console = terminal()
    for note in notes:
        say(console, note)
    held = "held-out rows" if name in datasets.NAMES else "rows"
    if rows < len(X):
        say(console, f"The first {rows} of the {len(X)} {held} of {name}; --samples takes more.")
    else:
        say(console, f"All {len(X)} {held} of {name}.")
    if len(members) > 1:
        say(console, f"Member {member} of 0 to {len(members) - 1}: each has learned alone, by its own loss.")
    if weight is None:
        say(console, f'The weight with the largest gradient:\n  --weight "{one.title}"')
    console.print(OnTerminal(one, full=full, notation=notation))
    if html is not None:
        say(console, f"Saved {html}")
