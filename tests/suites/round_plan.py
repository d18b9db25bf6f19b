"""What a round wants to be there: at first, and then."""

from __future__ import annotations

import base64
import hashlib
import struct
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import round_settings as settings
from round_kinds import (
    BRANCH, DEPLOY_KEY, EMAIL, ENABLED_KEY, GROUP, GROUP_BRANCH, GROUP_DEPLOY_TOKEN, GROUP_HOOK, GROUP_MEMBER,
    GROUP_PUSH_RULE, GROUP_SHARE, GROUP_TOKEN, PROJECT, PROJECT_DEPLOY_TOKEN, PROJECT_HOOK, PROJECT_MEMBER,
    PROJECT_PUSH_RULE, PROJECT_SHARE, PROJECT_TOKEN, SECRET, SYSTEM_HOOK, TAG, USER, USER_KEY, USER_TOKEN, Kind, Values,
)


@dataclass(frozen=True)
class Ref:
    """The id of another resource, which is known once it is made."""

    address: str


@dataclass
class Resource:
    """One thing of a plan, below another or on its own."""

    kind: Kind
    wanted: Values
    parent: str | None = None
    needs: tuple[str, ...] = ()

    def refs(self) -> set[str]:
        """The addresses that must be there before this."""
        found = set(self.needs) | ({self.parent} if self.parent else set())

        def walk(value: Any) -> None:
            if isinstance(value, Ref):
                found.add(value.address)
            elif isinstance(value, dict):
                for part in value.values():
                    walk(part)
            elif isinstance(value, list):
                for part in value:
                    walk(part)

        walk(self.wanted)
        return found


Plan = dict[str, Resource]


def public_key(address: str) -> str:
    """An Ed25519 key that is nobody's."""
    kind, point = b"ssh-ed25519", hashlib.sha256(address.encode()).digest()
    blob = struct.pack(">I", len(kind)) + kind + struct.pack(">I", len(point)) + point
    return f"ssh-ed25519 {base64.b64encode(blob).decode()} {address}"


