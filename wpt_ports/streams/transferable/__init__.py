"""Ports of upstream streams/transferable: see `wpt_ports`."""
