"""Files: arrays come back bit for bit, and anything else is refused with the library's own error."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from chainrule.errors import ConfigurationError, FileFormatError
from chainrule.files import load_arrays, save_arrays, write_atomically

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


# Where a file is written

posix = pytest.mark.skipif(os.name != "posix", reason="pipes, devices and permission bits are those of POSIX")


def received(pipe: Path, write: Callable[[], None]) -> bytes:
    """What a reader of a pipe gets while `write` runs."""
    content: list[bytes] = []
    opened = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(opened, True)

    def read() -> None:
        with open(opened, "rb") as file:
            content.append(file.read())

    write()
    reader = threading.Thread(target=read)
    reader.start()
    reader.join(timeout=10)
    return content[0]


@posix
def test_a_pipe_receives_the_content_and_stays_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert received(pipe, lambda: write_atomically(pipe, b"hello")) == b"hello"
    assert stat.S_ISFIFO(pipe.lstat().st_mode)
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


@posix
def test_a_large_content_goes_through_a_pipe_whole(tmp_path: Path) -> None:
    pipe, content = tmp_path / "pipe", bytes(range(256)) * 4096
    os.mkfifo(pipe)
    with (tmp_path / "out").open("wb") as out, subprocess.Popen(["cat", str(pipe)], stdout=out):
        for _ in range(1000):  # until the reader has opened the pipe
            try:
                write_atomically(pipe, content)
                break
            except OSError:
                time.sleep(0.01)
    assert (tmp_path / "out").read_bytes() == content


@posix
def test_a_pipe_that_nothing_reads_is_refused_rather_than_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="nothing reads from this pipe") as raised:
        write_atomically(tmp_path / "pipe", b"hello")
    assert raised.value.filename == str(tmp_path / "pipe")


@posix
def test_a_character_device_stays_one(tmp_path: Path) -> None:
    before = os.stat("/dev/null")
    write_atomically("/dev/null", b"hello")
    (tmp_path / "link").symlink_to("/dev/null")
    write_atomically(tmp_path / "link", b"hello")
    after = os.stat("/dev/null")
    assert (before.st_ino, before.st_rdev, before.st_mode) == (after.st_ino, after.st_rdev, after.st_mode)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is a device of Linux")
def test_a_device_without_space_says_so() -> None:
    with pytest.raises(OSError, match="No space left on device") as raised:
        write_atomically("/dev/full", b"hello")
    assert raised.value.filename == "/dev/full"


@posix
def test_a_socket_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    monkeypatch.chdir(tmp_path)  # the path of a socket may not be long
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("socket")
        with pytest.raises(OSError, match="neither a file nor a pipe"):
            write_atomically("socket", b"hello")
    assert stat.S_ISSOCK(Path("socket").stat().st_mode)


@posix
@pytest.mark.parametrize("out", ["/dev/stdout", "/dev/fd/1", "/dev/stderr"])
def test_a_standard_stream_that_goes_to_a_file_is_written_in_order(out: str, tmp_path: Path) -> None:
    program = f"from chainrule.files import write_atomically as w; print('one'); w({out!r}, b'two\\n'); print('three')"
    command = [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}\n{program}"]
    with (tmp_path / "out").open("wb") as file:
        subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, check=True)
    assert sorted((tmp_path / "out").read_text().splitlines()) == ["one", "three", "two"]
    if out != "/dev/stderr":
        assert (tmp_path / "out").read_text() == "one\ntwo\nthree\n"


def test_a_folder_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, "", tmp_path / "missing" / "file"):
        with pytest.raises(OSError) as raised:
            write_atomically(path, b"hello")
        assert raised.value.filename == str(path)
    assert list(tmp_path.iterdir()) == []


@posix
def test_a_link_stays_a_link_and_its_target_is_replaced(tmp_path: Path) -> None:
    target, link, second = tmp_path / "target", tmp_path / "link", tmp_path / "second"
    target.write_bytes(b"old")
    link.symlink_to("target")
    second.symlink_to(link)
    write_atomically(second, b"new")
    assert target.read_bytes() == b"new" and not target.is_symlink()
    assert link.is_symlink() and second.is_symlink()


@posix
def test_a_link_to_nothing_makes_what_it_points_to(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("target")
    write_atomically(tmp_path / "link", b"new")
    assert (tmp_path / "target").read_bytes() == b"new"
    assert (tmp_path / "link").is_symlink()


@posix
@pytest.mark.parametrize("length", [1, 2])
def test_a_loop_of_links_is_refused_and_stays(length: int, tmp_path: Path) -> None:
    links = [tmp_path / str(i) for i in range(length)]
    for i, link in enumerate(links):
        link.symlink_to(links[(i + 1) % length])
    with pytest.raises(OSError, match="Too many levels of symbolic links") as raised:
        write_atomically(links[0], b"hello")
    assert raised.value.filename == str(links[0])
    assert all(link.is_symlink() for link in links) and len(list(tmp_path.iterdir())) == length


@posix
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755, 0o444])
def test_the_permissions_of_a_file_stay(mode: int, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(mode)
    write_atomically(path, b"new")
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert path.read_bytes() == b"new"


@posix
def test_a_new_file_has_the_permissions_that_the_umask_leaves(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / "file", b"new")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_folder_that_may_not_be_written_to_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path)
    before = path.read_bytes()
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(PermissionError):
            write_atomically(path, b"new")
    finally:
        tmp_path.chmod(0o755)
    assert path.read_bytes() == before


def test_reading_a_device_is_refused() -> None:
    with pytest.raises(FileFormatError, match="is a device, not a file"):
        load_arrays("/dev/zero")


def test_names_and_metadata_too_large_to_be_read_again_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot be written .* may take 100,000,000 bytes"):
        save_arrays(tmp_path / "a", {"a": BASE}, {"note": "x" * 100_000_001})
    assert list(tmp_path.iterdir()) == []


def test_a_header_above_the_cap_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path)
    monkeypatch.setattr("chainrule.files.HEADER_BYTES", 100)
    with pytest.raises(FileFormatError, match=r"its header has .* bytes, at most 100 are read"):
        load_arrays(path)
