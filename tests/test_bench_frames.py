"""The load generator of the benchmark understands what servers send."""

import pytest
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side

from tests.bench import frames


def frame(content: bytes, opcode: Opcode = Opcode.TEXT) -> bytes:
    """Return a frame as a server sends it, serialised by websockets."""
    return Frame(opcode, content).serialize(mask=False)


def event(number: int, sent: int = 5, size: int = 256) -> bytes:
    """Return the frame of an event of the benchmark."""
    message = frames.message(number, size - len('{"message": ""}'))
    return frame(frames.dated(b'{"message": "%s"}' % message.encode(), sent))


def read_by_a_server(data: bytes) -> Frame:
    """Return the frame that websockets finds in what a client sends."""
    server = Protocol(Side.SERVER)
    server.receive_data(data)
    (found,) = server.events_received()
    assert isinstance(found, Frame)
    return found


def test_message_has_its_size() -> None:
    """A message is filled up to the size that is asked for."""
    assert 200 == len(frames.message(7, 200))


def test_message_does_not_fit() -> None:
    """A message that is too small for its mark is an error."""
    with pytest.raises(ValueError, match="at least"):
        frames.message(7, 20)


@pytest.mark.parametrize("size", [64, 256, 65_536, 70_000])
def test_event(size: int) -> None:
    """An event tells its number, and when it was sent, whatever its size."""
    scan = frames.scan(event(7, sent=123, size=size))
    assert ([(7, 123)], 0, b"") == (scan.marks, scan.greetings, scan.rest)


def test_many_events() -> None:
    """Events that arrive together are told apart."""
    scan = frames.scan(event(1) + event(2) + event(3))
    assert [1, 2, 3] == [number for number, _sent in scan.marks]


@pytest.mark.parametrize("size", [64, 256, 70_000])
def test_any_cut(size: int) -> None:
    """Wherever the bytes are cut, the events are the same."""
    data = event(1, size=size) + event(2, size=size)
    for cut in [*range(30), len(data) // 2, len(data) - 1]:
        first = frames.scan(data[:cut])
        second = frames.scan(first.rest + data[cut:])
        assert [(1, 5), (2, 5)] == first.marks + second.marks
        assert b"" == second.rest


def test_greeting() -> None:
    """What bears no mark is a greeting."""
    scan = frames.scan(frame(b'{"type": "ready"}') + event(1))
    assert (1, [(1, 5)]) == (scan.greetings, scan.marks)


def test_ping() -> None:
    """A ping is to be answered with what it says."""
    scan = frames.scan(frame(b"abcd", Opcode.PING))
    assert [b"abcd"] == scan.pings
    assert 0 == scan.greetings
    answer = read_by_a_server(frames.masked(b"abcd", frames.PONG))
    assert (Opcode.PONG, b"abcd") == (answer.opcode, answer.data)


def test_pong() -> None:
    """A pong is no greeting."""
    assert 0 == frames.scan(frame(b"", Opcode.PONG)).greetings


@pytest.mark.parametrize(("content", "code"), [(b"\x03\xf0Bye", 1008), (b"", 1005)])
def test_close(content: bytes, code: int) -> None:
    """A close frame tells its code."""
    assert code == frames.scan(frame(content, Opcode.CLOSE)).close_code


@pytest.mark.parametrize("size", [5, 125, 126, 300])
def test_token(size: int) -> None:
    """A server reads the token that a client sends."""
    found = read_by_a_server(frames.masked(b"t" * size, frames.TEXT))
    assert (Opcode.TEXT, b"t" * size) == (found.opcode, found.data)


def test_handshake() -> None:
    """The request is one that websockets accepts."""
    from websockets.http11 import Request
    from websockets.server import ServerProtocol

    server = ServerProtocol()
    server.receive_data(frames.handshake(8888, "/ws/"))
    (request,) = server.events_received()
    assert isinstance(request, Request)
    assert "/ws/" == request.path
    assert 101 == server.accept(request).status_code
