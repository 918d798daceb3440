"""The decoders of the Encoding Standard."""
