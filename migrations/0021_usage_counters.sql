-- What kas reports of its use: sums, sets of ids, and single events. GitLab keeps the first two in Redis.

-- One row a counter, day and shard: servers and connections that count at the same moment do not wait for each other's
-- row. A total is the sum of its rows.
create table kas_counters (
  name text not null,
  day date not null,
  shard smallint not null,
  -- as exact as bigint, and without its end: a client may send any count
  total numeric not null check (total >= 0),
  primary key (name, day, shard)
);

-- Which users, agents and projects were counted in a week or a month. Sets, not estimates: a repeated id is one row.
create table kas_unique_ids (
  name text not null,
  -- 2026-W47, an ISO week, or 2026-11, a month
  period text not null check (period ~ '^[0-9]{4}-(W[0-9]{2}|[0-9]{2})$'),
  entity_id bigint not null,
  seen_on date not null,
  primary key (name, period, entity_id)
);

create index index_kas_unique_ids_on_seen_on on kas_unique_ids using brin (seen_on);

-- Neither user nor project is a reference: the event stays when they go.
create table kas_events (
  id bigserial primary key,
  name text not null,
  user_id bigint,
  project_id bigint not null,
  properties jsonb not null default '{}',
  created_at timestamptz not null
);

create index index_kas_events_on_created_at on kas_events using brin (created_at);
create index index_kas_events_on_name_and_created_at on kas_events (name, created_at);
