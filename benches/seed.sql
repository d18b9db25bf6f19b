-- An installation for bin/bench: 200,000 users with 1,000,000 keys, 100,000 private projects in 5,000 groups, and 1,000,000
-- authorizations; a group has 100,000 SCIM identities. Everything follows from its number, so that the benchmark can name a key and what its user may read:
--   key k belongs to user (k - 1) % 200000 + 1
--   user u may read the five projects ((u - 1) * 5 + j) * 7919 % 100000 + 1, for j from 0 to 4
--   project p is org-O/group-G/project-P with G = (P - 1) % 5000 + 1 and O = (G - 1) % 500 + 1
-- Everybody was last seen in 2100: then no request has anything to note, as in a running installation, where it is one
-- request a day for each user and key.

begin;
set local synchronous_commit = off;
set local work_mem = '256MB';
set local maintenance_work_mem = '512MB';
-- Foreign keys hold by construction.
set local session_replication_role = replica;

insert into users (id, username, name, email, confirmed_at, last_activity_on)
select u, 'user-' || u, 'User ' || u, 'user-' || u || '@example.com', now(), '2100-01-01'
from generate_series(1, 200000) as u;

insert into keys (id, user_id, title, key, fingerprint_sha256, last_used_at)
select k, (k - 1) % 200000 + 1, 'laptop', 'ssh-ed25519 ' || encode(blob, 'base64') || ' user@laptop', sha256(blob), '2100-01-01'
from generate_series(1, 1000000) as k,
  lateral (select '\x0000000b7373682d6564323535313900000020'::bytea || sha256(int8send(k)) as blob) as body;

-- Roots are 1 to 500, groups follow at 1000, projects' shadows at 100000, personal namespaces at 1000000.
insert into namespaces (id, name, path, type, traversal_ids, visibility_level)
select o, 'org-' || o, 'org-' || o, 'Group', array[o], 0
from generate_series(1, 500) as o;
insert into namespaces (id, name, path, type, parent_id, traversal_ids, visibility_level)
select 1000 + g, 'group-' || g, 'group-' || g, 'Group', (g - 1) % 500 + 1, array[(g - 1) % 500 + 1, 1000 + g], 0
from generate_series(1, 5000) as g;
insert into namespaces (id, name, path, type, parent_id, traversal_ids, visibility_level)
select 100000 + p, 'project-' || p, 'project-' || p, 'Project', 1000 + g, array[(g - 1) % 500 + 1, 1000 + g, 100000 + p], 0
from generate_series(1, 100000) as p, lateral (select (p - 1) % 5000 + 1 as g) as within;
insert into namespaces (id, name, path, type, owner_id, traversal_ids)
select 1000000 + u, 'user-' || u, 'user-' || u, 'User', u, array[1000000 + u]
from generate_series(1, 200000) as u;
insert into namespace_settings (namespace_id)
select id
from namespaces
where type <> 'Project';

insert into projects (id, name, path, namespace_id, project_namespace_id, storage_version)
select p, 'project-' || p, 'project-' || p, 1000 + (p - 1) % 5000 + 1, 100000 + p, 2
from generate_series(1, 100000) as p;
insert into project_features (project_id)
select p
from generate_series(1, 100000) as p;
insert into project_repositories (shard_id, disk_path, project_id)
select shards.id, '@hashed/' || left(hash, 2) || '/' || substr(hash, 3, 2) || '/' || hash, p
from generate_series(1, 100000) as p, lateral (select encode(sha256(p::text::bytea), 'hex') as hash) as place, shards;

insert into routes (source_id, source_type, path, name, namespace_id)
select id, 'Namespace', path, name, id
from namespaces
where parent_id is null;
insert into routes (source_id, source_type, path, name, namespace_id)
select child.id, 'Namespace', parent.path || '/' || child.path, child.name, child.id
from namespaces as child
join namespaces as parent on parent.id = child.parent_id
where child.type = 'Group';
insert into routes (source_id, source_type, path, name, namespace_id)
select projects.id, 'Project', routes.path || '/' || projects.path, projects.name, projects.project_namespace_id
from projects
join routes on routes.source_type = 'Namespace' and routes.source_id = projects.namespace_id;

-- What the statement looks into as well, mostly in vain, at the sizes at which looking in vain would be felt.
insert into identities (user_id, provider, extern_uid)
select u, case when u % 10 = 0 then 'kerberos' else 'ldapmain' end, 'user-' || u || '@EXAMPLE.COM'
from generate_series(1, 200000) as u;
insert into redirect_routes (source_id, source_type, path)
select p, 'Project', 'former/project-' || p
from generate_series(1, 20000) as p;
insert into project_wiki_repositories (project_id)
select p
from generate_series(1, 50000) as p;
insert into snippets (id, type, author_id, project_id)
select s, 'ProjectSnippet', s, s
from generate_series(1, 100000) as s;
insert into snippet_repositories (snippet_id, shard_id, disk_path)
select s, shards.id, '@snippets/' || s
from generate_series(1, 100000) as s, shards;
insert into keys (id, user_id, type, title, key, fingerprint_sha256)
select 1000000 + d, d, 'DeployKey', 'deploy', 'ssh-ed25519 deploy-' || d, sha256(int8send(d))
from generate_series(1, 20000) as d;
insert into deploy_keys_projects (deploy_key_id, project_id)
select 1000000 + d, d
from generate_series(1, 20000) as d;
insert into ip_restrictions (group_id, range)
select o, range
from generate_series(10, 500, 10) as o, (values ('10.0.0.0/8'), ('127.0.0.0/8')) as ranges (range);

insert into project_authorizations (user_id, project_id, access_level, is_unique)
select u, ((u - 1) * 5 + j) * 7919::bigint % 100000 + 1, 30, true
from generate_series(1, 200000) as u, generate_series(0, 4) as j;

-- The first root is provisioned by SCIM: user u of the first 100,000 is the provider's `id-H`, H being the MD5 of u. Its
-- token is `bench`.
insert into saml_providers (group_id, enabled, sso_url, certificate_fingerprint)
values (1, true, 'https://idp.example/sso', 'x');
insert into group_scim_auth_access_tokens (group_id, token_encrypted)
values (1, sha256('bench'));
insert into group_scim_identities (group_id, user_id, extern_uid, active, username)
select 1, u, 'id-' || md5(u::text), true, 'user-' || u
from generate_series(1, 100000) as u;
commit;

vacuum analyze;
