"""Printing on the console."""

from __future__ import annotations

import re
import shlex
from typing import Any

__all__ = ["in_the_shell", "say"]


def say(console: Any, text: str) -> None:
    """Print one line unchanged: names of files and columns may contain what rich would parse as markup."""
    console.print(text, highlight=False, soft_wrap=True, markup=False)


def in_the_shell(message: str) -> str:
    """The fix in a message, reworded from Python's arguments to options of the shell.

    >>> in_the_shell('pass text=["the code"], drop=["a"] or header=False')
    "pass --text 'the code', --drop a or --header no"
    """
    message = re.sub(r"\bheader=(True|False)", lambda m: "--header yes" if m[1] == "True" else "--header no", message)
    message = re.sub(r"\b(text|drop)=\[((?:'[^']*'|\"[^\"]*\"|, )+)\]", lambda m: f"--{m[1]} {_typed(m[2])}", message)
    message = re.sub(r"\btarget=\.\.\.", "--target", message)
    message = re.sub(r"\bdatasets\.stream\(\.\.\., memory='(\w+)'\)", r"--memory \1", message)
    message = message.replace("logits=True", "--logits").replace("preprocessing=False", "--arrays")
    message = re.sub(r"\bshape=\((\d[\d, ]*)\)", lambda m: f"--shape {'x'.join(re.findall('[0-9]+', m[1]))}", message)
    return re.sub(
        r"\b(missing|task|encoding|delimiter|class_weights|target)=(['\"])(.*?)\2",
        lambda m: f"--{m[1].replace('_', '-')} {m[3] if m[3] == '...' else shlex.quote(m[3])}",
        message,
    )


def _typed(names: str) -> str:
    """A list of names as a shell takes it."""
    found = [name[1:-1] for name in re.findall(r"'[^']*'|\"[^\"]*\"", names)]
    return shlex.quote(",".join(f'"{name}"' if "," in name else name for name in found))
