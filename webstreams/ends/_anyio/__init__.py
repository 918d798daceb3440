"""The adapters of anyio's streams."""
