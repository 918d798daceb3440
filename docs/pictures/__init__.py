"""The pictures of the site, and the programs that make them: ``python -m docs.pictures``."""
