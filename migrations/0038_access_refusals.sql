-- Git attempts that were refused, for operators who are asked why. Kept for a while and up to a number; under a flood only
-- some are kept. What they name may be gone, so nothing is referenced.
create table access_refusals (
    id bigserial primary key,
    created_at timestamptz not null,
    -- the rule's id in the contract, the name of the push rule's setting, or rate_limit
    rule text not null check (char_length(rule) <= 64),
    -- what the user was told
    message text not null check (char_length(message) <= 2000),
    -- who, as the request named them: key-7, user-3, or a username
    actor text not null check (char_length(actor) <= 255),
    user_id bigint,
    username text check (char_length(username) <= 255),
    -- where: what was asked for, and the project that was found
    target text not null check (char_length(target) <= 1024),
    project_id bigint,
    -- git-upload-pack or git-receive-pack
    command text not null check (char_length(command) <= 64),
    protocol text not null check (char_length(protocol) <= 64),
    -- of a push, the ref that was refused, or the first one
    ref_name text check (char_length(ref_name) <= 1024),
    old_id text check (char_length(old_id) <= 64),
    new_id text check (char_length(new_id) <= 64),
    client_ip inet,
    correlation_id text not null check (char_length(correlation_id) <= 255),
    -- how many refusals before this one were not kept, for there were too many
    skipped bigint not null default 0
);

create index gatehouse_access_refusals_on_created_at on access_refusals (created_at);
create index gatehouse_access_refusals_on_project_id_and_id on access_refusals (project_id, id desc);
create index gatehouse_access_refusals_on_user_id_and_id on access_refusals (user_id, id desc);
create index gatehouse_access_refusals_on_rule_and_id on access_refusals (rule, id desc);
create index gatehouse_access_refusals_on_correlation_id on access_refusals (correlation_id);
