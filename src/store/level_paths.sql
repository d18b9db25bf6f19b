-- What memberships and shares give to pairs of user and project, a row for each path, and what is kept for decisions. Each
-- pair finds single rows by index: a plan that joins all pairs at once counts on few and meets thousands.
select
  home.position as "position!",
  (
    select max(project_authorizations.access_level)
    from project_authorizations
    where project_authorizations.user_id = home.user_id
      and project_authorizations.project_id = home.project_id
  ) as "kept?",
  found.owned as "owned?",
  coalesce(of_route.path, found.source_id::text) as "path?",
  found.access_level as "level?",
  found.since as "since?",
  found.expires_at as "expires_at?",
  member_roles.name as "role?",
  found.active as "active?",
  shared_route.path as "shared?",
  found.share_cap as "share_cap?",
  found.share_expires_at as "share_expires_at?",
  project_route.path as "project?",
  link_route.path as "link_group?",
  found.link_cap as "link_cap?",
  found.link_expires_at as "link_expires_at?",
  found.link_locked as "link_locked?"
from (
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
) as home
-- Outer, for what is kept is told of pairs that nothing gives anything to.
left join lateral (
  with
  -- The groups whose members reach the project: those around it, and those around a group that it is linked to.
  around as (
    select
      unnest(home.traversal_ids) as group_id,
      null::bigint as link_group_id,
      null::integer as link_cap,
      null::date as link_expires_at,
      false as link_locked
    where home.type = 'Group'
    union all
    select
      unnest(invited.traversal_ids),
      invited.id,
      project_group_links.group_access,
      project_group_links.expires_at,
      home.locked
    from project_group_links
    join namespaces as invited on invited.id = project_group_links.group_id
    where project_group_links.project_id = home.project_id
  ),
  reaching as (
    select 'Project' as source_type, home.project_id as source_id, null::bigint as shared_id, null::integer as share_cap,
      null::date as share_expires_at, null::bigint as link_group_id, null::integer as link_cap,
      null::date as link_expires_at, false as link_locked
    union all
    select 'Namespace', around.group_id, null, null, null, around.link_group_id, around.link_cap, around.link_expires_at,
      around.link_locked
    from around
    union all
    -- A group share reaches direct members alone (schema.md 1.5).
    select 'Namespace', group_group_links.shared_with_group_id, around.group_id, group_group_links.group_access,
      group_group_links.expires_at, around.link_group_id, around.link_cap, around.link_expires_at, around.link_locked
    from around
    join group_group_links on group_group_links.shared_group_id = around.group_id
  )
  select
    false as owned,
    members.source_type,
    members.source_id,
    members.access_level,
    members.created_at::date as since,
    members.expires_at,
    members.member_role_id,
    gatehouse_is_active_member(members, $3) as active,
    reaching.shared_id,
    reaching.share_cap,
    reaching.share_expires_at,
    reaching.link_group_id,
    reaching.link_cap,
    reaching.link_expires_at,
    reaching.link_locked
  from reaching
  join members on members.user_id = home.user_id
    and members.source_id = reaching.source_id
    and members.source_type = reaching.source_type
  union all
  -- Whoever owns a personal namespace has no membership there.
  select
    true, 'Namespace', home.namespace_id, 50, null, null, null, true, null, null, null, null, null, null, false
  where home.type = 'User'
    and home.owner_id = home.user_id
) as found on true
left join member_roles on member_roles.id = found.member_role_id
left join routes as of_route on of_route.source_type = found.source_type and of_route.source_id = found.source_id
left join routes as shared_route on shared_route.source_type = 'Namespace' and shared_route.source_id = found.shared_id
left join routes as link_route on link_route.source_type = 'Namespace' and link_route.source_id = found.link_group_id
left join routes as project_route
  on project_route.source_type = 'Project'
  and project_route.source_id = home.project_id
  and found.link_group_id is not null
order by home.position
