-- Tokens of users and of deployments. No secret is stored in the clear.

-- Also the tokens of projects and groups, whose user is a bot, and those an admin made for a user (impersonation).
create table personal_access_tokens (
    id bigserial primary key,
    user_id bigint not null references users (id) on delete cascade,
    name varchar not null,
    -- base64 of SHA-256 over the token and a salt from db_key_base
    token_digest varchar,
    -- a YAML list; entries may be Ruby symbols, written with a leading colon
    scopes varchar not null default e'--- []\n',
    -- dead from 00:00 UTC of this day on; null is never
    expires_at date,
    revoked boolean default false,
    impersonation boolean not null default false,
    last_used_at timestamptz,
    description text check (char_length(description) <= 255),
    previous_personal_access_token_id bigint references personal_access_tokens (id) on delete set null,
    organization_id bigint not null default 1 references organizations (id) on delete cascade,
    expire_notification_delivered boolean not null default false,
    after_expiry_notification_delivered boolean not null default false,
    created_at timestamp not null default (now() at time zone 'utc'),
    updated_at timestamp not null default (now() at time zone 'utc')
);

create unique index index_personal_access_tokens_on_token_digest on personal_access_tokens (token_digest);
create index index_personal_access_tokens_on_user_id on personal_access_tokens (user_id);
create index index_pat_on_user_id_and_expires_at on personal_access_tokens (user_id, expires_at);

create table deploy_tokens (
    id bigserial primary key,
    name varchar not null,
    -- null means gitlab+deploy-token-<id>
    username varchar,
    token_encrypted varchar(255),
    -- 1 group, 2 project
    deploy_token_type smallint not null default 2,
    revoked boolean default false,
    -- good through this day; without a default, for a token's end should be a choice (3000-01-01 is "never")
    expires_at timestamptz not null,
    read_repository boolean not null default false,
    read_registry boolean not null default false,
    write_registry boolean not null default false,
    read_package_registry boolean not null default false,
    write_package_registry boolean not null default false,
    read_virtual_registry boolean not null default false,
    write_virtual_registry boolean not null default false,
    creator_id bigint references users (id) on delete set null,
    -- the two tables below say where a token is valid; these columns may be null
    project_id bigint references projects (id) on delete cascade,
    group_id bigint references namespaces (id) on delete cascade,
    created_at timestamptz not null default now()
);

create unique index index_deploy_tokens_on_token_encrypted on deploy_tokens (token_encrypted);
create index index_deploy_tokens_on_creator_id on deploy_tokens (creator_id);
create index index_deploy_tokens_on_project_id on deploy_tokens (project_id);
create index index_deploy_tokens_on_group_id on deploy_tokens (group_id);

create table project_deploy_tokens (
    id bigserial primary key,
    project_id bigint not null references projects (id) on delete cascade,
    deploy_token_id bigint not null references deploy_tokens (id) on delete cascade,
    created_at timestamptz not null default now()
);

create unique index index_project_deploy_tokens_on_project_id_and_deploy_token_id
    on project_deploy_tokens (project_id, deploy_token_id);
create index index_project_deploy_tokens_on_deploy_token_id on project_deploy_tokens (deploy_token_id);

create table group_deploy_tokens (
    id bigserial primary key,
    group_id bigint not null references namespaces (id) on delete cascade,
    deploy_token_id bigint not null references deploy_tokens (id) on delete cascade,
    created_at timestamptz not null default now()
);

create unique index index_group_deploy_tokens_on_group_and_deploy_token_ids
    on group_deploy_tokens (group_id, deploy_token_id);
create index index_group_deploy_tokens_on_deploy_token_id on group_deploy_tokens (deploy_token_id);
