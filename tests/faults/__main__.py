"""Breaks the laboratory again and again, and says whether anything was lost. bin/faults starts this."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
from dataclasses import asdict
from pathlib import Path

import report
from kinds import Fault, available, plan
from laboratory import Laboratory
from layout import Places
from rounds import Rounds


def arguments() -> argparse.Namespace:
    """What bin/faults was given."""
    parser = argparse.ArgumentParser(prog="bin/faults")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", type=int, default=10)
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--replay", type=Path)
    parser.add_argument("--load", type=float, default=1.0)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--pgbouncer", choices=("session", "transaction"))
    parser.add_argument("--untimed", action="store_true")
    parser.add_argument("--report", action="store_true")
    parser.add_argument("--timeline", nargs="?", type=int, const=-1)
    return parser.parse_args()


def wanted(given: argparse.Namespace) -> list[Fault]:
    """The faults to do."""
    if given.replay:
        keys = ("kind", "target", "how", "seconds")
        return [Fault(*(line[key] for key in keys)) for line in report.load(given.replay)]
    kinds = available(given.pgbouncer is not None)
    for name in given.only:
        if name not in (*kinds, "tamper"):
            raise SystemExit(f"bin/faults: no fault {name} can be done here; there are {', '.join(kinds)}")
    return plan(given.seed, given.faults, given.only or kinds)


def say(text: str) -> None:
    """A line for whoever waits."""
    print(f"==> {text}", file=sys.stderr, flush=True)


async def run(given: argparse.Namespace, places: Places) -> bool:
    """The whole run; whether all bars held."""
    faults = wanted(given)
    lab = Laboratory(places, given.pgbouncer)
    say("starting three database nodes and two servers")
    await lab.start()
    rounds = Rounds(lab, given.load)
    await rounds.start()
    results = places.results / "faults.jsonl"
    lines = []
    for number, fault in enumerate(faults, 1):
        say(f"{number} of {len(faults)}: " + " ".join(str(part) for part in asdict(fault).values() if part))
        record, verdict = await rounds.run(fault)
        bars = {"missed": verdict.missed, "late": verdict.late}
        line = {"seed": given.seed, "number": number, **asdict(fault), **verdict.figures, **bars}
        lines.append(line)
        with results.open("a") as file:
            file.write(json.dumps(line) + "\n")
        told = {"fault": asdict(fault), **bars, **report.bins(record)}
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
        return 0 if report.print_table(report.load(places.results / "faults.jsonl"), given.untimed) else 1
    if given.timeline is not None:
        report.print_timeline(places.results, None if given.timeline < 0 else given.timeline)
        return 0
    # Everything that was started ends with the namespace of processes, so there is nothing to put away.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(143))
    return 0 if asyncio.run(run(given, places)) else 1


if __name__ == "__main__":
    sys.exit(main())
