"""The names in docstrings and signatures, as links.

A name of the library that has an entry in the reference becomes a link to it, wherever it is defined. All other words
in backticks stay code, and the names of other libraries stay text, for the site is built without the network. An alias
of `webstreams.types` in a signature stays what it is called there: what it stands for says nothing to a reader.
"""

from __future__ import annotations

import re
from types import new_class
from typing import Any, Generic

from docutils.nodes import Element
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.domains.python import PyXRefRole
from sphinx.environment import BuildEnvironment

import webstreams
import webstreams.types

ALIASES = (
    "ByteQueuingStrategy",
    "QueuingStrategy",
    "ReadResult",
    "Transformer",
    "UnderlyingByteSource",
    "UnderlyingSink",
    "UnderlyingSource",
)
NAME = re.compile(r"[A-Za-z_][\w.]*\Z")


class Name(PyXRefRole):
    """`name`: a link if it is one of ours, else code. What is no name is not looked for."""

    def create_xref_node(self) -> tuple[list[Any], list[Any]]:
        """Make the link, or the code."""
        if not NAME.match(self.target):
            return self.create_non_xref_node()
        return super().create_xref_node()


def on_missing_reference(app: Sphinx, env: BuildEnvironment, node: pending_xref, content: Element) -> Element | None:
    """Find what Sphinx did not find, or leave the text as it is."""
    if node.get("refdomain") != "py":
        return None
    name = str(node["reftarget"]).rpartition(".")[2]
    for module in (webstreams, webstreams.types):
        if name in module.__all__:
            found = env.domains.python_domain.resolve_xref(
                env, str(node["refdoc"]), app.builder, "obj", f"{module.__name__}.{name}", node, content
            )
            if found is not None:
                return found
    return content


def keep_aliases() -> None:
    """Put classes in the places of the aliases: autodoc evaluates annotations, and shows the name of a class."""
    generic: Any = Generic
    for name in ALIASES:
        parameters = getattr(webstreams.types, name).__parameters__
        bases = (generic[parameters],) if parameters else ()
        setattr(
            webstreams.types, name, new_class(name, bases, {}, lambda body: body.update(__module__="webstreams.types"))
        )


def setup(app: Sphinx) -> dict[str, Any]:
    """Tell Sphinx."""
    keep_aliases()
    app.add_role_to_domain("py", "name", Name())
    app.connect("missing-reference", on_missing_reference)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
