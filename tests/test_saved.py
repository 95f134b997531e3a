"""Files that an earlier version wrote are read, predict the same numbers, and go on where they stopped."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import saved
from chainrule import Model, book

EXPECTED: dict[str, Any] = json.loads((saved.FOLDER / "expected.json").read_text())


@pytest.mark.parametrize("name", saved.MODELS)
def test_a_saved_model_predicts_the_same_numbers(name: str) -> None:
    model = Model.load(saved.FOLDER / f"{name}.safetensors")
    np.testing.assert_allclose(model.logits(saved.inputs(model)), EXPECTED[name], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", saved.MODELS)
def test_a_saved_model_says_of_itself_what_the_same_model_says_today(name: str) -> None:
    """Everything beside the numbers: settings, groups, ties, what is frozen, names, preprocessing, records."""
    old, new = Model.load(saved.FOLDER / f"{name}.safetensors"), saved.MODELS[name]()
    assert repr(old.network) == repr(new.network).replace("Sequential(", "Graph(")
    assert old.network.ties == new.network.ties
    assert old.network.trainable_names() == new.network.trainable_names()
    assert (old.loss, old.optimizer, old.class_names) == (new.loss, new.optimizer, new.class_names)
    assert old.preprocessing == new.preprocessing
    assert old.run.metrics == new.run.metrics
    assert old.dtype == new.dtype
    assert old.history["epoch"] == new.history["epoch"]
    np.testing.assert_allclose(old.history["loss"], new.history["loss"], rtol=1e-4)
    for slot, array in old.run.slots.items():
        np.testing.assert_allclose(array, new.run.slots[slot], rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("name", ["stopped", "ended"])
def test_a_run_goes_on_from_a_saved_checkpoint_as_if_it_had_never_stopped(name: str, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    shutil.copy(saved.FOLDER / f"{name}.safetensors", path)
    assert Model.load(path).run.epoch == {"stopped": 3, "ended": 4}[name]
    resumed, whole = saved.of_a_run(path, resume=True), saved.of_a_run(tmp_path / "whole")
    assert resumed.history["epoch"] == list(range(1, saved.EPOCHS + 1))
    for measured in ("loss", "accuracy", "learning_rate"):  # what does not hang on BatchNorm's running variance
        np.testing.assert_allclose(resumed.history[measured], whole.history[measured], rtol=1e-4)


def test_a_saved_model_of_the_book_predicts_the_same_numbers() -> None:
    model = book.Model.load(str(saved.FOLDER / "book.safetensors"))
    predicted = model.predict(saved.points().astype(np.float32))
    np.testing.assert_allclose(predicted, EXPECTED["book"], rtol=1e-5, atol=1e-6)
