-- What management clients say of groups and projects beside what was there (rest.md 6, 8 and 14).

-- Settings that shape only what is not here (merge requests, CI, mail): kept, so that a client reads what it wrote.
alter table namespaces
    add column auto_devops_enabled boolean,
    add column mentions_disabled boolean,
    add column shared_runners_enabled boolean not null default true,
    add column allow_descendants_override_disabled_shared_runners boolean not null default false,
    add column max_artifacts_size integer;

alter table namespace_settings
    add column emails_enabled boolean not null default true,
    add column show_diff_preview_in_email boolean not null default true,
    add column only_allow_merge_if_pipeline_succeeds boolean not null default false,
    add column allow_merge_on_skipped_pipeline boolean not null default false,
    add column only_allow_merge_if_all_discussions_are_resolved boolean not null default false,
    add column math_rendering_limits_enabled boolean not null default true,
    add column lock_math_rendering_limits_enabled boolean not null default false,
    add column prevent_forking_outside_group boolean not null default false,
    -- This one has an effect: groups below the root are shared within it alone.
    add column prevent_sharing_groups_outside_hierarchy boolean not null default false;

create table group_features (
    group_id bigint primary key references namespaces (id) on delete cascade,
    -- 0 disabled, 10 members only, 20 everyone who sees the group
    wiki_access_level integer not null default 20,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

-- OURS: GitLab has some 45 columns in three tables for these. Names, types and defaults are a list in the code; what is
-- not here has its default.
alter table projects
    add column kept_settings jsonb not null default '{}';

-- Groups that are to be removed when their time has come. Nobody pushes to what is in them.
create table group_deletion_schedules (
    group_id bigint primary key references namespaces (id) on delete cascade,
    user_id bigint not null references users (id) on delete cascade,
    marked_for_deletion_on date not null
);

create index index_group_deletion_schedules_on_marked_for_deletion_on
    on group_deletion_schedules (marked_for_deletion_on);
create index index_group_deletion_schedules_on_user_id on group_deletion_schedules (user_id);
create index gatehouse_projects_on_marked_for_deletion_at on projects (marked_for_deletion_at)
    where marked_for_deletion_at is not null;

-- Days between the word of a client and the end of a group or project; 0 ends it at once.
alter table application_settings
    add column deletion_adjourned_period integer not null default 0;

-- OURS: repositories whose rows are gone, until their storages have removed them.
create table removed_repositories (
    id bigserial primary key,
    storage varchar not null,
    relative_path varchar not null,
    gl_repository varchar not null,
    gl_project_path varchar not null,
    -- It was made for a project that never came to be: what has branches is somebody else's.
    only_empty boolean not null default false,
    created_at timestamptz not null default now()
);

create unique index gatehouse_unique_removed_repositories on removed_repositories (storage, relative_path);
