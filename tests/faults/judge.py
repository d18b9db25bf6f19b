"""The bars that each fault is held to."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

from checks import Findings
from clients import INSISTENCE, RATES, interval_of
from kinds import Fault
from layout import BASES, SERVERS
from record import Answer, Record, widest_gap
from watchers import PROBE_INTERVAL

SLOWEST = 10.0
SWITCHOVER = 5.0
BEYOND_PROBE = 1.0
HOOK_AGAIN = 15.0
# With standbys that decide fetches.
FETCH = 1.0
# What the balancer itself answers where a server dies under a request.
OF_THE_BALANCER = (502, 503, 504)


@dataclass
class Verdict:
    """One round's figures, and which bars it missed."""

    figures: dict[str, Any]
    # Bars of what must be there, and must not.
    missed: list[str]
    # Bars of time, which depend on the machine too.
    late: list[str]


def judge(
    record: Record,
    faults: list[Fault],
    findings: Findings,
    recovered: bool,
    drained: float | None,
    load: float,
    replicas: bool,
) -> Verdict:
    """Compares what was measured with the bars."""
    begin, end = record.time_of("fault"), record.time_of("whole")
    unreachable = {base for fault in faults for base in fault.unreachable()}
    cut_off = {base for fault in faults for base in fault.cut_off()}
    kinds = {fault.kind for fault in faults}
    if "rolling-restart" in kinds and len(faults) > 1:
        # A server that finds no database when it starts ends again.
        cut_off.add("front")
    missed: list[str] = []
    probe = widest_gap([ended for _, ended, good in record.beats if good], begin, end, PROBE_INTERVAL)[0]
    gaps = {
        f"{area} at {base}": widest_gap(
            [a.ended for a in record.answers if a.good and a.base == base and a.area == area],
            begin,
            end,
            # Both its ends may lie between two requests. Where these are rare, a gap is taken at its least.
            interval_of(area, load, replicas) * (1 if load >= 1 else 2),
        )[0]
        for area in RATES
        if area not in ("refusal", "otp")
        for base in BASES
        if base not in cut_off
    }
    worst = max(gaps, key=lambda name: gaps[name], default="")
    gaps.setdefault(worst, 0.0)
    fetches = _fetches(record, unreachable, interval_of("fetch", load, replicas)) if replicas else {}
    slow = [a for a in record.answers if a.base not in unreachable and a.begun >= begin]
    slowest = max(slow, key=lambda a: a.ended - a.begun, default=None)
    odd = Counter(record.oddities)
    for answer in record.answers:
        odd.update(_oddity(answer, kinds, unreachable))
    again = hook_again(record)
    figures: dict[str, Any] = {
        "gap": round(gaps[worst], 2),
        "gap_of": worst,
        "probe_gap": round(probe, 2),
        "gaps": {name: round(gap, 1) for name, gap in gaps.items() if gap > probe + BEYOND_PROBE},
        **fetches,
        "recovery": round(end - record.time_of("healed"), 2),
        "lost": len(findings.lost),
        "doubled": len(findings.doubled),
        "refused_present": len(findings.refused_present),
        "underived": len(findings.underived),
        "undelivered": len(findings.undelivered),
        "unsettled": findings.unsettled,
        "acknowledged": findings.acknowledged,
        "slowest": round(slowest.ended - slowest.begun, 2) if slowest else 0,
        "slowest_of": f"{slowest.area} at {slowest.base}" if slowest else "",
        "hook_again": None if again is None else round(again, 2),
        "drained": None if drained is None else round(drained, 2),
        "undone": record.undone,
        "revived": record.revived,
        "statuses": statuses(record),
        "odd": dict(odd),
        "evidence": (
            findings.lost + findings.doubled + findings.refused_present + findings.underived + findings.undelivered
        )[:20],
    }
    for what in ("lost", "doubled", "refused_present", "underived", "undelivered", "unsettled"):
        # A client gives up in the end; where there was no database for that long, that says nothing.
        if figures[what] and (what != "unsettled" or probe < INSISTENCE / 2):
            missed.append(f"{figures[what]} {what.replace('_', ' ')}")
    if not recovered:
        missed.append("not whole again")
    if drained is None:
        missed.append("queue not worked off")
    # A server that finds no database when it starts ends with 1; nothing else may end it.
    for name in record.revived:
        if name.startswith(SERVERS) and not name.endswith("(1)"):
            missed.append(f"{name} ended by itself")
    if record.undone and len(faults) == 1:
        missed.append("the fault could not be done")
    late: list[str] = []
    if figures["slowest"] > SLOWEST:
        late.append(f"a request took {figures['slowest']} s: {figures['slowest_of']}")
    # Nobody can take a job over while there is no database.
    if again is not None and again > HOOK_AGAIN + probe:
        late.append(f"a hook came again after {again:.1f} s")
    if fetches and fetches["fetch_gap"] > FETCH:
        late.append(f"no fetch for {fetches['fetch_gap']} s: {fetches['fetch_gap_of']}")
    if kinds == {"switchover"}:
        if figures["gap"] > SWITCHOVER:
            late.append(f"gap of {figures['gap']} s: {worst}")
    elif gaps[worst] > probe + BEYOND_PROBE:
        late.append(f"gap of {gaps[worst]:.1f} s, the probe's {probe:.1f} s: {worst}")
    if kinds == {"rolling-restart"}:
        failed = [a for a in record.answers if a.base == "front" and not a.good and a.area != "refusal"]
        figures["rolled"] = sum(a.base == "front" for a in record.answers)
        figures["failed"] = len(failed)
        if failed:
            missed.append(f"{len(failed)} of {figures['rolled']} failed in the rolling restart")
    missed += [f"{count} x {what}" for what, count in odd.most_common(5)]
    return Verdict(figures, missed, late)


