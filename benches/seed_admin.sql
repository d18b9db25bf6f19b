-- What the pages of the Admin area list, beside what benches/seed.sql has: tokens, audit events, hooks, agents with findings,
-- a ledger, and memberships.

begin;
set local synchronous_commit = off;
set local session_replication_role = replica;

update users set admin = true where id = 1;

insert into personal_access_tokens (user_id, name, scopes, token_digest, expires_at, last_used_at, created_at)
select (n - 1) % 200000 + 1, 'token ' || n, E'---\n- read_api\n', 'digest ' || n, date '2026-01-01' + (n % 1000)::integer,
  timestamptz '2026-01-01' + n % 400 * interval '1 day', '2026-01-01'
from generate_series(1, 1000000) as n;

insert into audit_events (author_id, author_name, entity_type, entity_id, entity_path, target_type, target_id, details, created_at)
select (n - 1) % 200000 + 1, 'user-' || (n - 1) % 200000 + 1, 'User', (n - 1) % 200000 + 1, 'user-' || (n - 1) % 200000 + 1,
  'Key', n, E'---\n:event_name: ' ||
    (array['git_otp_refused', 'lfs_token_issued', 'lfs_token_issued', 'personal_access_token_issued'])[n % 4 + 1] ||
    E'\n:author_name: "somebody"\n:author_class: User\n:custom_message: "what happened"\n',
  timestamp '2026-01-01' + n * interval '30 seconds'
from generate_series(1, 1000000) as n;

insert into web_hooks (type, project_id, name, encrypted_url, encrypted_url_iv, recent_failures)
select 'ProjectHook', n, 'hook ' || n, '', '', case when n % 100 = 0 then 5 else 0 end
from generate_series(1, 100000) as n;

insert into cluster_agents (project_id, name)
select n, 'agent-' || n
from generate_series(1, 10000) as n;
insert into cluster_agent_tokens (agent_id, project_id, token_encrypted, name, last_used_at)
select id, project_id, 'digest ' || id, 'token', now()
from cluster_agents;
insert into vulnerability_reads
  (vulnerability_id, project_id, scanner_id, report_type, severity, state, uuid, cluster_agent_id, casted_cluster_agent_id)
select id * 10 + finding, project_id, 1, 7, (array[4, 5, 6, 7])[finding % 4 + 1], 1, gen_random_uuid(), id::text, id
from cluster_agents, generate_series(0, 9) as finding;

insert into provisioning_ledger_entries
  (created_at, namespace_id, record_type, record_id, state_before, state_after, author_type, author_name)
select timestamptz '2026-01-01' + n * interval '1 minute', (n - 1) % 500 + 1, 'subscription', n, '{"seats": 5}', '{"seats": 6}',
  'operator', 'gatehouse apply'
from generate_series(1, 200000) as n;

-- 400 members of each root, and 4,000 more of the first one.
insert into members (type, source_type, source_id, member_namespace_id, user_id, access_level)
select 'GroupMember', 'Namespace', n % 500 + 1, n % 500 + 1, n, 30
from generate_series(1, 200000) as n
union all
select 'GroupMember', 'Namespace', 1, 1, n, 30
from generate_series(50, 200000, 50) as n
where n % 500 <> 0;

commit;
analyze;
