with meant as (
  -- Two entries may name one row in different letter case, and an upsert may meet a row but once.
  select distinct on (targets.id) targets.id, entries.config
  from unnest($3::text[], $4::jsonb[]) with ordinality as entries (path, config, position)
  join routes on routes.source_type = 'Namespace' and lower(routes.path) = lower(entries.path)
  join namespaces as targets on targets.id = routes.source_id and targets.type = 'Group'
  -- What the agent's project may open to is within its own root group; the rest is passed over (kas.md 2.11).
  join projects as home on home.id = $2
  join namespaces as home_namespace on home_namespace.id = home.namespace_id
  where targets.traversal_ids[1] = home_namespace.traversal_ids[1]
  -- The later of two entries counts.
  order by targets.id, entries.position desc
),
gone as (
  delete from agent_group_authorizations
  where agent_id = $1
    and group_id not in (select id from meant)
)
insert into agent_group_authorizations (group_id, agent_id, config)
select id, $1, config
from meant
on conflict (agent_id, group_id) do update set config = excluded.config
-- The agent reports its configuration often and changes it seldom: a row that says so already is not written.
where agent_group_authorizations.config <> excluded.config
