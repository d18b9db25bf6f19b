"""Breaks the laboratory again and again, and says whether anything was lost. bin/faults starts this."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
import time
from dataclasses import asdict
from pathlib import Path

import report
from kinds import Fault, available, plan_together
from laboratory import Laboratory
from layout import Places, Setup
from roll import roll_twice
from rounds import Rounds


# Four of the balancer's intervals.
BLACKOUT = 2


def arguments() -> argparse.Namespace:
    """What bin/faults was given."""
    parser = argparse.ArgumentParser(prog="bin/faults")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", type=int, default=10)
    parser.add_argument("--together", type=int, default=1)
    parser.add_argument("--longest", type=float)
    parser.add_argument("--from", dest="begin", type=int, default=1)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--results", type=Path)
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--replay", type=Path)
    parser.add_argument("--load", type=float, default=1.0)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--pgbouncer", choices=("session", "transaction"))
    parser.add_argument("--replicas", action="store_true")
    parser.add_argument("--disks", action="store_true")
    parser.add_argument("--no-fsync", action="store_true")
    parser.add_argument("--untimed", action="store_true")
    parser.add_argument("--restarts", type=int)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--rate", type=float, default=1000.0)
    parser.add_argument("--report", action="store_true")
    parser.add_argument("--timeline", nargs="?", type=int, const=-1)
    return parser.parse_args()


def setup(given: argparse.Namespace) -> Setup:
    """What the installation has."""
    disks = given.disks or given.no_fsync
    blackout = BLACKOUT if given.restarts else 0
    return Setup(given.pgbouncer, given.replicas, disks, not given.no_fsync, blackout)


def wanted(given: argparse.Namespace) -> list[list[Fault]]:
    """The faults to do, in rounds."""
    if given.replay:
        return [[Fault(**fault) for fault in line["faults"]] for line in report.load(given.replay)]
    kinds = available(setup(given))
    for name in given.only:
        if name not in (*kinds, "tamper"):
            raise SystemExit(f"bin/faults: no fault {name} can be done here; there are {', '.join(kinds)}")
    rounds = plan_together(given.seed, given.faults, given.only or kinds, given.together)
    for fault in (fault for faults in rounds for fault in faults):
        fault.seconds = min(fault.seconds, given.longest or fault.seconds)
    return rounds


def say(text: str) -> None:
    """A line for whoever waits."""
    print(f"==> {text}", file=sys.stderr, flush=True)


async def run(given: argparse.Namespace, places: Places) -> bool:
    """The whole run; whether all bars held."""
    planned = wanted(given)
    enough = time.monotonic() + 60 * given.minutes if given.minutes else float("inf")
    lab = Laboratory(places, setup(given))
    say("starting three database nodes and two servers")
    await lab.start()
    if given.restarts:
        tallies = await roll_twice(lab, given.requests, given.rate, given.restarts, say)
        return not any(tally.bad for tally in tallies)
    rounds = Rounds(lab, given.load)
    await rounds.start()
    results = given.results or places.results / "faults.jsonl"
    lines = []
    for number, faults in enumerate(planned, 1):
        if number < given.begin:
            continue
        if time.monotonic() > enough:
            say(f"time is up before round {number}")
            break
        say(f"{number} of {len(planned)}: " + " + ".join(str(fault) for fault in faults))
        record, verdict = await rounds.run(faults)
        bars = {"missed": verdict.missed, "late": verdict.late}
        which = {"faults": [asdict(fault) for fault in faults]}
        line = {"seed": given.seed, "number": number, **which, **verdict.figures, **bars}
        lines.append(line)
        with results.open("a") as file:
            file.write(json.dumps(line) + "\n")
        told = {**which, **bars, **report.bins(record)}
        if verdict.missed or verdict.late:
            told["answers"] = report.evidence(record)
        (places.results / f"round-{number:04}.json").write_text(json.dumps(told))
        for missed in verdict.missed + verdict.late:
            say(f"  missed: {missed}")
        if "not whole again" in verdict.missed:
            say("giving up: the next faults would say nothing")
            break
    held = report.print_table(lines, given.untimed)
    if given.keep:
        say(f"kept; Ctrl-C ends it. Its logs are in {places.state}/log")
        await asyncio.Event().wait()
    return held


def main() -> int:
    """The command."""
    given = arguments()
    places = Places.from_environment()
    if given.report:
        lines = report.load(given.results or places.results / "faults.jsonl")
        return 0 if report.print_table(lines, given.untimed) else 1
    if given.timeline is not None:
        report.print_timeline(places.results, None if given.timeline < 0 else given.timeline)
        return 0
    # It tells of every probe that is cut short.
    logging.getLogger("psycopg").setLevel(logging.CRITICAL)
    # Everything that was started ends with the namespace of processes, so there is nothing to put away.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(143))
    return 0 if asyncio.run(run(given, places)) else 1


if __name__ == "__main__":
    sys.exit(main())
