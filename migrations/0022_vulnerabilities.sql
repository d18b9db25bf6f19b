-- What scanners found: a finding as it was reported, the vulnerability that people work on, and what joins them.

create table vulnerability_scanners (
  id bigserial primary key,
  project_id bigint not null,
  external_id varchar not null,
  name varchar not null,
  vendor text not null default 'GitLab',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create unique index index_vulnerability_scanners_on_project_id_and_external_id
  on vulnerability_scanners (project_id, external_id);

create table vulnerability_identifiers (
  id bigserial primary key,
  project_id bigint not null,
  -- the SHA-1 of type:id
  fingerprint bytea not null,
  external_type varchar not null,
  external_id varchar not null,
  name varchar not null,
  url text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create unique index index_vulnerability_identifiers_on_project_id_and_fingerprint
  on vulnerability_identifiers (project_id, fingerprint);

create table vulnerability_occurrences (
  id bigserial primary key,
  uuid uuid not null default '00000000-0000-0000-0000-000000000000',
  project_id bigint not null,
  scanner_id bigint not null references vulnerability_scanners (id) on delete cascade,
  primary_identifier_id bigint not null references vulnerability_identifiers (id) on delete cascade,
  vulnerability_id bigint,
  name varchar not null,
  -- 1 info, 2 unknown, 4 low, 5 medium, 6 high, 7 critical
  severity smallint not null,
  -- 7 cluster_image_scanning; GitLab has others, which nobody reports here
  report_type smallint not null,
  detection_method smallint not null default 0,
  project_fingerprint bytea not null,
  location_fingerprint bytea not null,
  metadata_version varchar not null,
  raw_metadata text not null,
  location jsonb,
  details jsonb not null default '{}',
  description text check (char_length(description) <= 15000),
  solution text check (char_length(solution) <= 7000),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create unique index index_vulnerability_occurrences_on_uuid_1 on vulnerability_occurrences (uuid);
create index index_vulnerability_occurrences_on_vulnerability_id on vulnerability_occurrences (vulnerability_id);
create index index_vulnerability_occurrences_on_scanner_id on vulnerability_occurrences (scanner_id);
create index index_vulnerability_occurrences_on_primary_identifier_id
  on vulnerability_occurrences (primary_identifier_id);
create index index_vulnerability_occurrences_on_location_k8s_agent_id
  on vulnerability_occurrences using gin ((location -> 'kubernetes_resource' -> 'agent_id'))
  where report_type = 7;

create table vulnerabilities (
  id bigserial primary key,
  project_id bigint not null,
  author_id bigint not null,
  finding_id bigint not null references vulnerability_occurrences (id) on delete cascade,
  title varchar(255) not null,
  description text,
  -- 1 detected, 2 dismissed, 3 resolved, 4 confirmed
  state smallint not null default 1 check (state between 1 and 4),
  severity smallint not null,
  report_type smallint not null,
  resolved_on_default_branch boolean not null default false,
  present_on_default_branch boolean not null default true,
  detected_at timestamptz default now(),
  resolved_at timestamptz,
  resolved_by_id bigint,
  dismissed_at timestamptz,
  dismissed_by_id bigint,
  confirmed_at timestamptz,
  confirmed_by_id bigint,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create index index_vulnerabilities_on_project_id_and_id on vulnerabilities (project_id, id);
create index index_vulnerabilities_on_project_id_and_state_and_severity
  on vulnerabilities (project_id, state, severity, present_on_default_branch);
create index index_vulnerabilities_on_finding_id on vulnerabilities (finding_id);

alter table vulnerability_occurrences
  add constraint fk_97ffe77653 foreign key (vulnerability_id) references vulnerabilities (id) on delete set null;

create table vulnerability_occurrence_identifiers (
  id bigserial primary key,
  occurrence_id bigint not null references vulnerability_occurrences (id) on delete cascade,
  identifier_id bigint not null references vulnerability_identifiers (id) on delete cascade,
  project_id bigint,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create unique index index_vulnerability_occurrence_identifiers_on_unique_keys
  on vulnerability_occurrence_identifiers (occurrence_id, identifier_id);
create index index_vulnerability_occurrence_identifiers_on_identifier_id
  on vulnerability_occurrence_identifiers (identifier_id);

-- The vulnerability again, flat, and with the agent that reported it. GitLab keeps it with triggers; here the statements
-- that write a vulnerability write it too.
create table vulnerability_reads (
  id bigserial primary key,
  vulnerability_id bigint not null references vulnerabilities (id) on delete cascade,
  project_id bigint not null references projects (id) on delete cascade,
  scanner_id bigint not null,
  report_type smallint not null,
  severity smallint not null,
  state smallint not null,
  resolved_on_default_branch boolean not null default false,
  uuid uuid not null,
  location_image text,
  -- the agent whose token reported it, whatever the report says
  cluster_agent_id text check (char_length(cluster_agent_id) <= 20),
  casted_cluster_agent_id bigint
);

create unique index index_vulnerability_reads_on_vulnerability_id on vulnerability_reads (vulnerability_id);
create unique index index_vulnerability_reads_on_uuid on vulnerability_reads (uuid);
-- What an agent has reported and still counts: what a scan resolves is looked for here.
create index index_vulnerability_reads_on_agent_and_active
  on vulnerability_reads (casted_cluster_agent_id, project_id, uuid)
  where report_type = 7 and state in (1, 4);
create index index_vulnerability_reads_on_project_id on vulnerability_reads (project_id);

-- Who brought a vulnerability from which state to which. A vulnerability begins as detected, and that has no row.
create table vulnerability_state_transitions (
  id bigserial primary key,
  vulnerability_id bigint not null references vulnerabilities (id) on delete cascade,
  from_state smallint not null,
  to_state smallint not null,
  author_id bigint,
  comment text check (char_length(comment) <= 50000),
  created_at timestamptz not null,
  updated_at timestamptz not null,
  check (from_state <> to_state)
);

create index index_vulnerability_state_transitions_id_and_vulnerability_id
  on vulnerability_state_transitions (vulnerability_id, id);

create table project_settings (
  project_id bigint primary key references projects (id) on delete cascade,
  has_vulnerabilities boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create table project_security_statistics (
  project_id bigint primary key references projects (id) on delete cascade,
  vulnerability_count integer not null default 0 check (vulnerability_count >= 0)
);
