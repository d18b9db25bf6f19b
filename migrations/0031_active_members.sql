-- Ours: the one meaning of "active member". Every query asks it of the whole row, and PostgreSQL writes the body into the
-- query, so that indexes serve as if it were spelt there.

create function gatehouse_is_active_member(member members, today date) returns boolean
language sql
immutable
parallel safe
as $$
    -- Neither an invitation nor a request for access, nor somebody who awaits approval, nor one whose last day has passed.
    select member.user_id is not null
        and member.requested_at is null
        and member.invite_token is null
        and member.state = 0
        and (member.expires_at is null or member.expires_at > today)
$$;

-- Of the function's words, so that it serves the function. Those who read members go on while it is built.
create index gatehouse_members_on_member_namespace_id_for_seats_new on members (member_namespace_id)
    include (user_id, access_level, expires_at, member_role_id)
    where user_id is not null
      and requested_at is null
      and invite_token is null
      and state = 0
      and access_level > 5;

update members set state = 0 where state is null;

-- From here on they wait, so this comes last.
alter table members alter column state set not null;
drop index gatehouse_members_on_member_namespace_id_for_seats;
alter index gatehouse_members_on_member_namespace_id_for_seats_new
    rename to gatehouse_members_on_member_namespace_id_for_seats;
