"""The kinds of things that a round makes: how each is made, read, changed and removed by python-gitlab."""

from __future__ import annotations

from typing import Any, Callable, Iterable

import gitlab
from gitlab.exceptions import GitlabGetError, GitlabParsingError

Values = dict[str, Any]

# What web hooks prove themselves with.
SECRET = "a-secret"


class Kind:
    """How things of one kind are made, read, changed and removed: as its manager in python-gitlab does it."""

    # Written and never read.
    secret: tuple[str, ...] = ()
    # What nothing but a new one can change; all of it where there is no call to change anything.
    fixed: tuple[str, ...] | None = ()

    def __init__(self, name: str, manager: Callable[[gitlab.Gitlab, Any], Any], **traits: Any) -> None:
        self.name, self.manager = name, manager
        for trait, value in traits.items():
            setattr(self, trait, value)

    def make(self, gl: gitlab.Gitlab, parent: Any, values: Values) -> tuple[Any, Values]:
        """Makes one; answers with its id and what is read of it in the answer."""
        made = self.manager(gl, parent).create(values)
        return self.id_of(made), self.seen(made)

    def id_of(self, made: Any) -> Any:
        """By what it is found again."""
        return made.get_id()

    def get(self, gl: gitlab.Gitlab, parent: Any, id: Any) -> Any:
        """The thing, or none."""
        try:
            return self.manager(gl, parent).get(id)
        except GitlabGetError as error:
            if error.response_code != 404:
                raise
            return None

    def seen(self, found: Any) -> Values:
        """What is read of it, under the names by which it is written."""
        return dict(found.attributes)

    def same(self, name: str, wanted: Any, seen: Any) -> bool:
        """Whether what is read is what was written."""
        return wanted == seen

    def change(self, gl: gitlab.Gitlab, parent: Any, id: Any, values: Values) -> Values:
        """Changes these of its values; answers with what is read in the answer."""
        found = self.manager(gl, parent).get(id)
        for name, value in values.items():
            setattr(found, name, value)
        found.save()
        return self.seen(found)

    def remove(self, gl: gitlab.Gitlab, parent: Any, id: Any) -> None:
        """Removes it."""
        self.manager(gl, parent).delete(id)

    def list(self, gl: gitlab.Gitlab, parent: Any) -> Iterable[Any]:
        """All of them below a parent."""
        return self.manager(gl, parent).list(iterator=True, per_page=100)


class Users(Kind):
    secret = ("force_random_password", "skip_confirmation", "skip_reconfirmation")

    def seen(self, found: Any) -> Values:
        values = super().seen(found)
        return values | {"admin": values.get("is_admin")}

    def change(self, gl: gitlab.Gitlab, parent: Any, id: Any, values: Values) -> Values:
        values = dict(values)
        if "state" in values:
            found = gl.users.get(id, lazy=True)
            (found.block if values.pop("state") == "blocked" else found.unblock)()
        if "email" in values:
            values["skip_reconfirmation"] = True
        return super().change(gl, parent, id, values) if values else self.seen(gl.users.get(id))


class Keys(Kind):
    def same(self, name: str, wanted: Any, seen: Any) -> bool:
        # The comment becomes the owner's name.
        return wanted.split()[:2] == seen.split()[:2] if name == "key" else wanted == seen


class Moved(Kind):
    """What moves by a call of its own."""

    place: str
    call: str

    def change(self, gl: gitlab.Gitlab, parent: Any, id: Any, values: Values) -> Values:
        values = dict(values)
        found = self.manager(gl, parent).get(id)
        if self.place in values:
            found.transfer(values.pop(self.place))
        if "archived" in values:
            (found.archive if values.pop("archived") else found.unarchive)()
        return super().change(gl, parent, id, values) if values else self.seen(self.manager(gl, parent).get(id))


class Groups(Moved):
    place = "parent_id"

    def get(self, gl: gitlab.Gitlab, parent: Any, id: Any) -> Any:
        try:
            return gl.groups.get(id, with_projects=False)
        except GitlabGetError as error:
            if error.response_code != 404:
                raise
            return None

    def seen(self, found: Any) -> Values:
        values = super().seen(found)
        # Lists leave these out.
        for name in {"ip_restriction_ranges", "allowed_email_domains_list"} & set(values):
            values[name] = sorted(values[name].split(",")) if values[name] else []
        # Others move beside it: the names of a group that it is shared with, and projects, are read elsewhere.
        aside = ("projects", "shared_projects", "shared_with_groups")
        return {name: value for name, value in values.items() if name not in aside}

    def same(self, name: str, wanted: Any, seen: Any) -> bool:
        if name == "default_branch_protection_defaults":
            return all(seen.get(part) == value for part, value in wanted.items())
        return super().same(name, wanted, seen)


