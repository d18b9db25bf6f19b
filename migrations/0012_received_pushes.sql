-- Pushes that Gitaly has reported and we have acknowledged. The row is what the job of the push works from, and for ten
-- minutes it is how a repeated report is recognised.
create table received_pushes (
  id bigserial primary key,
  -- SHA-256 of token, request id, repository and changes
  dedupe_key bytea not null,
  gl_repository text not null,
  -- key-11, user-7, as Gitaly sends it; empty where it sends none
  identifier text not null,
  -- lines of `old new ref`, until the push is processed
  changes text not null,
  push_options jsonb not null default '{}',
  received_at timestamptz not null,
  processed_at timestamptz
);

create unique index index_received_pushes_on_dedupe_key on received_pushes (dedupe_key);
create index index_received_pushes_on_received_at on received_pushes (received_at);
create index index_received_pushes_on_unprocessed on received_pushes (id)
    where processed_at is null;
