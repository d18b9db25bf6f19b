-- What the lists of the Admin area are read by. Texts are compared byte by byte, so that a search by the beginning of a
-- name and a page that goes on after a name are ranges of one index, whatever the database's collation is.

create index gatehouse_users_by_username on users ((lower(username) collate "C"), id);
create index gatehouse_users_by_email on users ((lower(email) collate "C"), id);
create index gatehouse_routes_by_path on routes (source_type, (lower(path) collate "C"), id);
-- By the last part of the path. Groups have no other way to be sorted by name: their routes stand among those of personal
-- namespaces.
create index gatehouse_groups_by_path on namespaces ((lower(path) collate "C"), id)
    where type = 'Group';
create index gatehouse_projects_by_path on projects ((lower(path) collate "C"), id);

-- Keys and tokens by their end, and by their last use.
create index gatehouse_keys_by_expiry on keys (expires_at, id)
    where expires_at is not null;
create index gatehouse_keys_by_last_use on keys ((coalesce(last_used_at, created_at)), id);
create index gatehouse_personal_access_tokens_by_expiry on personal_access_tokens (expires_at, id)
    where expires_at is not null and revoked is not true;
create index gatehouse_personal_access_tokens_by_last_use
    on personal_access_tokens ((coalesce(last_used_at, created_at at time zone 'utc')), id)
    where revoked is not true;

-- Audit events by who did it, and by what happened.
create index gatehouse_audit_events_by_author on audit_events (author_id, id);
create index gatehouse_audit_events_by_name on audit_events ((substring(details from ':event_name: ([a-z_]+)')), id);

-- Hooks that fail.
create index gatehouse_web_hooks_that_fail on web_hooks (id)
    where recent_failures > 0;
