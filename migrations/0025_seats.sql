-- What counting the seats of a namespace looks at.

-- A custom role above Guest that starts from it.
alter table member_roles add column occupies_seat boolean not null default false;

-- Who takes a seat, straight from the index: a namespace may have 100,000 members.
create index gatehouse_members_on_member_namespace_id_for_seats on members (member_namespace_id)
    include (user_id, access_level, expires_at, member_role_id)
    where user_id is not null
      and requested_at is null
      and invite_token is null
      and coalesce(state, 0) = 0
      and access_level > 5;

-- The few who take none, so that the many need not be looked up.
create index gatehouse_users_without_seat on users (id)
    where state <> 'active' or user_type not in (0, 4);

-- Those whose count is due.
create index index_gitlab_subscriptions_on_last_seat_refresh_at on gitlab_subscriptions (last_seat_refresh_at);
