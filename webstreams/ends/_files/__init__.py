"""The sources and sinks of files."""
