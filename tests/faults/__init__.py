"""Regression tests for faults that other implementations of streams had; each test names the line of the list."""
