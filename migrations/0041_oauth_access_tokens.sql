-- Tokens that applications have for users. Gatehouse hands out none; those of a GitLab that was before it, and those of
-- the state document, open git over HTTP.

create table oauth_applications (
    id bigserial primary key,
    name varchar not null,
    uid varchar not null,
    secret varchar not null,
    redirect_uri text not null,
    scopes text not null default '',
    owner_id bigint,
    owner_type varchar,
    trusted boolean not null default false,
    confidential boolean not null default true,
    expire_access_tokens boolean not null default false,
    ropc_enabled boolean not null default true,
    created_at timestamp,
    updated_at timestamp
);

create unique index index_oauth_applications_on_uid on oauth_applications (uid);
create index index_oauth_applications_on_owner_id_and_owner_type on oauth_applications (owner_id, owner_type);

create table oauth_access_tokens (
    id bigserial primary key,
    resource_owner_id bigint,
    application_id bigint,
    -- SHA-512 of the token in hex; in old rows the token itself
    token varchar not null,
    refresh_token varchar,
    previous_refresh_token varchar not null default '',
    -- seconds from created_at on; null is for ever
    expires_in integer default 7200,
    revoked_at timestamp,
    created_at timestamp not null default (now() at time zone 'utc'),
    scopes varchar,
    organization_id bigint not null default 1
);

create unique index index_oauth_access_tokens_on_token on oauth_access_tokens (token);
create unique index index_oauth_access_tokens_on_refresh_token on oauth_access_tokens (refresh_token);
create index index_oauth_access_tokens_on_application_id on oauth_access_tokens (application_id);
create index index_oauth_access_tokens_on_resource_owner_id on oauth_access_tokens (resource_owner_id);
