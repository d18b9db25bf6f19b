-- What the lists of the public REST API are read by: users by each of their orders, and by what is looked for whole; deploy
-- keys; projects with topics; and tokens by a part of their name.

create index gatehouse_users_by_name on users ((coalesce(name, '')), id);
create index gatehouse_users_by_exact_username on users ((coalesce(username, '')), id);
create index gatehouse_users_by_creation on users ((coalesce(created_at, 'epoch')), id);
create index gatehouse_users_by_change on users ((coalesce(updated_at, 'epoch')), id);
create index gatehouse_users_on_lower_name on users (lower(name));
create index gatehouse_users_on_lower_public_email on users (lower(public_email))
    where public_email is not null;
create index gatehouse_users_who_are_external on users (id)
    where external;
create index gatehouse_users_with_one_time_passwords on users (id)
    where otp_required_for_login;
create index gatehouse_deploy_keys on keys (id)
    where type = 'DeployKey';
create index gatehouse_projects_with_topics on projects (id)
    where kept_settings ? 'topics';

-- As in 0044: without the extension searches find the same and take longer.
do $$
begin
    create index index_personal_access_tokens_on_name_trigram on personal_access_tokens using gin (name gin_trgm_ops);
exception
    when undefined_object then
        raise warning 'searches of tokens go without pg_trgm, and so without an index: %', sqlerrm;
end
$$;
