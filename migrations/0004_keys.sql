-- SSH keys of users and deploy keys, which share a table, and the certificate authorities of groups.

create table keys (
    id bigserial primary key,
    -- the owner; of a deploy key its creator
    user_id bigint,
    title varchar,
    key text,
    -- null for a user's key, else DeployKey or LDAPKey
    type varchar,
    -- a deploy key that any project may enable
    public boolean not null default false,
    fingerprint varchar,
    fingerprint_sha256 bytea,
    -- 0 auth_and_signing, 1 auth, 2 signing
    usage_type smallint not null default 0,
    expires_at timestamptz,
    last_used_at timestamp,
    created_at timestamp default (now() at time zone 'utc'),
    updated_at timestamp default (now() at time zone 'utc')
);

create unique index index_keys_on_fingerprint_sha256_unique on keys (fingerprint_sha256);
create index index_keys_on_fingerprint on keys (fingerprint);
create index index_keys_on_user_id on keys (user_id);

create table deploy_keys_projects (
    id bigserial primary key,
    deploy_key_id bigint not null,
    project_id bigint not null references projects (id) on delete cascade,
    can_push boolean not null default false,
    created_at timestamp default (now() at time zone 'utc'),
    updated_at timestamp default (now() at time zone 'utc')
);

create index index_deploy_keys_projects_on_deploy_key_id on deploy_keys_projects (deploy_key_id);
create index index_deploy_keys_projects_on_project_id on deploy_keys_projects (project_id);

create table group_ssh_certificates (
    id bigserial primary key,
    namespace_id bigint not null references namespaces (id) on delete cascade,
    fingerprint bytea not null,
    title text not null check (char_length(title) <= 256),
    key text not null check (char_length(key) <= 524288),
    created_at timestamptz not null default now()
);

create unique index index_group_ssh_certificates_on_fingerprint on group_ssh_certificates (fingerprint);
create index index_group_ssh_certificates_on_namespace_id on group_ssh_certificates (namespace_id);
