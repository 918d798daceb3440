"""The compiled build: ``WEBSTREAMS_MYPYC=1 pip install .`` compiles the hot core with mypyc.

Without the variable nothing of this happens: the wheel is pure, and neither a compiler nor mypy is needed.
pyproject.toml names what is compiled, and the exceptions with their reasons.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

VARIABLE = "WEBSTREAMS_MYPYC"
PACKAGE = "webstreams"
# All compiled modules are one unit, so that they call each other directly; it is a library in the package itself.
UNIT = f"{PACKAGE}._compiled"
MYPY_OPTIONS = [
    "--config-file=",
    "--strict",
    "--no-warn-unused-ignores",
    "--ignore-missing-imports",
    f"--cache-dir={os.devnull}",
]


def is_wanted() -> bool:
    """Whether the environment asks for the compiled build."""
    return os.environ.get(VARIABLE, "0") not in ("", "0")


def compiled_modules(root: Path, compiled: list[str], interpreted: dict[str, str]) -> list[str]:
    """Return the files of the modules that are compiled, relative to `root`: `compiled` without `interpreted` ones.

    Raises `ValueError` for an entry that stands for no module, and for an exception that is not in a compiled room.
    """
    files = {module_name(path.relative_to(root / PACKAGE)): path for path in sorted((root / PACKAGE).rglob("*.py"))}
    stale = [entry for entry in (*compiled, *interpreted) if not any(covers(entry, name) for name in files)]
    if stale:
        raise ValueError(f"modules that do not exist: {', '.join(stale)}")
    needless = [entry for entry in interpreted if not any(covers(room, entry) for room in compiled)]
    if needless:
        raise ValueError(f"exceptions from nothing that is compiled: {', '.join(needless)}")
    return [
        str(path.relative_to(root))
        for name, path in files.items()
        if path.name != "__init__.py"
        and any(covers(entry, name) for entry in compiled)
        and not any(covers(entry, name) for entry in interpreted)
    ]


def module_name(path: Path) -> str:
    """Give the dotted name of a module inside the package."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def covers(entry: str, name: str) -> bool:
    """Whether an entry of pyproject.toml stands for a module: it names it, or a package around it."""
    return name == entry or name.startswith(f"{entry}.")


class CompiledBuildHook(BuildHookInterface[Any]):
    """Adds the compiled modules to the wheel, beside their sources."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Give what the compiled build needs, nothing for the pure one."""
        return ["mypy[mypyc]==2.4.1", "setuptools>=70"] if is_wanted() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, if that is wanted; an editable install stays pure."""
        if not is_wanted() or version == "editable":
            return
        self._folder = tempfile.mkdtemp(prefix="webstreams-mypyc-")
        for library in compile_modules(Path(self.root), self.config, Path(self._folder)):
            build_data["force_include"][str(library)] = library.relative_to(self._folder).as_posix()[len("lib/") :]
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was made on the way."""
        shutil.rmtree(getattr(self, "_folder", ""), ignore_errors=True)


def compile_modules(root: Path, config: dict[str, Any], folder: Path) -> list[Path]:
    """Compile the modules and give the libraries, which are in ``lib`` inside `folder`, at their places."""
    from setuptools import Distribution

    before = Path.cwd()
    os.chdir(root)
    try:
        modules = compiled_modules(root, config["compiled"], config["interpreted"])
        extensions = translate([*MYPY_OPTIONS, *modules], str(folder / "c"))
        distribution = Distribution({"name": PACKAGE, "ext_modules": extensions})
        command: Any = distribution.get_command_obj("build_ext")
        command.build_lib = str(folder / "lib")
        command.build_temp = str(folder / "temp")
        distribution.run_command("build_ext")
    finally:
        os.chdir(before)
    return [path for path in (folder / "lib").rglob("*") if path.suffix in (".so", ".pyd")]


def translate(options: list[str], folder: str) -> list[Any]:
    """Translate modules to C; give the extensions of setuptools.

    What `mypycify` does, with a step between its two. mypyc takes `Generic` for a base class that is not compiled: each
    object gets a ``__dict__``, and on Python 3.11 a list of weak references that it does not keep right. So the base is
    taken away; `mypyc.subscriptable` gives what is missed then.
    """
    from mypy.fscache import FileSystemCache
    from mypyc import build
    from mypyc.codegen import emitmodule
    from mypyc.errors import Errors
    from mypyc.options import CompilerOptions

    compiler_options = CompilerOptions(target_dir=folder, group_name=UNIT)
    cache = FileSystemCache()
    sources, every_source, mypy_options = build.get_mypy_config(options, None, compiler_options, cache)
    groups = build.construct_groups(sources, False, True, UNIT)
    result = emitmodule.parse_and_typecheck(every_source, mypy_options, compiler_options, groups, cache)
    for source in sources:
        take_generic_away(result.files[source.module])
    errors = Errors(mypy_options)
    modules, files, _ = emitmodule.compile_modules_to_c(result, compiler_options, errors, groups)
    result.manager.metastore.close()
    if errors.num_errors:
        raise RuntimeError("\n".join(errors.new_messages()))
    needed = [(each.path, each.include_dirs, each.internal) for each in emitmodule.collect_source_dependencies(modules)]
    level = os.environ.get(f"{VARIABLE}_OPT", "3")
    return build.mypycify(
        options, opt_level=level, debug_level="0", target_dir=folder, group_name=UNIT, skip_cgen_input=(files, needed)
    )


def take_generic_away(module: Any) -> None:
    """Take the base class `Generic` away from the classes of a module."""
    from mypy.nodes import ClassDef

    for each in module.defs:
        if isinstance(each, ClassDef) and not each.info.is_protocol:
            each.removed_base_type_exprs.clear()
