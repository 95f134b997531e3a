"""Load model files that were damaged in a million ways: nothing but the library's own error may come out.

Three kinds of damage: bytes changed, cut, doubled or moved anywhere in the file; the same in the header only; and a
changed description whose checksum is made right again, as somebody with bad intent would.

    python scripts/mutate_models.py --files 1000000
"""

from __future__ import annotations

import argparse
import copy
import json
import random
import tempfile
import time
from pathlib import Path
from typing import Any

from chainrule import (
    L2,
    Adam,
    Add,
    BatchNorm,
    CosineDecay,
    Dense,
    Dropout,
    Graph,
    Model,
    ReLU,
    SoftmaxCrossentropy,
)
from chainrule.errors import FileFormatError
from chainrule.files import load_arrays, save_arrays

ODD = (None, True, -1, 0, 1, 2**31, 2**63, 1e308, -0.5, "", "x", "inputs", [], [[]], {}, {"type": "Dense"})


def example() -> Model:
    """A small model with something of everything."""
    network = Graph(
        [
            ("a", Dense(3, 4, penalties={"weights": L2(1e-3)}), "inputs"),
            ("n", BatchNorm(4), "a"),
            ("r", ReLU(), "n"),
            ("d", Dropout(0.2), "r"),
            ("s", Add(), ("d", "a")),
            ("o", Dense(4, 2), "s"),
        ]
    )
    return Model(network, SoftmaxCrossentropy(), Adam(CosineDecay(0.1, 10)), class_names=["no", "yes"])


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
    """Plain data with one entry somewhere inside replaced, dropped or doubled."""
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
    return copy.deepcopy(rng.choice(ODD))


def main() -> None:
    """Parse the arguments, mutate, report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    rng, refused, begin = random.Random(arguments.seed), 0, time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        path = (arguments.folder or Path(temporary)) / "model"
        example().save(path)
        content, (arrays, metadata) = path.read_bytes(), load_arrays(path)
        described = json.loads(metadata["content"])
        for index in range(arguments.files):
            if index % 10:
                path.write_bytes(damaged(content, rng))
            else:
                save_arrays(path, arrays, {**metadata, "content": json.dumps(changed(described, rng))})
            try:
                Model.load(path)
            except FileFormatError:
                refused += 1
    print(
        f"{arguments.files} mutated files: {refused} refused, {arguments.files - refused} loaded (harmless changes), "
        f"nothing else raised ({time.monotonic() - begin:.0f} s)"
    )


if __name__ == "__main__":
    main()
