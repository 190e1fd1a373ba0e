"""Those who come in together are looked up together."""

import asyncio
from asyncio import Future, timeout
from itertools import islice

from django.db import InterfaceError, OperationalError

from .access import Access, Known, get_accesses, in_thread
from .conf import conf

Answer = Access | Exception | None

DOWN = (InterfaceError, OperationalError, TimeoutError)  # the database is to blame


class Door:
    """Tokens that wait to be verified, while those who came before them are."""

    def __init__(self, known: Known) -> None:
        self.known = known
        self.waiting: dict[Future[Access | None], str] = {}
        self.came = asyncio.Event()

    async def verify(self, token: str) -> Access | None:
        """Return what the owner of a token may see, or None if it isn't valid."""
        future: Future[Access | None] = asyncio.get_running_loop().create_future()
        self.waiting[future] = token
        self.came.set()
        try:
            return await future
        finally:
            self.waiting.pop(future, None)  # nobody asks about those who have left

    async def run(self) -> None:
        """Verify those who wait, batch by batch, for ever."""
        while True:
            await self.came.wait()
            batch = [*islice(self.waiting, conf().check_batch)]
            tokens = [self.waiting.pop(future) for future in batch]
            if not self.waiting:
                self.came.clear()
            answers = await self.answers(tokens)
            for future, answer in zip(batch, answers, strict=True):
                settle(future, answer)
            await asyncio.sleep(0)  # so that they are known before the next batch

    async def answers(self, tokens: list[str]) -> list[Answer]:
        """Return for each token what its owner may see, or what went wrong.

        If the database is not to blame, one of them may be: each is tried alone.
        """
        try:
            async with timeout(conf().token_timeout):
                return [*await in_thread(get_accesses, tokens, self.known)]
        except Exception as error:
            if len(tokens) == 1 or isinstance(error, DOWN):
                return [error] * len(tokens)
            return [(await self.answers([token]))[0] for token in tokens]


def settle(future: Future[Access | None], answer: Answer) -> None:
    """Give an answer to one who waits, unless they have left in the meantime."""
    if future.done():
        return
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result(answer)
