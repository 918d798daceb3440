"""Ports of upstream ``dom/``."""
