"""Where everything in the laboratory is: names, addresses, folders."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

NODES = ("pg1", "pg2", "pg3")
SERVERS = ("gh1", "gh2")
# A name is a network namespace; the harness itself sits at the bridge, as the outside world.
ADDRESSES = {
    "hub": "10.77.0.1",
    "pg1": "10.77.0.11",
    "pg2": "10.77.0.12",
    "pg3": "10.77.0.13",
    "etcd": "10.77.0.20",
    "haproxy": "10.77.0.30",
    "front": "10.77.0.40",
    "gh1": "10.77.0.51",
    "gh2": "10.77.0.52",
}
DATABASE = "gatehouse"
DATABASE_PORT = 5000
POOLER_PORT = 6432
API_PORT = 3001
MONITORING_PORT = 3002
PATRONI_PORT = 8008
HOOK_PORT = 7301

# Where the clients go: the balancer in front of the two servers, and each server itself.
BASES = {name: f"http://{ADDRESSES[name]}:{API_PORT}" for name in ("front", *SERVERS)}
HOOK_URL = f"http://{ADDRESSES['hub']}:{HOOK_PORT}/hook"


def database_url(host: str = "haproxy", port: int = DATABASE_PORT, database: str = DATABASE) -> str:
    """The URL of a database; by default as the servers see it, through HAProxy to whichever node is the primary."""
    return f"postgres://postgres@{ADDRESSES[host]}:{port}/{database}"


@dataclass(frozen=True)
class Setup:
    """What an installation has beside the usual."""

    # The mode of a PgBouncer before the database.
    pooler: str | None = None
    # Standbys decide fetches.
    replicas: bool = False
    # The nodes' disks can lose power.
    disks: bool = False
    # PostgreSQL waits until what it says is written.
    fsync: bool = True
    # Seconds that a server goes on after it has told balancers that it stops.
    blackout: int = 0


@dataclass(frozen=True)
class Places:
    """The folders of one run, and the programs that it starts."""

    state: Path
    results: Path
    gatehouse: Path
    postgres_bin: Path
    patroni: Path
    pgbouncer: str

    @staticmethod
    def from_environment() -> Places:
        """As bin/faults says."""
        here = os.environ
        return Places(
            Path(here["FAULTS_STATE"]),
            Path(here["FAULTS_RESULTS"]),
            Path(here["FAULTS_GATEHOUSE"]),
            Path(here["FAULTS_POSTGRES_BIN"]),
            Path(here["FAULTS_PATRONI"]),
            here.get("FAULTS_PGBOUNCER", "pgbouncer"),
        )

    def log(self, name: str) -> Path:
        """What the process of this name has printed."""
        return self.state / "log" / f"{name}.log"

    def folder(self, node: str) -> Path:
        """The folder of a database node: a small file system of its own."""
        return self.state / node
