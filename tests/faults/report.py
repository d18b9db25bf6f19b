"""What a person reads: the table of a run, and the time line of a round."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from kinds import Fault
from record import Record

BIN = 0.5
# Rounds beyond which the kinds are counted too.
MANY = 25


def bins(record: Record) -> dict[str, Any]:
    """A round in half seconds: who answered what, the probe's rows, and what happened."""
    zero = record.time_of("fault")
    cells: dict[int, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for answer in record.answers:
        word = str(answer.status) if answer.status else "-"
        cells[int((answer.ended - zero) // BIN)][answer.base][word] += 1
    for _, ended, good in record.beats:
        cells[int((ended - zero) // BIN)]["probe"]["ok" if good else "-"] += 1
    return {
        "bins": {str(at): {who: dict(said) for who, said in row.items()} for at, row in sorted(cells.items())},
        "marks": [[round(at - zero, 2), what] for at, what in record.marks],
    }


def evidence(record: Record) -> list[list[Any]]:
    """Every answer of a round that missed a bar: area, address, begin, end, status, and the text of a bad one."""
    zero = record.time_of("fault")
    return [
        [a.area, a.base, round(a.begun - zero, 3), round(a.ended - zero, 3), a.status, "" if a.good else a.text[:120]]
        for a in sorted(record.answers, key=lambda a: a.ended)
    ]


def print_timeline(folder: Path, number: int | None) -> None:
    """One line for each half second of a round; by default of the last one."""
    files = sorted(folder.glob("round-*.json"))
    if number is not None:
        files = [file for file in files if file.name == f"round-{number:04}.json"]
    if not files:
        raise SystemExit(f"no such round in {folder}")
    told = json.loads(files[-1].read_text())
    print("# " + named(told) + ": " + ("; ".join(told["missed"] + told["late"]) or "all bars held"))
    print("# seconds since the fault; successes, and in brackets other statuses (- is no answer)")
    columns = ("probe", "front", "gh1", "gh2")
    print("seconds  " + "".join(f"{name:<22}" for name in columns) + "what happened")
    marks = [(at, what) for at, what in told["marks"]]
    places = [int(place) for place in told["bins"]]
    for place in range(min(places), max(places) + 1):
        row = told["bins"].get(str(place), {})
        happened = "; ".join(what for at, what in marks if at // BIN == place)
        print(f"{place * BIN:7.1f}  " + "".join(f"{_cell(row.get(name, {})):<22}" for name in columns) + happened)


def _cell(said: dict[str, int]) -> str:
    good = sum(said.get(word, 0) for word in ("200", "201", "204", "ok"))
    bad = " ".join(f"{count}x{word}" for word, count in sorted(said.items()) if word not in ("200", "201", "204", "ok"))
    return f"{good or '.'}" + (f" ({bad})" if bad else "")


def print_table(lines: list[dict[str, Any]], untimed: bool) -> bool:
    """A row for each fault, and the sums; whether all bars held, or all but those of time."""
    width = max(36, min(150, max((len(named(line)) for line in lines), default=0)))
    replicas = any("fetch_gap" in line for line in lines)
    fetch = "  fetch  stale" if replicas else ""
    print(f"  no  {'fault':<{width}}    gap  probe{fetch}  slowest  hook  lost  doubled  acknowledged  missed")
    for line in lines:
        hook = "-" if line["hook_again"] is None else f"{line['hook_again']:.1f}"
        fetch = f"  {line['fetch_gap']:>5.2f}  {line['stale']:>5}" if replicas else ""
        gaps = f"{line['gap']:>5.1f}  {line['probe_gap']:>5.1f}{fetch}  {line['slowest']:>7.1f}  {hook:>4}"
        sums = f"{line['lost']:>4}  {line['doubled']:>7}  {line['acknowledged']:>12}"
        missed = _shortly(line["missed"] + line["late"])
        print(f"{line['number']:>4}  {named(line)[:width]:<{width}} {gaps}  {sums}  {missed}")
    total: Counter[str] = Counter()
    for line in lines:
        for what in ("lost", "doubled", "refused_present", "underived", "undelivered", "acknowledged"):
            total[what] += line[what]
        total["answers"] += sum(sum(counts.values()) for counts in line["statuses"].values())
    if len(lines) > MANY:
        _print_kinds(lines)
    held = sum(not line["missed"] and not line["late"] for line in lines)
    faults = sum(len(line["faults"]) for line in lines)
    undone = sum(len(line["undone"]) for line in lines)
    told = f"{faults} faults" + (f" in {len(lines)} rounds" if faults != len(lines) else "")
    told += f" ({undone} could not be done)" if undone else ""
    print(
        f"\n{told}, {total['answers']} answers, {total['acknowledged']} acknowledged writes: "
        f"{total['lost']} lost, {total['doubled']} doubled, {total['refused_present']} refused and present, "
        f"{total['underived']} derived rows wrong, {total['undelivered']} hooks undelivered. "
        f"All bars held in {held} of {len(lines)}."
    )
    return held == len(lines) or (untimed and not any(line["missed"] for line in lines))


def _print_kinds(lines: list[dict[str, Any]]) -> None:
    """How often each kind was done."""
    kinds = Counter(fault["kind"] for line in lines for fault in line["faults"])
    print("\n" + ", ".join(f"{kind} {times}" for kind, times in sorted(kinds.items())))


def named(line: dict[str, Any]) -> str:
    """The faults of a round, in the order in which they begin."""
    return " + ".join(str(Fault(**fault)) for fault in sorted(line["faults"], key=lambda fault: fault["at"]))


def _shortly(missed: list[str]) -> str:
    more = f"; and {len(missed) - 3} more" if len(missed) > 3 else ""
    return "; ".join(text[:90] for text in missed[:3]) + more or "-"


def load(results: Path) -> list[dict[str, Any]]:
    """The lines of a run."""
    return [json.loads(line) for line in results.read_text().splitlines() if line]
