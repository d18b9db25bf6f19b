-- Settings of the instance, messages to everyone, and error tracking.

-- One row is meant; of several the newest counts.
create table application_settings (
    id bigserial primary key,
    uuid varchar,

    -- git access
    -- null or '' allows both, else ssh or http
    enabled_git_access_protocol varchar,
    -- megabytes; null is no limit
    receive_max_input_size integer,
    authorized_keys_enabled boolean not null default true,
    -- per user, project and command in a minute
    gitlab_shell_operation_limit integer default 600,
    custom_http_clone_url_root varchar(511),
    push_event_hooks_limit integer not null default 3,
    push_event_activities_limit integer not null default 3,
    git_push_pipeline_limit integer not null default 4,

    -- SSH keys: -1 forbids the type, 0 allows any size, n asks for n bits
    rsa_key_restriction integer not null default 0,
    dsa_key_restriction integer not null default -1,
    ecdsa_key_restriction integer not null default 0,
    ed25519_key_restriction integer not null default 0,
    ecdsa_sk_key_restriction integer not null default 0,
    ed25519_sk_key_restriction integer not null default 0,
    -- days
    max_ssh_key_lifetime integer,

    -- tokens
    -- days
    max_personal_access_token_lifetime integer,
    require_personal_access_token_expiry boolean not null default true,
    disable_personal_access_tokens boolean not null default false,
    personal_access_token_prefix text default 'glpat-',
    token_prefixes jsonb not null default '{}',
    service_access_tokens_expiration_enforced boolean not null default true,

    -- sign-in
    admin_mode boolean not null default false,
    enforce_terms boolean default false,
    -- 0 off, 1 soft, 2 hard: no sign-in before the address is confirmed
    email_confirmation_setting smallint default 0,
    password_authentication_enabled_for_web boolean default true,
    password_authentication_enabled_for_git boolean not null default true,
    require_two_factor_authentication boolean default false,
    two_factor_grace_period integer default 48,
    -- minutes
    git_two_factor_session_expiry integer not null default 15,

    -- maintenance
    maintenance_mode boolean not null default false,
    maintenance_mode_message text,
    silent_mode_enabled boolean not null default false,

    -- branches
    default_branch_name text,
    -- 0 none, 1 developers push, 2 full, 3 developers merge, 4 developers push the first commit
    default_branch_protection integer default 2,
    -- the newer form; where it is not empty, it wins
    default_branch_protection_defaults jsonb not null default '{}',

    -- storage
    -- storage name to weight, for new repositories
    repository_storages_weighted jsonb not null default '{}',
    hashed_storage_enabled boolean not null default true,
    -- bytes; 0 is no limit
    repository_size_limit bigint default 0,
    snippet_size_limit bigint not null default 52428800,
    enforce_namespace_storage_limit boolean not null default false,
    -- true: limits follow the plan of a namespace, as on GitLab.com
    check_namespace_plan boolean not null default false,

    -- Gitaly, seconds
    gitaly_timeout_default integer not null default 55,
    gitaly_timeout_medium integer not null default 30,
    gitaly_timeout_fast integer not null default 10,

    -- the rest
    push_rule_id bigint references push_rules (id) on delete set null,
    external_authorization_service_enabled boolean not null default false,
    allow_deploy_tokens_and_keys_with_external_authn boolean not null default false,
    globally_allowed_ips text not null default '',
    error_tracking_enabled boolean not null default false,
    error_tracking_api_url text,
    error_tracking_access_token_encrypted text,
    default_project_visibility integer not null default 0,
    shared_runners_minutes integer not null default 0,
    created_at timestamp default (now() at time zone 'utc'),
    updated_at timestamp default (now() at time zone 'utc')
);

insert into application_settings (uuid)
values (gen_random_uuid()::text);

create table broadcast_messages (
    id bigserial primary key,
    message text not null,
    message_html text not null,
    starts_at timestamp not null default (now() at time zone 'utc'),
    -- without a default: a message that ends when it starts is never seen
    ends_at timestamp not null,
    -- 1 banner, 2 notification
    broadcast_type smallint not null default 1,
    show_in_cli boolean not null default true,
    -- * is a wildcard, case does not matter
    target_path varchar(255),
    target_access_levels integer[] not null default '{}',
    theme smallint not null default 0,
    dismissable boolean,
    color varchar,
    font varchar,
    created_at timestamp not null default (now() at time zone 'utc'),
    updated_at timestamp not null default (now() at time zone 'utc')
);

create index index_broadcast_message_on_ends_at_and_broadcast_type_and_id
    on broadcast_messages (ends_at, broadcast_type, id);

create table error_tracking_client_keys (
    id bigserial primary key,
    project_id bigint not null references projects (id) on delete cascade,
    active boolean not null default true,
    public_key text not null check (char_length(public_key) <= 255),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create index index_error_tracking_client_for_enabled_check on error_tracking_client_keys (project_id, public_key)
    where active;
create index index_error_tracking_client_keys_on_project_id on error_tracking_client_keys (project_id);

create table project_error_tracking_settings (
    project_id bigint primary key references projects (id) on delete cascade,
    enabled boolean not null default false,
    integrated boolean not null default true,
    api_url varchar,
    project_name varchar,
    organization_name varchar,
    sentry_project_id bigint
);
