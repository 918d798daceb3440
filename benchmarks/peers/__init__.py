"""What a Python program would be written with instead: the same work, done with each of them."""
