"""Tokens are secrets: no log tells one, not even at the level DEBUG."""

from tests.browsing import Browser
from tests.faults.clients import opened, raw
from tests.faults.lab import Lab
from tests.live import PASSWORD

# Each test of this folder ends with a look into the logs: see laboratory().


async def test_tokens(lab: Lab) -> None:
    """Whatever becomes of a token, it is in no log."""
    server = lab.serves(REALTIME_MAX_PER_USER=1)
    good = await opened(server, lab)
    await good.joins("alice")
    for token in [lab.token("alice"), lab.token("bob").swapcase(), "", "words"]:
        client = await opened(server, lab)
        await client.websocket.send(token)
        await client.vanishes()
    lab.issued.add(lab.token("bob").swapcase())
    for data, opcode in [(lab.token("dave"), 2), (lab.token("carol") * 100, 1)]:
        hostile = await raw(server.port)
        hostile.sends(data.encode(), opcode)
        await hostile.ends()
        hostile.transport.abort()
    await good.websocket.send(lab.token("alice"))
    await good.stays()
    await good.vanishes()
    server.terminates()


async def test_url(lab: Lab) -> None:
    """A token that somebody puts into a URL, where it doesn't belong, is in no log."""
    server = lab.serves()
    client = await raw(server.port, extensions=None)
    request = f"GET /?token={lab.token('alice')} HTTP/1.1\r\nHost: localhost\r\n\r\n"
    client.transport.write(request.encode())
    await client.lost.wait()


async def test_site(lab: Lab) -> None:
    """A page and its tokens are in no log of the site."""
    browser = Browser(lab.opens_site())
    login = {"username": "alice", "password": PASSWORD}
    browser.submits("/admin/login/?next=/admin/", **login)
    if lab.greets:
        page = browser.reads("/realtime/")
        lab.issued.add(browser.reads("/realtime/token/").split('"')[3])
        lab.issued.add(page.partition("token")[2].split('"')[2])
