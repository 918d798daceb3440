"""The methods of ``ReadableStream`` that are not in the Standard: streams that pull, made of functions.

`chain` runs the functions, `steps` are the operators as it sees them, `source` gives what comes out as a stream.
"""
