"""Ports of upstream ``dom/abort/``."""
