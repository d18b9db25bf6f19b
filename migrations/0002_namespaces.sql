-- Groups, personal namespaces, the shadow namespaces of projects, and the paths of all of them.

-- A rule belongs to a project (project_id), to a group (namespaces.push_rule_id points here) or to the instance (is_sample).
create table push_rules (
    id bigserial primary key,
    -- references projects, from 0006 on
    project_id bigint,
    organization_id bigint,
    is_sample boolean default false,
    deny_delete_tag boolean,
    member_check boolean not null default false,
    prevent_secrets boolean not null default false,
    -- megabytes; 0 is no limit
    max_file_size integer not null default 0,
    reject_unsigned_commits boolean,
    commit_committer_check boolean,
    commit_committer_name_check boolean not null default false,
    reject_non_dco_commits boolean,
    commit_message_regex varchar check (char_length(commit_message_regex) <= 511),
    commit_message_negative_regex varchar check (char_length(commit_message_negative_regex) <= 2047),
    author_email_regex varchar check (char_length(author_email_regex) <= 511),
    file_name_regex varchar check (char_length(file_name_regex) <= 511),
    branch_name_regex varchar check (char_length(branch_name_regex) <= 511),
    -- false: the expressions are in Ruby's own syntax
    regexp_uses_re2 boolean default true,
    created_at timestamp default (now() at time zone 'utc'),
    updated_at timestamp default (now() at time zone 'utc')
);

create index index_push_rules_on_project_id on push_rules (project_id);
create index index_push_rules_on_is_sample on push_rules (is_sample)
    where is_sample;

create table namespaces (
    id bigserial primary key,
    name varchar not null,
    path varchar not null,
    -- User, Group or Project (the shadow of projects.project_namespace_id)
    type varchar not null default 'User',
    owner_id bigint,
    parent_id bigint references namespaces (id) on delete restrict,
    -- ids from the root namespace down to this row, itself included
    traversal_ids bigint[] not null default '{}',
    organization_id bigint not null default 1 references organizations (id) on delete cascade,
    description varchar not null default '',
    -- 0 private, 10 internal, 20 public
    visibility_level integer not null default 20,
    share_with_group_lock boolean default false,
    membership_lock boolean default false,
    request_access_enabled boolean not null default true,
    lfs_enabled boolean,
    project_creation_level integer,
    subgroup_creation_level integer default 1,
    require_two_factor_authentication boolean not null default false,
    two_factor_grace_period integer not null default 48,
    max_personal_access_token_lifetime integer,
    default_branch_protection smallint,
    repository_size_limit bigint,
    shared_runners_minutes_limit integer,
    extra_shared_runners_minutes_limit integer,
    push_rule_id bigint references push_rules (id) on delete set null,
    created_at timestamp default (now() at time zone 'utc'),
    updated_at timestamp default (now() at time zone 'utc')
);

create unique index index_namespaces_name_parent_id_type on namespaces (name, parent_id, type);
create unique index index_namespaces_on_parent_id_and_id on namespaces (parent_id, id);
create unique index index_namespaces_on_push_rule_id on namespaces (push_rule_id);
create index index_on_namespaces_lower_path on namespaces (lower(path));
create index index_namespaces_on_owner_id on namespaces (owner_id);
create index index_namespaces_on_traversal_ids on namespaces using gin (traversal_ids);
create index index_on_namespaces_namespaces_by_top_level_namespace on namespaces ((traversal_ids[1]), type, id);
create index index_namespaces_on_type_and_id on namespaces (type, id);

alter table user_details
    add foreign key (bot_namespace_id) references namespaces (id) on delete set null;

create table namespace_settings (
    namespace_id bigint primary key references namespaces (id) on delete cascade,
    -- 0 all, 1 ssh, 2 http; that of the root group counts, and narrows what the instance allows
    enabled_git_access_protocol smallint not null default 0,
    enforce_ssh_certificates boolean not null default false,
    disable_personal_access_tokens boolean not null default false,
    repository_read_only boolean not null default false,
    archived boolean not null default false,
    default_branch_name text check (char_length(default_branch_name) <= 255),
    default_branch_protection_defaults jsonb not null default '{}',
    allow_mfa_for_subgroups boolean not null default true,
    service_access_tokens_expiration_enforced boolean not null default true,
    new_user_signups_cap integer,
    -- 0 off, 1 user_cap, 2 block_overages
    seat_control smallint not null default 0,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

-- The full path of each group, personal namespace and project. A shadow namespace has none of its own: the route of its project
-- names it in namespace_id.
create table routes (
    id bigserial primary key,
    source_id bigint not null,
    -- Namespace or Project
    source_type varchar not null,
    path varchar not null,
    name varchar,
    namespace_id bigint not null references namespaces (id) on delete cascade,
    created_at timestamp default (now() at time zone 'utc'),
    updated_at timestamp default (now() at time zone 'utc')
);

create unique index index_routes_on_path on routes (path);
create unique index index_routes_on_source_type_and_source_id on routes (source_type, source_id);
create unique index index_routes_on_namespace_id on routes (namespace_id);
create index index_on_routes_lower_path on routes (lower(path));
-- for `like 'group/%'`, which a plain index serves under the C collation alone
create index index_routes_on_path_text_pattern_ops on routes (path varchar_pattern_ops);

-- Former full paths, looked at after routes has no answer.
create table redirect_routes (
    id bigserial primary key,
    source_id bigint not null,
    source_type varchar not null,
    path varchar not null,
    namespace_id bigint references namespaces (id) on delete cascade,
    created_at timestamp not null default (now() at time zone 'utc'),
    updated_at timestamp not null default (now() at time zone 'utc')
);

create unique index index_redirect_routes_on_path on redirect_routes (path);
create unique index index_redirect_routes_on_path_unique_text_pattern_ops
    on redirect_routes (lower(path) varchar_pattern_ops);
create index index_redirect_routes_on_source_type_and_source_id on redirect_routes (source_type, source_id);
create index index_redirect_routes_on_namespace_id on redirect_routes (namespace_id);

create table plans (
    id bigserial primary key,
    name varchar,
    title varchar,
    created_at timestamp not null default (now() at time zone 'utc'),
    updated_at timestamp not null default (now() at time zone 'utc')
);

create unique index index_plans_on_name on plans (name);

insert into plans (name, title)
values
    ('default', 'default'),
    ('free', 'free'),
    ('bronze', 'bronze'),
    ('silver', 'silver'),
    ('premium', 'premium'),
    ('gold', 'gold'),
    ('ultimate', 'ultimate'),
    ('ultimate_trial', 'ultimate_trial'),
    ('ultimate_trial_paid_customer', 'ultimate_trial_paid_customer'),
    ('premium_trial', 'premium_trial'),
    ('opensource', 'opensource');
