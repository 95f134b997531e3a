"""`chainrule export`: a trained model as a file for other programs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..display.terminal import terminal
from ..ensemble import load
from ..errors import ConfigurationError
from .console import say
from .writing import require_another_file

__all__ = ["export"]


def export(path: Path, to: str, out: Path | None, logits: bool, arrays: bool, shape: str | None) -> None:
    """Write the file, and say what it takes and gives."""
    if to != "onnx":
        raise ConfigurationError(f"--to must be onnx, not {to!r}.")
    model, file = load(path), out or path.with_suffix(".onnx")
    require_another_file("--out", file, model=path)
    model.export_onnx(file, logits=logits, preprocessing=not arrays, shape=None if shape is None else _sizes(shape))
    import onnx

    if not file.is_file():  # /dev/stdout, a pipe
        return
    graph, console = onnx.load(file).graph, terminal()
    say(console, f"Saved {file}")
    _print(console, "takes", graph.input)
    _print(console, "gives", graph.output)


def _sizes(shape: str) -> tuple[int, ...]:
    try:
        return tuple(int(size) for size in shape.split("x"))
    except ValueError:
        raise ConfigurationError(f"--shape must be sizes such as 28x28, not {shape!r}.") from None


def _print(console: Any, word: str, values: Iterable[Any]) -> None:
    for value in values:
        tensor = value.type.tensor_type
        sizes = ", ".join(dim.dim_param or str(dim.dim_value) for dim in tensor.shape.dim)
        say(console, f"  {word}  {value.name}  {_KINDS[tensor.elem_type]} ({sizes}): {value.doc_string}")
        word = " " * len(word)


_KINDS = {1: "float32", 7: "int64", 8: "text", 11: "float64"}  # numbers that ONNX gives them
