"""A Redis server in memory."""

from contextlib import suppress
from socket import IPPROTO_TCP, SHUT_RDWR, TCP_NODELAY, socket
from socketserver import BaseServer
from threading import Thread
from typing import Any

from fakeredis import TcpFakeServer


class MemoryRedis(TcpFakeServer):
    """A Redis server in memory; as a real one does, it replies, and ends, at once."""

    def __init__(self, address: tuple[str, int]) -> None:
        super().__init__(address)
        self.daemon_threads = True  # nobody waits for one that blocks
        self.connections: list[socket] = []

    def get_request(self) -> tuple[socket, Any]:
        connection, address = super().get_request()
        connection.setsockopt(IPPROTO_TCP, TCP_NODELAY, True)
        self.connections.append(connection)
        return connection, address

    def shutdown(self) -> None:
        super().shutdown()
        for connection in self.connections:
            with suppress(OSError):  # its client was faster
                connection.shutdown(SHUT_RDWR)


def serve(server: BaseServer) -> None:
    """Run a server in a thread, until its ``shutdown()`` is called."""
    Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
