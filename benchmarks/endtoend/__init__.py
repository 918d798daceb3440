"""Whole jobs, from end to end, in megabytes a second of processor time: files, sockets, HTTP, text, compression."""
