"""A Redis server in memory."""

from socket import IPPROTO_TCP, TCP_NODELAY, socket
from socketserver import BaseServer
from threading import Thread
from typing import Any

from fakeredis import TcpFakeServer


class MemoryRedis(TcpFakeServer):
    """A Redis server in memory, which sends each reply at once, as a real one does."""

    def get_request(self) -> tuple[socket, Any]:
        connection, address = super().get_request()
        connection.setsockopt(IPPROTO_TCP, TCP_NODELAY, True)
        return connection, address


def serve(server: BaseServer) -> None:
    """Run a server in a thread, until its ``shutdown()`` is called."""
    Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
