#!/usr/bin/env python3
"""Measures `gatehouse apply` on documents of two sizes, one ten times the other, each in a database of its own.

usage: apply.py GATEHOUSE FOLDER SMALL_DATABASE_URL LARGE_DATABASE_URL
"""
import base64
import json
import os
import struct
import subprocess
import sys
import time


def public_key(number):
    """An SSH key that nobody has the private half of."""
    parts = [b"ssh-ed25519", number.to_bytes(32, "big")]
    blob = b"".join(struct.pack(">I", len(part)) + part for part in parts)
    return "ssh-ed25519 " + base64.b64encode(blob).decode()


def document(users, groups, projects):
    """Users with a key each, groups with twenty members, projects with a maintainer and a protected branch."""
    yield "users:\n"
    for n in range(users):
        yield f"- {{username: person{n}, name: Person {n}, email: person{n}@example.com, "
        yield f"keys: [{{title: laptop, key: '{public_key(n + 1)} person{n}'}}]}}\n"
    yield "groups:\n"
    for n in range(groups):
        members = {f"person{(n * 53 + k * 97) % users}": "developer" for k in range(20)}
        yield f"- {{path: team{n}, members: {{{', '.join(f'{name}: {level}' for name, level in sorted(members.items()))}}}}}\n"
    yield "projects:\n"
    for n in range(projects):
        yield f"- {{path: team{n % groups}/project{n}, repository: present, members: {{person{n % users}: maintainer}}, "
        yield "protected_branches: [{name: main}]}\n"


def additions(members):
    """A group above 3,000 projects gets members at once."""
    names = ", ".join(f"person{n}: reporter" for n in range(members))
    return f"groups: [{{path: team0, members: {{{names}}}}}]\n"


def run(gatehouse, database, *arguments):
    """Seconds, MiB at most, and the last line on standard error."""
    environment = {**os.environ, "DATABASE_URL": database}
    begun = time.monotonic()
    process = subprocess.Popen([gatehouse, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)
    last = b""
    for line in process.stderr:
        last = line
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - begun
    if status != 0:
        sys.exit(f"{' '.join(arguments)} failed: {last.decode()}")
    return seconds, usage.ru_maxrss / 1024, last.decode().strip()


def record(figures, what, users, seconds, memory=None):
    """A row for bin/bench plot."""
    row = {"what": what, "users": users, "seconds": round(seconds, 2)}
    if memory is not None:
        row["mib"] = round(memory)
    print(json.dumps(row), file=figures)


def main():
    gatehouse, folder, small_database, large_database = sys.argv[1:]
    figures = open(os.path.join(folder, "apply.jsonl"), "w", encoding="utf-8")
    print("| Document | s | MiB | changes |\n| --- | --- | --- | --- |")
    times = {}
    for name, database, size in [
        ("1,000 users, 10 groups, 500 projects", small_database, (1_000, 10, 500)),
        ("10,000 users, 100 groups, 5,000 projects", large_database, (10_000, 100, 5_000)),
    ]:
        path = os.path.join(folder, f"state-{size[0]}.yml")
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(document(*size))
        for what in ["", ", again", ", a dry run"]:
            arguments = ["apply", "-f", path] + (["--dry-run"] if "dry" in what else [])
            seconds, memory, said = run(gatehouse, database, *arguments)
            times.setdefault(name, seconds)
            record(figures, what.strip(", ") or "applied", size[0], seconds, memory)
            print(f"| {name}{what} | {seconds:.1f} | {memory:.0f} | {said} |", flush=True)
        export = os.path.join(folder, f"export-{size[0]}.yml")
        begun = time.monotonic()
        with open(export, "wb") as file:
            subprocess.run([gatehouse, "export"], stdout=file, env={**os.environ, "DATABASE_URL": database}, check=True)
        seconds = time.monotonic() - begun
        record(figures, "exported", size[0], seconds)
        print(f"| export of it | {seconds:.1f} | | {os.path.getsize(export) >> 10} KiB |", flush=True)
        seconds, memory, said = run(gatehouse, database, "apply", "--dry-run", "-f", export)
        print(f"| its export, a dry run | {seconds:.1f} | {memory:.0f} | {said} |", flush=True)
    figures.close()
    small, large = times.values()
    print(f"\nten times the document takes {large / small:.1f} times as long")
    path = os.path.join(folder, "additions.yml")
    with open(path, "w", encoding="utf-8") as file:
        file.write("projects:\n")
        file.writelines(f"- {{path: team0/more{n}, repository: present}}\n" for n in range(3_000))
    run(gatehouse, large_database, "apply", "-f", path)
    with open(path, "w", encoding="utf-8") as file:
        file.write(additions(200))
    seconds, _, said = run(gatehouse, large_database, "apply", "-f", path)
    print(f"200 members of a group above 3,050 projects: {said} in {seconds:.1f} s, {200 * 3_050 / seconds:,.0f} authorizations/s")


if __name__ == "__main__":
    main()
