"""The names of the Standard."""
