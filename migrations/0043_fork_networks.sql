-- Which projects are forks of which: an LFS object of the source is a fork's too.

create table fork_networks (
    id bigserial primary key,
    root_project_id bigint references projects (id) on delete set null,
    deleted_root_project_name varchar,
    organization_id bigint not null default 1
);

create unique index index_fork_networks_on_root_project_id on fork_networks (root_project_id);

create table fork_network_members (
    id bigserial primary key,
    fork_network_id bigint not null references fork_networks (id) on delete cascade,
    project_id bigint not null references projects (id) on delete cascade,
    forked_from_project_id bigint references projects (id) on delete set null
);

create unique index index_fork_network_members_on_project_id on fork_network_members (project_id);
create index index_fork_network_members_on_fork_network_id on fork_network_members (fork_network_id);
create index index_fork_network_members_on_forked_from_project_id on fork_network_members (forked_from_project_id);

-- The sweep for objects that no project has looks at the oldest first.
create index gatehouse_lfs_objects_on_created_at on lfs_objects (created_at);
