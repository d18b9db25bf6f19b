-- A key whose user has shown a one-time password opens git for a while. GitLab keeps these in Redis as session:otp:<key id>.
create table otp_sessions (
  key_id bigint primary key references keys (id) on delete cascade,
  expires_at timestamptz not null
);

create index index_otp_sessions_on_expires_at on otp_sessions (expires_at);
