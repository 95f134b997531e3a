"""Draw the picture at the top of README: a digit, the network that the first command trains, one gradient written out.

    python scripts/first_picture.py

writes docs/images/first.svg.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from chainrule import Explanation, Model, datasets, draw
from chainrule.display import tag
from chainrule.files import write_atomically

OUT = Path(__file__).parent.parent / "docs/images/first.svg"
SAMPLE = 5  # of the held-out digits: a 9 that is read as 5
COLUMNS, LINE, EDGE = 76, 17.0, 14.0  # characters of a column of text; pixels
STYLE = (
    ".chainrule-picture .code{font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;white-space:pre}"
    ".chainrule-picture .strong{font-weight:650}"
)


def trained() -> Model:
    """The network that `chainrule train digits` saves."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "chainrule", "train", "digits"]
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        return Model.load(Path(folder) / "runs/digits/model.safetensors")


def explained(model: Model, X: np.ndarray, y: np.ndarray) -> Explanation:
    """The largest gradient of the weights of the neuron that counts most."""
    pass_, gradient = model.trace(X, y), model.gradients(X, y)["dense_0.weights"]  # (I,N)
    neuron = int(np.argmax(np.abs(pass_["relu_0"].output * pass_["relu_0"].dvalues)))
    pixel = int(np.argmax(np.abs(gradient[:, neuron])))
    names = datasets.load("digits").feature_names
    return model.explain(X, y, f"dense_0.weights[{pixel},{neuron}]", max_terms=3, points=0, feature_names=names)


def columns(explanation: Explanation) -> tuple[list[str], list[str]]:
    """Question and loss on the left, on the right the way down to the weight."""
    lines = explanation.to_text(COLUMNS).splitlines()
    backward = lines.index(next(line for line in lines if line.startswith("Backward")))
    bundle = lines.index("dense_1 · Dense", backward)
    end = lines.index("", lines.index("dense_0 · Dense", bundle))
    return [*lines[:4], "", *lines[backward : bundle - 1]], lines[bundle:end]


def written(lines: list[str], x: float, top: float) -> Iterator[object]:
    """Lines of text below each other; those that begin at the margin are headings."""
    for i, line in enumerate(lines):
        if line:
            heading = " strong" if not line.startswith(" ") else ""
            yield tag("text", line, cls=f"code{heading}", x=x, y=top + i * LINE)


def main() -> None:
    """Train, draw, explain, and write the picture."""
    digits, model = datasets.load("digits"), trained()
    X, y = digits.X_test[SAMPLE : SAMPLE + 1], digits.y_test[SAMPLE : SAMPLE + 1]
    network = draw(model, model.trace(X, y), max_neurons=5).svg
    width, height = map(float, re.findall(r'class="paper" width="([\d.]+)" height="([\d.]+)"', network)[0])
    left, right = columns(explained(model, X, y))
    whole = height + EDGE + LINE * max(len(left), len(right))
    text = [*written(left, EDGE, height + 2 * EDGE), *written(right, width / 2 + EDGE, height + 2 * EDGE)]
    for old, new in (
        (f'viewBox="0 0 {round(width)} {round(height)}"', f'viewBox="0 0 {round(width)} {round(whole)}"'),
        (f'width="{round(width)}" height="{round(height)}">', f'width="{round(width)}" height="{round(whole)}">'),
        (f'class="paper" width="{width:g}" height="{height:g}"', f'class="paper" width="{width:g}" height="{whole:g}"'),
        ("</style>", f"{STYLE}</style>"),
        ("</svg>", "".join(map(str, text)) + "</svg>"),
    ):
        assert network.count(old) == 1, old
        network = network.replace(old, new)
    write_atomically(OUT, network.encode())


if __name__ == "__main__":
    main()
