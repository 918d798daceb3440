"""The layering of the package, as a test: who may import whom, and how big the parts may get."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from types import ModuleType

import pytest

import webstreams

from .grids import each_of

PACKAGE = Path(webstreams.__file__).parent
ROOT = "webstreams"

# The rooms, from the bottom to the top; a room is a package with all that is in it, or a public module. At run time a
# module imports from its own room and from the rooms below; inside a room there is no circle. A chunk goes upwards:
# source, controller, reader, stream.
ROOMS = (
    "_debug",  # what people see
    "_platform",  # what the web platform does, without a stream in it
    "_text",  # the decoders of the Encoding Standard
    "_engine",  # what a JavaScript engine does: jobs, promises, coroutines
    "consumers",  # what the methods of readable streams collect
    "_cutting",  # into lines and into chunks of one size
    "_streams",  # the Standard, chapter by chapter, with the types of what users write (`types`)
    "_fastpath",  # the trace of a pipeline that repeats itself
    "operations",
    "threads",
    "_transforms",
    "encoding",
    "shaping",
    "compression",
    "ends",
    "_flow",  # several streams, sharing, producers
    "brokers",  # message brokers
    "workers",  # streams across threads and processes
    "observe",  # what pipelines do with their time
    "",
)

# Public modules that are part of a room.
PUBLIC_PARTS = {"types": "_streams"}

# Inside the room of the Standard: which chapter may use which others. A pipe writes, a transform stream is both.
CHAPTERS = {
    "_streams.writable": set[str](),
    "_streams.readable": {"_streams.writable"},
    "_streams.transform": {"_streams.readable", "_streams.writable"},
}

# The door to asyncio, and one exception class. The ends of streams (`ends`) are about what asyncio has: all may use it.
ASYNCIO = {"_engine", "_flow", "brokers", "observe", "threads", "workers", "_transforms.demand_driven"}
CANCELLED_ERROR = "_platform.errors"

MAX_FILE_LINES = 600
MAX_FUNCTION_LINES = 60

# What API.md promises of this package so far.
PROMISED = {
    "AbortController",
    "AbortError",
    "AbortSignal",
    "CompressionStream",
    "DecompressionStream",
    "TextDecoderStream",
    "TextEncoderStream",
    "ByteLengthQueuingStrategy",
    "CountQueuingStrategy",
    "ReadableByteStreamController",
    "ReadableStream",
    "ReadableStreamBYOBReader",
    "ReadableStreamBYOBRequest",
    "ReadableStreamDefaultController",
    "ReadableStreamDefaultReader",
    "StreamError",
    "TransformStream",
    "TransformStreamDefaultController",
    "WritableStream",
    "WritableStreamDefaultController",
    "WritableStreamDefaultWriter",
    "compiled",
    "queue_microtask",
}

AnyFunction = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@cache
def modules() -> dict[str, Path]:
    """Give every module of the package by its full name."""
    return {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def module_name(path: Path) -> str:
    parts = [ROOT, *path.relative_to(PACKAGE).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def short_name(name: str) -> str:
    return name.removeprefix(ROOT).removeprefix(".")


def room_of(name: str) -> str:
    """Return the room of a module: what follows the name of the package, up to the next dot."""
    room = short_name(name).split(".")[0]
    return PUBLIC_PARTS.get(room, room)


def chapter_of(name: str) -> str:
    return ".".join(name.split(".")[1:3])


@cache
def tree_of(name: str) -> ast.Module:
    return ast.parse(modules()[name].read_text(encoding="utf-8"))


def run_time_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Walk over everything that is not under ``if TYPE_CHECKING``."""
    for child in ast.iter_child_nodes(node):
        for_types = isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"
        for each in child.orelse if isinstance(child, ast.If) and for_types else [child]:
            yield each
            yield from run_time_nodes(each)


def functions(name: str) -> list[AnyFunction]:
    return [node for node in ast.walk(tree_of(name)) if isinstance(node, AnyFunction)]


def imported_modules(name: str) -> set[str]:
    """Give the modules of the package that a module imports at run time."""
    return modules_imported_by(name, run_time_nodes(tree_of(name)))


def modules_imported_by(name: str, nodes: Iterable[ast.AST]) -> set[str]:
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            source = absolute_name(name, node)
            submodules = {f"{source}.{alias.name}" for alias in node.names} & modules().keys()
            found |= submodules or {source}
    return {each for each in found if each.split(".")[0] == ROOT}


