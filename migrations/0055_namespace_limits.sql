-- The storage that a namespace has bought. What it has of compute minutes is in namespaces.
create table namespace_limits (
    namespace_id bigint primary key references namespaces (id) on delete cascade,
    -- megabytes
    additional_purchased_storage_size bigint not null default 0,
    -- the last day of it; null: it does not end
    additional_purchased_storage_ends_on date
);

-- The ledger's further kind of record: namespace_limits, of the storage and the minutes together.
comment on column provisioning_ledger_entries.record_type is
    'subscription, add_on_purchase, minutes_pack, reconciliation, storage_exclusion, namespace_limits';
