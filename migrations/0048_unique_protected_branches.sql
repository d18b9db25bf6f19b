-- One rule of a name for a project, and one for a group: who makes the same rule at the same time finds the first one.
--
-- GitLab has no such index. Of several rows of one name any could let somebody pass, and so does the oldest, which is
-- left: it takes the access levels of the others, and their force pushes.

update protected_branches
set allow_force_push = same_name.allow_force_push,
    code_owner_approval_required = same_name.code_owner_approval_required
from (
  select
    min(id) as id,
    bool_or(allow_force_push) as allow_force_push,
    bool_or(code_owner_approval_required) as code_owner_approval_required
  from protected_branches
  group by project_id, namespace_id, name
  having count(*) > 1
) as same_name
where protected_branches.id = same_name.id;

update protected_branch_push_access_levels as levels
set protected_branch_id = oldest.id
from (
  select id as other_id, min(id) over (partition by project_id, namespace_id, name) as id
  from protected_branches
) as oldest
where levels.protected_branch_id = oldest.other_id
  and oldest.id <> oldest.other_id;

update protected_branch_merge_access_levels as levels
set protected_branch_id = oldest.id
from (
  select id as other_id, min(id) over (partition by project_id, namespace_id, name) as id
  from protected_branches
) as oldest
where levels.protected_branch_id = oldest.other_id
  and oldest.id <> oldest.other_id;

update protected_branch_unprotect_access_levels as levels
set protected_branch_id = oldest.id
from (
  select id as other_id, min(id) over (partition by project_id, namespace_id, name) as id
  from protected_branches
) as oldest
where levels.protected_branch_id = oldest.other_id
  and oldest.id <> oldest.other_id;

delete from protected_branches
using (
  select id as other_id, min(id) over (partition by project_id, namespace_id, name) as id
  from protected_branches
) as oldest
where protected_branches.id = oldest.other_id
  and oldest.id <> oldest.other_id;

create unique index gatehouse_unique_protected_branches_on_project_and_name on protected_branches (project_id, name)
    where project_id is not null;
create unique index gatehouse_unique_protected_branches_on_namespace_and_name on protected_branches (namespace_id, name)
    where namespace_id is not null;
