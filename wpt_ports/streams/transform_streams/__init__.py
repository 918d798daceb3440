"""Ports of upstream ``streams/transform-streams/``."""
