"""WebSocket frames as bytes: what the load generator sends, and what it understands.

A library would take a hundred times as long, and the generator must be faster than any
server that it measures.
"""

from dataclasses import dataclass, field

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10

NOT_SENT = b"@" + 19 * b"0"
MARK_SIZE = len("#00000007") + len(NOT_SENT)
MASK = b"\0\0\0\0"  # a valid one, and what it masks stays what it is


def handshake(port: int, path: str) -> bytes:
    """Return the request of a client. It offers no compression."""
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def masked(content: bytes, opcode: int) -> bytes:
    """Return a frame as clients send it."""
    if len(content) < 126:
        length = bytes([128 | len(content)])
    else:
        length = bytes([128 | 126]) + len(content).to_bytes(2)
    return bytes([128 | opcode]) + length + MASK + content


def message(number: int, size: int) -> str:
    """Return the message of an event: its number, room for a time, and a filling."""
    if size < MARK_SIZE:
        raise ValueError(f"a message has at least {MARK_SIZE} characters")
    return f"#{number:08}{NOT_SENT.decode()}".ljust(size, ".")


def dated(data: bytes, sent: int) -> bytes:
    """Return bytes with a time, in nanoseconds since 1970, in the room for it."""
    return data.replace(NOT_SENT, b"@%019d" % sent, 1)


@dataclass
class Scan:
    """What there is in some bytes."""

    marks: list[tuple[int, int]] = field(default_factory=list)  # number, when sent
    greetings: int = 0  # messages that bear no mark
    pings: list[bytes] = field(default_factory=list)
    close_code: int | None = None
    rest: bytes = b""  # an incomplete frame


def scan(data: bytes) -> Scan:
    """Return what there is in bytes that a server sent, which begin with a frame."""
    found = Scan()
    position, size = 0, len(data)
    while True:
        start = position + 2
        if start > size:
            break
        length = data[position + 1]
        if length > 125:
            start += 2 if length == 126 else 8
            length = int.from_bytes(data[position + 2 : start])
        end = start + length
        if end > size:  # or the length itself is cut off, and start is beyond the end
            break
        read(data, data[position] & 15, start, end, found)
        position = end
    found.rest = data[position:]
    return found


def read(data: bytes, opcode: int, start: int, end: int, found: Scan) -> None:
    """Add what one frame says."""
    if opcode == PING:
        found.pings.append(data[start:end])
    elif opcode == CLOSE:
        found.close_code = int.from_bytes(data[start:end][:2]) or 1005
    elif opcode != PONG:
        mark = data.find(b"#", start, end)
        if mark == -1:
            found.greetings += 1
        else:
            number, sent = data[mark + 1 : mark + MARK_SIZE].split(b"@")
            found.marks.append((int(number), int(sent)))
