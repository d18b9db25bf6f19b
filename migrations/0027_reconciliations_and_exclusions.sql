-- When the seats of namespaces are reckoned up next, and which namespaces have no limit on their storage.

create table upcoming_reconciliations (
    id bigserial primary key,
    namespace_id bigint references namespaces (id) on delete cascade,
    organization_id bigint not null default 1 references organizations (id) on delete cascade,
    next_reconciliation_date date not null,
    display_alert_from date not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create unique index index_upcoming_reconciliations_on_namespace_id on upcoming_reconciliations (namespace_id);

create table namespaces_storage_limit_exclusions (
    id bigserial primary key,
    namespace_id bigint not null references namespaces (id) on delete cascade,
    reason text not null check (char_length(reason) <= 255),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create unique index unique_idx_namespaces_storage_limit_exclusions_on_namespace_id
    on namespaces_storage_limit_exclusions (namespace_id);
