-- Agents for Kubernetes, their tokens, and what their configuration lets them reach.

create table cluster_agents (
    id bigserial primary key,
    project_id bigint not null references projects (id) on delete cascade,
    name text not null check (char_length(name) <= 255),
    created_by_user_id bigint references users (id) on delete set null,
    has_vulnerabilities boolean not null default false,
    is_receptive boolean not null default false,
    connection_mode smallint not null default 0,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create unique index index_cluster_agents_on_project_id_and_name on cluster_agents (project_id, name);
create index index_cluster_agents_on_project_id_and_has_vulnerabilities
    on cluster_agents (project_id, has_vulnerabilities);
create index index_cluster_agents_on_created_by_user_id on cluster_agents (created_by_user_id);

create table cluster_agent_tokens (
    id bigserial primary key,
    agent_id bigint not null references cluster_agents (id) on delete cascade,
    project_id bigint not null references projects (id) on delete cascade,
    -- base64 of SHA-256 over the token and a salt from db_key_base; of a token that GitLab stored, its ciphertext
    token_encrypted text not null check (char_length(token_encrypted) <= 255),
    name text not null check (char_length(name) <= 255),
    description text check (char_length(description) <= 1024),
    -- 0 active, 1 revoked
    status smallint not null default 0,
    last_used_at timestamptz,
    created_by_user_id bigint references users (id) on delete set null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create unique index index_cluster_agent_tokens_on_token_encrypted on cluster_agent_tokens (token_encrypted);
create index index_cluster_agent_tokens_on_agent_id_status_last_used_at
    on cluster_agent_tokens (agent_id, status, last_used_at desc);
create index index_cluster_agent_tokens_on_project_id on cluster_agent_tokens (project_id);
create index index_cluster_agent_tokens_on_created_by_user_id on cluster_agent_tokens (created_by_user_id);

create table agent_activity_events (
    id bigserial primary key,
    agent_id bigint not null references cluster_agents (id) on delete cascade,
    agent_token_id bigint references cluster_agent_tokens (id) on delete set null,
    user_id bigint references users (id) on delete set null,
    project_id bigint references projects (id) on delete cascade,
    -- 0 token_created, 1 agent_connected, 2 agent_disconnected, 3 token_revoked
    kind smallint not null,
    -- 1 info
    level smallint not null default 1,
    detail text,
    recorded_at timestamptz not null
);

create index index_agent_activity_events_on_agent_id_and_recorded_at_and_id
    on agent_activity_events (agent_id, recorded_at, id);
create index index_agent_activity_events_on_agent_token_id on agent_activity_events (agent_token_id);
create index index_agent_activity_events_on_project_id on agent_activity_events (project_id);
create index index_agent_activity_events_on_user_id on agent_activity_events (user_id);

-- What CI jobs of these projects and groups reach through the agent.
create table agent_project_authorizations (
    id bigserial primary key,
    project_id bigint not null references projects (id) on delete cascade,
    agent_id bigint not null references cluster_agents (id) on delete cascade,
    config jsonb not null
);

create unique index index_agent_project_authorizations_on_agent_id_and_project_id
    on agent_project_authorizations (agent_id, project_id);
create index index_agent_project_authorizations_on_project_id on agent_project_authorizations (project_id);

create table agent_group_authorizations (
    id bigserial primary key,
    group_id bigint not null references namespaces (id) on delete cascade,
    agent_id bigint not null references cluster_agents (id) on delete cascade,
    config jsonb not null
);

create unique index index_agent_group_authorizations_on_agent_id_and_group_id
    on agent_group_authorizations (agent_id, group_id);
create index index_agent_group_authorizations_on_group_id on agent_group_authorizations (group_id);

-- What users of these projects and groups reach through the agent.
create table agent_user_access_project_authorizations (
    id bigserial primary key,
    project_id bigint not null references projects (id) on delete cascade,
    agent_id bigint not null references cluster_agents (id) on delete cascade,
    config jsonb not null
);

create unique index index_agent_user_access_on_agent_id_and_project_id
    on agent_user_access_project_authorizations (agent_id, project_id);
create index index_agent_user_access_on_project_id on agent_user_access_project_authorizations (project_id);

create table agent_user_access_group_authorizations (
    id bigserial primary key,
    group_id bigint not null references namespaces (id) on delete cascade,
    agent_id bigint not null references cluster_agents (id) on delete cascade,
    config jsonb not null
);

create unique index index_agent_user_access_on_agent_id_and_group_id
    on agent_user_access_group_authorizations (agent_id, group_id);
create index index_agent_user_access_on_group_id on agent_user_access_group_authorizations (group_id);
