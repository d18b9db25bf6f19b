-- Who may do what where: memberships, shares, and the effective level per user and project that is derived from them.
--
-- Access levels: 0 none, 5 minimal, 10 guest, 15 planner, 20 reporter, 30 developer, 40 maintainer, 50 owner

create table member_roles (
    id bigserial primary key,
    namespace_id bigint references namespaces (id) on delete cascade,
    name text not null default 'Custom' check (char_length(name) <= 255),
    base_access_level integer,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create unique index index_member_roles_on_name_unique on member_roles (name)
    where namespace_id is null;
create unique index index_member_roles_on_namespace_id_name_unique on member_roles (namespace_id, name)
    where namespace_id is not null;

create table saml_providers (
    id bigserial primary key,
    group_id bigint not null references namespaces (id) on delete cascade,
    enabled boolean not null,
    sso_url varchar not null,
    certificate_fingerprint varchar not null,
    enforced_sso boolean not null default false,
    -- git over SSH and HTTP asks for a live SSO session as well
    git_check_enforced boolean not null default false,
    enforced_group_managed_accounts boolean not null default false,
    prohibited_outer_forks boolean not null default true,
    default_membership_role smallint not null default 10,
    member_role_id bigint references member_roles (id) on delete set null,
    disable_password_authentication_for_enterprise_users boolean default false
);

create index index_saml_providers_on_group_id on saml_providers (group_id);
create index index_saml_providers_on_member_role_id on saml_providers (member_role_id);

create table identities (
    id bigserial primary key,
    user_id bigint,
    provider varchar,
    extern_uid varchar,
    secondary_extern_uid varchar,
    -- set for group SAML alone; the same extern_uid may occur once per provider row
    saml_provider_id bigint references saml_providers (id) on delete cascade,
    trusted_extern_uid boolean default true,
    created_at timestamp default (now() at time zone 'utc'),
    updated_at timestamp default (now() at time zone 'utc')
);

create index index_on_identities_lower_extern_uid_and_provider on identities (lower(extern_uid), provider);
create index index_identities_on_user_id on identities (user_id);
create index index_identities_on_saml_provider_id on identities (saml_provider_id)
    where saml_provider_id is not null;

-- Also invitations (user_id is null) and access requests (requested_at is set).
create table members (
    id bigserial primary key,
    -- GroupMember or ProjectMember
    type varchar,
    -- Namespace or Project
    source_type varchar not null,
    source_id bigint not null,
    -- the group, or the shadow namespace of the project
    member_namespace_id bigint not null references namespaces (id) on delete cascade,
    user_id bigint,
    access_level integer not null,
    expires_at date,
    requested_at timestamp,
    -- 0 active, 1 awaiting
    state smallint default 0,
    member_role_id bigint references member_roles (id) on delete set null,
    -- 3: as the user's global setting says
    notification_level integer not null default 3,
    created_by_id bigint,
    invite_email varchar,
    invite_token varchar,
    invite_accepted_at timestamp,
    ldap boolean not null default false,
    override boolean not null default false,
    created_at timestamp default (now() at time zone 'utc'),
    updated_at timestamp default (now() at time zone 'utc')
);

create unique index index_members_on_invite_token on members (invite_token);
create index index_members_on_user_id_and_access_level_requested_at_is_null on members (user_id, access_level)
    where requested_at is null;
create index index_members_on_source_and_type_and_access_level on members (source_id, source_type, type, access_level);
create index index_non_requested_project_members_on_source_id_and_type on members (source_id, source_type)
    where requested_at is null and type = 'ProjectMember';
create index index_members_on_member_namespace_id_compound on members (member_namespace_id, type, requested_at, id);
create index index_members_on_member_role_id on members (member_role_id);
-- for the job that removes expired rows; GitLab's covers the many rows without a date as well
create index index_members_on_expires_at on members (expires_at)
    where expires_at is not null;

-- Derived from members and links. Several levels per pair are possible: the highest counts.
create table project_authorizations (
    user_id bigint not null,
    project_id bigint not null references projects (id) on delete cascade,
    access_level integer not null,
    is_unique boolean,
    primary key (user_id, project_id, access_level)
);

create unique index index_project_authorizations_on_project_user_access_level
    on project_authorizations (project_id, user_id, access_level);
create unique index index_unique_project_authorizations_on_unique_project_user
    on project_authorizations (project_id, user_id)
    where is_unique;

create table project_group_links (
    id bigserial primary key,
    project_id bigint not null references projects (id) on delete cascade,
    group_id bigint not null references namespaces (id) on delete cascade,
    group_access integer not null default 30,
    expires_at date,
    member_role_id bigint references member_roles (id) on delete set null,
    created_at timestamp default (now() at time zone 'utc'),
    updated_at timestamp default (now() at time zone 'utc')
);

create index index_project_group_links_on_group_id_and_project_id on project_group_links (group_id, project_id);
create index index_project_group_links_on_project_id on project_group_links (project_id);
create index index_project_group_links_on_member_role_id on project_group_links (member_role_id);

create table group_group_links (
    id bigserial primary key,
    -- gives access
    shared_group_id bigint not null references namespaces (id) on delete cascade,
    -- gets it
    shared_with_group_id bigint not null references namespaces (id) on delete cascade,
    group_access smallint not null default 30,
    expires_at date,
    member_role_id bigint references member_roles (id) on delete set null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create unique index index_group_group_links_on_shared_group_and_shared_with_group
    on group_group_links (shared_group_id, shared_with_group_id);
create index index_group_group_links_on_shared_with_group_and_group_access
    on group_group_links (shared_with_group_id, group_access);
create index index_group_group_links_on_member_role_id on group_group_links (member_role_id);

-- Address ranges from which a root group, and all under it, may be used. No row is no restriction.
create table ip_restrictions (
    id bigserial primary key,
    group_id bigint not null references namespaces (id) on delete cascade,
    range varchar not null
);

create index index_ip_restrictions_on_group_id on ip_restrictions (group_id);

-- Stricter than GitLab, which leaves these rules to its application: the state document names a row by these columns, so there
-- must be one row at most, also when two writers meet.
create unique index gatehouse_unique_members_on_source_and_user on members (source_type, source_id, user_id)
    where user_id is not null;
create unique index gatehouse_unique_deploy_keys_projects on deploy_keys_projects (deploy_key_id, project_id);
create unique index gatehouse_unique_project_group_links on project_group_links (project_id, group_id);
create unique index gatehouse_unique_ip_restrictions on ip_restrictions (group_id, range);
