-- Projects, the repositories they and others own, and what git access asks about their contents.

-- A shard is a Gitaly storage.
create table shards (
    id bigserial primary key,
    name varchar not null
);

create unique index index_shards_on_name on shards (name);

insert into shards (name)
values ('default');

create table projects (
    id bigserial primary key,
    name varchar,
    path varchar,
    description text,
    creator_id bigint,
    namespace_id bigint not null references namespaces (id) on delete restrict,
    project_namespace_id bigint not null references namespaces (id) on delete cascade,
    organization_id bigint not null default 1 references organizations (id) on delete cascade,
    visibility_level integer not null default 0,
    archived boolean not null default false,
    pending_delete boolean default false,
    hidden boolean not null default false,
    marked_for_deletion_at date,
    repository_storage varchar not null default 'default',
    -- null or 0: the disk path is the full path; from 1 on it is hashed from the id
    storage_version smallint,
    repository_read_only boolean,
    pool_repository_id bigint,
    -- bytes; null inherits, 0 is no limit
    repository_size_limit bigint,
    lfs_enabled boolean,
    mirror boolean not null default false,
    printing_merge_request_link_enabled boolean not null default true,
    external_authorization_classification_label varchar,
    last_activity_at timestamp,
    last_repository_updated_at timestamp,
    created_at timestamp default (now() at time zone 'utc'),
    updated_at timestamp default (now() at time zone 'utc')
);

create unique index index_projects_on_project_namespace_id on projects (project_namespace_id);
create unique index unique_projects_on_name_namespace_id on projects (name, namespace_id);
create index index_projects_on_namespace_id_and_id on projects (namespace_id, id);
create index index_projects_on_repository_storage on projects (repository_storage);
create index index_projects_on_pool_repository_id on projects (pool_repository_id)
    where pool_repository_id is not null;

-- Levels: 0 disabled, 10 members only, 20 everyone who sees the project (also null), 30 public
create table project_features (
    id bigserial primary key,
    project_id bigint not null references projects (id) on delete cascade,
    repository_access_level integer not null default 20,
    wiki_access_level integer,
    snippets_access_level integer not null default 20,
    issues_access_level integer,
    merge_requests_access_level integer,
    builds_access_level integer,
    forking_access_level integer,
    pages_access_level integer not null default 20,
    container_registry_access_level integer not null default 0,
    package_registry_access_level integer not null default 0,
    security_and_compliance_access_level integer not null default 10,
    monitor_access_level integer not null default 20,
    infrastructure_access_level integer not null default 20,
    operations_access_level integer not null default 20,
    created_at timestamp default (now() at time zone 'utc'),
    updated_at timestamp default (now() at time zone 'utc')
);

create unique index index_project_features_on_project_id on project_features (project_id);

-- Sizes are bytes.
create table project_statistics (
    id bigserial primary key,
    project_id bigint not null references projects (id) on delete cascade,
    namespace_id bigint not null,
    root_namespace_id bigint references namespaces (id) on delete set null,
    storage_size bigint not null default 0,
    repository_size bigint not null default 0,
    lfs_objects_size bigint not null default 0,
    build_artifacts_size bigint not null default 0,
    packages_size bigint not null default 0,
    pipeline_artifacts_size bigint not null default 0,
    uploads_size bigint not null default 0,
    container_registry_size bigint not null default 0,
    commit_count bigint not null default 0,
    wiki_size bigint,
    snippets_size bigint,
    updated_at timestamptz not null default now()
);

create unique index index_project_statistics_on_project_id on project_statistics (project_id);
create index index_project_statistics_on_namespace_id on project_statistics (namespace_id);
create index index_project_statistics_on_root_namespace_id on project_statistics (root_namespace_id);

-- A hook knows the disk path alone, hence the unique indexes on disk_path here and below.
create table project_repositories (
    id bigserial primary key,
    shard_id bigint not null references shards (id) on delete restrict,
    disk_path varchar not null,
    project_id bigint not null,
    -- 0 sha1, 1 sha256
    object_format smallint not null default 0
);

create unique index index_project_repositories_on_disk_path on project_repositories (disk_path);
create unique index index_project_repositories_on_project_id on project_repositories (project_id);
create index index_project_repositories_on_shard_id_and_project_id on project_repositories (shard_id, project_id);

create table snippets (
    id bigserial primary key,
    -- PersonalSnippet or ProjectSnippet
    type varchar,
    author_id bigint not null,
    project_id bigint references projects (id) on delete cascade,
    organization_id bigint,
    title varchar,
    file_name varchar,
    visibility_level integer not null default 0,
    secret boolean not null default false,
    repository_read_only boolean not null default false,
    created_at timestamp default (now() at time zone 'utc'),
    updated_at timestamp default (now() at time zone 'utc'),
    check (num_nonnulls(project_id, organization_id) = 1)
);

create index index_snippets_on_author_id on snippets (author_id);
create index index_snippets_on_organization_id on snippets (organization_id);
create index index_snippets_on_project_id_and_visibility_level on snippets (project_id, visibility_level);

