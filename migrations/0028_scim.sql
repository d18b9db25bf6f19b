-- Who is provisioned by an identity provider: for one group, or for the whole installation, and the providers' tokens.

create table group_scim_identities (
    id bigserial primary key,
    group_id bigint not null references namespaces (id) on delete cascade,
    user_id bigint not null references users (id) on delete cascade,
    -- the id of the scim_identities row that GitLab copied it from
    temp_source_id bigint,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    active boolean default false,
    extern_uid text not null check (char_length(extern_uid) <= 255)
);

create unique index index_group_scim_identities_on_lower_extern_uid_group_id
    on group_scim_identities (lower(extern_uid), group_id);
create unique index index_group_scim_identities_on_user_id_and_group_id on group_scim_identities (user_id, group_id);
create unique index index_group_scim_identities_on_temp_source_id on group_scim_identities (temp_source_id);
-- Lists go by id: counted, and walked over to the page, without the rows. GitLab has it on group_id alone.
create index index_group_scim_identities_on_group_id on group_scim_identities (group_id, id);

create table scim_identities (
    id bigserial primary key,
    -- null: the installation's. The rows of groups are older copies, which GitLab keeps in step.
    group_id bigint references namespaces (id) on delete cascade,
    user_id bigint not null references users (id) on delete cascade,
    active boolean default false,
    extern_uid varchar(255) not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create unique index index_scim_identities_on_lower_extern_uid_and_group_id
    on scim_identities (lower(extern_uid), group_id);
create unique index index_scim_identities_on_user_id_and_group_id on scim_identities (user_id, group_id);
create index index_scim_identities_on_group_id on scim_identities (group_id);
-- The indexes above do not bind rows without a group.
create unique index gatehouse_unique_scim_identities_on_lower_extern_uid
    on scim_identities (lower(extern_uid)) where group_id is null;
create unique index gatehouse_unique_scim_identities_on_user_id on scim_identities (user_id) where group_id is null;
create index gatehouse_scim_identities_on_id on scim_identities (id) where group_id is null;

create table group_scim_auth_access_tokens (
    id bigserial primary key,
    group_id bigint not null references namespaces (id) on delete cascade,
    temp_source_id bigint,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    -- the SHA-256 of the token
    token_encrypted bytea not null
);

create unique index index_group_scim_access_tokens_on_group_id_and_token
    on group_scim_auth_access_tokens (group_id, token_encrypted);
create unique index gatehouse_unique_group_scim_auth_access_tokens_on_group_id on group_scim_auth_access_tokens (group_id);
create unique index gatehouse_unique_group_scim_auth_access_tokens_on_token
    on group_scim_auth_access_tokens (token_encrypted);

create table scim_oauth_access_tokens (
    id bigserial primary key,
    group_id bigint references namespaces (id) on delete cascade,
    organization_id bigint references organizations (id) on delete cascade,
    -- the SHA-256 of the token, in hexadecimal digits
    token_encrypted varchar not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create unique index index_scim_oauth_access_tokens_on_group_id_and_token_encrypted
    on scim_oauth_access_tokens (group_id, token_encrypted);
create unique index gatehouse_unique_scim_oauth_access_tokens_on_token on scim_oauth_access_tokens (token_encrypted);
-- One token for the installation.
create unique index gatehouse_unique_scim_oauth_access_tokens_on_instance
    on scim_oauth_access_tokens ((group_id is null)) where group_id is null;

-- The domains, all of them, of which new members may have addresses. No row is no restriction.
create table allowed_email_domains (
    id bigserial primary key,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    group_id bigint not null references namespaces (id) on delete cascade,
    domain varchar(255) not null
);

create index index_allowed_email_domains_on_group_id on allowed_email_domains (group_id);
create unique index gatehouse_unique_allowed_email_domains on allowed_email_domains (group_id, lower(domain));

-- A new user gets a name that no namespace has, be it as path or as name.
create index index_on_namespaces_lower_name on namespaces (lower(name));

-- Provisioning finds people by a confirmed address in any letter case.
create index gatehouse_emails_on_lower_email on emails (lower(email));
