"""Blocking work on threads."""
