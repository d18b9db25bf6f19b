-- What a user is told after their next push: the repository has moved, or was created. /allowed writes a message and
-- post_receive reads it once. GitLab keeps these in Redis for five minutes.
create table post_push_messages (
  user_id bigint not null references users (id) on delete cascade,
  gl_repository text not null,
  kind text not null check (kind in ('moved', 'created')),
  message text not null,
  expires_at timestamptz not null,
  primary key (user_id, gl_repository, kind)
);

create index index_post_push_messages_on_expires_at on post_push_messages (expires_at);
