"""The tests of the library: the tree of `webstreams`, and the guarantees that go beyond the ports in `wpt_ports`."""
