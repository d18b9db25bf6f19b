"""One round: clients begin, a fault is done and undone, all is whole again, and the database is checked."""

from __future__ import annotations

import asyncio
import time

from areas import Memory
from checks import Findings, check, drain
from clients import RATES, Clients
from judge import Verdict, judge
from kinds import Fault, perform
from laboratory import Laboratory
from layout import BASES
from record import Record
from watchers import Probe, Receiver

WARM = 1.5
PATIENCE = 240.0
AFTERWARDS = 1.5


class Rounds:
    """All rounds in one laboratory."""

    def __init__(self, lab: Laboratory, load: float) -> None:
        self.lab = lab
        self.load = load
        self.memory = Memory()
        self.receiver = Receiver()

    async def start(self) -> None:
        """What outlives a round."""
        await self.receiver.start()

    async def run(self, faults: list[Fault]) -> tuple[Record, Verdict]:
        """The faults of one round, from quiet to quiet."""
        record = Record()
        self.receiver.record = record
        record.mark("begin")
        clients = Clients(
            record, self.lab.gatehouse.credentials, self.memory, self.load, self.lab.gatehouse.setup.replicas
        )
        probe = Probe(record, self.lab.gatehouse.url)
        await probe.start()
        await clients.start()
        watch = [asyncio.create_task(self._watch(record)), asyncio.create_task(self._revive(record))]
        await self._steady(record, time.monotonic(), 60)
        await asyncio.sleep(WARM)
        self.memory.clocks_agree = all(fault.kind != "clock-step" for fault in faults)
        record.mark("fault")
        done = await asyncio.gather(*(perform(self.lab, record, fault) for fault in faults))
        record.undone = [str(fault) for fault, it_was in zip(faults, done, strict=True) if not it_was]
        healed = record.mark("healed")
        recovered = await self._whole(healed) and await self._steady(record, time.monotonic(), 60)
        record.mark("whole")
        await asyncio.sleep(AFTERWARDS)
        await clients.stop()
        for task in watch:
            task.cancel()
        await probe.stop()
        record.mark("clients ended")
        findings, drained = Findings(), None
        if recovered:
            drained = await drain(record)
            record.mark("drained")
            findings = await check(record, self.memory)
        else:
            record.mark("drained")
        record.mark("checked")
        self.memory.clocks_agree = True
        return record, judge(record, faults, findings, recovered, drained, self.load, self.lab.gatehouse.setup.replicas)

    async def _whole(self, since: float) -> bool:
        """Waits until every part works. Just after a fault nothing may have noticed it yet, so it is asked twice."""
        good = 0
        while time.monotonic() < since + PATIENCE:
            good = good + 1 if await self.lab.whole() else 0
            if good >= 2:
                return True
            await asyncio.sleep(0.7)
        return False

    async def _steady(self, record: Record, since: float, patience: float) -> bool:
        """Waits until every stream has had a success."""
        wanted = {(base, area) for base in BASES for area in RATES if area not in ("refusal", "otp")}
        while time.monotonic() < since + patience:
            if wanted <= record.successes(since):
                return True
            await asyncio.sleep(0.2)
        return False

    async def _watch(self, record: Record) -> None:
        """Notes who is the primary, for the time line."""
        last = ""
        while True:
            members = await self.lab.cluster.members()
            now = " ".join(f"{m['name']}:{m['role']}:{m['state']}" for m in members)
            if now != last:
                record.mark(now or "no node answers")
            last = now
            await asyncio.sleep(0.5)

    async def _revive(self, record: Record) -> None:
        """Starts again what has ended by itself: a server does where it finds no database when it starts."""
        while True:
            for name in self.lab.revive():
                record.mark(f"{name} had ended, and is started again")
                record.revived.append(name)
            await asyncio.sleep(1)