class Projects(Moved):
    place = "namespace_id"

    def seen(self, found: Any) -> Values:
        values = super().seen(found)
        for name in ("permissions", "shared_with_groups"):
            values.pop(name, None)
        return values | {"namespace_id": values["namespace"]["id"]}


class ProtectedRefs(Kind):
    """Rules about refs, whose rows have ids."""

    rights: tuple[str, ...] = ("push", "merge", "unprotect")

    def rows(self, found: Any, right: str) -> list[tuple[int, Values]]:
        """Each row of a right, as it is written."""
        rows = []
        for row in getattr(found, f"{right}_access_levels"):
            for who in ("user_id", "group_id", "deploy_key_id", "access_level"):
                if row.get(who) is not None:
                    rows.append((row["id"], {who: row[who]}))
                    break
        return rows

    def seen(self, found: Any) -> Values:
        values = super().seen(found)
        for right in self.rights:
            rows = [row for _, row in self.rows(found, right)]
            values[f"allowed_to_{right}"] = sorted(rows, key=str)
        return values

    def same(self, name: str, wanted: Any, seen: Any) -> bool:
        return sorted(wanted, key=str) == seen if name.startswith("allowed_to") else wanted == seen

    def change(self, gl: gitlab.Gitlab, parent: Any, id: Any, values: Values) -> Values:
        found = self.manager(gl, parent).get(id)
        for right in self.rights:
            wanted = values.get(f"allowed_to_{right}")
            if wanted is not None:
                present = self.rows(found, right)
                gone = [{"id": id, "_destroy": True} for id, row in present if row not in wanted]
                new = [row for row in wanted if row not in [row for _, row in present]]
                values = values | {f"allowed_to_{right}": gone + new}
        return super().change(gl, parent, id, values)


class DeployTokens(Kind):
    def seen(self, found: Any) -> Values:
        values = super().seen(found)
        # The token itself is said once.
        values.pop("token", None)
        return values | {"scopes": sorted(values["scopes"])}

    def list(self, gl: gitlab.Gitlab, parent: Any) -> Iterable[Any]:
        return self.manager(gl, parent).list(iterator=True)


class AccessTokens(Kind):
    """They can be read when they are revoked."""

    def seen(self, found: Any) -> Values:
        values = super().seen(found)
        values.pop("token", None)
        return values

    def get(self, gl: gitlab.Gitlab, parent: Any, id: Any) -> Any:
        found = super().get(gl, parent, id)
        return None if found is None or found.revoked else found


class PersonalTokens(AccessTokens):
    def make(self, gl: gitlab.Gitlab, parent: Any, values: Values) -> tuple[Any, Values]:
        made = gl.users.get(parent, lazy=True).personal_access_tokens.create(values)
        return made.get_id(), self.seen(made)


class Hooks(Kind):
    """Their token is never shown, but whether there is one."""

    def seen(self, found: Any) -> Values:
        values = super().seen(found)
        return values | {"token": values["token_present"]}

    def same(self, name: str, wanted: Any, seen: Any) -> bool:
        return bool(wanted) == seen if name == "token" else wanted == seen

    def change(self, gl: gitlab.Gitlab, parent: Any, id: Any, values: Values) -> Values:
        # A new URL takes the token away that was for the old one.
        return super().change(gl, parent, id, {"token": SECRET} | values if "url" in values else values)


class PushRules(Kind):
    def id_of(self, made: Any) -> Any:
        return made.attributes["id"]

    def get(self, gl: gitlab.Gitlab, parent: Any, id: Any) -> Any:
        try:
            return self.manager(gl, parent).get()
        except GitlabGetError as error:
            if error.response_code != 404:
                raise
        except GitlabParsingError:
            # A project without them answers `null`, which python-gitlab makes no object of.
            pass
        return None

    def change(self, gl: gitlab.Gitlab, parent: Any, id: Any, values: Values) -> Values:
        found = self.manager(gl, parent).get()
        for name, value in values.items():
            setattr(found, name, value)
        found.save()
        return self.seen(found)

    def remove(self, gl: gitlab.Gitlab, parent: Any, id: Any) -> None:
        self.manager(gl, parent).delete()


