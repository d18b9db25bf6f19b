-- What was answered to a request that must not take effect twice, for the retries of a client that lost the answer.
create table idempotent_responses (
  -- SHA-256 of what makes two requests the same one
  key bytea primary key,
  -- sealed, for it holds credentials; null until the transaction that made the row ends
  body text,
  body_iv text,
  body_salt text,
  expires_at timestamptz not null
);

create index index_idempotent_responses_on_expires_at on idempotent_responses (expires_at);
