"""Chapter 6: transform streams. A sink that feeds a source: what is written to one side is read from the other."""
