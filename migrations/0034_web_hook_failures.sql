-- Hooks whose receivers fail are paused, and in the end disabled; and the event that a push is one of.

alter table web_hooks
    -- failures in a row: from the 4th on the hook pauses, with the 40th it is disabled
    add column recent_failures smallint not null default 0,
    -- the end of the pause
    add column disabled_until timestamptz,
    -- of a SystemHook: one message a push, whatever the number of refs
    add column repository_update_events boolean not null default false;
