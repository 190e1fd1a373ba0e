"""TCP ports of servers that start later, or that stop for a while."""

import random
import socket
from contextlib import suppress


def free_port() -> int:
    """Return a port on which nobody listens, and which nobody is given meanwhile.

    Systems give ports to connections, and to servers that ask for any: on Linux from
    32768 on (``ip_local_port_range``), elsewhere from 49152 on (RFC 6335, section 6).
    """
    while True:
        port = random.randrange(20_000, 32_768)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
