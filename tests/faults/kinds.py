"""The faults: how each is planned from the seed, done, and undone."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import subprocess
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import aiohttp
import psycopg

import network
from gatehouse import FAKETIME
from laboratory import Laboratory
from layout import DATABASE, NODES, SERVERS, Setup, database_url
from record import Record
from service import Service, send


@dataclass
class Fault:
    """One fault, as it stands in the line of the results, and can be done again."""

    kind: str
    # A part of the laboratory, or a role of a node: primary, sync, replica.
    target: str = ""
    # What exactly: a direction, a signal, an offset.
    how: str = ""
    # How long it lasts, or how long what was killed stays away.
    seconds: float = 0.0
    # How long after the first fault of its round it begins.
    at: float = 0.0

    def __str__(self) -> str:
        begins = f"@{self.at}" if self.at else ""
        return " ".join(str(part) for part in (self.kind, self.target, self.how, self.seconds, begins) if part)

    def places(self) -> set[str]:
        """What it breaks; two faults of one round break different things."""
        if self.kind == "rolling-restart":
            return set(SERVERS)
        if self.target == "all":
            return {"primary", "sync", "replica"}
        return {self.target or self.kind}

    def unreachable(self) -> set[str]:
        """The addresses whose clients talk to what is broken, so that its silence says nothing."""
        if not self.kind.startswith(("kill-", "freeze-")):
            return set()
        # The balancer needs a moment to see that a server is gone.
        return {"front"} if self.target == "front" else {self.target, "front"} if self.target in SERVERS else set()

    def cut_off(self) -> set[str]:
        """The addresses where no success can be had while the fault lasts."""
        if self.kind == "rolling-restart":
            return set(SERVERS)
        return {self.target, "front"} if self.kind == "partition-server" else self.unreachable()


@dataclass
class Kind:
    """A kind of fault: what it may hit, in which ways, for how long, and what does it."""

    # Is told where the target is: a node for a role, and the target itself otherwise.
    do: Callable[[Laboratory, Record, Fault, str], Awaitable[None]]
    targets: tuple[str, ...]
    hows: tuple[str, ...] = ("",)
    seconds: tuple[float, float] = (1.0, 6.0)
    # How often it is drawn.
    weight: int = 1
    needs: str = ""


async def node_of(lab: Laboratory, role: str) -> str:
    """The node that has a role now."""
    leader, standby = await lab.cluster.leader(), await lab.cluster.sync_standby()
    if role == "primary":
        return leader
    if role == "sync":
        return standby
    return next((node for node in NODES if node not in (leader, standby)), standby)


def service_of(lab: Laboratory, target: str) -> Service:
    """The process of a target that is no node."""
    cluster, gatehouse = lab.cluster, lab.gatehouse
    single = {"etcd": cluster.etcd, "haproxy": cluster.haproxy, "front": gatehouse.front, "pgbouncer": cluster.pooler}
    return (single | gatehouse.servers)[target]


class NotDone(Exception):
    """Somebody who was asked to break something would not."""


async def perform(lab: Laboratory, record: Record, fault: Fault) -> bool:
    """Does a fault when it is its turn, and undoes it; whether it could be done. Two faults of a round that hit one
    place, for a role has moved meanwhile, come one after the other."""
    await asyncio.sleep(fault.at)
    role = fault.target if fault.target in ROLES else ""
    where = await node_of(lab, role) if role else fault.target
    async with contextlib.AsyncExitStack() as stack:
        places = {where} if role else set(NODES) if fault.target == "all" else fault.places()
        for place in sorted(places):
            await stack.enter_async_context(lab.broken[place])
        record.mark(f"{fault.kind} {fault.how} {where}".replace("  ", " ").strip())
        try:
            await KINDS[fault.kind].do(lab, record, fault, where)
        except (NotDone, TimeoutError, OSError, psycopg.Error, aiohttp.ClientError, subprocess.TimeoutExpired) as error:
            # Where much else is broken at the same time, nobody may be there to ask.
            record.mark(f"{fault.kind}: not done: {type(error).__name__}: {error}"[:200])
            return False
        record.mark(f"{fault.kind} {where} ends".replace("  ", " "))
        return True


async def kill(lab: Laboratory, record: Record, fault: Fault, where: str) -> None:
    """SIGKILL of one process, which comes back after a while, as under a service manager."""
    service = service_of(lab, where)
    service.kill()
    await asyncio.sleep(fault.seconds)
    service.start()


async def restart(lab: Laboratory, record: Record, fault: Fault, where: str) -> None:
    """One process is asked to end, in a way of its own, and comes back."""
    service = service_of(lab, where)
    service.signal(signal.Signals[fault.how])
    try:
        await asyncio.to_thread(service.wait, RESTART_PATIENCE)
    except subprocess.TimeoutExpired:
        record.mark(f"{where} does not end on {fault.how}, and is killed")
        service.kill()
    service.start()


async def freeze(lab: Laboratory, record: Record, fault: Fault, where: str) -> None:
    """SIGSTOP of one process for a while: to everybody else it is silent, and then goes on as if nothing had been."""
    service = service_of(lab, where)
    service.signal(signal.SIGSTOP)
    await asyncio.sleep(fault.seconds)
    service.signal(signal.SIGCONT)


async def kill_postgres(lab: Laboratory, record: Record, fault: Fault, where: str) -> None:
    """PostgreSQL dies, Patroni lives: by SIGKILL of its first process, or at once without a checkpoint."""
    number = signal.SIGQUIT if fault.how == "immediate" else signal.SIGKILL
    lab.cluster.signal_postgres(where, number, whole=fault.how == "all processes")


async def freeze_postgres(lab: Laboratory, record: Record, fault: Fault, where: str) -> None:
    """All processes of one PostgreSQL are silent for a while."""
    pids = lab.cluster.postgres_pids(where)
    send(pids, signal.SIGSTOP)
    await asyncio.sleep(fault.seconds)
    send(pids, signal.SIGCONT)


async def kill_patroni(lab: Laboratory, record: Record, fault: Fault, where: str) -> None:
    """Patroni dies and PostgreSQL goes on, as a primary that nobody watches."""
    lab.cluster.patroni[where].kill()
    await asyncio.sleep(fault.seconds)
    lab.cluster.patroni[where].start()


async def freeze_patroni(lab: Laboratory, record: Record, fault: Fault, where: str) -> None:
    """Patroni is silent for a while, and PostgreSQL is not."""
    lab.cluster.patroni[where].signal(signal.SIGSTOP)
    await asyncio.sleep(fault.seconds)
    lab.cluster.patroni[where].signal(signal.SIGCONT)


async def kill_node(lab: Laboratory, record: Record, fault: Fault, where: str) -> None:
    """The machine of a node goes off, and comes back."""
    send(network.pids(where), signal.SIGKILL)
    await asyncio.sleep(fault.seconds)
    lab.cluster.patroni[where].start()


async def fail_power(lab: Laboratory, record: Record, fault: Fault, where: str) -> None:
    """The power of a node fails, or of all three at once, and comes back: what was not synced is lost."""
    disks = lab.cluster.disks
    if disks is None:
        raise NotDone("the nodes have no disks")
    nodes = NODES if where == "all" else (where,)
    await asyncio.gather(*(disks.fail(node) for node in nodes))
    await asyncio.sleep(fault.seconds)
    for node in nodes:
        disks.restore(node)
        lab.cluster.patroni[node].start()


async def freeze_node(lab: Laboratory, record: Record, fault: Fault, where: str) -> None:
    """The machine of a node stands still, as one that is moved between hosts, and goes on."""
    pids = network.pids(where)
    send(pids, signal.SIGSTOP)
    await asyncio.sleep(fault.seconds)
    send(pids, signal.SIGCONT)


async def partition(lab: Laboratory, record: Record, fault: Fault, where: str) -> None:
    """Packets are lost without a word: of a node, of etcd, or between a server and HAProxy."""
    network.cut(where, fault.how, "haproxy" if where in SERVERS else None)
    await asyncio.sleep(fault.seconds)
    network.mend(where)


async def fill_disk(lab: Laboratory, record: Record, fault: Fault, where: str) -> None:
    """The file system of a node is full for a while."""
    ballast = lab.places.folder(where) / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * (1 << 20))
        except OSError:
            pass
    await asyncio.sleep(fault.seconds)
    ballast.unlink()


async def step_clock(lab: Laboratory, record: Record, fault: Fault, where: str) -> None:
    """The clock of a server is wrong for a while."""
    file = lab.gatehouse.clock_file(where)
    file.write_text(f"{fault.how}\n")
    await asyncio.sleep(fault.seconds)
    file.write_text("+0\n")


async def terminate(lab: Laboratory, record: Record, fault: Fault, where: str) -> None:
    """Connections of the servers are ended by an administrator: all, or some, several times."""
    others = f"datname = '{DATABASE}' and pid <> pg_backend_pid()"
    query = f"select pg_terminate_backend(pid) from pg_stat_activity where {others}"
    if fault.how == "some":
        query += " and random() < 0.4"
    for _ in range(1 if fault.how == "all" else 4):
        async with await psycopg.AsyncConnection.connect(database_url(), autocommit=True, connect_timeout=3) as db:
            await db.execute(query.encode())
        await asyncio.sleep(0.5)


async def switch_over(lab: Laboratory, record: Record, fault: Fault, where: str) -> None:
    """A planned change of the primary."""
    leader, standby = await lab.cluster.leader(), await lab.cluster.sync_standby()
    answer = await lab.cluster.switch_over(leader, standby)
    if not answer.startswith("Successfully"):
        raise NotDone(answer)
    record.mark(f"from {leader} to {standby}: {answer}")


async def roll(lab: Laboratory, record: Record, fault: Fault, where: str) -> None:
    """Both servers are restarted as in an upgrade, one after the other."""
    for name in SERVERS:
        server = lab.gatehouse.servers[name]
        record.mark(f"{name} is told to end")
        await asyncio.to_thread(server.stop)
        server.start()
        await lab.gatehouse.wait_ready(name)
        while not await lab.gatehouse.front_sees(name):
            await asyncio.sleep(0.2)
        record.mark(f"{name} is back")
        await asyncio.sleep(1)


async def tamper(lab: Laboratory, record: Record, fault: Fault, where: str) -> None:
    """No fault of the laboratory's: rows are taken out and put in by hand, which the checks must all find."""
    async with await psycopg.AsyncConnection.connect(database_url(), autocommit=True, connect_timeout=3) as db:
        for statement in TAMPERING:
            await db.execute(statement)


