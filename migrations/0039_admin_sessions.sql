-- Sessions of the Admin area: an administrator's personal access token, exchanged for a cookie. The cookie's digest alone
-- is kept. A session goes with its token's row and with its user's.
create table admin_sessions (
  id bigserial primary key,
  token_digest bytea not null,
  user_id bigint not null references users (id) on delete cascade,
  personal_access_token_id bigint not null references personal_access_tokens (id) on delete cascade,
  may_act boolean not null,
  ip_address inet,
  user_agent text check (char_length(user_agent) <= 255),
  created_at timestamptz not null,
  last_used_at timestamptz not null,
  expires_at timestamptz not null
);

create unique index index_admin_sessions_on_token_digest on admin_sessions (token_digest);
create index index_admin_sessions_on_user_id on admin_sessions (user_id);
create index index_admin_sessions_on_personal_access_token_id on admin_sessions (personal_access_token_id);
create index index_admin_sessions_on_expires_at on admin_sessions (expires_at);
