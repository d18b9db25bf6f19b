-- Ours: pages of SCIM lists that go by user name, id or age are walked to along an index, however far in they are.

alter table group_scim_identities add column username text;
comment on column group_scim_identities.username is 'users.username in lower case, kept by triggers';
alter table scim_identities add column username text;
comment on column scim_identities.username is 'users.username in lower case, kept by triggers';

update group_scim_identities
set username = lower(users.username)
from users
where users.id = group_scim_identities.user_id;
update scim_identities
set username = lower(users.username)
from users
where users.id = scim_identities.user_id;

create function gatehouse_take_username() returns trigger
language plpgsql
as $$
begin
    -- Held, so that a rename at the same moment finds this row.
    select lower(username) into new.username from users where id = new.user_id for no key update;
    return new;
end
$$;

create trigger gatehouse_group_scim_identities_username
    before insert or update of user_id on group_scim_identities
    for each row execute function gatehouse_take_username();
create trigger gatehouse_scim_identities_username
    before insert or update of user_id on scim_identities
    for each row execute function gatehouse_take_username();

create function gatehouse_give_username() returns trigger
language plpgsql
as $$
begin
    update group_scim_identities set username = lower(new.username) where user_id = new.id;
    update scim_identities set username = lower(new.username) where user_id = new.id;
    return null;
end
$$;

create trigger gatehouse_users_username
    after update of username on users
    for each row
    when (old.username is distinct from new.username)
    execute function gatehouse_give_username();

create index gatehouse_group_scim_identities_by_username on group_scim_identities (group_id, username, id);
create index gatehouse_group_scim_identities_by_extern_uid on group_scim_identities (group_id, lower(extern_uid), id);
create index gatehouse_group_scim_identities_by_age on group_scim_identities (group_id, created_at, id);
create index gatehouse_scim_identities_by_username on scim_identities (username, id) where group_id is null;
create index gatehouse_scim_identities_by_extern_uid on scim_identities (lower(extern_uid), id) where group_id is null;
create index gatehouse_scim_identities_by_age on scim_identities (created_at, id) where group_id is null;
