-- Users and what belongs to their accounts.
--
-- All migrations: tables, columns and indexes carry GitLab's names and types and are a subset of its schema (17.11), so that an
-- operator of GitLab finds the way around. Four things to know when reading them:
--   * A `timestamp` holds UTC. Our own inserts leave created_at and updated_at to their defaults.
--   * Where GitLab forbids null by a check constraint, these files say `not null`.
--   * An id of another table without `references` may point at a row that is gone, as in GitLab.
--   * Indexes named gatehouse_* are stricter than GitLab's and exist only here.

create table organizations (
    id bigserial primary key,
    name text not null default '' check (char_length(name) <= 255),
    path text not null check (char_length(path) <= 255),
    visibility_level smallint not null default 0,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

-- GitLab keeps the ids below 1000 for organizations that it creates itself.
alter sequence organizations_id_seq start with 1000 restart with 1000;

create unique index unique_organizations_on_path_case_insensitive on organizations (lower(path));

insert into organizations (id, name, path)
values (1, 'Default', 'default');

create table users (
    id bigserial primary key,
    username varchar,
    name varchar,
    email varchar not null default '',
    encrypted_password varchar not null default '',
    state varchar not null default 'active'
        check (state in ('active', 'blocked', 'blocked_pending_approval', 'ldap_blocked', 'deactivated', 'banned')),
    -- 0 human, 1 support_bot, 2 alert_bot, 3 visual_review_bot, 4 service_user, 5 ghost, 6 project_bot, 7 migration_bot,
    -- 8 security_bot, 9 automation_bot, 10 security_policy_bot, 11 admin_bot, 13 service_account, 15 placeholder,
    -- 16 duo_code_review_bot, 17 import_user
    user_type smallint not null default 0,
    admin boolean not null default false,
    auditor boolean not null default false,
    external boolean default false,
    can_create_group boolean not null default true,
    projects_limit integer not null default 100000,
    private_profile boolean not null default false,
    confirmed_at timestamp,
    locked_at timestamp,
    failed_attempts integer default 0,
    password_expires_at timestamp,
    password_automatically_set boolean default false,
    otp_required_for_login boolean not null default false,
    encrypted_otp_secret varchar,
    encrypted_otp_secret_iv varchar,
    encrypted_otp_secret_salt varchar,
    -- a JSON array of hashes
    otp_backup_codes text,
    -- the last time step that was used, so that a code works once
    consumed_timestep integer,
    otp_secret_expires_at timestamptz,
    otp_grace_period_started_at timestamp,
    require_two_factor_authentication_from_group boolean not null default false,
    two_factor_grace_period integer not null default 48,
    public_email varchar,
    commit_email varchar,
    notification_email varchar,
    unconfirmed_email varchar,
    managing_group_id bigint,
    accepted_term_id bigint,
    last_activity_on date,
    created_by_id bigint,
    composite_identity_enforced boolean not null default false,
    created_at timestamp default (now() at time zone 'utc'),
    updated_at timestamp default (now() at time zone 'utc')
);

create unique index index_users_on_email on users (email);
create index index_on_users_lower_email on users (lower(email));
create index index_users_on_username on users (username);
create index index_users_on_state_and_user_type on users (state, user_type);

-- GitLab leaves usernames free and relies on the route of the personal namespace, which is unique. We find users by
-- lower(username), so the rule stands here as well. The index replaces GitLab's plain index_on_users_lower_username.
create unique index gatehouse_unique_users_on_lower_username on users (lower(username));

-- The primary key serves as GitLab's index_user_details_on_user_id.
create table user_details (
    user_id bigint primary key references users (id) on delete cascade,
    provisioned_by_group_id bigint,
    enterprise_group_id bigint,
    enterprise_group_associated_at timestamptz,
    -- references namespaces, from the next migration on
    bot_namespace_id bigint,
    project_authorizations_recalculated_at timestamptz not null default '2010-01-01 00:00:00+00'
);

create index index_user_details_on_enterprise_group_id_and_user_id on user_details (enterprise_group_id, user_id);

-- Addresses beside the one in users.email.
create table emails (
    id bigserial primary key,
    user_id bigint not null references users (id) on delete cascade,
    email varchar not null,
    confirmed_at timestamp,
    confirmation_token varchar,
    created_at timestamp default (now() at time zone 'utc'),
    updated_at timestamp default (now() at time zone 'utc')
);

create unique index index_emails_on_email on emails (email);
create unique index index_emails_on_confirmation_token on emails (confirmation_token);
create index index_emails_on_user_id on emails (user_id);

-- A row means that the user has a second factor; we never verify one.
create table webauthn_registrations (
    id bigserial primary key,
    user_id bigint not null references users (id) on delete cascade,
    credential_xid text not null,
    name text not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create unique index index_webauthn_registrations_on_credential_xid on webauthn_registrations (credential_xid);
create index index_webauthn_registrations_on_user_id on webauthn_registrations (user_id);
