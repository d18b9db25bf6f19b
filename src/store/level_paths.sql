-- What memberships and shares give to pairs of user and project, a row for each path, and what is kept for decisions.
with
home as (
  select
    pair.position,
    pair.user_id,
    pair.project_id,
    namespaces.id as namespace_id,
    namespaces.type,
    namespaces.owner_id,
    namespaces.traversal_ids,
    namespaces.share_with_group_lock is true as locked
  from unnest($1::bigint[], $2::bigint[]) with ordinality as pair (user_id, project_id, position)
  join projects on projects.id = pair.project_id
  join namespaces on namespaces.id = projects.namespace_id
),
-- The groups whose members reach the project: those around it, and those around a group that it is linked to.
around as (
  select
    position,
    user_id,
    project_id,
    unnest(traversal_ids) as group_id,
    null::bigint as link_group_id,
    null::integer as link_cap,
    null::date as link_expires_at,
    false as link_locked
  from home
  where type = 'Group'
  union all
  select
    home.position,
    home.user_id,
    home.project_id,
    unnest(invited.traversal_ids),
    invited.id,
    project_group_links.group_access,
    project_group_links.expires_at,
    home.locked
  from home
  join project_group_links on project_group_links.project_id = home.project_id
  join namespaces as invited on invited.id = project_group_links.group_id
),
found as (
  select
    home.position,
    home.project_id,
    members.id as member_id,
    null::bigint as shared_id,
    null::integer as share_cap,
    null::date as share_expires_at,
    null::bigint as link_group_id,
    null::integer as link_cap,
    null::date as link_expires_at,
    false as link_locked
  from home
  join members on members.source_id = home.project_id
    and members.source_type = 'Project'
    and members.user_id = home.user_id
  union all
  select
    around.position,
    around.project_id,
    members.id,
    null,
    null,
    null,
    around.link_group_id,
    around.link_cap,
    around.link_expires_at,
    around.link_locked
  from around
  join members on members.source_id = around.group_id
    and members.source_type = 'Namespace'
    and members.user_id = around.user_id
  union all
  -- A group share reaches direct members alone (schema.md 1.5).
  select
    around.position,
    around.project_id,
    members.id,
    around.group_id,
    group_group_links.group_access,
    group_group_links.expires_at,
    around.link_group_id,
    around.link_cap,
    around.link_expires_at,
    around.link_locked
  from around
  join group_group_links on group_group_links.shared_group_id = around.group_id
  join members on members.source_id = group_group_links.shared_with_group_id
    and members.source_type = 'Namespace'
    and members.user_id = around.user_id
)
select
  home.position as "position!",
  (
    select max(project_authorizations.access_level)
    from project_authorizations
    where project_authorizations.user_id = home.user_id
      and project_authorizations.project_id = home.project_id
  ) as "kept?",
  false as "owned!",
  coalesce(of_route.path, members.source_id::text) as "path?",
  members.access_level as "level?",
  members.created_at::date as "since?",
  members.expires_at as "expires_at?",
  member_roles.name as "role?",
  gatehouse_is_active_member(members, $3) as "active?",
  shared_route.path as "shared?",
  found.share_cap as "share_cap?",
  found.share_expires_at as "share_expires_at?",
  project_route.path as "project?",
  link_route.path as "link_group?",
  found.link_cap as "link_cap?",
  found.link_expires_at as "link_expires_at?",
  found.link_locked as "link_locked?"
from home
-- Outer, for what is kept is told of pairs that nothing gives anything to.
left join found on found.position = home.position
left join members on members.id = found.member_id
left join member_roles on member_roles.id = members.member_role_id
left join routes as of_route
  on of_route.source_type = members.source_type and of_route.source_id = members.source_id
left join routes as shared_route
  on shared_route.source_type = 'Namespace' and shared_route.source_id = found.shared_id
left join routes as link_route
  on link_route.source_type = 'Namespace' and link_route.source_id = found.link_group_id
left join routes as project_route
  on project_route.source_type = 'Project' and project_route.source_id = found.project_id
  and found.link_group_id is not null
union all
select
  home.position,
  null,
  true,
  routes.path,
  50,
  null,
  null,
  null,
  true,
  null,
  null,
  null,
  null,
  null,
  null,
  null,
  false
from home
join routes on routes.source_type = 'Namespace' and routes.source_id = home.namespace_id
where home.type = 'User'
  and home.owner_id = home.user_id
order by 1
