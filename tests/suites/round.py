"""A round as Terraform makes it, by python-gitlab: states a plan, applies it, reads everything back and compares,
applies it again and expects no change, finds what another client changed, changes the plan, and takes everything away
again.

    round.py --url http://127.0.0.1:8080 --token glpat-...  [--groups 50] [--projects 500] [--members 1000]

Ends with a table, and with 1 where anything was refused, did not read back as it was written, or was left behind.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

from round_plan import Size, plan_of
from round_terraform import Terraform
from round_world import World

# Terraform asks for ten things at a time.
THREADS = 8


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True, help="where the server is, without /api/v4")
    parser.add_argument("--token", required=True, help="an administrator's, with the scope api")
    parser.add_argument("--groups", type=int, default=50)
    parser.add_argument("--projects", type=int, default=500)
    parser.add_argument("--members", type=int, default=1000)
    parser.add_argument("--slow", type=float, default=200, help="milliseconds above which an answer is told of")
    given = parser.parse_args()
    size = Size(given.groups, given.projects, given.members)
    if size.groups < 5 or size.projects < 2 * size.groups:
        parser.error("fewer than 5 groups, or 2 projects for each, make no round")
    world = World(given.url, given.token)
    first, then = plan_of(size, second=False), plan_of(size, second=True)
    with ThreadPoolExecutor(THREADS) as pool:
        terraform = Terraform(world, pool)
        terraform.phase("apply", lambda tally: terraform.apply(first, tally))
        terraform.phase("apply again", lambda tally: terraform.expect_none(first, tally))
        terraform.phase("lists", terraform.lists)
        terraform.phase("write back", terraform.write_back)
        terraform.phase("drift", terraform.drift)
        terraform.phase("mend", lambda tally: terraform.apply(first, tally))
        terraform.phase("mended", lambda tally: terraform.expect_none(first, tally))
        terraform.phase("change", lambda tally: terraform.apply(then, tally))
        terraform.phase("change again", lambda tally: terraform.expect_none(then, tally))
        terraform.phase("destroy", terraform.destroy)
        terraform.phase("gone", terraform.gone)
    report(world, terraform, size, given.slow)
    return 1 if world.faults.found else 0


def report(world: World, terraform: Terraform, size: Size, slow: float) -> None:
    """Prints what was done, how long it took, what was slow and what was wrong."""
    kinds: dict[str, int] = defaultdict(int)
    for resource in terraform.state.values():
        kinds[resource.kind.name] += 1
    print(f"\n{len(terraform.state)} resources, {size.users} users among them: ", end="")
    print(", ".join(f"{count} × {name}" for name, count in kinds.items()))
    print(f"\n{'phase':<14}{'made':>8}{'changed':>9}{'removed':>9}{'equal':>8}{'requests':>10}{'seconds':>9}")
    for tally in terraform.tallies:
        print(
            f"{tally.name:<14}{tally.made:>8}{tally.changed:>9}{tally.removed:>9}{tally.same:>8}"
            f"{tally.requests:>10}{tally.seconds:>9.1f}"
        )
    seconds = sum(tally.seconds for tally in terraform.tallies)
    print(f"{'sum':<48}{world.clock.count():>10}{seconds:>9.1f}")
    times: dict[str, list[float]] = defaultdict(list)
    for template, took in world.clock.asked:
        times[template].append(took * 1000)
    every = sorted(took for some in times.values() for took in some)
    half, most = every[len(every) // 2], every[len(every) * 99 // 100]
    print(f"\nan answer in ms: half {half:.0f}, 99 of 100 {most:.0f}, all {every[-1]:.0f}")
    for template, took in sorted(times.items(), key=lambda pair: -max(pair[1])):
        took.sort()
        above = sum(one > slow for one in took)
        if above:
            half = took[len(took) // 2]
            print(f"  {above} of {len(took)} above {slow:.0f}: {template}, half {half:.0f}, all {took[-1]:.0f}")
    print(f"\n{len(world.faults.found)} faults")
    for fault in world.faults.found[:200]:
        print(f"  {fault}")


if __name__ == "__main__":
    sys.exit(main())
