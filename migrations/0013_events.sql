-- What happened, for activity feeds: here, pushes.

create table events (
    id bigserial primary key,
    project_id bigint references projects (id) on delete cascade,
    group_id bigint references namespaces (id) on delete cascade,
    personal_namespace_id bigint references namespaces (id) on delete cascade,
    author_id bigint not null,
    -- 1 created, 2 updated, 3 closed, 4 reopened, 5 pushed, 6 commented, 7 merged, 8 joined, 9 left, 10 destroyed,
    -- 11 expired, 12 approved
    action smallint not null,
    target_type varchar,
    target_id bigint,
    -- of a push: which push, and which of its events; so that a job that runs twice writes nothing twice
    fingerprint bytea check (octet_length(fingerprint) <= 128),
    imported_from smallint not null default 0,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    check (num_nonnulls(project_id, group_id, personal_namespace_id) > 0)
);

create unique index index_events_on_target_type_and_target_id_and_fingerprint
    on events (target_type, target_id, fingerprint);
create index index_events_on_project_id_and_created_at on events (project_id, created_at);
create index index_events_on_author_id_and_created_at on events (author_id, created_at);
create index index_events_on_group_id on events (group_id)
    where group_id is not null;
create index index_events_on_personal_namespace_id on events (personal_namespace_id)
    where personal_namespace_id is not null;

-- A push has no target, and null is never equal to null: GitLab's own index does not keep pushes apart, this one does.
create unique index index_events_on_fingerprint_of_pushes on events (fingerprint)
    where action = 5 and fingerprint is not null;

create table push_event_payloads (
    event_id bigint primary key references events (id) on delete cascade,
    commit_count bigint not null,
    -- 0 created, 1 removed, 2 pushed
    action smallint not null,
    -- 0 branch, 1 tag
    ref_type smallint not null,
    -- raw object ids; null where the ref was created or removed
    commit_from bytea,
    commit_to bytea,
    -- without refs/heads/ or refs/tags/
    ref text,
    commit_title varchar(70),
    -- set where the event stands for many refs
    ref_count integer,
    project_id bigint
);

create index index_push_event_payloads_on_project_id on push_event_payloads (project_id);
