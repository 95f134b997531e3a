"""Files: arrays come back bit for bit, and anything else is refused with the library's own error."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chainrule.errors import FileFormatError
from chainrule.files import load_arrays, save_arrays

BASE = np.arange(24, dtype=np.float64).reshape(4, 6) / 7

LAYOUTS = {
    "C order": BASE,
    "Fortran order": np.asfortranarray(BASE),
    "transposed": BASE.T,
    "strided": BASE[::2, 1::3],
    "reversed": BASE[::-1],
    "big-endian": BASE.astype(">f8"),
    "float32": BASE.astype(np.float32),
    "integers": np.arange(5),
    "empty": np.zeros((0, 3)),
    "one number": np.array(1.5),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_array_comes_back_bit_for_bit_whatever_its_layout_in_memory(layout: str, tmp_path: Path) -> None:
    array = LAYOUTS[layout]
    save_arrays(tmp_path / "a.safetensors", {"a": array}, {"note": "é"})
    arrays, metadata = load_arrays(tmp_path / "a.safetensors")
    assert metadata == {"note": "é"}
    assert arrays["a"].shape == array.shape
    assert arrays["a"].dtype == array.dtype.newbyteorder("=")
    np.testing.assert_array_equal(arrays["a"], array)


def saved(folder: Path) -> Path:
    save_arrays(folder / "a", {"weights": BASE}, {"format": "test"})
    return folder / "a"


def test_any_changed_byte_is_noticed(tmp_path: Path) -> None:
    path = saved(tmp_path)
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    for position in rng.integers(0, len(content), 200):
        changed = bytearray(content)
        changed[position] ^= 1 << int(rng.integers(8))
        path.write_bytes(bytes(changed))
        with pytest.raises(FileFormatError):
            load_arrays(path)


def test_a_truncated_an_empty_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path)
    content = path.read_bytes()
    for size in (0, 7, 20, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:size])
        with pytest.raises(FileFormatError, match=str(path)):
            load_arrays(path)
    with pytest.raises(FileFormatError, match="there is no such file"):
        load_arrays(tmp_path / "missing")
    with pytest.raises(FileFormatError):
        load_arrays(tmp_path)


def test_a_file_of_another_program_is_refused(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    save_file({"weights": BASE}, tmp_path / "other")
    with pytest.raises(FileFormatError, match="was not written by chainrule"):
        load_arrays(tmp_path / "other")


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path)
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save_arrays(path, {"weights": BASE * 2}, {})
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
