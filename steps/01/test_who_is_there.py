"""Who is there? The server greets users who prove who they are, and nobody else."""

import asyncio
from datetime import timedelta

import pytest
import time_machine
from websockets.asyncio.client import connect as open_websocket

from steps.fixtures.tokens import get_token

NO_GREETING = "from step 03 on, users who are let in hear events instead of a greeting"


@pytest.mark.until("03", NO_GREETING)
async def test_valid_token(connect, alice):
    """Server greets the user whose token it receives, and closes normally."""
    client = await connect()
    await client.sends(get_token(alice), "a valid token of alice")
    await client.hears("Hello alice!")
    await client.is_closed(1000)


async def test_garbage(connect):
    """Server refuses a message that is not a token."""
    client = await connect()
    await client.sends("not a token")
    await client.is_refused()


async def test_empty_message(connect):
    """Server refuses an empty message."""
    client = await connect()
    await client.sends("")
    await client.is_refused()


async def test_expired_token(connect, alice):
    """Server refuses a token that is more than 30 seconds old."""
    with time_machine.travel(timedelta(seconds=-31)):
        token = get_token(alice)
    client = await connect()
    await client.sends(token, "a token that alice got 31 seconds ago")
    await client.is_refused()


async def test_tampered_token(connect, alice):
    """Server refuses a token in which one character was changed."""
    token = get_token(alice)
    tampered = ("B" if token[0] == "A" else "A") + token[1:]
    client = await connect()
    await client.sends(tampered, "a token of alice with its first character changed")
    await client.is_refused()


async def test_inactive_user(connect, alice):
    """Server refuses the token of a user who was deactivated since."""
    token = get_token(alice)
    alice.is_active = False
    await alice.asave()
    client = await connect()
    await client.sends(token, "a token of alice, who is not active any more")
    await client.is_refused()


async def test_deleted_user(connect, alice):
    """Server refuses the token of a user who was deleted since."""
    token = get_token(alice)
    await alice.adelete()
    client = await connect()
    await client.sends(token, "a token of alice, who was deleted")
    await client.is_refused()


@pytest.mark.until("03", NO_GREETING)
async def test_many_at_once(connect, alice):
    """Server greets fifty clients that send their tokens at the same time."""
    clients = [await connect() for _ in range(50)]
    await asyncio.gather(
        *(client.sends(get_token(alice), "a valid token") for client in clients)
    )
    for client in clients:
        await client.hears("Hello alice!")


@pytest.mark.until("03", NO_GREETING)
async def test_slow_database(connect, alice, slow_database):
    """Server lets other clients in while it waits for the database."""
    client = await connect()
    await client.sends(get_token(alice), "a valid token, and the database is slow")
    await slow_database.is_asked()
    other = await connect()
    await other.sends("not a token")
    await other.is_refused()
    slow_database.answers()
    await client.hears("Hello alice!")


async def test_refusal_is_the_end(connect, server_log):
    """Server has nothing more to say to a client that it refused."""
    client = await connect()
    await client.sends("not a token")
    await client.is_refused()
    await client.server.stop()
    server_log.tells_of_no_error()


@pytest.mark.until("07", "from step 07 on, a command of Django runs the server")
async def test_command(python, unused_tcp_port):
    """``python -m realtime`` says where it listens, serves, and ends on Ctrl-C."""
    server = await python("-m", "realtime", "--port", f"{unused_tcp_port}")
    port = await server.says(r"Listening on ws://localhost:(\d+)/")
    assert str(unused_tcp_port) == port
    async with open_websocket(f"ws://localhost:{port}/") as websocket:
        await websocket.send("not a token")
        await websocket.wait_closed()
    assert 1011 == websocket.close_code
    await server.ends_on_ctrl_c()


@pytest.mark.until("07", "from step 07 on, a command of Django runs the server")
async def test_help(python):
    """``python -m realtime --help`` explains the command."""
    command = await python("-m", "realtime", "--help")
    await command.shows("usage: python -m realtime", "server", "--port", "8888")
