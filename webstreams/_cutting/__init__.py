"""Cutting into lines and into chunks of one size, without a stream in it: the pieces of `shaping` and of operators."""
