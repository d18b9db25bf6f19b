"""The database: three PostgreSQL nodes under Patroni, their etcd, HAProxy before them, PgBouncer where wanted."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

import aiohttp

import network
from disks import ROOM, Disks
from layout import ADDRESSES, DATABASE_PORT, NODES, PATRONI_PORT, POOLER_PORT, Places, Setup
from service import Service, send

TTL, LOOP_WAIT, RETRY_TIMEOUT = 20, 5, 5

HAPROXY = """\
global
  maxconn 2000
defaults
  mode tcp
  retries 2
  timeout connect 2s
  timeout client 30m
  timeout server 30m
  timeout check 1s
listen primary
  bind {address}:{port}
  option httpchk OPTIONS /primary
  http-check expect status 200
  default-server inter 1s fastinter 500ms fall 2 rise 1 on-marked-down shutdown-sessions
"""

PGBOUNCER = """\
[databases]
* = host={host} port={port}
[pgbouncer]
listen_addr = {address}
listen_port = {pooler}
auth_type = trust
auth_file = {users}
unix_socket_dir =
pool_mode = {mode}
default_pool_size = 80
max_client_conn = 400
{extra}
"""


class Cluster:
    """The services of the database, and what they say about themselves."""

    def __init__(self, places: Places, setup: Setup) -> None:
        self.places = places
        self.disks = Disks(places) if setup.disks else None
        self.fsync = setup.fsync
        self.pooler_mode = setup.pooler
        self.etcd = Service("etcd", "etcd", self._etcd_command, places.log("etcd"))
        self.patroni = {node: Service(node, node, self._patroni_command(node), places.log(node)) for node in NODES}
        config = str(places.state / "haproxy.cfg")
        self.haproxy = Service("haproxy", "haproxy", lambda: ["haproxy", "-db", "-f", config], places.log("haproxy"))
        ini = str(places.state / "pgbouncer.ini")
        command = [*as_postgres(), places.pgbouncer, ini]
        self.pooler = Service("pgbouncer", "haproxy", lambda: command, places.log("pgbouncer"))

    def prepare(self) -> None:
        """Makes folders and settings."""
        for node in NODES:
            folder = self.places.folder(node)
            folder.mkdir()
            if self.disks is None:
                options = f"size={ROOM},mode=0700,uid=postgres,gid=postgres"
                network.run("mount", "-t", "tmpfs", "-o", options, node, str(folder))
            settings = self.places.state / f"{node}.json"
            settings.write_text(json.dumps(self._patroni_settings(node), indent=1))
        if self.disks is not None:
            self.disks.prepare()
        lines = HAPROXY.format(address=ADDRESSES["haproxy"], port=DATABASE_PORT)
        for node in NODES:
            lines += f"  server {node} {ADDRESSES[node]}:5432 maxconn 150 check port {PATRONI_PORT}\n"
        (self.places.state / "haproxy.cfg").write_text(lines)
        if self.pooler_mode:
            # Session mode is for those before 1.21, which drop what they do not know only when they are told to.
            extra = "max_prepared_statements = 200" if self.pooler_mode == "transaction" else ""
            extra += "\nignore_startup_parameters = extra_float_digits,options\nserver_login_retry = 1"
            extra += "\nquery_wait_timeout = 5"
            users = self.places.state / "pgbouncer.users"
            users.write_text('"postgres" ""\n')
            text = PGBOUNCER.format(
                host=ADDRESSES["haproxy"],
                port=DATABASE_PORT,
                address=ADDRESSES["haproxy"],
                pooler=POOLER_PORT,
                mode=self.pooler_mode,
                users=users,
                extra=extra,
            )
            (self.places.state / "pgbouncer.ini").write_text(text)

    def _etcd_command(self) -> list[str]:
        address = ADDRESSES["etcd"]
        client, peer = f"http://{address}:2379", f"http://{address}:2380"
        return [
            "etcd",
            "--name",
            "e1",
            "--data-dir",
            str(self.places.state / "etcd"),
            "--unsafe-no-fsync",
            "--listen-client-urls",
            client,
            "--advertise-client-urls",
            client,
            "--listen-peer-urls",
            peer,
            "--initial-advertise-peer-urls",
            peer,
            "--initial-cluster",
            f"e1={peer}",
        ]

    def _patroni_command(self, node: str) -> Any:
        settings = str(self.places.state / f"{node}.json")
        return lambda: [*as_postgres(), str(self.places.patroni), settings]

    def _patroni_settings(self, node: str) -> dict[str, Any]:
        address, folder = ADDRESSES[node], self.places.folder(node)
        return {
            "scope": "faults",
            "name": node,
            "restapi": {"listen": f"{address}:{PATRONI_PORT}", "connect_address": f"{address}:{PATRONI_PORT}"},
            "etcd3": {"hosts": f"{ADDRESSES['etcd']}:2379"},
            "bootstrap": {
                "dcs": {
                    "ttl": TTL,
                    "loop_wait": LOOP_WAIT,
                    "retry_timeout": RETRY_TIMEOUT,
                    "maximum_lag_on_failover": 1048576,
                    "synchronous_mode": True,
                    "postgresql": {
                        "use_pg_rewind": True,
                        "use_slots": True,
                        "parameters": {
                            "max_connections": 150,
                            "shared_buffers": "16MB",
                            "wal_level": "replica",
                            "hot_standby": "on",
                            "max_wal_size": "96MB",
                            "min_wal_size": "32MB",
                            "wal_keep_size": "64MB",
                            "max_slot_wal_keep_size": "128MB",
                            "fsync": "on" if self.fsync else "off",
                            "wal_log_hints": "on",
                        },
                    },
                },
                "initdb": [{"encoding": "UTF8"}, {"locale": "C.UTF-8"}, "data-checksums"],
            },
            "postgresql": {
                "listen": f"{address}:5432",
                "connect_address": f"{address}:5432",
                "data_dir": str(folder / "data"),
                "bin_dir": str(self.places.postgres_bin),
                "pgpass": str(folder / "pgpass"),
                "pg_hba": [
                    "local all all trust",
                    "host all all 0.0.0.0/0 trust",
                    "host replication all 0.0.0.0/0 trust",
                ],
                "authentication": {
                    "superuser": {"username": "postgres", "password": "x"},
                    "replication": {"username": "replicator", "password": "x"},
                    "rewind": {"username": "rewind", "password": "x"},
                },
                "parameters": {"unix_socket_directories": str(folder)},
            },
        }

    async def start(self) -> None:
        """Starts everything, the first node before the others, and waits until the replicas follow."""
        self.etcd.start()
        await asyncio.sleep(1)
        self.patroni["pg1"].start()
        await self.wait(lambda members: leader_of(members) is not None, "a primary", 300)
        for node in NODES[1:]:
            self.patroni[node].start()
        self.haproxy.start()
        if self.pooler_mode:
            self.pooler.start()
        await self.wait(is_whole, "two replicas", 300)

    async def members(self) -> list[dict[str, Any]]:
        """The cluster as one of its nodes that answers sees it; empty where none does."""
        timeout = aiohttp.ClientTimeout(total=2)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            for node in NODES:
                try:
                    async with session.get(f"http://{ADDRESSES[node]}:{PATRONI_PORT}/cluster") as answer:
                        return list((await answer.json())["members"])
                except (TimeoutError, aiohttp.ClientError, OSError, KeyError, ValueError):
                    continue
        return []

    async def wait(self, good: Any, what: str, patience: float = 120) -> None:
        """Waits until the members are as they should be."""
        deadline = asyncio.get_running_loop().time() + patience
        while not good(await self.members()):
            if asyncio.get_running_loop().time() > deadline:
                raise TimeoutError(f"waited {patience:.0f} s for {what}: {await self.members()}")
            await asyncio.sleep(0.3)

    async def leader(self) -> str:
        """The node that is the primary."""
        return leader_of(await self.members()) or NODES[0]

    async def sync_standby(self) -> str:
        """The node whose confirmation the primary waits for."""
        members = await self.members()
        return next((m["name"] for m in members if m["role"] == "sync_standby"), NODES[1])

    async def switch_over(self, leader: str, candidate: str) -> str:
        """A planned change of the primary; gives Patroni's answer."""
        url = f"http://{ADDRESSES[leader]}:{PATRONI_PORT}/switchover"
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session:
            async with session.post(url, json={"leader": leader, "candidate": candidate}) as answer:
                return (await answer.text()).strip()

    def postmaster(self, node: str) -> int | None:
        """The first process of a node's PostgreSQL."""
        file = self.places.folder(node) / "data" / "postmaster.pid"
        try:
            return int(file.read_text().split()[0])
        except (OSError, IndexError, ValueError):
            return None

    def postgres_pids(self, node: str) -> list[int]:
        """All processes of a node's PostgreSQL, the first one first."""
        first = self.postmaster(node)
        others = [pid for pid in network.pids(node) if comm(pid).startswith("postgres") and pid != first]
        return ([first] if first else []) + others

    def signal_postgres(self, node: str, number: signal.Signals, whole: bool = True) -> None:
        """Sends a signal to a node's PostgreSQL, or to its first process alone."""
        pids = self.postgres_pids(node)
        send(pids if whole else pids[:1], number)


def as_postgres() -> list[str]:
    """The prefix that makes a command run as the user postgres."""
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "env", "HOME=/var/tmp"]


def comm(pid: int) -> str:
    """The name of a process; empty where it is gone."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def leader_of(members: list[dict[str, Any]]) -> str | None:
    """The name of the primary that runs."""
    return next((m["name"] for m in members if m["role"] == "leader" and m["state"] == "running"), None)


def is_whole(members: list[dict[str, Any]]) -> bool:
    """Whether there is a primary, and the other two follow it, one of them synchronously."""
    following = [m for m in members if m["role"] in ("sync_standby", "replica") and m["state"] == "streaming"]
    synchronous = any(m["role"] == "sync_standby" for m in following)
    return leader_of(members) is not None and len(following) == len(NODES) - 1 and synchronous
