"""The two servers, the balancer before them, their secrets, and the state that they begin with."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

import network
from layout import (
    ADDRESSES,
    API_PORT,
    DATABASE_PORT,
    HOOK_URL,
    MONITORING_PORT,
    NODES,
    POOLER_PORT,
    SERVERS,
    Places,
    Setup,
    database_url,
)
from service import Service
from tokens import ssh_key

FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
# Each may type one password in half a minute, so there are enough of them for a steady stream.
OTP_USERS = 60
FIRST_OTP_KEY = 1000
# Seconds that a standby may be behind which decides fetches while the primary is away: longer than any fault lasts.
STALE_FETCHES = 120
HOOKED, PLAIN = 101, 102

FRONT = """\
global
  maxconn 2000
  stats socket {socket} mode 600 level admin
  log stdout format iso local0
defaults
  mode http
  log global
  option httplog
  option dontlog-normal
  retries 3
  option redispatch 1
  timeout connect 1s
  timeout client 60s
  timeout server 60s
  timeout check 1s
listen servers
  bind {address}:{port}
  option httpchk GET /-/readiness
  http-check expect status 200
  default-server inter 500ms fall 2 rise 1
"""


@dataclass
class Credentials:
    """What clients show."""

    shell: bytes
    kas: bytes
    admin: str
    scim: str
    otp: dict[int, str]


class Gatehouse:
    """The servers and who stands in front."""

    def __init__(self, places: Places, setup: Setup) -> None:
        self.places = places
        self.setup = setup
        self.url = database_url(port=POOLER_PORT if setup.pooler else DATABASE_PORT)
        self.credentials = Credentials(
            secrets.token_hex(16).encode(),
            secrets.token_bytes(32),
            "glpat-" + secrets.token_hex(10),
            "glsoat-" + secrets.token_hex(10),
            {FIRST_OTP_KEY + n: base64.b32encode(secrets.token_bytes(20)).decode() for n in range(OTP_USERS)},
        )
        self.servers = {name: Service(name, name, lambda: self._command("serve"), places.log(name)) for name in SERVERS}
        config = str(places.state / "front.cfg")
        self.front = Service("front", "front", lambda: ["haproxy", "-db", "-f", config], places.log("front"))

    def _command(self, *words: str) -> list[str]:
        return ["nice", "-n", "5", str(self.places.gatehouse), *words]

    def prepare(self) -> None:
        """Writes secrets, settings and the state document."""
        state = self.places.state
        (state / "shell_secret").write_bytes(self.credentials.shell)
        (state / "kas_secret").write_bytes(base64.b64encode(self.credentials.kas))
        (state / "workhorse_secret").write_bytes(base64.b64encode(secrets.token_bytes(32)))
        (state / "db_key_base").write_text(secrets.token_hex(64))
        (state / "state.yml").write_text(json.dumps(self._document(), indent=1))
        lines = FRONT.format(address=ADDRESSES["front"], port=API_PORT, socket=state / "front.sock")
        for name in SERVERS:
            lines += f"  server {name} {ADDRESSES[name]}:{API_PORT} check port {MONITORING_PORT}\n"
        (state / "front.cfg").write_text(lines)
        for name, server in self.servers.items():
            server.environment = self._environment(name)

    def clock_file(self, name: str) -> Path:
        """The offset of a server's clock."""
        return self.places.state / f"{name}.clock"

    def _environment(self, name: str) -> dict[str, str]:
        state, address = self.places.state, ADDRESSES[name]
        environment = {
            "DATABASE_URL": self.url,
            "GITLAB_SHELL__SECRET_FILE": str(state / "shell_secret"),
            "GITLAB_KAS__SECRET_FILE": str(state / "kas_secret"),
            "WORKHORSE__SECRET_FILE": str(state / "workhorse_secret"),
            "GATEHOUSE__DB_KEY_BASE_FILE": str(state / "db_key_base"),
            "GATEHOUSE__LISTEN": f"{address}:{API_PORT}",
            "GATEHOUSE__METRICS_LISTEN": f"{address}:{MONITORING_PORT}",
            "GATEHOUSE__TWO_FACTOR_FOR_GIT": "true",
            "NO_COLOR": "1",
        }
        if self.setup.blackout:
            environment["SHUTDOWN__BLACKOUT_SECONDS"] = str(self.setup.blackout)
        if self.setup.pooler:
            environment["GATEHOUSE__DATABASE__DIRECT_URL"] = database_url()
        if self.setup.replicas:
            # Whichever of them is the primary now is passed over, for it is no standby.
            standbys = [database_url(node, 5432) for node in NODES]
            environment["GATEHOUSE__DATABASE__REPLICAS"] = json.dumps(standbys)
            environment["GATEHOUSE__DATABASE__STALE_FETCHES"] = str(STALE_FETCHES)
        if FAKETIME is not None:
            self.clock_file(name).write_text("+0\n")
            # Deadlines are measured by the monotonic clock, which no step of the clock moves.
            environment |= {
                "LD_PRELOAD": str(FAKETIME),
                "FAKETIME_TIMESTAMP_FILE": str(self.clock_file(name)),
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                "FAKETIME_CACHE_DURATION": "1",
            }
        return environment

    def _document(self) -> dict[str, Any]:
        admin = {"name": "faults", "token": self.credentials.admin, "scopes": ["api", "admin_mode"]}
        users: list[dict[str, Any]] = [
            {
                "username": "root",
                "name": "Root",
                "email": "root@example.com",
                "admin": True,
                "personal_access_tokens": [admin],
            },
            {
                "username": "dana",
                "name": "Dana",
                "email": "dana@example.com",
                "keys": [{"id": 11, "title": "k", "key": ssh_key("dana")}],
            },
        ]
        for key, secret in self.credentials.otp.items():
            name = f"otp{key}"
            keys = [{"id": key, "title": "k", "key": ssh_key(name)}]
            users.append(
                {
                    "username": name,
                    "name": name,
                    "email": f"{name}@example.com",
                    "keys": keys,
                    "two_factor": {"otp_secret": secret},
                }
            )
        project = {"visibility": "private", "repository": "present", "default_branch": "main"}
        return {
            "settings": {
                "gitlab_shell_operation_limit": 0,
                "allow_local_requests_from_web_hooks_and_services": True,
                "default_branch_protection": "none",
            },
            "users": users,
            "groups": [
                {"path": "work", "name": "Work", "members": {"dana": "developer"}},
                {"path": "acme", "name": "Acme", "visibility": "public"},
                {
                    "path": "people",
                    "name": "People",
                    "members": {"root": "owner"},
                    "saml": {"enabled": True, "default_membership_role": "developer"},
                    "scim_token": self.credentials.scim,
                },
                {"path": "people/inner", "name": "Inner"},
            ],
            "projects": [
                {
                    "path": "work/hooked",
                    "id": HOOKED,
                    "creator": "root",
                    **project,
                    "hooks": [{"url": HOOK_URL, "push_events": True}],
                },
                {"path": "work/plain", "id": PLAIN, "creator": "root", **project},
                {"path": "people/open", "creator": "root", **project},
                {"path": "people/inner/deep", "creator": "root", **project},
            ],
        }

    def command(self, *words: str) -> str:
        """Runs a command of the binary, in the first server's place."""
        environment = {
            key: value
            for key, value in self.servers["gh1"].environment.items()
            if not key.startswith(("LD_", "FAKETIME"))
        }
        return network.run(
            *network.inside(
                "gh1", "env", *(f"{key}={value}" for key, value in environment.items()), *self._command(*words)
            )
        )

    async def start(self) -> None:
        """Makes the schema and the state, and serves."""
        for words in (("migrate",), ("apply", "-f", str(self.places.state / "state.yml"))):
            await self._insist(*words)
        for server in self.servers.values():
            server.start()
        self.front.start()
        for name in SERVERS:
            await self.wait_ready(name)
            while not await self.front_sees(name):
                await asyncio.sleep(0.1)

    async def _insist(self, *words: str) -> None:
        """Runs a command that may be run twice. On a busy machine a check of HAProxy's may come too late, and it cuts
        the connection."""
        for _ in range(4):
            try:
                await asyncio.to_thread(self.command, *words)
                return
            except RuntimeError:
                await asyncio.sleep(3)
        await asyncio.to_thread(self.command, *words)

    async def keep_addresses(self) -> None:
        """From now on the servers' addresses stay open while they restart, and no balancer needs to know."""
        for name, server in self.servers.items():
            await asyncio.to_thread(server.stop)
            server.environment.pop("SHUTDOWN__BLACKOUT_SECONDS", None)
            server.listener = network.listen(name, API_PORT)
            server.start()
            await self.wait_ready(name)

    async def wait_ready(self, name: str, patience: float = 60) -> None:
        """Waits until a server says that it is ready."""
        deadline = asyncio.get_running_loop().time() + patience
        while not await self.is_ready(name):
            if asyncio.get_running_loop().time() > deadline:
                raise TimeoutError(f"{name} did not become ready: see {self.places.log(name)}")
            await asyncio.sleep(0.2)

    async def is_ready(self, name: str) -> bool:
        """What a server says of itself."""
        url = f"http://{ADDRESSES[name]}:{MONITORING_PORT}/-/readiness"
        try:
            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
                async with session.get(url) as answer:
                    return answer.status == 200
        except (TimeoutError, aiohttp.ClientError, OSError):
            return False

    async def front_sees(self, name: str) -> bool:
        """Whether the balancer sends requests to a server."""
        try:
            reader, writer = await asyncio.open_unix_connection(str(self.places.state / "front.sock"))
            writer.write(b"show stat\n")
            text = (await asyncio.wait_for(reader.read(), 2)).decode()
            writer.close()
        except (TimeoutError, OSError):
            return False
        return any(line.split(",")[1:2] == [name] and ",UP," in line for line in text.splitlines())