def _fetches(record: Record, unreachable: set[str], interval: float) -> dict[str, Any]:
    """With standbys: the longest time without a fetch at an address that a client can reach, and how many fetches were
    marked as decided without the primary."""
    begin, end = record.time_of("fault"), record.time_of("whole")
    good = [a for a in record.answers if a.good and a.area == "fetch"]
    gaps = {
        base: widest_gap([a.ended for a in good if a.base == base], begin, end, interval)[0]
        for base in BASES
        if base not in unreachable
    }
    worst = max(gaps, key=lambda base: gaps[base], default="")
    return {
        "fetch_gap": round(gaps.get(worst, 0.0), 2),
        "fetch_gap_of": worst,
        "stale": sum(a.stale for a in good),
        "fetches": len(good),
    }


def _oddity(answer: Answer, kinds: set[str], unreachable: set[str]) -> list[str]:
    """What no client should have been told, without the numbers that differ from case to case."""
    status = answer.status
    if status in (200, 201, 204, 503) or (answer.area == "refusal" and 400 <= status < 500):
        return []
    if status in (0, *OF_THE_BALANCER) and answer.base in unreachable:
        return []
    if "rolling-restart" in kinds and status == 0 and answer.base in SERVERS:
        return []
    # Without the marks of HTML, and without the numbers that differ from case to case.
    text = re.sub(r"<[^>]*>|\s+", " ", re.sub(r"[0-9a-f]{6,}", "…", answer.text))
    who = answer.area if answer.base in SERVERS else f"{answer.area} through the balancer"
    return [f"{who}: {status} {text.strip()[:100]}"]


def statuses(record: Record) -> dict[str, dict[str, int]]:
    """How often each area was answered with each status; 0 is no answer."""
    counted: dict[str, Counter[str]] = {}
    for answer in record.answers:
        counted.setdefault(answer.area, Counter())[str(answer.status)] += 1
    return {area: dict(counter) for area, counter in sorted(counted.items())}


def hook_again(record: Record) -> float | None:
    """The longest time from a sender that hung up to the next arrival of the same hook, or to the end."""
    waits = []
    for arrived in record.deliveries.values():
        for place, delivery in enumerate(arrived):
            if delivery.broken is not None:
                later = arrived[place + 1].at if place + 1 < len(arrived) else record.time_of("drained")
                waits.append(later - delivery.broken)
    return max(waits, default=None)
