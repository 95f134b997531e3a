"""The page's state as a link: what is chosen and, of a small network, every number; what comes in is checked whole."""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigurationError, DataError
from . import setups
from .lessons import Setup
from .work import Work

__all__ = ["fragment", "left_out", "opened", "restored", "state", "stated"]

_LARGEST = 1e100
_MOST = 500  # numbers of a network, or of its samples, that a link carries: some 5,000 letters, which mails leave whole

Array = NDArray[np.float64]


def state(work: Work, lesson: str | None, chosen: str | None) -> dict[str, Any]:
    """All that `opened` and `restored` make the same page of. Raises `ConfigurationError` for the reader's own data."""
    setup = work.setup
    if setup.table or not (lesson or setup.data in setups.DATASETS):
        raise ConfigurationError(
            "A link opens lessons and data sets, which every reader has; yours travels as a file: take the model, and "
            "open it with chainrule play MODEL --data TABLE."
        )
    found: dict[str, Any] = {"lesson": lesson, "data": setup.data, "controls": setups.chosen(setup), "chosen": chosen}
    found |= {"sample": work.sample_row(), "removed": sorted(work.removed), "broken": work.broken}
    found |= {"reduction": setup.model.run.loss.reduction, "divided": setup.divided}
    numbers = {"parameters": np.concatenate([np.ravel(value) for value in setup.model.parameters.values()])}
    if setup.fixed:
        numbers |= {"inputs": np.ravel(setup.X)} | ({"targets": np.ravel(setup.y)} if setup.upstream else {})
    return found | {name: packed(flat) for name, flat in numbers.items() if len(flat) <= _MOST and _is_readable(flat)}


def left_out(work: Work, found: Mapping[str, Any]) -> str:
    """What a link to this page does not carry, in words; "" where it carries all."""
    said = []
    if "parameters" not in found:
        count = sum(np.size(value) for value in work.model.parameters.values())
        many = f"a link carries {_MOST} weights, and here are {count:,}; take the model."
        said.append(f"It begins untrained: {many if count > _MOST else 'its weights are not finite, or too large.'}")
    elif any(np.any(slot) for slot in work.model.run.slots.values()):
        said.append("Its optimizer begins anew, without what it remembers of past gradients.")
    if work.edits and "inputs" not in found:
        said.append("It has the data set's own samples, without those that you changed.")
    return " ".join(said)


def _is_readable(numbers: Array) -> bool:
    """Whether `unpacked` takes them: finite, and not so large that products of them are not."""
    return bool((np.abs(numbers) < _LARGEST).all())


def fragment(found: Mapping[str, Any]) -> str:
    """The part of an address behind its #."""
    return quote(json.dumps(found, separators=(",", ":")), safe="")


def stated(address: str) -> dict[str, Any]:
    """The state that an address, or the part behind its #, holds. Raises `DataError` for one that holds none."""
    try:
        found = json.loads(unquote(address.rpartition("#")[2]))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise DataError("This link holds no state of the page: copy it whole, from http to its end.")
    return found


def opened(lesson: str | None, data: str, controls: Mapping[str, Any]) -> Setup:
    """The setup that a link names. Raises `ConfigurationError` for a lesson or data set that there is not."""
    setup = setups.of_name(data) if lesson is None else setups.of_lesson(lesson)
    return setups.changed(setup, dict(controls)) if controls else setup


def restored(work: Work, asked: Mapping[str, Any]) -> None:
    """Put a new work where the link's was. Raises `DataError` where it does not fit; the work is of no use then."""
    setup = work.setup
    if "parameters" in asked:
        values = _filled(unpacked(asked["parameters"]), work.model.parameters)
        if any((value != work.model.parameters[name]).any() for name, value in values.items()):
            work.model.parameters = values
            work.keep(f"model.parameters = { ({name: value.tolist() for name, value in values.items()})!r}")
    for name, short, own in (("inputs", "X", setup.X), ("targets", "y", setup.y)):
        if name in asked and setup.fixed and (name == "inputs" or setup.upstream):
            given = _filled(unpacked(asked[name]), {name: own})[name]
            if (given != own).any():
                work.change_samples(short, given)
    rows, removed, sample = set(work.batch), set(asked.get("removed", ())), asked.get("sample", work.sample_row())
    if not removed < rows or sample not in rows:
        raise DataError("The link names samples that are not in the batch.")
    work.removed, work.sample = removed, work.batch.index(sample)
    if not setup.upstream:
        setups.reduce(setup, asked.get("reduction", "mean"), asked.get("divided", 1))


def _filled(flat: Array, like: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The arrays that lie one behind the other, as large as those of `like`."""
    sizes = [np.size(value) for value in like.values()]
    if len(flat) != sum(sizes):
        raise DataError(f"The link carries {len(flat):,} numbers where its network has {sum(sizes):,}.")
    parts = np.split(flat, np.cumsum(sizes)[:-1])
    return {name: part.reshape(np.shape(like[name])) for name, part in zip(like, parts, strict=True)}


def packed(numbers: Array) -> str:
    """Numbers as text of letters that an address may have, to the last bit.

    >>> unpacked(packed(np.array([0.1, -2.0])))
    array([ 0.1, -2. ])
    """
    return base64.urlsafe_b64encode(zlib.compress(numbers.astype("<f8").tobytes(), 9)).decode().rstrip("=")


def unpacked(text: str) -> Array:
    """The numbers again. Raises `DataError` for what `packed` did not make, for too many, and for any not finite."""
    try:
        unfolding = zlib.decompressobj()
        plain = unfolding.decompress(
            base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True), 8 * _MOST + 1
        )
    except (binascii.Error, ValueError, zlib.error):
        raise DataError("The numbers of this link did not arrive whole: copy it again, from http to its end.") from None
    if not unfolding.eof or unfolding.unused_data or len(plain) % 8 or len(plain) > 8 * _MOST:
        raise DataError(f"The numbers of this link are cut off, or more than {_MOST}.")
    numbers = np.frombuffer(plain, dtype="<f8").astype(np.float64)
    if not _is_readable(numbers):
        raise DataError("The link carries numbers that are not finite, or too large.")
    return numbers
