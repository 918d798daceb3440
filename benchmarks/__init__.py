"""How fast the library is, beside the streams of the JavaScript engines and what else there is for asyncio."""
