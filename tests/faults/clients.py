"""The clients: a steady stream of requests of each area to each address, said again until they are acknowledged."""

from __future__ import annotations

import asyncio
import contextvars
import json
import random
import time
import uuid
from collections import Counter
from typing import Any

import aiohttp

import areas
from gatehouse import Credentials
from layout import BASES
from record import Answer, Record, Write

# Requests a second of each area to each address.
RATES = {
    "fetch": 5.0,
    "push": 2.0,
    "report": 3.0,
    "minutes": 2.0,
    "scim": 1.5,
    "usage": 2.0,
    "token": 1.5,
    "otp": 0.5,
    "refusal": 0.5,
}
# Fetches a second to each address where standbys decide them.
FETCHES_MEASURED = 5.0
# Marks what a standby has decided while the primary was away.
STALE = "Gatehouse-Stale-Facts"
# A client waits no longer than this for an answer.
PATIENCE = 30.0
# How long it goes on asking. The answers that are kept for retries are kept for two minutes.
INSISTENCE = 100.0
# How many of one stream may ask on and on, so that an outage does not become a flood. Those beyond them ask once, so
# that the moment at which a stream is served again is seen even where all others hang; and there is an end to them too.
INSISTING = 8
UNDER_WAY = 60
# Whether the request of this task is one of those that ask once.
ASKS_ONCE: contextvars.ContextVar[bool] = contextvars.ContextVar("ASKS_ONCE", default=False)


def interval_of(area: str, load: float, replicas: bool) -> float:
    """Seconds between two requests of an area to one address. Where fetches are held to a bar of a second, they are
    asked for often enough to see one."""
    rate = RATES[area] * load
    return 1 / (max(rate, FETCHES_MEASURED) if replicas and area == "fetch" else rate)


class Clients:
    """All streams of one round."""

    def __init__(
        self, record: Record, credentials: Credentials, state: areas.Memory, load: float, replicas: bool
    ) -> None:
        self.record = record
        self.credentials = credentials
        self.memory = state
        self.load = load
        self.replicas = replicas
        self.random = random.Random()
        self.session: aiohttp.ClientSession
        self.generators: list[asyncio.Task[None]] = []
        self.pending: set[asyncio.Task[None]] = set()
        self.under_way: Counter[tuple[str, str]] = Counter()

    async def start(self) -> None:
        """Begins all streams."""
        # git's clients make a connection for each request.
        connector = aiohttp.TCPConnector(limit=0, force_close=True)
        self.session = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=PATIENCE))
        for area in RATES:
            for base in BASES:
                interval = interval_of(area, self.load, self.replicas)
                self.generators.append(asyncio.create_task(self._stream(area, base, interval)))

    async def _stream(self, area: str, base: str, interval: float) -> None:
        await asyncio.sleep(self.random.random() * interval)
        begin, number = time.monotonic(), 0
        while True:
            if self.under_way[area, base] < UNDER_WAY * self.load:
                task = asyncio.create_task(self._one(area, base))
                self.pending.add(task)
                task.add_done_callback(self.pending.discard)
            number += 1
            await asyncio.sleep(max(0.0, begin + number * interval - time.monotonic()))

    async def _one(self, area: str, base: str) -> None:
        ASKS_ONCE.set(self.under_way[area, base] >= INSISTING * self.load)
        self.under_way[area, base] += 1
        try:
            await areas.AREAS[area](self, base)
        finally:
            self.under_way[area, base] -= 1

    async def stop(self, patience: float = INSISTENCE + PATIENCE) -> None:
        """Begins nothing more, and lets what is under way come to its end."""
        for task in self.generators:
            task.cancel()
        if self.pending:
            await asyncio.wait(set(self.pending), timeout=patience)
        for task in list(self.pending):
            task.cancel()
        await asyncio.gather(*self.generators, *self.pending, return_exceptions=True)
        await self.session.close()

    async def ask(self, area: str, base: str, method: str, path: str, headers: dict[str, str], body: Any) -> Answer:
        """One request, to its end."""
        begun, stale = time.monotonic(), False
        try:
            async with self.session.request(method, BASES[base] + path, headers=headers, json=body) as response:
                text, status = await response.text(), response.status
                stale = STALE in response.headers
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            text, status = f"{type(error).__name__}: {error}", 0
        answer = Answer(area, base, begun, time.monotonic(), status, text, stale)
        self.record.answers.append(answer)
        return answer

    async def insist(
        self,
        write: Write,
        base: str,
        method: str,
        path: str,
        headers: dict[str, str],
        body: Any,
        area: str | None = None,
    ) -> dict[str, Any] | None:
        """Says the same thing again, to whichever address, until it is acknowledged or refused; gives the answer."""
        deadline = time.monotonic() + INSISTENCE
        pause = 0.5
        headers = {"X-Request-Id": uuid.uuid4().hex, **headers}
        while True:
            write.attempts += 1
            answer = await self.ask(area or write.area, base, method, path, headers, body)
            write.unanswered += answer.status in (0, 502, 504)
            if answer.good:
                write.acknowledged = answer.ended
                try:
                    parsed = json.loads(answer.text) if answer.text else {}
                except ValueError:
                    parsed = {}
                return parsed if isinstance(parsed, dict) else {}
            if 400 <= answer.status < 500:
                write.refused = f"{answer.status} {answer.text[:200]}"
                return None
            if time.monotonic() > deadline or ASKS_ONCE.get():
                write.given_up = ASKS_ONCE.get()
                return None
            await asyncio.sleep(pause * (0.75 + self.random.random() / 2))
            pause = min(pause * 1.5, 1.5)
            base = self.random.choice(list(BASES))
