"""What a release needs beside the code is there and says what is so: workflow, checklist, citation, policies."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
WORKFLOW = (ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8")
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CHECKLIST = (ROOT / "docs" / "releasing.md").read_text(encoding="utf-8")
CITATION = (ROOT / "CITATION.cff").read_text(encoding="utf-8")


def job(name: str) -> str:
    """Return the lines of a job of the workflow."""
    match = re.search(rf"^  {name}:\n(.*?)(?=^  \w|\Z)", WORKFLOW, re.DOTALL | re.MULTILINE)
    assert match is not None
    return match[1]


def test_a_release_is_uploaded_by_trusted_publishing_with_attestations() -> None:
    publish = job("publish")
    assert "uses: pypa/gh-action-pypi-publish@release/v1" in publish
    assert "attestations: true" in publish
    assert "id-token: write" in publish
    assert "needs: [compiled, pure]" in publish
    assert "if: startsWith(github.ref, 'refs/tags/v')" in publish
    # Nobody else may ask for a token, and there is none to keep.
    assert WORKFLOW.count(": write") == 1
    assert "\npermissions:\n  contents: read\n" in WORKFLOW
    assert re.findall(r"secrets\.|password|token:", WORKFLOW) == ["token:"]


def test_the_workflow_builds_with_the_version_that_was_tried() -> None:
    """`python -m tests.packages` asks the version in pyproject.toml what it would build."""
    (version,) = re.findall(r"pypa/cibuildwheel@v(\S+)", WORKFLOW)
    assert f"cibuildwheel=={version}" in PYPROJECT["project"]["optional-dependencies"]["dev"]


def test_compiled_wheels_are_compiled_and_say_so() -> None:
    settings = PYPROJECT["tool"]["cibuildwheel"]
    assert settings["environment"] == {"WEBSTREAMS_MYPYC": "1"}
    assert "assert webstreams.compiled" in settings["test-command"]
    assert "assert not webstreams.compiled" in job("pure")
    for runner in ("ubuntu-24.04", "ubuntu-24.04-arm", "macos-15-intel", "macos-15", "windows-2025"):
        assert re.search(rf"runner: \[.*\b{runner}[,\]]", job("compiled"))


def test_the_checklist_is_one_page_with_as_many_steps_as_the_guide_for_contributors_says() -> None:
    steps = re.findall(r"^\d+\. ", CHECKLIST, re.MULTILINE)
    assert steps == [f"{number}. " for number in range(1, 10)]
    assert "has nine steps" in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert len(CHECKLIST.splitlines()) <= 40


def test_the_checklist_names_what_is_there() -> None:
    assert "`release.yml`" in CHECKLIST
    (environment,) = re.findall(r"environment:\n      name: (\w+)", job("publish"))
    assert f"the environment `{environment}`" in CHECKLIST
    for path in ("benchmarks/results.json", "webstreams/__init__.py"):
        assert f"`{path}`" in CHECKLIST
        assert path.startswith("webstreams/") or (ROOT / path).exists()


def test_the_citation_has_what_the_format_wants_and_is_that_of_the_package() -> None:
    keys = dict(re.findall(r"^([\w-]+): ?(.*)$", CITATION, re.MULTILINE))
    assert {"authors", "cff-version", "message", "title"} <= keys.keys()
    assert keys["cff-version"] == "1.2.0"
    assert keys["type"] == "software"
    project = PYPROJECT["project"]
    assert keys["title"] == project["name"]
    assert keys["license"] == project["license"]
    assert keys["repository-code"].strip('"') == project["urls"]["Source"]


def test_the_security_policy_says_where_to_write_and_names_options_that_exist() -> None:
    policy = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    assert f"{PYPROJECT['project']['urls']['Source']}/security" in policy
    code = (ROOT / "docs" / "guides").glob("*.md")
    guides = " ".join(page.read_text(encoding="utf-8") for page in code)
    options = re.findall(r"`(\w+=)`", policy)
    assert options
    tables = (ROOT / "docs" / "porting" / "from-web-streams.md").read_text(encoding="utf-8")
    assert [option for option in options if option not in guides + tables] == []


def test_the_pythons_of_the_classifiers_are_those_that_are_tested() -> None:
    named = re.findall(r"Python :: (3\.\d+)", " ".join(PYPROJECT["project"]["classifiers"]))
    script = (ROOT / ".ci" / "test").read_text(encoding="utf-8")
    (oldest,) = re.findall(r"^OLDEST=(\S+)$", script, re.MULTILINE)
    (others,) = re.findall(r"^OTHERS=\((.*)\)$", script, re.MULTILINE)
    assert named == [oldest, *others.split()]
    assert PYPROJECT["project"]["requires-python"] == f">={oldest}"
