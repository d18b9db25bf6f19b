-- What namespaces have subscribed to, what that was before each change, and the ledger of all provisioning.

create table gitlab_subscriptions (
    id bigserial primary key,
    namespace_id bigint not null references namespaces (id) on delete cascade,
    -- null: no plan, or one that the customers portal knows and plans does not
    hosted_plan_id bigint references plans (id) on delete cascade,
    start_date date default current_date,
    end_date date,
    trial boolean default false,
    trial_starts_on date,
    trial_ends_on date,
    -- 1 extended, 2 reactivated
    trial_extension_type smallint,
    seats integer default 0,
    -- of paid subscriptions as of last_seat_refresh_at
    seats_in_use integer not null default 0,
    max_seats_used integer default 0,
    max_seats_used_changed_at timestamptz,
    seats_owed integer not null default 0,
    auto_renew boolean,
    last_seat_refresh_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create unique index index_gitlab_subscriptions_on_namespace_id on gitlab_subscriptions (namespace_id);
create index index_gitlab_subscriptions_on_end_date_and_namespace_id on gitlab_subscriptions (end_date, namespace_id);
create index index_gitlab_subscriptions_on_hosted_plan_id_and_trial on gitlab_subscriptions (hosted_plan_id, trial);

-- The values before a change. The rows outlive the subscription.
create table gitlab_subscription_histories (
    id bigserial primary key,
    gitlab_subscription_id bigint not null,
    gitlab_subscription_created_at timestamptz,
    gitlab_subscription_updated_at timestamptz,
    namespace_id bigint not null,
    hosted_plan_id bigint,
    start_date date,
    end_date date,
    trial boolean,
    trial_starts_on date,
    trial_ends_on date,
    trial_extension_type smallint,
    seats integer,
    seats_in_use integer,
    max_seats_used integer,
    auto_renew boolean,
    -- 1 updated, 2 destroyed
    change_type smallint not null,
    created_at timestamptz not null default now()
);

create index index_gitlab_subscription_histories_on_gitlab_subscription_id
    on gitlab_subscription_histories (gitlab_subscription_id);

-- Every change of what namespaces are provisioned with: one row a change and record, written in the change's transaction.
create table provisioning_ledger_entries (
    id bigserial primary key,
    created_at timestamptz not null,
    -- no foreign key: the ledger outlives the namespace
    namespace_id bigint not null,
    -- subscription, add_on_purchase, minutes_pack, reconciliation, storage_exclusion
    record_type text not null check (char_length(record_type) <= 255),
    record_id bigint not null,
    -- null: it did not exist
    state_before jsonb,
    -- null: it exists no more
    state_after jsonb,
    -- administrator, customers_portal, operator, seat_refresh
    author_type text not null check (char_length(author_type) <= 255),
    -- the user, where the author is one
    author_id bigint,
    author_name text not null check (char_length(author_name) <= 255),
    request_id text check (char_length(request_id) <= 255),
    check (state_before is not null or state_after is not null)
);

create index index_provisioning_ledger_entries_on_namespace_id_and_id on provisioning_ledger_entries (namespace_id, id);

create function provisioning_ledger_is_append_only() returns trigger
    language plpgsql as
$$
begin
    raise exception 'the provisioning ledger takes new rows alone';
end
$$;

create trigger provisioning_ledger_is_append_only
    before update or delete or truncate
    on provisioning_ledger_entries
    for each statement
execute function provisioning_ledger_is_append_only();
