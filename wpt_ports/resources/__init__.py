"""Ports of the upstream helpers that several files share: ``streams/resources/`` and the templates."""
