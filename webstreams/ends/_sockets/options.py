"""The limits of connections: what users give, checked."""

from __future__ import annotations

from dataclasses import dataclass
from ssl import SSLContext
from typing import Any, Final

from ..._platform.arguments import checked_path, checked_text

# Used when a timeout of TLS is not given (seconds).
HANDSHAKE_TIMEOUT: Final = 60.0
SHUTDOWN_TIMEOUT: Final = 30.0
# Longer than any process lives, and short enough for the timers of all loops.
LONGEST: Final = 10**9


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a connection may take for what; None: as long as it likes (seconds)."""

    handshake_timeout: float | None = None
    shutdown_timeout: float | None = None
    idle_timeout: float | None = None
    write_timeout: float | None = None

    def __post_init__(self) -> None:
        """Refuse anything other than a positive number of seconds."""
        for name in self.__slots__:
            require_seconds(name, getattr(self, name))

    def of_tls(self, context: SSLContext | bool | None) -> dict[str, Any]:
        """Return asyncio's arguments for TLS; ValueError for a limit of TLS without TLS."""
        if context:
            return {
                "ssl": context,
                "ssl_handshake_timeout": self.handshake_timeout or HANDSHAKE_TIMEOUT,
                "ssl_shutdown_timeout": self.shutdown_timeout or SHUTDOWN_TIMEOUT,
            }
        for name in "handshake_timeout", "shutdown_timeout":
            if getattr(self, name) is not None:
                raise ValueError(f"{name} is for TLS: it needs ssl")
        return {}


def require_seconds(name: str, value: object) -> None:
    """Raise a TypeError or ValueError that names the argument, unless it is a time above 0 or None."""
    if value is None:
        return
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError(f"{name} must be a number of seconds or None, not {type(value).__name__}")
    if not 0 < value <= LONGEST:
        raise ValueError(f"{name} must be above 0 and at most {LONGEST} seconds, or None for no limit, not {value}")


def require_integer(name: str, value: object, least: int, most: int) -> None:
    """Raise a TypeError or ValueError that names the argument, unless it is an integer of a range."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} must be an integer, not {type(value).__name__}")
    if not least <= value <= most:
        raise ValueError(f"{name} must be between {least} and {most}, not {value}")


def require_server_name(value: object, is_tls: bool) -> None:
    """Raise a TypeError or ValueError that names the argument, unless it is a name to check with TLS, or None."""
    if value is None:
        return
    if not isinstance(value, str):
        raise TypeError(f"server_hostname must be a str or None, not {type(value).__name__}")
    if not is_tls:
        raise ValueError("server_hostname is for TLS: it needs ssl")


def require_host(value: object) -> None:
    """Raise a TypeError or ValueError that names the argument, unless it is the name or the address of a host."""
    if "\0" in checked_text(value, "host"):
        raise ValueError(f"host must not have a null character in it: {value!r}")


def checked_socket_path(value: Any) -> Any:
    """Return the path of a Unix socket, or the name of an abstract one, which begins with a null character (as str or
    bytes).

    Raises a TypeError or ValueError that names the argument for everything else.
    """
    name: str | bytes = value if is_abstract(value) else checked_path(value, "path")
    if not name:
        raise ValueError("the path of a Unix socket must not be empty")
    return name


def is_abstract(path: Any) -> bool:
    """Whether it is the name of a socket that is not in the file system."""
    return isinstance(path, str | bytes) and path[:1] in ("\0", b"\0")


def require_local_address(value: object) -> None:
    """Raise a TypeError or ValueError that names the argument, unless it is a pair of host and port, or None."""
    if value is None:
        return
    if not isinstance(value, tuple) or len(value) != 2:
        raise TypeError(f"local_address must be a tuple of a host and a port, or None, not {value!r}")
    host, port = value
    checked_text(host, "the host of local_address")
    require_integer("the port of local_address", port, 0, 65535)
