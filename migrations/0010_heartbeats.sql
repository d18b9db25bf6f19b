-- What GET /internal/check writes and reads back, to say whether the state that GitLab keeps in Redis can be kept.
create unlogged table heartbeats (
  name text primary key,
  beat_at timestamptz not null
);
