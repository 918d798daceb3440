"""The page in a real browser: tests for where there is one, which `.ci/test` sees to."""
