-- Groups of the installation's identity provider, tied to groups here by name, and who is in them.

create table saml_group_links (
    id bigserial primary key,
    access_level smallint not null,
    group_id bigint not null references namespaces (id) on delete cascade,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    saml_group_name text not null check (char_length(saml_group_name) <= 255),
    member_role_id bigint references member_roles (id) on delete cascade,
    assign_duo_seats boolean not null default false,
    -- what the provider calls the group, where SCIM manages it
    scim_group_uid uuid,
    provider text check (char_length(provider) <= 255)
);

create unique index index_saml_group_links_on_group_id_and_saml_group_name
    on saml_group_links (group_id, saml_group_name);
create index index_saml_group_links_on_member_role_id on saml_group_links (member_role_id);
create index index_saml_group_links_on_scim_group_uid on saml_group_links (scim_group_uid);
-- A provider names a group by the name that the links have.
create index gatehouse_saml_group_links_on_saml_group_name on saml_group_links (saml_group_name);

create table scim_group_memberships (
    id bigserial primary key,
    user_id bigint not null references users (id) on delete cascade,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    scim_group_uid uuid not null
);

create unique index index_scim_group_memberships_on_user_id_and_scim_group_uid
    on scim_group_memberships (user_id, scim_group_uid);
-- Members are listed in the order in which they came; GitLab has it on scim_group_uid alone.
create index index_scim_group_memberships_on_scim_group_uid
    on scim_group_memberships (scim_group_uid, id) include (user_id);

-- Ours: whose membership in a linked group is to be brought in line, by a job. A row for each, however often they change.
create table scim_member_syncs (
    group_id bigint not null references namespaces (id) on delete cascade,
    user_id bigint not null references users (id) on delete cascade,
    -- what they have here may become less or end: they were taken out of a group of the provider, or a link gives less
    leaves boolean not null,
    primary key (group_id, user_id)
);

create index gatehouse_scim_member_syncs_on_user_id on scim_member_syncs (user_id);
