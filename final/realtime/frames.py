"""What is written to connections: frames of the WebSocket protocol."""

import json
from typing import Any

from websockets.frames import Frame, Opcode


def serialised(opcode: Opcode, data: bytes) -> bytes:
    """Return a frame as it is sent (RFC 6455, section 5.2).

    Without a mask, which is for clients, and without extensions, it is the same for
    everybody.
    """
    return Frame(opcode, data).serialize(mask=False, extensions=[])


def text(message: str) -> bytes:
    """Return the frame of a message."""
    return serialised(Opcode.TEXT, message.encode())


def told(kind: str, /, **content: Any) -> bytes:
    """Return the frame of a message in JSON that has a type."""
    return text(json.dumps({"type": kind} | content))


PING = serialised(Opcode.PING, b"")
