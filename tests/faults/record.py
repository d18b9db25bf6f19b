"""What was said and what was answered: the model that the database is held against."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field

SUCCESS = frozenset((200, 201, 204))


@dataclass
class Answer:
    """One request and its end. A status of 0 is a connection that broke, or that nobody took."""

    area: str
    base: str
    begun: float
    ended: float
    status: int
    text: str = ""
    # Decided by what a standby knows, while the primary is away.
    stale: bool = False

    @property
    def good(self) -> bool:
        """Whether it succeeded."""
        return self.status in SUCCESS


@dataclass
class Write:
    """Something that a client wants done once, and says again until it has an answer."""

    area: str
    name: str
    attempts: int = 0
    # Attempts whose client was left without an answer: they may take effect at any later time, or never.
    unanswered: int = 0
    # Its client asked once and went away.
    given_up: bool = False
    acknowledged: float | None = None
    refused: str | None = None
    # What the area alone knows: the state that a user was given, the half minute of a password.
    value: int = 0
    user: str = ""
    must_be_refused: bool = False

    @property
    def settled(self) -> bool:
        """Whether the client knows what became of it."""
        return self.acknowledged is not None or self.refused is not None


@dataclass
class Delivery:
    """One arrival of a web hook."""

    at: float
    key: str
    # When the sender broke the connection before we had answered.
    broken: float | None = None


@dataclass
class Record:
    """One round: from the first request before a fault to the last after it."""

    answers: list[Answer] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)
    deliveries: dict[str, list[Delivery]] = field(default_factory=lambda: defaultdict(list))
    beats: list[tuple[float, float, bool]] = field(default_factory=list)
    marks: list[tuple[float, str]] = field(default_factory=list)
    # Faults that could not be done.
    undone: list[str] = field(default_factory=list)
    # Processes that ended by themselves.
    revived: list[str] = field(default_factory=list)
    # Answers that no client should get, other than by their status.
    oddities: Counter[str] = field(default_factory=Counter)

    def mark(self, what: str) -> float:
        """Notes that something happened now."""
        now = time.monotonic()
        self.marks.append((now, what))
        return now

    def time_of(self, what: str) -> float:
        """When something happened."""
        return next(at for at, said in self.marks if said == what)

    def write(self, area: str, name: str, **more: object) -> Write:
        """A new write."""
        write = Write(area, name, **more)  # type: ignore[arg-type]
        self.writes.append(write)
        return write

    def successes(self, since: float) -> set[tuple[str, str]]:
        """Which streams, of a base and an area, had a success that began after a moment."""
        return {(answer.base, answer.area) for answer in self.answers if answer.good and answer.begun >= since}


def widest_gap(times: list[float], begin: float, end: float, interval: float) -> tuple[float, float]:
    """The longest time without a success between two moments, less the interval at which one is asked for, and when it
    began."""
    inside = sorted(at for at in times if begin - 2 * interval - 1 <= at <= end)
    before = [at for at in inside if at <= begin]
    points = ([before[-1]] if before else [begin]) + [at for at in inside if at > begin] + [end]
    gap, at = max((later - earlier, earlier) for earlier, later in zip(points, points[1:], strict=False))
    return max(0.0, gap - interval), at
