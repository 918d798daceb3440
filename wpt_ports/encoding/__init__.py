"""Ports of upstream ``encoding/``."""
