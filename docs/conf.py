"""The documentation: text notebooks whose every cell runs when it is built."""

import re
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert

from chainrule import __version__

project = "chainrule"
version = release = __version__
copyright = "the authors of chainrule"

extensions = ["myst_nb", "sphinx.ext.autodoc"]
html_math_renderer = "mathml"  # browsers show it without a script, and without a network
exclude_patterns = ["_build", "jupyter_execute"]
html_theme = "furo"
html_title = "chainrule"
html_static_path = ["_static"]
html_css_files = ["book.css"]

nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_merge_streams = True
myst_enable_extensions = ["dollarmath", "colon_fence"]

default_role = "code"  # docstrings write `names` so
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings give the shapes
autodoc_preserve_defaults = True
add_module_names = False


def plain_text(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """In our docstrings only `names` and examples are markup: |x| and a * b are text."""
    example = False
    for i, line in enumerate(lines):
        example = bool(line.strip()) and (example or line.lstrip().startswith(">>>"))
        if not example:
            lines[i] = re.sub(r"`[^`]*`|([|*])", lambda found: f"\\{found[1]}" if found[1] else found[0], line)


def inline_math(writer: Any, node: nodes.Element) -> None:
    """A formula in a line."""
    writer.body.append(convert(node.astext(), display="inline"))
    raise nodes.SkipNode


def block_math(writer: Any, node: nodes.Element) -> None:
    """A formula on lines of its own."""
    writer.body.append(f'<div class="math">{convert(node.astext(), display="block")}</div>')
    raise nodes.SkipNode


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.add_html_math_renderer("mathml", (inline_math, None), (block_math, None))
    app.connect("autodoc-process-docstring", plain_text)