def absolute_name(name: str, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = name.split(".") if modules()[name].name == "__init__.py" else name.split(".")[:-1]
    base = package[: len(package) - node.level + 1]
    return ".".join([*base, *([node.module] if node.module else [])])


def asyncio_names(name: str) -> set[str]:
    """Give what a module imports from asyncio; "asyncio" for the module itself."""
    found: set[str] = set()
    for node in ast.walk(tree_of(name)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.split(".")[0] == "asyncio"}
        elif isinstance(node, ast.ImportFrom) and not node.level and (node.module or "").split(".")[0] == "asyncio":
            found |= {alias.name for alias in node.names}
    return found


# Imports.


def test_every_module_is_in_a_room() -> None:
    assert {room_of(name) for name in modules()} == set(ROOMS)


@each_of(name=modules())
def test_a_module_imports_from_its_room_and_the_rooms_below(name: str) -> None:
    rank = ROOMS.index(room_of(name))
    above = {each for each in imported_modules(name) if ROOMS.index(room_of(each)) > rank}
    wrong = {(short_name(name), short_name(each)) for each in above}
    assert wrong == set()


@each_of(chapter=CHAPTERS)
def test_a_chapter_uses_only_the_chapters_below(chapter: str) -> None:
    names = [name for name in modules() if chapter_of(name) == chapter]
    used = {chapter_of(each) for name in names for each in imported_modules(name)} & CHAPTERS.keys()
    assert names
    assert used <= {chapter, *CHAPTERS[chapter]}


def test_no_import_goes_round_in_a_circle() -> None:
    """Also those for type checkers count."""
    graph = {name: modules_imported_by(name, ast.walk(tree_of(name))) for name in modules()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a circle of imports: {error.args[1]}")


@each_of(name=modules())
def test_no_import_hides_in_a_function(name: str) -> None:
    hidden = [
        node.lineno
        for function in functions(name)
        for node in ast.walk(function)
        if isinstance(node, (ast.Import, ast.ImportFrom))
    ]
    assert hidden == []


@each_of(name=modules())
def test_asyncio_has_one_door(name: str) -> None:
    names = asyncio_names(name)
    short = name.removeprefix(f"{ROOT}.")
    allowed = (
        bool({short, room_of(name)} & ASYNCIO)
        or short.startswith("ends.")
        or names <= ({"CancelledError"} if short == CANCELLED_ERROR else set())
    )
    assert allowed, f"{name} imports {sorted(names)} from asyncio"


# One interpreter imports what the package needs of others, compiles the modules, of which it runs none, and forks for
# each of them.
IMPORT_ALONE = """
import asyncio, ctypes, gc, importlib, json, os, ssl, subprocess, sys, traceback, types, zlib, typing_extensions
from importlib.machinery import SourceFileLoader

compiled = {}
compile_module = SourceFileLoader.get_code

def get_code(loader, name):
    if loader.path not in compiled:
        compiled[loader.path] = compile_module(loader, name)
    return compiled[loader.path]

SourceFileLoader.get_code = get_code
names = json.loads(sys.argv[2])
for name, path in names.items():
    get_code(SourceFileLoader(name, path), name)
gc.disable()
for name in names:
    child = os.fork()
    if not child:
        if name != "webstreams":
            package = sys.modules["webstreams"] = types.ModuleType("webstreams")
            package.__path__ = [sys.argv[1]]
        try:
            importlib.import_module(name)
        except BaseException:
            print(name, traceback.format_exc(), flush=True)
        os._exit(0)
    os.waitpid(child, 0)
"""


def test_every_module_can_be_imported_on_its_own() -> None:
    """Without what the package's ``__init__`` would have imported before."""
    paths = json.dumps({name: str(path) for name, path in modules().items()})
    command = [sys.executable, "-W", "error", "-c", IMPORT_ALONE, str(PACKAGE), paths]
    done = subprocess.run(command, capture_output=True, text=True, cwd=PACKAGE.parent, timeout=300, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# Names.


def test_the_public_names_are_sorted_and_complete() -> None:
    names = webstreams.__all__
    assert names == sorted(names, key=lambda name: (not name.isupper(), name))  # constants first: ruff's order
    public = {
        name
        for name, value in vars(webstreams).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }
    # Some are found when they are first asked for.
    assert public - {"TYPE_CHECKING"} <= set(names)
    assert all(getattr(webstreams, name) is not None for name in names)
    assert set(names) >= PROMISED


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'webstreams' has no attribute 'readFile'"):
        _ = webstreams.readFile  # type: ignore[attr-defined]
    assert webstreams.ends.files.read_file is webstreams.read_file


HEAVY = {"webencodings", "brotli", "backports.zstd", "compression.zstd", "webstreams._text.legacy",
         "webstreams._transforms", "webstreams._flow", "webstreams.threads"}  # fmt: skip


def test_importing_the_package_loads_no_ends_and_no_codecs() -> None:
    program = "import sys, webstreams; print(*sys.modules)"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, cwd=PACKAGE.parent, timeout=60, check=True)
    loaded = set(done.stdout.split())
    assert loaded & HEAVY == set()
    # The package itself is nothing but the table of its names.
    assert [name for name in loaded if name.startswith("webstreams.ends.")] == []


# Sizes.


@each_of(name=modules())
def test_a_file_is_not_too_long(name: str) -> None:
    assert len(modules()[name].read_text(encoding="utf-8").splitlines()) <= MAX_FILE_LINES


@each_of(name=modules())
def test_a_function_is_not_too_long(name: str) -> None:
    lengths = {
        node.name: (node.end_lineno or 0) - node.lineno + 1
        for node in functions(name)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {each: length for each, length in lengths.items() if length > MAX_FUNCTION_LINES} == {}


@each_of(name=modules())
def test_no_function_is_nested_in_another(name: str) -> None:
    nested = [
        inner.lineno
        for outer in functions(name)
        for inner in ast.walk(outer)
        if inner is not outer and isinstance(inner, (ast.ClassDef, AnyFunction))
    ]
    assert nested == []
