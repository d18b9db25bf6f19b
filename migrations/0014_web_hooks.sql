-- Web hooks: who is told of pushes, what waits to be told, and what was answered.

alter table application_settings
    add column allow_local_requests_from_web_hooks_and_services boolean not null default false,
    add column allow_local_requests_from_system_hooks boolean not null default true,
    -- hosts, addresses and networks that hooks may reach although they are local
    add column outbound_local_requests_whitelist varchar(255)[] not null default '{}';

create table web_hooks (
    id bigserial primary key,
    -- ProjectHook (project_id), GroupHook (group_id: projects below it too) or SystemHook (every project)
    type varchar not null default 'ProjectHook',
    project_id bigint references projects (id) on delete cascade,
    group_id bigint references namespaces (id) on delete cascade,
    name text check (char_length(name) <= 255),
    description text check (char_length(description) <= 2048),
    -- AES-256-GCM under db_key_base, base64; the initialization vector beside it
    encrypted_url varchar not null,
    encrypted_url_iv varchar not null,
    encrypted_token varchar,
    encrypted_token_iv varchar,
    push_events boolean not null default true,
    tag_push_events boolean default false,
    -- one name, or * for any part of one; null or empty is every branch. Tags are not filtered.
    push_events_branch_filter text check (char_length(push_events_branch_filter) <= 5000),
    -- 0 wildcard, 2 all branches; GitLab's 1, regular expressions, is not supported
    branch_filter_strategy smallint not null default 0 check (branch_filter_strategy in (0, 2)),
    enable_ssl_verification boolean default true,
    created_at timestamp default (now() at time zone 'utc'),
    updated_at timestamp default (now() at time zone 'utc'),
    check (
        case type
            when 'ProjectHook' then project_id is not null and group_id is null
            when 'GroupHook' then group_id is not null and project_id is null
            when 'SystemHook' then num_nonnulls(project_id, group_id) = 0
            else false
        end
    )
);

create index index_web_hooks_on_project_id on web_hooks (project_id)
    where type = 'ProjectHook';
create index index_web_hooks_on_group_id on web_hooks (group_id)
    where type = 'GroupHook';
create index index_web_hooks_on_type on web_hooks (type)
    where type = 'SystemHook';

-- What waits to be delivered; the job names the row. It goes when the receiver has taken it.
create table web_hook_deliveries (
    -- the receiver sees it as Idempotency-Key, the same at every attempt
    id uuid primary key default gen_random_uuid(),
    web_hook_id bigint not null references web_hooks (id) on delete cascade,
    -- push_hooks or tag_push_hooks
    trigger varchar not null,
    -- the same for every hook that the same push sets off
    event_uuid uuid not null,
    request_data text not null,
    created_at timestamptz not null default now()
);

create index index_web_hook_deliveries_on_web_hook_id on web_hook_deliveries (web_hook_id);
create index index_web_hook_deliveries_on_created_at on web_hook_deliveries (created_at);

-- The last answers of each hook's receiver.
create table web_hook_logs (
    id bigserial primary key,
    web_hook_id bigint not null references web_hooks (id) on delete cascade,
    trigger varchar,
    execution_duration double precision,
    -- a number, or `internal error`
    response_status varchar,
    response_body text,
    internal_error_message varchar,
    created_at timestamp not null default (now() at time zone 'utc')
);

create index index_web_hook_logs_on_web_hook_id_and_id on web_hook_logs (web_hook_id, id);
