"""The faults: how each is planned from the seed, done, and undone."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import psycopg

import network
from gatehouse import FAKETIME
from laboratory import Laboratory
from layout import DATABASE, NODES, SERVERS, database_url
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

    do: Callable[[Laboratory, Record, Fault], Awaitable[None]]
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


async def kill(lab: Laboratory, record: Record, fault: Fault) -> None:
    """SIGKILL of one process, which comes back after a while, as under a service manager."""
    service = service_of(lab, fault.target)
    service.kill()
    await asyncio.sleep(fault.seconds)
    service.start()


async def freeze(lab: Laboratory, record: Record, fault: Fault) -> None:
    """SIGSTOP of one process for a while: to everybody else it is silent, and then goes on as if nothing had been."""
    service = service_of(lab, fault.target)
    service.signal(signal.SIGSTOP)
    await asyncio.sleep(fault.seconds)
    service.signal(signal.SIGCONT)


async def kill_postgres(lab: Laboratory, record: Record, fault: Fault) -> None:
    """PostgreSQL dies, Patroni lives: by SIGKILL of its first process, or at once without a checkpoint."""
    node = await node_of(lab, fault.target)
    record.mark(f"it is {node}")
    number = signal.SIGQUIT if fault.how == "immediate" else signal.SIGKILL
    lab.cluster.signal_postgres(node, number, whole=fault.how == "all processes")


async def freeze_postgres(lab: Laboratory, record: Record, fault: Fault) -> None:
    """All processes of one PostgreSQL are silent for a while."""
    node = await node_of(lab, fault.target)
    record.mark(f"it is {node}")
    pids = lab.cluster.postgres_pids(node)
    send(pids, signal.SIGSTOP)
    await asyncio.sleep(fault.seconds)
    send(pids, signal.SIGCONT)


async def kill_patroni(lab: Laboratory, record: Record, fault: Fault) -> None:
    """Patroni dies and PostgreSQL goes on, as a primary that nobody watches."""
    node = await node_of(lab, fault.target)
    record.mark(f"it is {node}")
    lab.cluster.patroni[node].kill()
    await asyncio.sleep(fault.seconds)
    lab.cluster.patroni[node].start()


async def freeze_patroni(lab: Laboratory, record: Record, fault: Fault) -> None:
    """Patroni is silent for a while, and PostgreSQL is not."""
    node = await node_of(lab, fault.target)
    record.mark(f"it is {node}")
    lab.cluster.patroni[node].signal(signal.SIGSTOP)
    await asyncio.sleep(fault.seconds)
    lab.cluster.patroni[node].signal(signal.SIGCONT)


async def kill_node(lab: Laboratory, record: Record, fault: Fault) -> None:
    """The machine of a node goes off, and comes back."""
    node = await node_of(lab, fault.target)
    record.mark(f"it is {node}")
    send(network.pids(node), signal.SIGKILL)
    await asyncio.sleep(fault.seconds)
    lab.cluster.patroni[node].start()


async def freeze_node(lab: Laboratory, record: Record, fault: Fault) -> None:
    """The machine of a node stands still, as one that is moved between hosts, and goes on."""
    node = await node_of(lab, fault.target)
    record.mark(f"it is {node}")
    pids = network.pids(node)
    send(pids, signal.SIGSTOP)
    await asyncio.sleep(fault.seconds)
    send(pids, signal.SIGCONT)


async def partition(lab: Laboratory, record: Record, fault: Fault) -> None:
    """Packets are lost without a word: of a node, of etcd, or between a server and HAProxy."""
    name = await node_of(lab, fault.target) if fault.target in ("primary", "sync", "replica") else fault.target
    record.mark(f"it is {name}")
    network.cut(name, fault.how, "haproxy" if name in SERVERS else None)
    await asyncio.sleep(fault.seconds)
    network.mend(name)


async def fill_disk(lab: Laboratory, record: Record, fault: Fault) -> None:
    """The file system of a node is full for a while."""
    node = await node_of(lab, fault.target)
    record.mark(f"it is {node}")
    ballast = lab.places.folder(node) / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * (1 << 20))
        except OSError:
            pass
    await asyncio.sleep(fault.seconds)
    ballast.unlink()


async def step_clock(lab: Laboratory, record: Record, fault: Fault) -> None:
    """The clock of a server is wrong for a while."""
    file = lab.gatehouse.clock_file(fault.target)
    file.write_text(f"{fault.how}\n")
    await asyncio.sleep(fault.seconds)
    file.write_text("+0\n")


async def terminate(lab: Laboratory, record: Record, fault: Fault) -> None:
    """Connections of the servers are ended by an administrator: all, or some, several times."""
    others = f"datname = '{DATABASE}' and pid <> pg_backend_pid()"
    query = f"select pg_terminate_backend(pid) from pg_stat_activity where {others}"
    if fault.how == "some":
        query += " and random() < 0.4"
    for _ in range(1 if fault.how == "all" else 4):
        async with await psycopg.AsyncConnection.connect(database_url(), autocommit=True, connect_timeout=3) as db:
            await db.execute(query.encode())
        await asyncio.sleep(0.5)


async def switch_over(lab: Laboratory, record: Record, fault: Fault) -> None:
    """A planned change of the primary."""
    leader, standby = await lab.cluster.leader(), await lab.cluster.sync_standby()
    record.mark(f"from {leader} to {standby}: {await lab.cluster.switch_over(leader, standby)}")


async def roll(lab: Laboratory, record: Record, fault: Fault) -> None:
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


async def tamper(lab: Laboratory, record: Record, fault: Fault) -> None:
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
ROLES = ("primary", "primary", "sync", "replica")
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
    # Shows that the checks see what they are there for; every bar that it names is to be missed.
    "tamper": Kind(tamper, ("",), needs="asking"),
    "kill-pgbouncer": Kind(kill, ("pgbouncer",), seconds=(0.2, 5), needs="pgbouncer"),
}


def available(pooler: bool) -> list[str]:
    """The kinds that can be done here."""
    has = {"": True, "asking": False, "libfaketime": FAKETIME is not None, "pgbouncer": pooler}
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