TAMPERING = (
    # The ledger refuses this otherwise.
    b"set session_replication_role = replica",
    b"delete from events where id in (select max(event_id) from push_event_payloads where ref like 'plain-%')",
    b"delete from provisioning_ledger_entries where id in (select max(id) from provisioning_ledger_entries)",
    b"update group_scim_identities set active = not active where id in"
    b" (select id from group_scim_identities where active order by updated_at limit 1)",
    b"insert into personal_access_tokens (user_id, name)"
    b" select user_id, name from personal_access_tokens order by id desc limit 1",
    b"insert into project_authorizations (user_id, project_id, access_level) select min(user_id), 102, 40 from members",
    b"update kas_counters set total = 0",
    b"update users set consumed_timestep = 1",
)
# The primary is drawn as often as the other two.
ROLES = ("primary", "primary", "sync", "replica")
# How long a process may take to end by itself.
RESTART_PATIENCE = 10.0
# The seconds in which the faults of one round begin.
TOGETHER = 8.0
KINDS: dict[str, Kind] = {
    "switchover": Kind(switch_over, ("",), weight=2),
    "rolling-restart": Kind(roll, ("",)),
    "kill-postgres": Kind(kill_postgres, ROLES, ("first process", "all processes", "immediate"), weight=2),
    "freeze-postgres": Kind(freeze_postgres, ROLES, seconds=(3, 30)),
    "kill-patroni": Kind(kill_patroni, ROLES, seconds=(2, 30)),
    "freeze-patroni": Kind(freeze_patroni, ROLES, seconds=(3, 30)),
    "kill-node": Kind(kill_node, ROLES, seconds=(2, 30), weight=2),
    "freeze-node": Kind(freeze_node, ROLES, seconds=(3, 35)),
    "partition-node": Kind(partition, ROLES, ("both", "in", "out"), (3, 35), weight=2),
    "partition-server": Kind(partition, SERVERS, ("both", "in", "out"), (3, 25), weight=2),
    "partition-etcd": Kind(partition, ("etcd",), ("both", "in", "out"), (3, 35)),
    "kill-etcd": Kind(kill, ("etcd",), seconds=(1, 35)),
    "freeze-etcd": Kind(freeze, ("etcd",), seconds=(2, 30)),
    "kill-haproxy": Kind(kill, ("haproxy",), seconds=(1, 8)),
    "freeze-haproxy": Kind(freeze, ("haproxy",), seconds=(2, 20)),
    "kill-front": Kind(kill, ("front",), seconds=(1, 5)),
    "freeze-front": Kind(freeze, ("front",), seconds=(2, 9)),
    "kill-gatehouse": Kind(kill, SERVERS, seconds=(1, 20), weight=2),
    "freeze-gatehouse": Kind(freeze, SERVERS, seconds=(2, 40)),
    "disk-full": Kind(fill_disk, ("primary", "primary", "sync"), seconds=(3, 15)),
    "clock-step": Kind(step_clock, SERVERS, ("+25", "-25"), (3, 8), needs="libfaketime"),
    "terminate": Kind(terminate, ("",), ("all", "some"), weight=2),
    "power-loss": Kind(fail_power, ("all", "all", "primary", "sync"), seconds=(1, 25), weight=3, needs="disks"),
    # Shows that the checks see what they are there for; every bar that it names is to be missed.
    "tamper": Kind(tamper, ("",), needs="asking"),
    "kill-pgbouncer": Kind(kill, ("pgbouncer",), seconds=(0.2, 5), needs="pgbouncer"),
    "freeze-pgbouncer": Kind(freeze, ("pgbouncer",), seconds=(2, 20), needs="pgbouncer"),
    # It ends at once, or as soon as its servers are between two transactions.
    "restart-pgbouncer": Kind(restart, ("pgbouncer",), ("SIGQUIT", "SIGINT"), needs="pgbouncer", weight=2),
}


