-- The last push to a project, which web hooks are tested with.

create index index_events_on_project_id_and_id on events (project_id, id desc)
    where action = 5;
