"""What the web platform does, without a stream in it: Web IDL conversions, errors, buffers, marks for mypyc."""
