-- What monitoring asks for at each scrape: the first of the secrets of administrators and of machines that expires.

create index gatehouse_users_who_are_administrators on users (id)
    where admin;
create index gatehouse_deploy_keys_on_expires_at on keys (expires_at)
    where type = 'DeployKey' and expires_at is not null;
