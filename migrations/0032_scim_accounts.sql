-- What SCIM keeps of an account: names as they were sent, whose word an address rests on, and who manages the account.

-- Ours: the value of users.confirmed_at that a group's SCIM wrote, because the installation asks nobody to confirm. While
-- the two agree, the address rests on the word of one group's provider, and no other group may take the account by it.
alter table user_details add column confirmed_by_group_scim_at timestamp;

-- Who was made by a group's SCIM so far, be the group there or gone.
update user_details
set confirmed_by_group_scim_at = users.confirmed_at
from users
where users.id = user_details.user_id
  and users.confirmed_at is not null
  and user_details.provisioned_by_group_id is not null;

-- What a group that is gone made or managed is nobody's, as in GitLab.
update user_details
set provisioned_by_group_id = null
where not exists (select from namespaces where namespaces.id = user_details.provisioned_by_group_id);
update user_details
set enterprise_group_id = null
where not exists (select from namespaces where namespaces.id = user_details.enterprise_group_id);
alter table user_details
    add foreign key (provisioned_by_group_id) references namespaces (id) on delete set null,
    add foreign key (enterprise_group_id) references namespaces (id) on delete set null;
create index index_user_details_on_provisioned_by_group_id on user_details (provisioned_by_group_id);

-- A group manages the accounts that its provider made.
update user_details
set enterprise_group_id = provisioned_by_group_id,
    enterprise_group_associated_at = now()
where provisioned_by_group_id is not null
  and enterprise_group_id is null;

-- Last, since whoever reads users waits from here on.
alter table users
    add column first_name varchar(255),
    add column last_name varchar(255);
