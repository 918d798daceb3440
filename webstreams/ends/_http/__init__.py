"""What `http` is made of."""
