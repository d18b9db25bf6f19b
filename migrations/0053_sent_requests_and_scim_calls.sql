-- What was sent to a web hook's receiver, so that it can be sent again.
alter table web_hook_logs
    -- the delivery, which receivers get as Idempotency-Key
    add column delivery_id uuid,
    add column event_uuid uuid,
    add column request_data text;

-- The last call of each identity provider that showed its token (OURS).
create table scim_calls (
    -- nothing for the installation
    group_id bigint references namespaces (id) on delete cascade,
    called_at timestamptz not null,
    method text not null check (char_length(method) <= 16),
    -- the pattern of the route, such as /api/scim/v2/groups/{path}/Users/{id}
    route text not null check (char_length(route) <= 255),
    status smallint not null
);

create unique index index_scim_calls_on_group_id on scim_calls (group_id) nulls not distinct;
