"""The documentation: text notebooks whose every cell runs when it is built."""

from chainrule import __version__

project = "chainrule"
version = release = __version__
copyright = "the authors of chainrule"

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.mathjax"]
exclude_patterns = ["_build", "jupyter_execute"]
html_theme = "furo"
html_title = "chainrule"
html_static_path = []

nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_merge_streams = True
myst_enable_extensions = ["dollarmath", "colon_fence"]
