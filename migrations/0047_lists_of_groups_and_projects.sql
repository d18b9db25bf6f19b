-- What lists of groups and projects are sorted by. Those who read go on while an index is built.

create index index_projects_on_created_at_and_id on projects (created_at, id);
create index index_projects_on_updated_at_and_id on projects (updated_at, id);
create index index_projects_on_last_activity_at_and_id on projects (last_activity_at, id);
create index index_projects_on_name_and_id on projects (name, id);
create index index_projects_on_path_and_id on projects (path, id);
create index gatehouse_groups_on_name_and_id on namespaces (name, id)
    where type = 'Group';
-- The bots of access tokens go with their group or project.
create index index_user_details_on_bot_namespace_id on user_details (bot_namespace_id)
    where bot_namespace_id is not null;
create index gatehouse_groups_on_path_and_id on namespaces (path, id)
    where type = 'Group';
