"""The bare limit: what every server has to do, and nothing else.

It answers handshakes, listens to Redis, frames each event once, and hands it to the
kernel once for each client. It knows no users and no errors: it is no server to use.
"""

import base64
import hashlib
import os
import select
import socket
import sys
from urllib.parse import urlsplit

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
ACCEPTED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n"
)
GREETING = b'\x81\x11{"type": "ready"}'


def events(data: bytes) -> tuple[list[bytes], bytes]:
    """Return the events in what Redis sends to a subscriber, and an incomplete rest."""
    found: list[bytes] = []
    while True:
        _head, mark, tail = data.partition(b"$7\r\nmessage\r\n$6\r\nevents\r\n$")
        size, end, tail = tail.partition(b"\r\n")
        if not mark or not end or len(tail) < int(size) + 2:
            return found, data
        found.append(tail[: int(size)])
        data = tail[int(size) + 2 :]


def framed(event: bytes) -> bytes:
    """Return the frame of an event."""
    if len(event) < 126:
        return b"\x81" + bytes([len(event)]) + event
    if len(event) < 65_536:
        return b"\x81\x7e" + len(event).to_bytes(2) + event
    return b"\x81\x7f" + len(event).to_bytes(8) + event


def answered(client: socket.socket) -> bool:
    """Answer a handshake, or read what a client says; return whether it is there."""
    try:
        data = client.recv(65_536)
    except ConnectionError:
        return False
    if data.startswith(b"GET "):
        key = data.partition(b"Sec-WebSocket-Key: ")[2].partition(b"\r\n")[0]
        digest = base64.b64encode(hashlib.sha1(key + GUID).digest())
        client.send(ACCEPTED % digest + GREETING)
    return bool(data)


def main(port: int) -> None:
    """Serve for ever."""
    url = urlsplit(os.environ["REDIS_URL"])
    redis = socket.create_connection((url.hostname, url.port))
    redis.sendall(b"SUBSCRIBE events\r\n")
    listener = socket.create_server(("127.0.0.1", port), backlog=1_000)
    poll, clients, rest = select.epoll(), dict[int, socket.socket](), b""
    poll.register(redis, select.EPOLLIN)
    poll.register(listener, select.EPOLLIN)
    while True:
        for descriptor, _event in poll.poll():
            if descriptor == redis.fileno():
                found, rest = events(rest + redis.recv(1_048_576))
                for frame in map(framed, found):
                    for client in clients.values():
                        client.send(frame)
            elif descriptor == listener.fileno():
                client, _address = listener.accept()
                clients[client.fileno()] = client
                poll.register(client, select.EPOLLIN)
            elif not answered(clients[descriptor]):
                clients.pop(descriptor).close()


if __name__ == "__main__":
    main(int(sys.argv[1]))
