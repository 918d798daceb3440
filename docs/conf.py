"""What Sphinx needs to know to build the site. ``python -m docs`` does it."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# The checkout is documented, with its docstrings: those of a compiled build are gone.
sys.path.insert(0, str(ROOT))

import webstreams  # noqa: E402

project = "webstreams"
author = "the webstreams contributors"
project_copyright = author
release = version = webstreams.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "docs.repository", "docs.programs", "docs.names", "docs.marking"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["_build"]
nitpicky = True

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4
myst_highlight_code_blocks = True

# `name` in a docstring is a link to what it names, if there is such a thing.
default_role = "py:name"
autodoc_default_options = {
    "members": True,
    "member-order": "bysource",
    "inherited-members": "Exception, TypeError, ValueError, OSError, tuple, object, Protocol, Generic, dict, type",
}
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_class_signature = "mixed"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 100
add_module_names = False
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_title = f"webstreams {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_theme_options = {
    "source_repository": "https://github.com/webstreams/webstreams/",
    "source_branch": "main",
    "source_directory": "docs/",
}
pygments_style = "friendly"
pygments_dark_style = "monokai"
