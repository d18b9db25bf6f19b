-- Protected branches and tags.
--
-- A row of an access level table is one of: a role (user, group and deploy key are null), a user, a group, a deploy key. Only
-- for a role does access_level count; in other rows it keeps its default of 40.
-- Roles: 0 nobody, 30 developer, 40 maintainer, 60 instance admin

create table protected_branches (
    id bigserial primary key,
    project_id bigint references projects (id) on delete cascade,
    -- for a rule of a group
    namespace_id bigint references namespaces (id) on delete cascade,
    -- an exact name, or a pattern with *
    name varchar not null,
    allow_force_push boolean not null default false,
    code_owner_approval_required boolean not null default false,
    created_at timestamp default (now() at time zone 'utc'),
    updated_at timestamp default (now() at time zone 'utc'),
    check (num_nonnulls(project_id, namespace_id) = 1)
);

create index index_protected_branches_on_project_id on protected_branches (project_id);
create index index_protected_branches_namespace_id on protected_branches (namespace_id)
    where namespace_id is not null;

create table protected_branch_push_access_levels (
    id bigserial primary key,
    protected_branch_id bigint not null references protected_branches (id) on delete cascade,
    access_level integer default 40,
    user_id bigint references users (id) on delete cascade,
    group_id bigint references namespaces (id) on delete cascade,
    deploy_key_id bigint references keys (id) on delete cascade,
    created_at timestamp not null default (now() at time zone 'utc'),
    updated_at timestamp not null default (now() at time zone 'utc')
);

create index index_protected_branch_push_access on protected_branch_push_access_levels (protected_branch_id);
create index index_protected_branch_push_access_levels_on_user_id on protected_branch_push_access_levels (user_id);
create index index_protected_branch_push_access_levels_on_group_id on protected_branch_push_access_levels (group_id);
create index index_deploy_key_id_on_protected_branch_push_access_levels
    on protected_branch_push_access_levels (deploy_key_id);

create table protected_branch_merge_access_levels (
    id bigserial primary key,
    protected_branch_id bigint not null references protected_branches (id) on delete cascade,
    access_level integer default 40,
    user_id bigint references users (id) on delete cascade,
    group_id bigint references namespaces (id) on delete cascade,
    protected_branch_project_id bigint references projects (id) on delete cascade,
    protected_branch_namespace_id bigint references namespaces (id) on delete cascade,
    created_at timestamp not null default (now() at time zone 'utc'),
    updated_at timestamp not null default (now() at time zone 'utc')
);

create index index_protected_branch_merge_access on protected_branch_merge_access_levels (protected_branch_id);
create index index_protected_branch_merge_access_levels_on_user_id on protected_branch_merge_access_levels (user_id);
create index index_protected_branch_merge_access_levels_on_group_id on protected_branch_merge_access_levels (group_id);

create table protected_branch_unprotect_access_levels (
    id bigserial primary key,
    protected_branch_id bigint not null references protected_branches (id) on delete cascade,
    access_level integer default 40,
    user_id bigint references users (id) on delete cascade,
    group_id bigint references namespaces (id) on delete cascade,
    protected_branch_project_id bigint references projects (id) on delete cascade,
    protected_branch_namespace_id bigint references namespaces (id) on delete cascade
);

create index index_protected_branch_unprotect_access on protected_branch_unprotect_access_levels (protected_branch_id);
create index index_protected_branch_unprotect_access_levels_on_user_id
    on protected_branch_unprotect_access_levels (user_id);
create index index_protected_branch_unprotect_access_levels_on_group_id
    on protected_branch_unprotect_access_levels (group_id);

create table protected_tags (
    id bigserial primary key,
    project_id bigint not null references projects (id) on delete cascade,
    name varchar not null,
    created_at timestamp not null default (now() at time zone 'utc'),
    updated_at timestamp not null default (now() at time zone 'utc')
);

create unique index index_protected_tags_on_project_id_and_name on protected_tags (project_id, name);

create table protected_tag_create_access_levels (
    id bigserial primary key,
    protected_tag_id bigint not null references protected_tags (id) on delete cascade,
    access_level integer default 40,
    user_id bigint references users (id) on delete cascade,
    group_id bigint references namespaces (id) on delete cascade,
    deploy_key_id bigint references keys (id) on delete cascade,
    project_id bigint references projects (id) on delete cascade,
    created_at timestamp not null default (now() at time zone 'utc'),
    updated_at timestamp not null default (now() at time zone 'utc')
);

create index index_protected_tag_create_access on protected_tag_create_access_levels (protected_tag_id);
create index index_protected_tag_create_access_levels_on_user_id on protected_tag_create_access_levels (user_id);
create index index_protected_tag_create_access_levels_on_group_id on protected_tag_create_access_levels (group_id);
create index index_protected_tag_create_access_levels_on_deploy_key_id
    on protected_tag_create_access_levels (deploy_key_id);
create index index_protected_tag_create_access_levels_on_project_id on protected_tag_create_access_levels (project_id);

-- Namespaces point at push rules and projects at namespaces, so this one waits until all three exist.
alter table push_rules
    add foreign key (project_id) references projects (id) on delete cascade;
