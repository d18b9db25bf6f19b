"""What each area's clients ask for, and what they remember of it."""

from __future__ import annotations

import asyncio
import datetime
import time
import uuid
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import tokens
from gatehouse import FIRST_OTP_KEY, HOOKED, OTP_USERS, PLAIN

if TYPE_CHECKING:
    from clients import Clients

INTERNAL = "/api/v4/internal"
USERS = "/api/scim/v2/groups/people/Users"
COUNTER = "k8s_api_proxy_request"
# Nothing that may be counted is ever sent under this name.
REFUSED_COUNTER = "flux_git_push_notifications_total"


@dataclass
class Memory:
    """What outlives a round."""

    # The half minute of the last password of each key, and whose turn it is.
    steps: dict[int, int] = field(default_factory=dict)
    turn: deque[int] = field(default_factory=lambda: deque(FIRST_OTP_KEY + n for n in range(OTP_USERS)))
    usage_acknowledged: int = 0
    usage_said: int = 0
    # A server's clock may be wrong: then a right password may be refused.
    clocks_agree: bool = True
    shell_token: tuple[str, float] = ("", -1e9)


def shell_token(clients: Clients) -> str:
    """gitlab-shell signs one for each request; for those that write nothing we sign one in half a minute."""
    token, at = clients.memory.shell_token
    if time.monotonic() - at > 30:
        token = tokens.sign("gitlab-shell", clients.credentials.shell)
        clients.memory.shell_token = (token, time.monotonic())
    return token


def shell_headers(clients: Clients) -> dict[str, str]:
    """The head of a request that is to be done once."""
    return {"Gitlab-Shell-Api-Request": tokens.sign("gitlab-shell", clients.credentials.shell)}


async def _attempt(clients: Clients, base: str, area: str, action: str) -> None:
    body = {"key_id": "11", "project": "work/plain", "action": action, "protocol": "ssh", "changes": "_any"}
    headers = {"Gitlab-Shell-Api-Request": shell_token(clients)}
    answer = await clients.ask(area, base, "POST", f"{INTERNAL}/allowed", headers, body)
    if answer.good and '"status":true' not in answer.text.replace(" ", ""):
        clients.record.oddities[f"{area}: 200 without access"] += 1


async def fetch(clients: Clients, base: str) -> None:
    """May this key fetch?"""
    await _attempt(clients, base, "fetch", "git-upload-pack")


async def push(clients: Clients, base: str) -> None:
    """May this key push? Its first call, before refs are known."""
    await _attempt(clients, base, "push", "git-receive-pack")


async def report(clients: Clients, base: str) -> None:
    """A push has happened. A third of them are told to a web hook, some of those to a slow one."""
    draw = clients.random.random()
    hooked = draw < 0.35
    ref = ("slow-" if draw < 0.15 else "hook-" if hooked else "plain-") + uuid.uuid4().hex
    repository = f"project-{HOOKED if hooked else PLAIN}"
    body = {"gl_repository": repository, "identifier": "key-11", "changes": f"{'1' * 40} {'2' * 40} refs/heads/{ref}\n"}
    await clients.insist(
        clients.record.write("report", ref), base, "POST", f"{INTERNAL}/post_receive", shell_headers(clients), body
    )


def admin_headers(clients: Clients) -> dict[str, str]:
    """An administrator's head."""
    return {"PRIVATE-TOKEN": clients.credentials.admin}


async def minutes(clients: Clients, base: str) -> None:
    """A pack of compute minutes was bought."""
    name = uuid.uuid4().hex
    pack = {"number_of_minutes": 10, "expires_at": "2031-01-01", "purchase_xid": name}
    write = clients.record.write("minutes", name)
    await clients.insist(
        write, base, "POST", "/api/v4/namespaces/acme/minutes", admin_headers(clients), {"packs": [pack]}
    )


def scim_headers(clients: Clients) -> dict[str, str]:
    """The identity provider's head."""
    return {"Authorization": f"Bearer {clients.credentials.scim}"}


async def scim(clients: Clients, base: str) -> None:
    """Somebody comes; most leave again, and some of those return."""
    name = "u" + uuid.uuid4().hex
    user = {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "externalId": name,
        "userName": name,
        "active": True,
        "name": {"formatted": "Some Body"},
        "emails": [{"value": f"{name}@example.com", "type": "work", "primary": True}],
    }
    write = clients.record.write("scim", name, user=name, value=1)
    if await clients.insist(write, base, "POST", USERS, scim_headers(clients), user) is None:
        return
    for active in (False, True, False)[: clients.random.randrange(4)]:
        await asyncio.sleep(0.3)
        body = {"Operations": [{"op": "replace", "path": "active", "value": active}]}
        write = clients.record.write("scim", f"{name}={active}", user=name, value=int(active))
        if await clients.insist(write, base, "PATCH", f"{USERS}/{name}", scim_headers(clients), body) is None:
            return


