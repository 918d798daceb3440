"""Ports of upstream ``streams/piping/``."""
