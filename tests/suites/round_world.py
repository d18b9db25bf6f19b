"""The server as a round sees it: who talks to it, what was asked, how long that took, and what was wrong."""

from __future__ import annotations

import re
import threading
from typing import Any

import gitlab
import requests
from round_plan import Ref


class Faults:
    """What was found wrong."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.found: list[str] = []

    def add(self, where: str, what: object) -> None:
        """Notes a fault."""
        with self.lock:
            self.found.append(f"{where}: {what}")


class Clock:
    """Every request: what was asked, how it was answered, and how long that took."""

    def __init__(self, faults: Faults) -> None:
        self.lock = threading.Lock()
        self.asked: list[tuple[str, float]] = []
        self.faults = faults

    def note(self, response: requests.Response, *_: Any, **__: Any) -> None:
        """Called by a session with each answer."""
        method, url = response.request.method, response.request.url or ""
        path = url.split("/api/v4", 1)[-1].split("?")[0]
        template = re.sub(r"/(\d+|[^/]*(%|round)[^/]*)(?=/|$)", "/:id", path)
        with self.lock:
            self.asked.append((f"{method} {template}", response.elapsed.total_seconds()))
        if response.status_code >= 500:
            self.faults.add(f"{method} {path}", f"{response.status_code} {response.text[:200]}")

    def count(self) -> int:
        """How many there were."""
        with self.lock:
            return len(self.asked)

    def writes(self) -> int:
        """How many of them were meant to change something."""
        with self.lock:
            return sum(not template.startswith("GET") for template, _ in self.asked)


class World:
    """The server, as each thread talks to it, and the ids of what was made there."""

    def __init__(self, url: str, token: str) -> None:
        self.url, self.token = url, token
        self.faults = Faults()
        self.clock = Clock(self.faults)
        self.ids: dict[str, Any] = {}
        self.local = threading.local()

    def client(self) -> gitlab.Gitlab:
        """This thread's client, with a session of its own."""
        if not hasattr(self.local, "client"):
            session = requests.Session()
            session.trust_env = False
            session.hooks["response"].append(self.clock.note)
            self.local.client = gitlab.Gitlab(self.url, private_token=self.token, session=session, timeout=120)
        return self.local.client

    def resolve(self, value: Any) -> Any:
        """The value, with ids in the place of addresses."""
        if isinstance(value, Ref):
            return self.ids[value.address]
        if isinstance(value, dict):
            return {name: self.resolve(part) for name, part in value.items()}
        if isinstance(value, list):
            return [self.resolve(part) for part in value]
        return value
