-- The first days of a repository: which branch is its default one, and whether it has been made at all.

-- Until a branch of that name has been seen, HEAD names what nobody has pushed, and follows the first push. What was
-- known before this step was seen after a push.
alter table project_default_branches
    add column born boolean not null default true;
alter table project_default_branches
    alter column born set default false;

-- Projects whose first push was reported while Gitaly gave no answer: their default branch is settled and protected later.
create table unsettled_default_branches (
    project_id bigint primary key references projects (id) on delete cascade,
    created_at timestamptz not null default now()
);

-- Projects whose repository could not be made when they were, since Gitaly gave no answer.
create table missing_repositories (
    project_id bigint primary key references projects (id) on delete cascade,
    -- the branch that HEAD is to name; null for what the namespace or the instance says when it is made
    default_branch text,
    created_at timestamptz not null default now()
);
