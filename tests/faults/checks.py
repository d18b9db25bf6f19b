"""Holds the database against the model: what was acknowledged is there, once, and nothing that was refused."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from areas import COUNTER, REFUSED_COUNTER, Memory
from layout import database_url
from record import Record, Write

DERIVED = (Path(__file__).parent / "derived.sql").read_text()


@dataclass
class Findings:
    """What is wrong, each a line that names the row."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    refused_present: list[str] = field(default_factory=list)
    underived: list[str] = field(default_factory=list)
    undelivered: list[str] = field(default_factory=list)
    unsettled: int = 0
    acknowledged: int = 0

    def judge(self, write: Write, count: int, what: str) -> None:
        """One write against the number of its rows."""
        where = f"{what} {write.name} (attempts {write.attempts})"
        if write.acknowledged is not None and not write.must_be_refused and count == 0:
            self.lost.append(where)
        if count > 1:
            self.doubled.append(f"{where}: {count} times")
        if (write.refused is not None or write.must_be_refused) and count > 0:
            self.refused_present.append(f"{where}: {write.refused}")


async def connect(patience: float = 60) -> psycopg.AsyncConnection[Any]:
    """A connection to the primary, past the servers."""
    deadline = time.monotonic() + patience
    while True:
        try:
            return await psycopg.AsyncConnection.connect(database_url(), autocommit=True, connect_timeout=3)
        except psycopg.Error:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.5)


async def drain(record: Record, patience: float = 90) -> float | None:
    """Waits until the servers have worked off what they took on; gives how long that took, or None where it did not."""
    begun = time.monotonic()
    told = ""
    async with await connect() as db:
        while time.monotonic() - begun < patience:
            left = """
                select (select count(*) from received_pushes where processed_at is null)
                  + (select count(*) from web_hook_deliveries)"""
            if await _one(db, left) == 0:
                return time.monotonic() - begun
            # For the time line: what is waited for.
            waiting = """
                select coalesce(string_agg(text, ', '), 'no jobs') from (
                  select concat(count(*), ' ', task.identifier, ' tried ', job.attempts, ' times',
                    case when job.locked_at is not null then ', taken'
                      when job.run_at > now() then ', later' end) as text
                  from graphile_worker._private_jobs as job
                  join graphile_worker._private_tasks as task on task.id = job.task_id
                  group by task.identifier, job.attempts, job.locked_at is not null, job.run_at > now()
                ) as jobs"""
            now = await _one(db, waiting)
            if now != told:
                record.mark(f"the queue has {now}")
            told = now
            await asyncio.sleep(0.3)
    return None


async def check(record: Record, memory: Memory) -> Findings:
    """Everything that was said in a round."""
    findings = Findings()
    findings.unsettled = sum(not write.settled and not write.given_up for write in record.writes)
    findings.acknowledged = sum(write.acknowledged is not None for write in record.writes)
    by_area: dict[str, list[Write]] = {}
    for write in record.writes:
        by_area.setdefault(write.area, []).append(write)
    async with await connect() as db:
        await _events(db, by_area.get("report", []), findings)
        await _packs(db, by_area.get("minutes", []), findings)
        await _people(db, by_area.get("scim", []), findings)
        await _tokens(db, by_area.get("token", []), findings)
        await _passwords(db, by_area.get("otp", []), findings)
        await _refusals(db, by_area.get("refusal", []), findings)
        await _usage(db, memory, findings)
        for row in await _all(db, DERIVED):
            findings.underived.append(" ".join(row))
    for write in by_area.get("report", []):
        if write.acknowledged is not None and write.name.startswith(("hook-", "slow-")):
            arrived = record.deliveries.get(write.name, [])
            if all(delivery.broken is not None for delivery in arrived):
                findings.undelivered.append(f"hook {write.name}")
            if len({delivery.key for delivery in arrived}) > 1:
                findings.doubled.append(f"hook {write.name}: two keys")
    return findings


async def _all(db: psycopg.AsyncConnection[Any], query: str, *parameters: object) -> list[Sequence[Any]]:
    cursor = await db.execute(query, parameters if parameters else None)
    return await cursor.fetchall()


async def _one(db: psycopg.AsyncConnection[Any], query: str, *parameters: object) -> Any:
    return (await _all(db, query, *parameters))[0][0]


async def _counts(db: psycopg.AsyncConnection[Any], query: str, writes: list[Write]) -> dict[str, int]:
    return {row[0]: row[1] for row in await _all(db, query, [write.name for write in writes])}


async def _events(db: psycopg.AsyncConnection[Any], writes: list[Write], findings: Findings) -> None:
    query = """
        select ref, count(*) from push_event_payloads join events on events.id = push_event_payloads.event_id
        where ref = any(%s) group by ref"""
    counts = await _counts(db, query, writes)
    for write in writes:
        findings.judge(write, counts.get(write.name, 0), "event")


