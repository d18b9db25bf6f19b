-- Who did what to whose credentials, and git operations where they are audited.
--
-- The columns and the primary key are GitLab's. There the table is partitioned by month; here it is one table: a month
-- without its partition would fail the transaction that mints a credential, and what is written here is little. The
-- statements that use it are the same over either.
create table audit_events (
  id bigserial,
  -- -1 nobody known, -3 a deploy key, else a user
  author_id bigint not null,
  author_name text check (char_length(author_name) <= 255),
  -- User, Project, or Gitlab::Audit::InstanceScope
  entity_type varchar not null,
  entity_id bigint not null,
  entity_path text check (char_length(entity_path) <= 5500),
  target_type text,
  target_id bigint,
  target_details text check (char_length(target_details) <= 5500),
  ip_address inet,
  -- a YAML hash whose keys are Ruby symbols
  details text,
  created_at timestamp not null default (now() at time zone 'utc'),
  primary key (id, created_at)
);

create index idx_audit_events_on_entity_id_desc_author_id_created_at
  on audit_events (entity_id, entity_type, id desc, author_id, created_at);
create index analytics_index_audit_events_on_created_at_and_author_id on audit_events (created_at, author_id);
