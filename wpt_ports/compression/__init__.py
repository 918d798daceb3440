"""Ports of ``compression/``."""
