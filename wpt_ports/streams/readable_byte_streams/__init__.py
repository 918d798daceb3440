"""Ports of upstream ``streams/readable-byte-streams/``."""