class Shares(Kind):
    """A group that something is shared with: read of that something alone."""

    fixed = None

    def make(self, gl: gitlab.Gitlab, parent: Any, values: Values) -> tuple[Any, Values]:
        self.manager(gl, None).get(parent, lazy=True).share(**values)
        return values["group_id"], self.seen(self.get(gl, parent, values["group_id"]))

    def get(self, gl: gitlab.Gitlab, parent: Any, id: Any) -> Any:
        try:
            links = self.manager(gl, None).get(parent).shared_with_groups
        except GitlabGetError as error:
            if error.response_code != 404:
                raise
            return None
        return next((link for link in links if link["group_id"] == id), None)

    def seen(self, found: Any) -> Values:
        return {
            "group_id": found["group_id"],
            "group_access": found["group_access_level"],
            "expires_at": found["expires_at"],
        }

    def remove(self, gl: gitlab.Gitlab, parent: Any, id: Any) -> None:
        self.manager(gl, None).get(parent, lazy=True).unshare(id)


class EnabledKeys(Kind):
    """A deploy key of another project, which is made use of."""

    fixed = None

    def make(self, gl: gitlab.Gitlab, parent: Any, values: Values) -> tuple[Any, Values]:
        self.manager(gl, parent).enable(values["id"])
        return values["id"], self.seen(self.get(gl, parent, values["id"]))


def of_project(name: str) -> Callable[[gitlab.Gitlab, Any], Any]:
    return lambda gl, parent: getattr(gl.projects.get(parent, lazy=True), name)


def of_group(name: str) -> Callable[[gitlab.Gitlab, Any], Any]:
    return lambda gl, parent: getattr(gl.groups.get(parent, lazy=True), name)


def of_user(name: str) -> Callable[[gitlab.Gitlab, Any], Any]:
    return lambda gl, parent: getattr(gl.users.get(parent, lazy=True), name)


USER = Users("user", lambda gl, _: gl.users)
USER_KEY = Keys("user key", of_user("keys"), fixed=None)
EMAIL = Kind("address", of_user("emails"), fixed=None, secret=("skip_confirmation",))
USER_TOKEN = PersonalTokens("personal access token", lambda gl, _: gl.personal_access_tokens, fixed=None)
GROUP = Groups("group", lambda gl, _: gl.groups)
PROJECT = Projects("project", lambda gl, _: gl.projects)
GROUP_MEMBER = Kind("group member", of_group("members"), fixed=("user_id",), secret=("user_id",))
PROJECT_MEMBER = Kind("project member", of_project("members"), fixed=("user_id",), secret=("user_id",))
GROUP_SHARE = Shares("group share", lambda gl, _: gl.groups)
PROJECT_SHARE = Shares("project share", lambda gl, _: gl.projects)
BRANCH = ProtectedRefs("protected branch", of_project("protectedbranches"), fixed=("name",))
GROUP_BRANCH = ProtectedRefs("protected branch of a group", of_group("protectedbranches"), fixed=("name",))
TAG = ProtectedRefs("protected tag", of_project("protectedtags"), fixed=None, rights=("create",))
PROJECT_HOOK = Hooks("project hook", of_project("hooks"))
GROUP_HOOK = Hooks("group hook", of_group("hooks"))
SYSTEM_HOOK = Hooks("system hook", lambda gl, _: gl.hooks, fixed=None)
DEPLOY_KEY = Kind("deploy key", of_project("keys"), fixed=("key", "expires_at"))
ENABLED_KEY = EnabledKeys("enabled deploy key", of_project("keys"))
PROJECT_DEPLOY_TOKEN = DeployTokens("project deploy token", of_project("deploytokens"), fixed=None)
GROUP_DEPLOY_TOKEN = DeployTokens("group deploy token", of_group("deploytokens"), fixed=None)
PROJECT_TOKEN = AccessTokens("project access token", of_project("access_tokens"), fixed=None)
GROUP_TOKEN = AccessTokens("group access token", of_group("access_tokens"), fixed=None)
PROJECT_PUSH_RULE = PushRules("project push rules", of_project("pushrules"))
GROUP_PUSH_RULE = PushRules("group push rules", of_group("pushrules"))
# Those below projects and groups, which can be listed there.
LISTED = (
    [PROJECT_MEMBER, BRANCH, TAG, PROJECT_HOOK, DEPLOY_KEY, PROJECT_DEPLOY_TOKEN],
    [GROUP_MEMBER, GROUP_BRANCH, GROUP_HOOK, GROUP_DEPLOY_TOKEN],
)
