-- How many pushes to a repository are under way. Whoever moves, renames or deletes a repository waits for zero. GitLab
-- keeps these in Redis for ten minutes after the last increase: a push that is refused late never reports its end.
create table reference_counters (
  -- as Gitaly sends it, whether or not there is such a repository
  gl_repository text primary key,
  value integer not null check (value >= 0),
  expires_at timestamptz not null
);