async def _packs(db: psycopg.AsyncConnection[Any], writes: list[Write], findings: Findings) -> None:
    query = """
        select purchase_xid, count(*) from ci_minutes_additional_packs
        where purchase_xid = any(%s) group by purchase_xid"""
    packs = await _counts(db, query, writes)
    query = """
        select pack.purchase_xid, count(*) from provisioning_ledger_entries as entry
        join ci_minutes_additional_packs as pack on pack.id = entry.record_id and entry.record_type = 'minutes_pack'
        where pack.purchase_xid = any(%s) group by pack.purchase_xid"""
    entries = await _counts(db, query, writes)
    for write in writes:
        findings.judge(write, packs.get(write.name, 0), "pack")
        findings.judge(write, entries.get(write.name, 0), "ledger entry of pack")
    orphans = await _one(
        db,
        """
        select count(*) from provisioning_ledger_entries as entry where record_type = 'minutes_pack'
        and not exists (select from ci_minutes_additional_packs as pack where pack.id = entry.record_id)""",
    )
    if orphans:
        findings.refused_present.append(f"{orphans} ledger entries without a pack")


async def _people(db: psycopg.AsyncConnection[Any], writes: list[Write], findings: Findings) -> None:
    users = sorted({write.user for write in writes})
    rows = await _all(
        db,
        """
        select extern_uid, identity.active,
          (select count(*) from members where members.user_id = identity.user_id and source_type = 'Namespace'),
          (select count(*) from users where users.email = extern_uid || '@example.com')
        from group_scim_identities as identity where extern_uid = any(%s)""",
        users,
    )
    found: dict[str, list[Sequence[Any]]] = {}
    for row in rows:
        found.setdefault(row[0], []).append(row)
    for user in users:
        story = [write for write in writes if write.user == user]
        findings.judge(story[0], len(found.get(user, [])), "SCIM identity")
        last = [write for write in story if write.acknowledged is not None][-1:]
        if not last or user not in found or not story[-1].settled:
            continue
        _, active, memberships, accounts = found[user][0]
        # A server that stood still goes on with requests that their clients have long made again elsewhere.
        possible = {last[0].value} | {write.value for write in story if write.unanswered}
        if int(active) not in possible or memberships != int(active):
            findings.lost.append(f"SCIM {last[0].name}: active {active}, memberships {memberships}")
        if accounts != 1:
            findings.doubled.append(f"SCIM account {user}: {accounts}")


async def _tokens(db: psycopg.AsyncConnection[Any], writes: list[Write], findings: Findings) -> None:
    counts = await _counts(
        db, "select name, count(*) from personal_access_tokens where name = any(%s) group by name", writes
    )
    for write in writes:
        findings.judge(write, counts.get(write.name, 0), "token")


async def _passwords(db: psycopg.AsyncConnection[Any], writes: list[Write], findings: Findings) -> None:
    rows = await _all(
        db,
        """
        select keys.id::text, coalesce(consumed_timestep, 0), otp_sessions.key_id is not null
        from keys join users on users.id = keys.user_id left join otp_sessions on otp_sessions.key_id = keys.id
        where keys.id::text = any(%s)""",
        sorted({write.user for write in writes if write.user}),
    )
    found = {row[0]: row for row in rows}
    for write in writes:
        if write.must_be_refused:
            if write.acknowledged is not None:
                findings.doubled.append(f"password {write.name} was accepted again")
        elif write.acknowledged is not None:
            row = found.get(write.user)
            if row is None or row[1] < write.value or not row[2]:
                findings.lost.append(f"password {write.name}: {row}")


async def _refusals(db: psycopg.AsyncConnection[Any], writes: list[Write], findings: Findings) -> None:
    names = [write.name for write in writes] + [write.name * 2 for write in writes]
    rows = await _all(
        db,
        """
        select purchase_xid from ci_minutes_additional_packs where purchase_xid = any(%s)
        union all select extern_uid from group_scim_identities where extern_uid = any(%s)
        union all select email from users where email = any(%s)""",
        names,
        names,
        [f"{name}@example.com" for name in names],
    )
    findings.refused_present += [f"refused {row[0]}" for row in rows]
    findings.refused_present += [
        f"accepted {write.user} {write.name}" for write in writes if write.acknowledged is not None
    ]


async def _usage(db: psycopg.AsyncConnection[Any], memory: Memory, findings: Findings) -> None:
    counted = int(await _one(db, "select coalesce(sum(total), 0) from kas_counters where name = %s", COUNTER))
    if counted < memory.usage_acknowledged:
        findings.lost.append(f"usage: {counted} counted of {memory.usage_acknowledged} acknowledged")
    if counted > memory.usage_said:
        findings.doubled.append(f"usage: {counted} counted of {memory.usage_said} said")
    if await _one(db, "select count(*) from kas_counters where name = %s", REFUSED_COUNTER):
        findings.refused_present.append("usage of a refused report")
