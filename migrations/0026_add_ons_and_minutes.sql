-- What namespaces have bought beside a subscription: add-ons, and packs of compute minutes.

create table subscription_add_ons (
    id bigserial primary key,
    -- 1 code_suggestions, 2 product_analytics, 3 duo_enterprise, 4 duo_amazon_q, 5 duo_nano, later duo_core,
    -- 6 self_hosted_dap
    name smallint not null,
    description text not null check (char_length(description) <= 512),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create unique index index_subscription_add_ons_on_name on subscription_add_ons (name);

create table subscription_add_on_purchases (
    id bigserial primary key,
    subscription_add_on_id bigint not null references subscription_add_ons (id) on delete cascade,
    namespace_id bigint not null references namespaces (id) on delete cascade,
    organization_id bigint not null default 1 references organizations (id) on delete cascade,
    quantity integer not null,
    started_at date,
    expires_on date not null,
    purchase_xid text not null check (char_length(purchase_xid) <= 255),
    trial boolean not null default false,
    last_assigned_users_refreshed_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

-- A namespace buys an add-on once, whoever asks and how often. GitLab leaves that to its application.
create unique index index_subscription_add_on_purchases_on_namespace_id_add_on_id
    on subscription_add_on_purchases (namespace_id, subscription_add_on_id);
create index index_addon_purchases_on_last_refreshed_at_desc_nulls_last
    on subscription_add_on_purchases (last_assigned_users_refreshed_at desc nulls last);
create index index_subscription_add_on_purchases_on_expires_on on subscription_add_on_purchases (expires_on);

create table ci_minutes_additional_packs (
    id bigserial primary key,
    namespace_id bigint not null references namespaces (id) on delete cascade,
    expires_at date,
    number_of_minutes integer not null,
    purchase_xid text check (char_length(purchase_xid) <= 50)
);

create index index_ci_minutes_additional_packs_on_namespace_id_purchase_xid
    on ci_minutes_additional_packs (namespace_id, purchase_xid);
-- A purchase is credited once, on one namespace. GitLab's index is not unique, so two requests at once credit it twice.
create unique index index_ci_minutes_additional_packs_on_purchase_xid on ci_minutes_additional_packs (purchase_xid);
