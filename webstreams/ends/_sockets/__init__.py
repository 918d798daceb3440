"""The links of sockets, over asyncio's transports."""
