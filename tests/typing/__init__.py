"""What type checkers accept, reject and infer."""
