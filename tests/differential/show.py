"""Write a program so that a person can read it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

Action: TypeAlias = Mapping[str, Any]

MEMBERS = ("start", "pull", "cancel", "write", "close", "abort", "transform", "flush", "next", "return")


def show_value(value: Any) -> str:
    """A value of a program."""
    if not isinstance(value, dict):
        return "undefined" if value is None else repr(value)
    if "e" in value:
        return f"Error({value['e']})"
    if "sub" in value:
        return f"part{value['sub']}"
    return "argument" if "arg" in value else str(value["n"])


def show_strategy(strategy: Action | None) -> str:
    """A strategy, without the actions of its size function."""
    if strategy is None:
        return "none"
    mark = f" {show_value(strategy['hwm'])}" if "hwm" in strategy else ""
    return f"{strategy['kind']}{mark}"


def show_end(end: Action | None) -> str:
    """The ending of a script."""
    if end is None or end["k"] == "undef":
        return "return"
    kind = end["k"]
    if kind == "def":
        return f"return deferred {end['d']}"
    if kind == "act":
        return f"return {head(end['a'])}"
    words = {"throw": "throw", "val": "return", "res": "return resolved", "rej": "return rejected"}
    return f"{words.get(kind, 'return ' + str(kind))} {show_value(end.get('v'))}"


def head(action: Action) -> str:
    """One action, without the scripts in it."""
    skipped = {"op", "i", "on", "id", "acts", "source", "sink", "transformer", "next", "return", "a"}
    parts = [f"{action['op']}@{action['i']}" if "i" in action else action["op"]]
    parts += [action["on"]] if "on" in action else []
    parts += [f"as {action['id']}"] if "id" in action else []
    for key, value in action.items():
        if key in ("strategy", "writable", "readable"):
            parts.append(f"{key}={show_strategy(value)}")
        elif key not in skipped:
            parts.append(show_value(value) if key == "v" else f"{key}={value}")
    if "a" in action:
        parts.append(head(action["a"]))
    return " ".join(parts)


def show_actions(actions: Sequence[Action], depth: int) -> Iterator[str]:
    """Actions, one per line, with what is in them."""
    for action in actions:
        yield "    " * depth + head(action)
        yield from show_inside(action, depth + 1)


def show_inside(action: Action, depth: int) -> Iterator[str]:
    """The scripts within an action."""
    yield from show_actions(action.get("acts", ()), depth)
    for part in ("source", "sink", "transformer"):
        members = action.get(part, {})
        other = {key: value for key, value in members.items() if key not in MEMBERS}
        if other:
            yield "    " * depth + str(other)
        for name in MEMBERS:
            if name in members:
                yield from show_runs(name, members[name]["runs"], depth)
    for name in ("next", "return"):
        if name in action:
            yield from show_runs(name, action[name]["runs"], depth)
    for part in ("strategy", "writable", "readable"):
        if "size" in action.get(part, {}):
            yield from show_runs(f"{part} size", action[part]["size"], depth)


def show_runs(name: str, runs: Sequence[Action], depth: int) -> Iterator[str]:
    """The scripts of a callback, one per call."""
    indent = "    " * depth
    if not runs:
        yield f"{indent}{name}: return"
    for number, run in enumerate(runs):
        async_word = "async " if "async" in run else ""
        yield f"{indent}{async_word}{name}#{number}:"
        yield from show_actions(run.get("async", run.get("acts", ())), depth + 1)
        if "throw" in run:
            yield f"{indent}    throw {show_value(run['throw'])}"
        elif "ret" in run:
            yield f"{indent}    return {show_value(run['ret'])}"
        else:
            yield f"{indent}    {show_end(run.get('end'))}"


def show_program(program: Action) -> str:
    """The whole program."""
    lines: list[str] = []
    for number, turn in enumerate(program["turns"]):
        lines.append(f"turn {number}")
        lines += show_actions(turn, 1)
    return "\n".join(lines)
