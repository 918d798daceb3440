"""The Streams Standard, chapter by chapter."""
