"""Ports of upstream ``encoding/streams/``."""
