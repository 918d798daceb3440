"""The tests with real brokers."""