def available(setup: Setup) -> list[str]:
    """The kinds that can be done here."""
    has = {
        "": True,
        "asking": False,
        "libfaketime": FAKETIME is not None,
        "pgbouncer": setup.pooler is not None,
        "disks": setup.disks,
    }
    return [name for name, kind in KINDS.items() if has[kind.needs]]


def plan(seed: int, count: int, kinds: list[str]) -> list[Fault]:
    """The faults of a seed: the same seed plans the same. Each kind comes once before one comes again as its weight
    says, so that few faults are of many kinds."""
    draw = random.Random(seed)
    faults: list[Fault] = []
    while len(faults) < count:
        bag = list(kinds) + [name for name in kinds for _ in range(KINDS[name].weight - 1)]
        first, rest = list(kinds), bag[len(kinds) :]
        draw.shuffle(first)
        draw.shuffle(rest)
        for name in first + rest:
            kind = KINDS[name]
            seconds = round(draw.uniform(*kind.seconds), 1)
            faults.append(Fault(name, draw.choice(kind.targets), draw.choice(kind.hows), seconds))
    return faults[:count]


def plan_together(seed: int, count: int, kinds: list[str], together: int) -> list[list[Fault]]:
    """The same in rounds of so many faults, each of which breaks something else; they begin within a few seconds."""
    if together == 1:
        return [[fault] for fault in plan(seed, count, kinds)]
    draw = random.Random(f"{seed} {together}")
    waiting = plan(seed, count, kinds)
    rounds: list[list[Fault]] = []
    while waiting:
        chosen: list[Fault] = []
        broken: set[str] = set()
        for fault in waiting:
            if len(chosen) < together and not broken & fault.places():
                chosen.append(fault)
                broken |= fault.places()
        waiting = [fault for fault in waiting if all(fault is not other for other in chosen)]
        for place, fault in enumerate(chosen):
            fault.at = round(draw.uniform(0, TOGETHER), 1) if place else 0.0
        rounds.append(chosen)
    return rounds
