"""The ports of the demo: free ones, and said so before anything starts."""

import errno
import socket
from argparse import ArgumentTypeError

from . import Problem


def port(text: str) -> int:
    """Return the number of a port, for argparse."""
    if text.isdecimal() and int(text) < 2**16:
        return int(text)
    raise ArgumentTypeError(f"{text} is not a port (0 to 65535)")


def check(port: int, name: str, rival: str) -> None:
    """Raise Problem if the site or the server, whose name it is, cannot have a port."""
    for family, kind, _, _, address in socket.getaddrinfo(
        "localhost", port, type=socket.SOCK_STREAM
    ):
        with socket.socket(family, kind) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(address)
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    raise Problem(
                        f"Port {port} is taken, perhaps by another demo or {rival}. "
                        f"Stop it, or choose another port for the {name}: "
                        f"{name.upper()}_PORT=… after `make demo` (--{name}-port)."
                    ) from error
