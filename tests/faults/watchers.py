"""Who listens and looks on: the receiver of web hooks, and the probe that writes to the database past the servers."""

from __future__ import annotations

import asyncio
import time

import psycopg
from aiohttp import web

from layout import ADDRESSES, HOOK_PORT, database_url
from record import Delivery, Record

# Seconds that the receiver takes for a slow hook when it comes for the first time.
SLOW = 3.0
PROBE_INTERVAL = 0.2
PROBE_PATIENCE = 3.0


class Receiver:
    """Takes web hooks, and notes when a sender hangs up before it has its answer."""

    def __init__(self) -> None:
        self.record = Record()
        self.runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listens."""
        app = web.Application()
        app.router.add_post("/hook", self._take)
        self.runner = web.AppRunner(app, access_log=None, handler_cancellation=True)
        await self.runner.setup()
        await web.TCPSite(self.runner, ADDRESSES["hub"], HOOK_PORT).start()

    async def _take(self, request: web.Request) -> web.Response:
        record = self.record
        ref = (await request.json())["ref"].removeprefix("refs/heads/")
        delivery = Delivery(time.monotonic(), request.headers.get("Idempotency-Key", ""))
        earlier = record.deliveries[ref]
        earlier.append(delivery)
        try:
            if ref.startswith("slow-") and len(earlier) == 1:
                await asyncio.sleep(SLOW)
        except asyncio.CancelledError:
            delivery.broken = time.monotonic()
            raise
        return web.Response(text="taken")


class Probe:
    """Inserts a row again and again, each over a connection of its own: what the database itself can do."""

    def __init__(self, record: Record, url: str) -> None:
        self.record = record
        self.url = url
        self.task: asyncio.Task[None] | None = None
        self.beats: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begins."""
        async with await psycopg.AsyncConnection.connect(
            database_url(), autocommit=True, connect_timeout=10
        ) as connection:
            await connection.execute("truncate probe.beats")
        self.task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Ends."""
        if self.task:
            self.task.cancel()
        await asyncio.gather(*self.beats, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            beat = asyncio.create_task(self._beat())
            self.beats.add(beat)
            beat.add_done_callback(self.beats.discard)
            await asyncio.sleep(PROBE_INTERVAL)

    async def _beat(self) -> None:
        begun = time.monotonic()
        try:
            await asyncio.wait_for(self._insert(), PROBE_PATIENCE)
            good = True
        except (TimeoutError, psycopg.Error, OSError):
            good = False
        self.record.beats.append((begun, time.monotonic(), good))

    async def _insert(self) -> None:
        async with await psycopg.AsyncConnection.connect(self.url, autocommit=True, connect_timeout=2) as connection:
            await connection.execute("insert into probe.beats (filler) values (repeat('x', 8000))")
