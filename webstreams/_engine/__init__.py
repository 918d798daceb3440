"""What a JavaScript engine does, and the only door to asyncio: jobs, promises, coroutines."""