@dataclass
class Size:
    groups: int
    projects: int
    members: int

    @property
    def users(self) -> int:
        return max(4, self.members // 20)

    @property
    def roots(self) -> int:
        return -(-self.groups // 2)


def plan_of(size: Size, second: bool) -> Plan:
    """What is wanted at first, and what is wanted in the end: everything that can be changed is."""
    plan: Plan = {}

    def either(first: Any, then: Any) -> Any:
        return then if second else first

    def spread(table: dict[str, tuple[Any, Any]], number: int, of: int, least: int) -> Values:
        """Some of the settings, so that all of them together have all."""
        names = list(table)
        each = max(least, -(-len(names) // of))
        some = {names[(number * each + step) % len(names)] for step in range(each)}
        return {name: table[name][second] for name in sorted(some)}

    for number in range(size.users):
        user = f"user {number}"
        plan[user] = Resource(USER, {
            "username": f"round-user-{number}",
            "name": f"Round {either('First', 'Second')} {number}",
            "email": either(f"round-{number}@example.com", f"round-{number}@example.org"),
            "force_random_password": True,
            "skip_confirmation": True,
            "state": either("active", "blocked") if number % 3 == 1 else "active",
        } | spread(settings.OF_USERS, number, size.users, 3))
        plan[f"key of {user}"] = Resource(USER_KEY, {
            "title": either("laptop", "desk"), "key": public_key(user), "expires_at": "2099-01-01T00:00:00.000Z",
        }, user)
        plan[f"address of {user}"] = Resource(EMAIL, {
            "email": f"round-{number}.{either('a', 'b')}@example.net", "skip_confirmation": True,
        }, user)
        plan[f"token of {user}"] = Resource(USER_TOKEN, {
            "name": "round", "description": either("first", "then"), "scopes": ["read_api"],
        }, user)

    for number in range(size.groups):
        group, below = f"group {number}", number >= size.roots
        wanted: Values = {
            "name": f"Round {either('group', 'Group (changed)')} {number}",
            "path": f"round-{either('group', 'moved')}-{number}",
            "visibility": either("private", "internal") if number % 3 else "private",
        } | spread(settings.OF_GROUPS, number, size.groups, 3)
        if below:
            parent = number - size.roots
            # Every other subgroup goes elsewhere; roots are as open as what may come below.
            wanted["parent_id"] = Ref(f"group {(parent + 2 * (second and number % 2)) % size.roots}")
            wanted["visibility"] = "private"
        else:
            wanted |= spread(settings.OF_ROOT_GROUPS, number, size.roots, 1)
        plan[group] = Resource(GROUP, wanted)
        plan[f"hook of {group}"] = Resource(GROUP_HOOK, {
            "url": f"https://hooks.example.com/{group.replace(' ', '/')}/{either('a', 'b')}", "token": SECRET,
            "push_events": either(True, False), "subgroup_events": either(False, True),
        } | spread(settings.OF_HOOKS, number, size.groups, 2), group)
        plan[f"rule of {group}"] = Resource(GROUP_BRANCH, {
            "name": "round/*", "allow_force_push": either(False, True),
            "allowed_to_push": [{"access_level": either(40, 30)}], "allowed_to_merge": [{"access_level": 30}],
        }, group)
        plan[f"push rules of {group}"] = Resource(
            GROUP_PUSH_RULE, spread(settings.OF_PUSH_RULES, number, size.groups, 2), group
        )
        plan[f"deploy token of {group}"] = Resource(GROUP_DEPLOY_TOKEN, {
            "name": either("first", "then"), "scopes": ["read_registry", "read_repository"],
            "expires_at": "2099-01-01T00:00:00.000Z",
        }, group)
        plan[f"token of {group}"] = Resource(GROUP_TOKEN, {
            "name": either("first", "then"), "scopes": ["read_api"], "access_level": either(20, 30),
        }, group)

    for number in range(size.groups):
        # A group is shared with one that is not above or below it.
        other = (number + 1) % size.roots
        if size.roots > 3 and number < size.roots:
            plan[f"share of group {number}"] = Resource(GROUP_SHARE, {
                "group_id": Ref(f"group {other}"),
                "group_access": either(10, 20),
                "expires_at": either(None, "2099-02-03"),
            }, f"group {number}")

    for number in range(size.projects):
        project, group = f"project {number}", number % size.groups
        wanted = {
            "name": f"Round {either('project', 'Project, changed')} {number}".replace(",", ""),
            "path": f"round-project-{number}" + ("-moved" if second and number % 2 else ""),
            "description": either("At first", "Then: ünïcode & <b>"),
            "namespace_id": Ref(f"group {(group + (2 if second and number % 4 == 1 else 0)) % size.groups}"),
            "visibility": "private",
            "archived": False,
        } | spread(settings.OF_PROJECTS, number, size.projects, 4)
        if number % 5 == 4:
            wanted["archived"] = second
        plan[project] = Resource(PROJECT, wanted)
        plan[f"hook of {project}"] = Resource(PROJECT_HOOK, {
            "url": f"https://hooks.example.com/{project.replace(' ', '/')}", "token": SECRET,
            "push_events": either(True, False),
        } | spread(settings.OF_HOOKS, number, size.projects, 2), project)
        plan[f"deploy key of {project}"] = Resource(DEPLOY_KEY, {
            "title": either("deploys", "deploys more"),
            "key": public_key(project),
            "can_push": either(number % 2 == 1, True),
        }, project)
        plan[f"deploy token of {project}"] = Resource(PROJECT_DEPLOY_TOKEN, {
            "name": either("first", "then"), "scopes": ["read_repository"], "username": f"round-{number}",
        }, project)
        plan[f"tag of {project}"] = Resource(TAG, {
            "name": "v*", "allowed_to_create": [{"access_level": either(40, 30)}],
        }, project)
        plan[f"push rules of {project}"] = Resource(
            PROJECT_PUSH_RULE, spread(settings.OF_PUSH_RULES, number, size.projects, 2), project
        )
        if number % 3 == 0:
            plan[f"token of {project}"] = Resource(PROJECT_TOKEN, {
                "name": either("first", "then"),
                "scopes": ["read_api", "read_repository"],
                "access_level": either(30, 40),
            }, project)
        if number % 2 == 0:
            other = f"project {(number + 1) % size.projects}"
            plan[f"enabled key of {project}"] = Resource(
                ENABLED_KEY, {"id": Ref(f"deploy key of {other}")}, project, (other,)
            )
        if number % 4 == 0:
            plan[f"share of {project}"] = Resource(PROJECT_SHARE, {
                "group_id": Ref(f"group {(group + 1) % size.groups}"),
                "group_access": either(20, 30),
                "expires_at": None,
            }, project)

    members = add_members(plan, size, second)
    for number in range(size.projects):
        project = f"project {number}"
        push: list[Values] = [{"access_level": either(40, 30)}]
        needs: tuple[str, ...] = ()
        if members[project]:
            address, user = members[project][0]
            push.append({"user_id": Ref(user)})
            needs += (address,)
        if second or number % 2:
            push.append({"deploy_key_id": Ref(f"deploy key of {project}")})
        plan[f"branch of {project}"] = Resource(BRANCH, {
            "name": "rel/*", "allow_force_push": either(False, True), "allowed_to_push": push,
            "allowed_to_merge": [{"access_level": either(30, 40)}],
            "allowed_to_unprotect": [{"access_level": either(60, 40)}],
        }, project, needs)
    plan["system hook"] = Resource(SYSTEM_HOOK, {
        "url": f"https://hooks.example.com/{either('first', 'then')}", "token": SECRET, "push_events": True,
    })
    return plan


def add_members(plan: Plan, size: Size, second: bool) -> dict[str, list[tuple[str, str]]]:
    """Members of groups and projects in turn, who have more in projects than in groups."""
    places = [f"group {number}" for number in range(size.groups)]
    places += [f"project {number}" for number in range(size.projects)]
    members: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for number in range(size.members):
        place, turn = number % len(places), number // len(places)
        user, group = f"user {(place * 3 + turn) % size.users}", places[place].startswith("group")
        if place < size.roots:
            levels = ((10, 15), (15, 10))
        else:
            levels = ((20, 30), (15, 20)) if group else ((30, 40), (40, 50))
        wanted = {
            "user_id": Ref(user),
            "access_level": levels[number % 2][second],
            "expires_at": (None, "2099-03-04")[(number + second) % 2],
        }
        address = f"{user} in {places[place]}"
        if address in plan:
            raise SystemExit(f"too many members for {size.users} users")
        plan[address] = Resource(GROUP_MEMBER if group else PROJECT_MEMBER, wanted, places[place])
        members[places[place]].append((address, user))
    return members
