-- Alerts of projects, the numbers that they count by, and the hooks that hear of them.

create table alert_management_alerts (
  id bigserial primary key,
  project_id bigint not null references projects (id) on delete cascade,
  iid integer not null,
  title text not null check (char_length(title) <= 200),
  description text check (char_length(description) <= 1000),
  service text check (char_length(service) <= 100),
  monitoring_tool text check (char_length(monitoring_tool) <= 100),
  hosts text[] not null default '{}',
  -- the SHA-1 of what makes two alerts one
  fingerprint bytea,
  payload jsonb not null default '{}',
  -- 0 operations, 1 threat monitoring
  domain smallint default 0,
  -- 0 critical, 1 high, 2 medium, 3 low, 4 info, 5 unknown
  severity smallint not null default 0,
  -- 0 triggered, 1 acknowledged, 2 resolved, 3 ignored
  status smallint not null default 0 check (status between 0 and 3),
  -- how often it happened
  events integer not null default 1 check (events > 0),
  started_at timestamptz not null,
  ended_at timestamptz,
  -- when hooks were told of it; a column that GitLab does not have
  announced_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create unique index index_alert_management_alerts_on_project_id_and_iid on alert_management_alerts (project_id, iid);
create unique index index_partial_am_alerts_on_project_id_and_fingerprint
  on alert_management_alerts (project_id, fingerprint)
  where status <> 2;

-- The last number of each kind that a project has given out.
create table internal_ids (
  id bigserial primary key,
  project_id bigint references projects (id) on delete cascade,
  -- 8 alerts; GitLab has others
  usage integer not null,
  last_value integer not null
);

create unique index index_internal_ids_on_usage_and_project_id on internal_ids (usage, project_id)
  where project_id is not null;

-- GitLab tells integrations of alerts, by a column of this name. Here hooks are what is told.
alter table web_hooks add column alert_events boolean not null default false;
