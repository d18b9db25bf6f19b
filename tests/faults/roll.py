"""Restarts under load: both servers are restarted in turn, again and again, while a number of requests is made; each
must be answered well, at the first attempt."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import tokens
from gatehouse import Credentials
from laboratory import Laboratory
from layout import ADDRESSES, API_PORT, SERVERS

# How many clients ask at the same time; every other one makes a connection for each request.
CLIENTS = 32
PATIENCE = 30.0
# Between the end of one restart and the beginning of the next.
PAUSE = 0.5


@dataclass
class Tally:
    """What became of the requests."""

    asked: int = 0
    good: int = 0
    # By what went wrong, and where and when it did first, to be found in the logs.
    bad: Counter[str] = field(default_factory=Counter)
    first: dict[str, str] = field(default_factory=dict)
    connections: int = 0
    restarts: int = 0
    seconds: list[float] = field(default_factory=list)
    # How long each restart took, until the server was ready again.
    restarted: list[float] = field(default_factory=list)


class Requests:
    """So many requests a second, until all are made."""

    def __init__(self, credentials: Credentials, addresses: tuple[str, ...], count: int, rate: float) -> None:
        self.credentials = credentials
        self.addresses = addresses
        self.count = count
        self.interval = 1 / rate
        self.begun = time.monotonic()
        self.tally = Tally()
        self.token = ("", -1e9)

    async def run(self) -> None:
        """All of them."""
        self.begun = time.monotonic()
        await asyncio.gather(*(self._client(number) for number in range(CLIENTS)))

    async def _client(self, number: int) -> None:
        keeps = number % 2 == 0
        address = self.addresses[number // 2 % len(self.addresses)]
        stream: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        while self.tally.asked < self.count:
            place = self.tally.asked
            self.tally.asked += 1
            await asyncio.sleep(max(0.0, self.begun + place * self.interval - time.monotonic()))
            # A server may close a connection that lies idle; a client sees that before it asks.
            if stream is not None and (stream[0].at_eof() or stream[1].is_closing()):
                stream[1].close()
                stream = None
            what = "on a new connection" if stream is None else "on a kept connection"
            begun = time.monotonic()
            try:
                async with asyncio.timeout(PATIENCE):
                    if stream is None:
                        stream = await asyncio.open_connection(ADDRESSES[address], API_PORT)
                        self.tally.connections += 1
                    stays, problem = await self._exchange(*stream, place, keeps)
            except (TimeoutError, OSError, EOFError, ValueError) as error:
                stays, problem = False, f"{type(error).__name__}: {error}"
            self.tally.seconds.append(time.monotonic() - begun)
            if problem:
                problem = f"{what}: {' '.join(problem.split())[:120]}"
                self.tally.bad[problem] += 1
                self.tally.first.setdefault(problem, f"at {address}, {time.strftime('%T', time.gmtime())} UTC")
            else:
                self.tally.good += 1
            if stream is not None and not stays:
                stream[1].close()
                stream = None

    async def _exchange(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, place: int, keeps: bool
    ) -> tuple[bool, str]:
        """One request; whether the connection may be used again, and what was wrong."""
        writer.write(self._request(place, keeps))
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = next((int(line.split(":")[1]) for line in head.split("\r\n") if line.startswith("content-length:")), 0)
        body = await reader.readexactly(length)
        status = head.split(" ", 2)[1]
        if status != "200":
            return False, f"{status} {body[:80].decode('utf-8', 'replace')}"
        return keeps and "\r\nconnection: close" not in head, ""

    def _request(self, place: int, keeps: bool) -> bytes:
        token, at = self.token
        if time.monotonic() - at > 30:
            token = tokens.sign("gitlab-shell", self.credentials.shell)
            self.token = (token, time.monotonic())
        connection = "keep-alive" if keeps else "close"
        head = f"HTTP/1.1\r\nHost: gatehouse\r\nConnection: {connection}\r\nGitlab-Shell-Api-Request: {token}\r\n"
        if place % 4 == 0:
            return f"GET /api/v4/internal/discover?key_id=11 {head}\r\n".encode()
        action = "git-receive-pack" if place % 4 == 1 else "git-upload-pack"
        body = json.dumps(
            {"key_id": "11", "project": "work/plain", "action": action, "protocol": "ssh", "changes": "_any"}
        )
        kind = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        return f"POST /api/v4/internal/allowed {head}{kind}\r\n{body}".encode()


async def roll(lab: Laboratory, addresses: tuple[str, ...], count: int, rate: float, restarts: int) -> Tally:
    """Makes the requests, and meanwhile restarts the servers in turn, spread over the time that the requests take."""
    requests = Requests(lab.gatehouse.credentials, addresses, count, rate)
    load = asyncio.create_task(requests.run())
    tally = requests.tally
    for number in range(restarts):
        due = requests.begun + (number + 0.5) * count / rate / restarts
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        if load.done():
            break
        begun = time.monotonic()
        await restart(lab, SERVERS[number % len(SERVERS)])
        tally.restarted.append(time.monotonic() - begun)
        tally.restarts += 1
        await asyncio.sleep(PAUSE)
    await load
    return tally


async def restart(lab: Laboratory, name: str) -> None:
    """A restart as in an upgrade: SIGTERM, its end, the new one, until it is ready."""
    server = lab.gatehouse.servers[name]
    await asyncio.to_thread(server.stop)
    server.start()
    await lab.gatehouse.wait_ready(name)
    while not await lab.gatehouse.front_sees(name):
        await asyncio.sleep(0.1)


async def roll_twice(
    lab: Laboratory, count: int, rate: float, restarts: int, say: Callable[[str], None]
) -> list[Tally]:
    """Behind the balancer, whose checks see that a server is about to stop; then without one, by addresses that stay
    open."""
    say(f"{restarts} restarts, and {count} requests through the balancer")
    balanced = await roll(lab, ("front",), count, rate, restarts)
    print(told("through HAProxy", balanced), flush=True)
    await lab.gatehouse.keep_addresses()
    say(f"{restarts} restarts, and {count} requests to the servers, whose addresses stay open")
    kept = await roll(lab, SERVERS, count, rate, restarts)
    print(told("to the servers, under socket activation", kept), flush=True)
    return [balanced, kept]


def told(way: str, tally: Tally) -> str:
    """What a person reads."""
    seconds = sorted(tally.seconds)
    middle, late = (seconds[int(len(seconds) * share)] * 1000 for share in (0.5, 0.99))
    bad = sum(tally.bad.values())
    lines = [
        f"{way}: {tally.asked} requests over {tally.connections} connections, {tally.restarts} restarts "
        f"({max(tally.restarted, default=0):.1f} s at most): {bad} failed; "
        f"p50 {middle:.1f} ms, p99 {late:.1f} ms, slowest {seconds[-1] * 1000:.0f} ms"
    ]
    lines += [f"  {times} x {what}; first {tally.first[what]}" for what, times in tally.bad.most_common(8)]
    return "\n".join(lines)
