"""The ends of pipes of processes."""
