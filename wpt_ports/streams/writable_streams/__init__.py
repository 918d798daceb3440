"""Ports of upstream ``streams/writable-streams/``."""
