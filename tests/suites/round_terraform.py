"""What Terraform does with a plan: refresh, apply, destroy; and what a round asks beside."""

from __future__ import annotations

import itertools
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Callable, Iterable

import gitlab
import requests
from gitlab.exceptions import GitlabError
from round_kinds import (
    BRANCH, ENABLED_KEY, GROUP, GROUP_HOOK, GROUP_MEMBER, LISTED, PROJECT, PROJECT_DEPLOY_TOKEN, PROJECT_HOOK,
    PROJECT_MEMBER, PROJECT_PUSH_RULE, PROJECT_SHARE, TAG, USER, USER_KEY, Kind, ProtectedRefs, PushRules, Values,
)
from round_plan import Plan, Resource
from round_world import World

# What changes by itself.
RESTLESS = {"updated_at", "last_activity_at", "last_activity_on", "last_used_at"}


@dataclass
class Tally:
    """What came of a phase."""

    name: str
    made: int = 0
    changed: int = 0
    removed: int = 0
    same: int = 0
    requests: int = 0
    seconds: float = 0.0


@dataclass
class Difference:
    """What is to be done about a resource."""

    missing: bool = False
    values: Values = field(default_factory=dict)


class Terraform:
    """Applies plans, as Terraform does: what others depend on goes first, and a few things at a time."""

    def __init__(self, world: World, pool: ThreadPoolExecutor) -> None:
        self.world, self.pool = world, pool
        self.state: Plan = {}
        self.tallies: list[Tally] = []

    def phase(self, name: str, work: Callable[[Tally], None]) -> Tally:
        """Does the work, and tells how long it took."""
        tally = Tally(name, requests=-self.world.clock.count())
        begun = time.monotonic()
        work(tally)
        tally.seconds = time.monotonic() - begun
        tally.requests += self.world.clock.count()
        self.tallies.append(tally)
        print(f"{tally.seconds:8.1f} s  {name}", flush=True)
        return tally

    def each(self, addresses: Iterable[str], work: Callable[[str], Any]) -> dict[str, Any]:
        """Does the same with each, several at a time; a failure is noted and has no result."""

        def guarded(address: str) -> Any:
            try:
                return address, work(address)
            except (GitlabError, requests.RequestException, KeyError) as error:
                self.world.faults.add(address, f"{type(error).__name__} {error}")
                return address, None

        return dict(self.pool.map(guarded, list(addresses)))

    def layers(self, plan: Plan) -> list[list[str]]:
        """The addresses, those that others depend on first."""
        depth: dict[str, int] = {}

        def of(address: str) -> int:
            if address not in depth:
                depth[address] = 1 + max((of(ref) for ref in plan[address].refs()), default=-1)
            return depth[address]

        layers: dict[int, list[str]] = defaultdict(list)
        for address in plan:
            layers[of(address)].append(address)
        return [layers[number] for number in sorted(layers)]

    def parent(self, resource: Resource) -> Any:
        """The id of what it is below."""
        return self.world.ids[resource.parent] if resource.parent else None

    def read(self, address: str, resource: Resource) -> Values | None:
        """What is there, or none."""
        found = resource.kind.get(self.world.client(), self.parent(resource), self.world.ids[address])
        return None if found is None else resource.kind.seen(found)

    def difference(self, resource: Resource, seen: Values | None) -> Difference:
        """What of it is not as it is wanted."""
        if seen is None:
            return Difference(missing=True)
        values = {}
        for name, value in resource.wanted.items():
            value, kind = self.world.resolve(value), resource.kind
            if name not in kind.secret and not kind.same(name, value, seen.get(name, "(nothing)")):
                values[name] = value
        return Difference(values=values)

    def refresh(self, plan: Plan) -> dict[str, Difference]:
        """What of the plan is not there, or is otherwise."""

        def look(address: str) -> Difference:
            if address not in self.world.ids:
                return Difference(missing=True)
            return self.difference(plan[address], self.read(address, plan[address]))

        found = self.each(plan, look)
        return {address: found for address, found in found.items() if found and (found.missing or found.values)}

    def apply(self, plan: Plan, tally: Tally) -> None:
        """Makes things as the plan wants them."""
        differences = self.refresh(plan) if self.state else {address: Difference(missing=True) for address in plan}
        tally.same = len(plan) - len(differences)

        def do(address: str) -> None:
            resource, difference = plan[address], differences[address]
            seen = self.bring_about(address, resource, difference, tally)
            wrong = self.difference(resource, seen)
            if wrong.values:
                answered = {name: seen.get(name) for name in wrong.values}
                self.world.faults.add(address, f"{wrong.values} was answered with {answered}")
            # What the answer said is what is there.
            read = self.read(address, resource)
            if read is None:
                self.world.faults.add(address, "is not there after it was answered")
                return
            self.compare(address, "answered and read", seen, read)

        for layer in self.layers(plan):
            self.each([address for address in layer if address in differences], do)
        self.state = plan

    def bring_about(self, address: str, resource: Resource, difference: Difference, tally: Tally) -> Values:
        """Makes or changes one thing; answers with what the last answer said of it."""
        gl, kind, parent = self.world.client(), resource.kind, self.parent(resource)
        if not difference.missing:
            fixed = kind.fixed
            if fixed is not None and not set(difference.values) & set(fixed):
                seen = kind.change(gl, parent, self.world.ids[address], difference.values)
                with self.world.faults.lock:
                    tally.changed += 1
                return seen
            kind.remove(gl, parent, self.world.ids.pop(address))
        values = {name: value for name, value in self.world.resolve(resource.wanted).items() if value is not None}
        archived = values.pop("archived", False)
        self.world.ids[address], seen = kind.make(gl, parent, values)
        if archived:
            seen = kind.change(gl, parent, self.world.ids[address], {"archived": True})
        with self.world.faults.lock:
            if difference.missing:
                tally.made += 1
            else:
                tally.changed += 1
        return seen

    def compare(self, address: str, what: str, one: Values, other: Values) -> None:
        """Notes where two readings of one thing differ."""
        for name in sorted((set(one) & set(other)) - RESTLESS):
            if one[name] != other[name]:
                self.world.faults.add(address, f"{what} differ in {name}: {one[name]!r}, {other[name]!r}")


    def expect_none(self, plan: Plan, tally: Tally) -> None:
        """Applies what is there already: nothing is to be done, and nothing is."""
        writes = self.world.clock.writes()
        differences = self.refresh(plan)
        tally.same = len(plan) - len(differences)
        for address, found in differences.items():
            self.world.faults.add(address, f"a second apply would change {'all' if found.missing else found.values}")
        if self.world.clock.writes() != writes:
            self.world.faults.add("the second apply", "wrote")

    def write_back(self, tally: Tally) -> None:
        """Writes what is read, as scripts do that save whole objects: nothing becomes otherwise."""

        def do(address: str) -> None:
            resource = self.state[address]
            kind, parent, id = resource.kind, self.parent(resource), self.world.ids[address]
            if kind.fixed is None:
                return
            before = self.read(address, resource)
            manager = kind.manager(self.world.client(), parent)
            names = set(manager._update_attrs.required) | set(manager._update_attrs.optional)
            names -= {"namespace_id", "parent_id", "archived", "skip_reconfirmation", "admin"} | set(kind.secret)
            # These say less than what stands beside them, and take its place.
            names -= {"default_branch_protection", "packages_enabled"}
            # What is shown of it is only whether it is there.
            names -= {"token"}
            found = kind.get(self.world.client(), parent, id)
            values = {name: value for name, value in found.attributes.items() if name in names}
            if isinstance(kind, ProtectedRefs):
                for right in kind.rights:
                    values[f"allowed_to_{right}"] = [{"id": id} | row for id, row in kind.rows(found, right)]
            if not values:
                return
            manager.update(None if isinstance(kind, PushRules) else id, values)
            after = self.read(address, resource)
            if before is None or after is None:
                self.world.faults.add(address, "is gone after it was written back")
                return
            self.compare(address, "before and after writing back", before, after)
            with self.world.faults.lock:
                tally.same += 1

        self.each(self.state, do)

    def lists(self, tally: Tally) -> None:
        """What lists show is what is read one by one, and nothing of the plan is missing in them."""
        children: dict[tuple[str, Kind], list[str]] = defaultdict(list)
        for address, resource in self.state.items():
            if resource.parent and any(resource.kind in kinds for kinds in LISTED):
                children[resource.parent, resource.kind].append(address)
        work = {f"{kind.name} of {parent}": (parent, kind) for parent, kind in children}

        def do(name: str) -> None:
            parent, kind = work[name]
            rows = kind.list(self.world.client(), self.world.ids[parent])
            listed = {found.get_id(): kind.seen(found) for found in rows}
            for address in children[parent, kind]:
                if self.world.ids[address] not in listed:
                    self.world.faults.add(address, "is not in the list")
                    continue
                read = self.read(address, self.state[address])
                self.compare(address, "listed and read", listed[self.world.ids[address]], read or {})
                with self.world.faults.lock:
                    tally.same += 1

        self.each(work, do)
        for kind in (USER, GROUP, PROJECT):
            wanted = {self.world.ids[address]: address for address, found in self.state.items() if found.kind is kind}
            manager = kind.manager(self.world.client(), None)
            listed = {found.get_id(): kind.seen(found) for found in manager.list(iterator=True, per_page=100)}

            def check(address: str) -> None:
                if self.world.ids[address] not in listed:
                    self.world.faults.add(address, "is not in the list")
                    return
                read = self.read(address, self.state[address])
                self.compare(address, "listed and read", listed[self.world.ids[address]], read or {})
                with self.world.faults.lock:
                    tally.same += 1

            self.each(wanted.values(), check)

    def drift(self, tally: Tally) -> None:
        """Somebody else changes things by calls of their own; the next refresh names these and no other."""
        gl, ids = gitlab.Gitlab(self.world.url, private_token=self.world.token), self.world.ids
        gl.session.trust_env = False

        def first(kind: Kind, place: int = 0) -> str:
            found = (address for address, resource in self.state.items() if resource.kind is kind and address in ids)
            return next(itertools.islice(found, place, None))

        def path(address: str) -> tuple[Any, Any]:
            return self.parent(self.state[address]), ids[address]

        expected: dict[str, set[str] | None] = {}
        for kind, place, values in (
            (PROJECT, 0, {"description": "changed by hand"}),
            (PROJECT, 1, {"name": "Changed by hand"}),
            (GROUP, 0, {"name": "Changed by hand", "visibility": "public"}),
            (USER, 0, {"name": "Changed by hand"}),
        ):
            address = first(kind, place)
            gl.http_put(f"/{kind.name}s/{ids[address]}", post_data=values)
            expected[address] = set(values)
        address = first(PROJECT_MEMBER)
        parent, id = path(address)
        gl.http_put(f"/projects/{parent}/members/{id}", post_data={"access_level": 50, "expires_at": "2098-01-01"})
        expected[address] = {"access_level", "expires_at"}
        address = first(PROJECT_HOOK)
        parent, id = path(address)
        gl.http_put(f"/projects/{parent}/hooks/{id}", post_data={"url": "https://elsewhere.example.com/"})
        expected[address] = {"url", "token"}
        address = first(BRANCH)
        parent, id = path(address)
        name = gitlab.utils.EncodedId(id)
        more = {"allowed_to_push": [{"access_level": 60}]}
        gl.http_patch(f"/projects/{parent}/protected_branches/{name}", post_data=more)
        expected[address] = {"allowed_to_push"}
        for kind, place, route in (
            (GROUP_MEMBER, 1, "/groups/{}/members/{}"),
            (BRANCH, 1, "/projects/{}/protected_branches/{}"),
            (TAG, 1, "/projects/{}/protected_tags/{}"),
            (GROUP_HOOK, 1, "/groups/{}/hooks/{}"),
            (USER_KEY, 1, "/users/{}/keys/{}"),
            (PROJECT_PUSH_RULE, 1, "/projects/{}/push_rule"),
            (PROJECT_DEPLOY_TOKEN, 1, "/projects/{}/deploy_tokens/{}"),
            (PROJECT_SHARE, 0, "/projects/{}/share/{}"),
            (ENABLED_KEY, 0, "/projects/{}/deploy_keys/{}"),
        ):
            address = first(kind, place)
            parent, id = path(address)
            # Who leaves a group would leave what is below it too.
            gl.http_delete(route.format(parent, gitlab.utils.EncodedId(id)), skip_subresources=True)
            expected[address] = None
        found = self.refresh(self.state)
        tally.changed = len(found)
        for address in sorted(set(found) | set(expected)):
            names = {} if address not in found else None if found[address].missing else set(found[address].values)
            if address not in expected or names != expected[address]:
                self.world.faults.add(address, f"changed by hand: {expected.get(address, {})}, found: {names}")

    def destroy(self, tally: Tally) -> None:
        """Removes everything: half of the trees thing by thing from the leaves on, the others by their roots alone."""
        plan = self.state
        whole = {f"group {number}" for number in range(1, len(plan), 2) if self.is_root(f"group {number}")}
        within = {address for address in plan if self.root_of(address) in whole and address not in whole}
        single = {address: resource for address, resource in plan.items() if address not in within}

        def do(address: str) -> None:
            resource = plan[address]
            resource.kind.remove(self.world.client(), self.parent(resource), self.world.ids[address])
            with self.world.faults.lock:
                tally.removed += 1

        for layer in reversed(self.layers_among(single)):
            self.each(layer, do)
        tally.removed += len(within)

    def layers_among(self, some: Plan) -> list[list[str]]:
        """The layers, of some of the addresses."""
        return [[address for address in layer if address in some] for layer in self.layers(self.state)]

    def is_root(self, address: str) -> bool:
        """Whether it is a group with nothing above."""
        return address in self.state and "parent_id" not in self.state[address].wanted

    def root_of(self, address: str) -> str | None:
        """The group at the top of the tree in which it is, if it is in one."""
        resource = self.state[address]
        within = resource.wanted.get("namespace_id", resource.wanted.get("parent_id"))
        above = resource.parent or (within and within.address)
        if above:
            return self.root_of(above)
        return address if resource.kind is GROUP else None

    def gone(self, tally: Tally) -> None:
        """Nothing of what was made is found any more."""

        def look(address: str) -> bool:
            try:
                return self.read(address, self.state[address]) is None
            except GitlabError as error:
                return error.response_code == 404

        found = self.each(self.state, look)
        for address, gone in found.items():
            if gone is False:
                self.world.faults.add(address, "is still there")
        tally.same = sum(gone is True for gone in found.values())
