"""Marks for mypyc, which the compiled build uses; without it they do nothing."""

from __future__ import annotations

from types import GenericAlias
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_extensions import mypyc_attr, trait
else:

    def mypyc_attr(**_: Any) -> Any:
        """Say how a class is compiled."""
        return _unchanged

    def _unchanged(each: Any) -> Any:
        return each

    trait = _unchanged


def subscriptable(each: type[Any]) -> None:
    """Have a class take type arguments at run time, which the compiled build of a generic class does not."""
    if not hasattr(each, "__class_getitem__"):
        each.__class_getitem__ = classmethod(GenericAlias)


__all__ = ["mypyc_attr", "subscriptable", "trait"]