create table snippet_repositories (
    snippet_id bigint primary key references snippets (id) on delete cascade,
    shard_id bigint not null references shards (id) on delete restrict,
    disk_path varchar(80) not null,
    snippet_project_id bigint references projects (id) on delete cascade,
    snippet_organization_id bigint references organizations (id) on delete cascade
);

create unique index index_snippet_repositories_on_disk_path on snippet_repositories (disk_path);
create index index_snippet_repositories_on_shard_id on snippet_repositories (shard_id);
create index index_snippet_repositories_on_snippet_organization_id on snippet_repositories (snippet_organization_id);
create index index_snippet_repositories_on_snippet_project_id on snippet_repositories (snippet_project_id);

create table group_wiki_repositories (
    group_id bigint primary key,
    shard_id bigint not null references shards (id) on delete restrict,
    disk_path text not null check (char_length(disk_path) <= 80)
);

create unique index index_group_wiki_repositories_on_disk_path on group_wiki_repositories (disk_path);
create index index_group_wiki_repositories_on_shard_id on group_wiki_repositories (shard_id);

-- `design-<id>` in a gl_repository is the id of this row, not that of the project.
create table design_management_repositories (
    id bigserial primary key,
    project_id bigint not null references projects (id) on delete cascade,
    namespace_id bigint not null references namespaces (id) on delete cascade,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create unique index index_design_management_repositories_on_project_id on design_management_repositories (project_id);
create index index_design_management_repositories_on_namespace_id on design_management_repositories (namespace_id);

create table project_wiki_repositories (
    id bigserial primary key,
    project_id bigint not null references projects (id) on delete cascade,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create unique index index_project_wiki_repositories_on_project_id on project_wiki_repositories (project_id);

-- Short names that stand for a project over SSH.
create table project_aliases (
    id bigserial primary key,
    project_id bigint not null references projects (id) on delete cascade,
    name varchar not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create unique index index_project_aliases_on_name on project_aliases (name);
create index index_project_aliases_on_project_id on project_aliases (project_id);

-- Looked at to print a link after a push, and to let maintainers of the target push to the source branch.
create table merge_requests (
    id bigserial primary key,
    iid integer,
    target_project_id bigint not null references projects (id) on delete cascade,
    source_project_id bigint references projects (id) on delete set null,
    source_branch varchar not null,
    target_branch varchar not null,
    -- 1 opened, 2 closed, 3 merged, 4 locked (its merge is running)
    state_id smallint not null default 1,
    author_id bigint references users (id) on delete set null,
    title varchar,
    draft boolean not null default false,
    in_progress_merge_commit_sha varchar,
    allow_maintainer_to_push boolean,
    created_at timestamp default (now() at time zone 'utc'),
    updated_at timestamp default (now() at time zone 'utc')
);

create unique index index_merge_requests_on_target_project_id_and_iid on merge_requests (target_project_id, iid);
create index index_merge_requests_on_source_project_id_and_source_branch
    on merge_requests (source_project_id, source_branch);
create index index_merge_requests_on_author_id_and_id on merge_requests (author_id, id);
-- a push to a protected branch asks whether it is the merge that is running
create index idx_merge_requests_on_target_project_id_and_locked_state on merge_requests (target_project_id)
    where state_id = 4;

create table lfs_objects (
    id bigserial primary key,
    oid varchar not null,
    size bigint not null,
    file varchar,
    -- 1 local, 2 object storage
    file_store integer not null default 1,
    created_at timestamp default (now() at time zone 'utc'),
    updated_at timestamp default (now() at time zone 'utc')
);

create unique index index_lfs_objects_on_oid on lfs_objects (oid);

-- Several rows for one pair are normal: one per repository_type.
create table lfs_objects_projects (
    id bigserial primary key,
    lfs_object_id bigint not null references lfs_objects (id) on delete restrict,
    project_id bigint not null references projects (id) on delete cascade,
    -- 0 project, 1 wiki, 2 design
    repository_type smallint,
    created_at timestamp default (now() at time zone 'utc'),
    updated_at timestamp default (now() at time zone 'utc')
);

create index index_lfs_objects_projects_on_lfs_object_id on lfs_objects_projects (lfs_object_id);
create index index_lfs_objects_projects_on_project_id_and_lfs_object_id
    on lfs_objects_projects (project_id, lfs_object_id);

create table lfs_file_locks (
    id bigserial primary key,
    project_id bigint not null references projects (id) on delete cascade,
    user_id bigint not null references users (id) on delete cascade,
    path varchar(511),
    created_at timestamp not null default (now() at time zone 'utc')
);

create unique index index_lfs_file_locks_on_project_id_and_path on lfs_file_locks (project_id, path);
create index index_lfs_file_locks_on_user_id on lfs_file_locks (user_id);

-- Locks of files and folders on the default branch, LFS or not.
create table path_locks (
    id bigserial primary key,
    path varchar not null,
    project_id bigint not null references projects (id) on delete cascade,
    user_id bigint references users (id) on delete cascade,
    created_at timestamp not null default (now() at time zone 'utc'),
    updated_at timestamp not null default (now() at time zone 'utc')
);

create index index_path_locks_on_path on path_locks (path);
create index index_path_locks_on_project_id on path_locks (project_id);
create index index_path_locks_on_user_id on path_locks (user_id);
