"""The web-platform tests, ported: one module per upstream file, one test per upstream subtest."""
