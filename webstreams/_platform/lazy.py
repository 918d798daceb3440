"""Names of a package that are imported when they are first asked for.

A program that needs no sockets, codecs or processes does not pay for their modules. `__getattr__` of a module may be
any callable (PEP 562): an object of this class.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any


class LazyNames:
    """The ``__getattr__`` of `package`: finds names in the submodules that have them, and the submodules themselves.

    `names` has the names by submodule, whose name is relative to the package (".ends.files").
    """

    def __init__(self, package: str, names: Mapping[str, Sequence[str]], submodules: tuple[str, ...] = ()) -> None:
        self._package = package
        self._module_of = {name: module for module, found in names.items() for name in found}
        self._submodules = frozenset(submodules)

    def __call__(self, name: str) -> Any:
        """Return what `name` stands for, and keep it as an attribute of the package."""
        if name in self._submodules:
            return import_module(f"{self._package}.{name}")
        if name not in self._module_of:
            raise AttributeError(f"module {self._package!r} has no attribute {name!r}")
        value = getattr(import_module(self._module_of[name], self._package), name)
        setattr(sys.modules[self._package], name, value)
        return value


@contextmanager
def needs_extra(name: str) -> Iterator[None]:
    """Around imports of other packages: if one of them is missing, the error says which extra has it."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f'{error}: pip install "webstreams[{name}]"', name=error.name) from None
