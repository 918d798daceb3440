"""The pages for maintainers."""
