"""Ports of upstream ``streams/readable-streams/crashtests/``."""
