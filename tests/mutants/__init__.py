"""Mutants of the fast path: each guard and each declaration broken, one at a time (`python -m tests.mutants`)."""
