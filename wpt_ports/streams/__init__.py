"""Ports of upstream ``streams/``."""
