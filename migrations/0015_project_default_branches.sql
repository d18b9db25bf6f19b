-- The default branch of a repository, as it was last seen. GitLab asks Gitaly each time and caches the answer in Redis;
-- the truth is the repository's HEAD.
create table project_default_branches (
  project_id bigint primary key references projects (id) on delete cascade,
  name text not null,
  known_at timestamptz not null
);
