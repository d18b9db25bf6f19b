"""The whole laboratory: wires, database, servers."""

from __future__ import annotations

import asyncio
from collections import defaultdict

import psycopg

import network
from cluster import Cluster, is_whole
from gatehouse import Gatehouse
from layout import DATABASE, SERVERS, Places, Setup, database_url


class Laboratory:
    """All that runs. It ends with the process namespace that bin/faults made."""

    def __init__(self, places: Places, setup: Setup) -> None:
        self.places = places
        self.cluster = Cluster(places, setup)
        self.gatehouse = Gatehouse(places, setup)
        # Who holds one breaks that place.
        self.broken: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def start(self) -> None:
        """From nothing to two servers that answer."""
        (self.places.state / "log").mkdir()
        network.build()
        self.cluster.prepare()
        self.gatehouse.prepare()
        await self.cluster.start()
        await self._make_database()
        await self.gatehouse.start()

    async def _make_database(self) -> None:
        deadline = asyncio.get_running_loop().time() + 30
        while True:
            try:
                url = database_url(database="postgres")
                async with await psycopg.AsyncConnection.connect(url, autocommit=True, connect_timeout=2) as connection:
                    await connection.execute(f"create database {DATABASE}")
                break
            except psycopg.OperationalError:
                if asyncio.get_running_loop().time() > deadline:
                    raise
                await asyncio.sleep(0.5)
        async with await psycopg.AsyncConnection.connect(database_url(), autocommit=True) as connection:
            # In a schema of its own: the servers' search path does not have it.
            await connection.execute("create schema probe")
            # A row fills a page, so that the probe too fails where a table cannot grow.
            await connection.execute(
                "create table probe.beats (at timestamptz not null default clock_timestamp(), filler text)"
            )
            await connection.execute("alter table probe.beats alter column filler set storage plain")

    def revive(self) -> list[str]:
        """Starts again what has ended by itself, as a service manager would; their names, and how they ended."""
        services = {
            "etcd": self.cluster.etcd,
            "haproxy": self.cluster.haproxy,
            "front": self.gatehouse.front,
            **self.cluster.patroni,
            **self.gatehouse.servers,
        }
        if self.cluster.pooler_mode:
            services["pgbouncer"] = self.cluster.pooler
        revived = []
        for name, service in services.items():
            if not self.broken[name].locked() and service.child is not None and not service.runs():
                revived.append(f"{name} ({service.child.returncode})")
                service.start()
        return revived

    async def whole(self) -> bool:
        """Whether every part works and sees the others."""
        if not is_whole(await self.cluster.members()):
            return False
        for name in SERVERS:
            if not await self.gatehouse.is_ready(name) or not await self.gatehouse.front_sees(name):
                return False
        return True
