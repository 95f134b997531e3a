"""Damaged and forged model files, and tables that nobody would write: what comes out is an answer or the library's own
error."""

from __future__ import annotations

import signal
import tempfile
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import mutate_models
import numpy as np

from chainrule import Dense, MeanSquaredError, Model, SoftmaxCrossentropy, datasets
from chainrule.errors import ChainruleError
from chainrule.files import load_arrays

FILES = 40  # of a case
CELLS = (
    *(
        "",
        " ",
        "0",
        "1",
        "-1",
        "1e308",
        "1e309",
        "-1e-320",
        "nan",
        "inf",
        "-inf",
        "NA",
        "?",
        "-",
        ".",
        "1,5",
        "1.5",
        "$5",
    ),
    *("1.060,78", "1,060.78", "10%", "5 Kč", "(5)", "−5", "007", "9007199254740993", "9" * 400, "true", "no", "yes"),
    *("2024-02-29", "2023-02-29", "3/4/2023", "31.12.1999", "25:61", "12:30", "Q1 2020", "0000-00-00", "9999-12-31"),
    *('"', '""', '"a', 'a"b', "a,b", "a;b", "a\nb", "a\r", "\t", "\x00", "\ufeff", "é", "\ud83d", "😀", "x" * 3000),
    *(
        "=1+1",
        "../../etc",
        "<script>",
        "{}",
        "[1,2]",
        "None",
        "NULL",
        "0x1F",
        "1_000",
        "١٢",
        "1e",
        "e5",
        "+",
        "--",
        "1-2",
    ),
)


@cache
def bases() -> list[Any]:
    """A model, a checkpoint and a model of a table: their bytes, and their arrays."""
    with tempfile.TemporaryDirectory() as folder:
        return [(path.read_bytes(), load_arrays(path)) for path in mutate_models.examples(Path(folder))]


def model(rng: np.random.Generator) -> str:
    """Some files, damaged or forged as `mutate_models` does."""
    random = Random(int(rng.integers(2**63)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        for _ in range(FILES):
            content, (arrays, metadata) = random.choice(bases())
            if random.random() < 0.5:
                mutate_models.forged(path, arrays, metadata, random)
            else:
                path.write_bytes(mutate_models.damaged(content, random))
            mutate_models.use(path)
    return f"times {FILES} files"


def table(rng: np.random.Generator) -> str:
    """A hostile CSV: it is read, trained on and predicted from, or refused."""
    random = Random(int(rng.integers(2**63)))
    content = hostile(random)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        path.write_bytes(content)
        signal.setitimer(signal.ITIMER_PROF, 60)  # of the processor: the machine may be busy, or stand still
        try:
            return use(path, random)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)


def use(path: Path, random: Random) -> str:
    """Read, train, predict; what became of it."""
    try:
        data = datasets.read(path, missing=random.choice(["error", "impute"]))
    except ChainruleError as error:
        str(error)
        return "refused"
    X, y = data.X_train, data.y_train
    assert np.isfinite(X).all() and np.isfinite(y).all() and len(X) == len(y)
    loss = SoftmaxCrossentropy() if data.class_names else MeanSquaredError()
    outputs = len(data.class_names) or (y.shape[1] if y.ndim == 2 else 1)
    if not X.shape[1]:
        return "read, without columns"
    net = Model([Dense(X.shape[1], outputs)], loss, preprocessing=data.preprocessing, class_names=data.class_names)
    net.fit(X, y, epochs=1, verbose=False, engine="numpy")
    saved = path.with_suffix(".model")
    net.save(saved)
    try:
        Model.load(saved).predict(path)
    except ChainruleError:
        return "trained, a row refused"
    return "trained and predicted"


def hostile(random: Random) -> bytes:
    """The bytes of a table."""
    kind = random.random()
    if kind < 0.1:
        return random.randbytes(random.randrange(3000))
    delimiter = random.choice([",", ";", "\t", "|", " "])
    columns, rows = random.randint(1, 6), random.randint(0, 60)
    likely = [random.choice([*NUMBERS, *CELLS]) for _ in range(columns)]

    def cell(column: int) -> str:
        if random.random() < (0.002 if kind < 0.6 else 0.02 if kind < 0.8 else 0.5):
            return random.choice(CELLS)
        like = likely[column]
        return f"{random.gauss(0, 10):.3f}" if like in NUMBERS else random.choice([like, "a", "b"])

    def row(cells: list[str]) -> str:
        quoted = ['"' + c.replace('"', '""') + '"' if delimiter in c and random.random() < 0.9 else c for c in cells]
        return delimiter.join(quoted[: random.randint(0, columns)] if kind > 0.7 and random.random() < 0.02 else quoted)

    header = [random.choice([f"c{i}", "a", "", "1", random.choice(CELLS)]) for i in range(columns)]
    lines = ([row(header)] if random.random() < 0.9 else []) + [
        row([cell(i) for i in range(columns)]) for _ in range(rows)
    ]
    text = random.choice(["\n", "\r\n", "\n\n", "\r"]).join(lines) + random.choice(["", "\n"])
    content = text.encode(random.choice(["utf-8", "utf-8", "utf-16", "cp1252", "cp1250"]), "replace")
    return mutate_models.damaged(content, random) if random.random() < 0.2 else content


NUMBERS = ("number",) * 20
