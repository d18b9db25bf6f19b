-- Who guesses credentials of git over HTTP, counted for all servers together. GitLab keeps this in Redis.

create table git_auth_failures (
    address inet not null,
    -- SHA-256 of the login in small letters: people type passwords where a login belongs
    login bytea not null,
    failures integer not null,
    window_started_at timestamptz not null,
    primary key (address, login)
);

create index gatehouse_git_auth_failures_on_window_started_at on git_auth_failures (window_started_at);

create table git_auth_bans (
    address inet primary key,
    banned_until timestamptz not null
);

create index gatehouse_git_auth_bans_on_banned_until on git_auth_bans (banned_until);