def kas_headers(clients: Clients) -> dict[str, str]:
    """The head of kas."""
    return {"Gitlab-Kas-Api-Request": tokens.sign("gitlab-kas", clients.credentials.kas, "gitlab")}


async def usage(clients: Clients, base: str) -> None:
    """kas has counted. What is not acknowledged it sends again, so more may be counted than was."""
    write = clients.record.write("usage", uuid.uuid4().hex)
    body = {"counters": {COUNTER: 1}}
    try:
        await clients.insist(write, base, "POST", f"{INTERNAL}/kubernetes/usage_metrics", kas_headers(clients), body)
    finally:
        clients.memory.usage_said += write.attempts
        clients.memory.usage_acknowledged += write.acknowledged is not None


async def token(clients: Clients, base: str) -> None:
    """A personal access token over SSH."""
    name = "t" + uuid.uuid4().hex
    expires = datetime.date.today() + datetime.timedelta(days=30)
    body = {"key_id": "11", "name": name, "scopes": ["read_repository"], "expires_at": str(expires)}
    write = clients.record.write("token", name)
    answer = await clients.insist(
        write, base, "POST", f"{INTERNAL}/personal_access_token", shell_headers(clients), body
    )
    if answer is not None and not answer.get("success"):
        write.acknowledged, write.refused = None, str(answer.get("message"))


async def otp(clients: Clients, base: str) -> None:
    """A one-time password, and then the same once more by somebody who looked over a shoulder."""
    memory, step = clients.memory, tokens.time_step()
    key = memory.turn[0]
    if memory.steps.get(key, 0) >= step:
        return
    memory.turn.rotate(-1)
    memory.steps[key] = step
    code = tokens.one_time_password(clients.credentials.otp[key], step)
    body = {"key_id": str(key), "otp_attempt": code}
    path = f"{INTERNAL}/two_factor_manual_otp_check"
    write = clients.record.write("otp", f"{key}-{step}", user=str(key), value=step)
    answer = await clients.insist(write, base, "POST", path, shell_headers(clients), body)
    if answer is None:
        return
    if not answer.get("success"):
        write.acknowledged, write.refused = None, str(answer.get("message"))
        if memory.clocks_agree and tokens.time_step() <= step + 1:
            clients.record.oddities[f"otp: a good password was refused: {answer.get('message')}"] += 1
        return
    again = clients.record.write("otp", f"{key}-{step}-again", must_be_refused=True)
    answer = await clients.insist(again, base, "POST", path, shell_headers(clients), body)
    if answer is not None and not answer.get("success"):
        again.acknowledged, again.refused = None, str(answer.get("message"))


async def refusal(clients: Clients, base: str) -> None:
    """What must be refused, and must leave nothing behind."""
    name = "no" + uuid.uuid4().hex
    write = clients.record.write("refusal", name, must_be_refused=True)
    pack = {"number_of_minutes": 10, "expires_at": "2031-01-01", "purchase_xid": name}
    requests = {
        # The second pack of the two is wrong, so the first must not stay.
        "minutes": (
            "POST",
            "/api/v4/namespaces/acme/minutes",
            admin_headers,
            {"packs": [pack, {**pack, "purchase_xid": name * 2}]},
        ),
        "namespace": ("POST", "/api/v4/namespaces/nobody/minutes", admin_headers, {"packs": [pack]}),
        "scim": ("POST", USERS, scim_headers, {"externalId": name, "userName": name, "active": True}),
        "usage": (
            "POST",
            f"{INTERNAL}/kubernetes/usage_metrics",
            kas_headers,
            {"counters": {REFUSED_COUNTER: 1, COUNTER: -1}},
        ),
    }
    write.user = clients.random.choice(list(requests))
    method, path, headers, body = requests[write.user]
    await clients.insist(write, base, method, path, headers(clients), body)


AREAS = {
    "fetch": fetch,
    "push": push,
    "report": report,
    "minutes": minutes,
    "scim": scim,
    "usage": usage,
    "token": token,
    "otp": otp,
    "refusal": refusal,
}
