"""Where there is no browser, there is nothing to test here; `.ci/test` fails in continuous integration then."""

from __future__ import annotations

from tests.browser import is_here

collect_ignore_glob = [] if is_here() else ["test_*.py"]
