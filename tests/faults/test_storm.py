"""After a restart, all who were connected come back at once."""

import asyncio

from steps.ports import free_port
from tests.faults.figures import Figures
from tests.faults.lab import PATIENCE, READERS, Broken, Lab
from tests.faults.readers import followers
from tests.faults.test_streams import all_have

EACH = 2  # queries that tell what one user may see: the user's own, and the groups'


async def test_storm(lab: Lab, figures: Figures, soak: bool) -> None:
    """All are told what they missed; who has many connections is looked up once."""
    many = 10_000 if soak else 400
    if not lab.greets:  # all have to be probed, again and again
        many = READERS
    readers = [f"reader{at}" for at in range(READERS)]
    port = free_port()
    settings = {"REALTIME_MAX_PER_USER": many, "REALTIME_MAX_STRANGERS": many}
    server = lab.serves(port, **settings)
    waits = (1, 60) if soak else (0.05, 1)  # those of client.js, or shorter
    async with followers([port], lab, many, readers, waits) as clients:
        lab.publishes(lab.event("n0"))
        await all_have(clients, 1, 3 * PATIENCE)
        server.kill()
        lab.publishes(*(lab.event(f"n{number}") for number in range(1, 50)))
        server = await asyncio.to_thread(lab.serves, port, **settings)
        await all_have(clients, 50, 6 * PATIENCE + many / 50)
        away = [seconds for client in clients for seconds in client.away]
        if (came := len(away)) != many:
            raise Broken(f"{many} clients to come back, each once", f"{came} times")
    queries = server.says('FROM "auth_permission"')
    if queries < READERS:
        raise Broken(f"the queries for {READERS} users in the log", f"{queries}")
    figures.at_most(EACH, "queries for each user", queries / READERS, "queries", 1)
    figures.note(f"until all of {many} clients were live again", max(away), "s")
