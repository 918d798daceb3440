"""What the transforms of the library share: pairs that work when they are read, and the codecs."""
