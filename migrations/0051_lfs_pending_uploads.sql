-- LFS objects that are on their way into a bucket: what Workhorse was let lay down there, which nobody else's name is taken
-- for, and uploads in parts, which a bucket keeps until they are given up.

create table lfs_pending_uploads (
    remote_id text primary key,
    oid text not null,
    size bigint not null,
    -- A project that goes takes no row with it: what is in the bucket must go too.
    project_id bigint not null,
    -- The name in the bucket.
    object_name text not null,
    -- The upload in parts, as the bucket calls it.
    upload_id text not null,
    -- Workhorse lays it down, under a name that is temporary.
    by_workhorse boolean not null,
    created_at timestamptz not null
);

create index gatehouse_lfs_pending_uploads_on_created_at on lfs_pending_uploads (created_at);
