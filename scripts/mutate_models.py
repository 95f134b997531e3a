"""Load model files that were damaged or forged: nothing but the library's own error may come out, and only at loading.

Three kinds of damage: bytes changed, cut, doubled or moved anywhere in the file; the same in the header only; and a
changed description, or changed arrays, whose checksum is made right again, as somebody with bad intent would. What
loads all the same must predict, explain, train and resume: numbers that are in range may still diverge
(`NonFiniteError`), and a changed checkpoint may belong to another run (`ConfigurationError`); anything else is a fault.

    python scripts/mutate_models.py --files 1000000
    python scripts/mutate_models.py --files 20000 --forged 1.0
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import json
import random
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from chainrule import (
    L2,
    Adam,
    Add,
    BatchNorm,
    Concatenate,
    CosineDecay,
    Dense,
    Dropout,
    EarlyStopping,
    Graph,
    LeakyReLU,
    Model,
    ReduceLROnPlateau,
    ReLU,
    Sequential,
    SoftmaxCrossentropy,
    StepDecay,
    datasets,
)
from chainrule.errors import ConfigurationError, FileFormatError, NonFiniteError
from chainrule.files import load_arrays, save_arrays

ODD = (
    *(None, True, False, -1, 0, 1, 2**31, 2**53, 2**62, 2**63, 2**64, 10**400),
    *(1e308, -0.5, 1e-320, 0.5, float("nan"), float("inf"), -float("inf")),
    *("", "x", "inputs", "\ud800", "numpy", "jax", "a" * 5000, "{}", [], [[]], {}, [1], ["x"], {"type": "Dense"}),
    *({"type": "He"}, {"type": "ConstantRate", "rate": 0.1}, {"type": ["Dense"]}, {"epoch": 1}),
)
ODD_ARRAYS = (np.zeros(0), np.zeros(3), np.full((4, 3), np.nan), np.zeros((2, 2), np.int64), np.array(1e300))
X = ((np.arange(48).reshape(16, 3) * 37) % 101) / 50.0 - 1.0
Y = (X[:, 0] > 0).astype(int)


def network() -> Graph:
    """A small network with something of everything."""
    return Graph(
        [
            ("a", Dense(3, 4, penalties={"weights": L2(1e-3)}), "inputs"),
            ("n", BatchNorm(4), "a"),
            ("r", ReLU(), "n"),
            ("d", Dropout(0.2), "r"),
            ("i", Sequential(Dense(4, 4).freeze(), LeakyReLU(0.1)), "d"),
            ("s", Add(), ("i", "a")),
            ("c", Concatenate(), ("s", "inputs")),
            ("o", Dense(7, 2), "c"),
        ],
        ties={"i.dense_0.biases": "a.biases"},
    )


def model(rate: Any = None) -> Model:
    """That network as a model."""
    groups = {"*.biases": {"weight_decay": 0.1}}
    optimizer = Adam(rate or CosineDecay(0.1, 10), groups=groups, clip_norm=3.0)
    return Model(network(), SoftmaxCrossentropy(class_weights=[1.0, 2.0]), optimizer, class_names=["no", "yes"])


def fit(one: Model, epochs: int, path: Path | None = None, resume: bool = False) -> None:
    """A run with callbacks that keep numbers and arrays."""
    callbacks = [EarlyStopping("loss"), ReduceLROnPlateau("loss", patience=1)]
    options: dict[str, Any] = dict(batch_size=8, verbose=False, record_every=1, engine="numpy", callbacks=callbacks)
    one.fit(X, Y, epochs=epochs, checkpoint=path, resume=resume, **options)


def examples(folder: Path) -> list[Path]:
    """A model, a checkpoint, and a model with a preprocessing."""
    paths = [folder / name for name in ("plain", "checkpoint", "table")]
    plain = model()
    fit(plain, 1)
    plain.save(paths[0])
    fit(model(StepDecay(0.1, 5)), 2, paths[1])
    columns = {"size": X[:, 0].tolist(), "colour": ["red", "blue"] * 8, "kind": ["no", "yes", "yes", "no"] * 4}
    data = datasets.read(columns, missing="impute")
    named: dict[str, Any] = dict(preprocessing=data.preprocessing, class_names=data.class_names, metrics=["f1"])
    table = Model([Dense(3, 2)], SoftmaxCrossentropy(), **named)
    table.fit(data.X_train, data.y_train, epochs=1, verbose=False)
    table.save(paths[2])
    return paths


def damaged(content: bytes, rng: random.Random) -> bytes:
    """The bytes, changed in one to three places."""
    data = bytearray(content)
    size = int.from_bytes(content[:8], "little") + 8
    for _ in range(rng.randint(1, 3)):
        limit = min(size, len(data)) if rng.random() < 0.5 else len(data)
        place, kind = rng.randrange(max(limit, 1)), rng.randrange(6)
        if kind == 0:
            data[place : place + 1] = bytes([rng.randrange(256)])
        elif kind == 1:
            del data[place : place + rng.randint(1, 40)]
        elif kind == 2:
            data[place:place] = rng.randbytes(rng.randint(1, 20))
        elif kind == 3:
            data[place:place] = data[place : place + rng.randint(1, 200)]
        elif kind == 4:
            del data[place:]
        else:
            data[:8] = rng.choice([0, 1, size, 2**31, 2**63, len(data)]).to_bytes(8, "little")
    return bytes(data)


def changed(value: Any, rng: random.Random) -> Any:
    """Plain data with one entry somewhere inside replaced, dropped or doubled; JSON inside a text is changed too."""
    if isinstance(value, str) and value.startswith("{") and rng.random() < 0.9:
        return json.dumps(changed(json.loads(value), rng))
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(sorted(value))
        if rng.random() < 0.1:
            return {k: v for k, v in value.items() if k != key}
        if rng.random() < 0.05:
            return value | {rng.choice(["type", "frozen", "x", "nodes"]): rng.choice(ODD)}
        return value | {key: changed(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.9:
        index = rng.randrange(len(value))
        if rng.random() < 0.1:
            return value[:index] + value[index + 1 :]
        if rng.random() < 0.1:
            return [*value, value[index]]
        return [*value[:index], changed(value[index], rng), *value[index + 1 :]]
    if isinstance(value, int | float) and not isinstance(value, bool) and rng.random() < 0.2:
        return rng.choice([-value, value + 1, value * 2, value // 2, value * 10**300, str(value)])
    return copy.deepcopy(rng.choice(ODD))


def forged(path: Path, arrays: dict[str, Any], metadata: dict[str, str], rng: random.Random) -> None:
    """Write the file with one to three changes, and a checksum that is right."""
    described, own = json.loads(metadata["content"]), dict(arrays)
    for _ in range(rng.choice([1, 1, 2, 3])):
        if rng.random() < 0.9:
            part = rng.choice(sorted(described))
            described[part] = changed(described[part], rng)
        else:
            name = rng.choice(sorted(own))
            array = own.pop(name)
            if rng.random() < 0.8:
                own[rng.choice([name, name, "value/x", "extra/0/x", "extra/last/x", "x"])] = rng.choice(
                    [*ODD_ARRAYS, array * 1e30, array * np.nan, array.T]
                )
    save_arrays(path, own, {**metadata, "content": json.dumps(described)})


def use(path: Path) -> str:
    """Load the file and do with it whatever one does; what became of it."""
    try:
        one = Model.load(path)
    except FileFormatError:
        return "refused"
    try:
        one.predict(X), one.predict_proba(X), one.evaluate(X, Y)
        repr(one), repr(one.history), one.history.to_csv()
        one.explain(X, Y, next(iter(one.parameters)), (0, 0), points=3, max_paths=10)
        if "fit" in json.loads(load_arrays(path)[1]["content"])["extras"]:
            with contextlib.suppress(FileFormatError, ConfigurationError):
                fit(model(StepDecay(0.1, 5)), 4, path, resume=True)
        fit(one, 1)
    except NonFiniteError:
        return "diverged"
    return "used"


def main() -> None:
    """Parse the arguments, mutate, report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=1_000_000)
    parser.add_argument("--forged", type=float, default=0.1, help="the share of files with a right checksum")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    rng, begin, became = random.Random(arguments.seed), time.monotonic(), Counter[str]()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        path = folder / "model"
        bases = [(base.read_bytes(), load_arrays(base)) for base in examples(folder)]
        for index in range(arguments.files):
            content, (arrays, metadata) = bases[index % len(bases)]
            if rng.random() < arguments.forged:
                forged(path, arrays, metadata, rng)
            else:
                path.write_bytes(damaged(content, rng))
            became[use(path)] += 1
    print(
        f"{arguments.files} mutated files: {became['refused']} refused, {became['used']} loaded and used (harmless "
        f"changes), {became['diverged']} loaded and diverged, nothing else raised ({time.monotonic() - begin:.0f} s)"
    )


if __name__ == "__main__":
    main()
