-- Every derived row that differs from what memberships and parents say, computed slowly: for each project, up through
-- all groups around it. The laboratory has no shares between groups, so there is nothing else to follow.
with recursive
around as (
  select id as start, id, parent_id, path, 0 as height
  from namespaces
  union all
  select around.start, parent.id, parent.parent_id, parent.path, around.height + 1
  from around
  join namespaces as parent on parent.id = around.parent_id
),
trees as (
  select start, array_agg(id order by height desc) as ids, string_agg(path, '/' order by height desc) as path
  from around
  group by start
),
wanted as (
  select members.user_id, projects.id as project_id, max(members.access_level) as access_level
  from projects
  join around on around.start = projects.project_namespace_id
  join members on members.member_namespace_id = around.id
  where members.user_id is not null
    and members.requested_at is null
    and members.invite_token is null
    and members.state = 0
    and members.access_level > 5
  group by members.user_id, projects.id
),
found as (
  select user_id, project_id, access_level
  from project_authorizations
),
wanted_routes as (
  select projects.id as source_id, 'Project' as source_type, trees.path
  from projects
  join trees on trees.start = projects.project_namespace_id
  union all
  select namespaces.id, 'Namespace', trees.path
  from namespaces
  join trees on trees.start = namespaces.id
  where namespaces.type <> 'Project'
),
found_routes as (
  select source_id, source_type, path
  from routes
)
select 'authorization missing' as what, row_to_json(missing)::text as which
from (select * from wanted except select * from found) as missing
union all
select 'authorization left over', row_to_json(extra)::text
from (select * from found except select * from wanted) as extra
union all
select 'route missing', row_to_json(missing)::text
from (select * from wanted_routes except select * from found_routes) as missing
union all
select 'route left over', row_to_json(extra)::text
from (select * from found_routes except select * from wanted_routes) as extra
union all
select 'traversal_ids', namespaces.id::text
from namespaces
join trees on trees.start = namespaces.id
where namespaces.traversal_ids <> trees.ids
