-- Everything that the access rules look at, for many attempts at once: arrays in, one row out for each attempt, in the
-- order of `position`. Every join finds single rows by index; `offset 0` keeps a lookup from being run twice.
select
  attempt.position as "position!",
  settings.enabled_git_access_protocol as "instance_protocol?",
  settings.key_restrictions as "key_restrictions?: Vec<i32>",
  settings.maintenance_mode as "maintenance_mode?",
  settings.receive_max_input_size as "receive_max_input_size?",
  settings.gitlab_shell_operation_limit as "operation_limit?",
  settings.email_confirmation_setting as "email_confirmation?: i16",
  settings.enforce_terms as "enforce_terms?",
  settings.globally_allowed_ips as "globally_allowed_ips?",
  settings.max_ssh_key_lifetime as "max_ssh_key_lifetime?",
  current_setting('transaction_read_only') = 'on' as "read_only!",
  pg_is_in_recovery() as "standby!",
  key.id as "key_id?",
  key.type as "key_type?",
  key.expires_at as "key_expires_at?",
  key.created_at as "key_created_at?",
  key.last_used_at as "key_last_used_at?",
  case
    -- What does not begin as a key of a type that is open may be of any.
    when settings.keys_are_restricted
      or not (
        key.key like 'ssh-ed25519 %'
        or key.key like 'ssh-rsa %'
        or key.key like 'ecdsa-sha2-nistp%'
        or key.key like 'sk-%'
      )
    then key.key
  end as "key_text?",
  actor.id as "user_id?",
  actor.username as "username?",
  actor.state as "state?",
  actor.user_type as "user_type?",
  actor.admin as "admin?",
  actor.auditor as "auditor?",
  actor.external as "external?",
  actor.confirmed_at as "confirmed_at?",
  actor.created_at as "user_created_at?",
  actor.locked_at as "locked_at?",
  actor.password_expires_at as "password_expires_at?",
  actor.password_automatically_set as "password_automatically_set?",
  actor.accepted_term_id as "accepted_term_id?",
  actor.last_activity_on as "last_activity_on?",
  case
    -- Directory users have no password here that could expire (allowed.md 2.1), so only an expiry makes it matter.
    when actor.password_expires_at is not null
    then exists (
      select
      from identities
      where identities.user_id = actor.id
        and identities.provider like 'ldap%'
    )
  end as "ldap?",
  case
    when $11
    then actor.otp_required_for_login or exists (
      select
      from webauthn_registrations
      where webauthn_registrations.user_id = actor.id
    )
  end as "two_factor?",
  case
    when $11
    then (
      select otp_sessions.expires_at
      from otp_sessions
      where otp_sessions.key_id = key.id
    )
  end as "otp_session_until?",
  named.id is not null as "named!",
  project.id as "project_id?",
  project.visibility_level as "visibility_level?",
  project.hidden as "hidden?",
  project.archived as "archived?",
  case
    -- An archived project may be downloaded (allowed.md 2.3), so what is above it matters to pushes alone.
    when attempt.push
    then exists (
      select
      from namespace_settings
      where namespace_settings.namespace_id = any (namespace.traversal_ids)
        and namespace_settings.archived
    )
  end as "ancestor_archived?",
  project.marked_for_deletion_at is not null
    or coalesce(project.pending_delete, false)
    or exists (
      select
      from group_deletion_schedules
      where group_deletion_schedules.group_id = any (namespace.traversal_ids)
    ) as "pending_deletion!",
  project.repository_read_only as "repository_read_only?",
  project.repository_storage as "repository_storage?",
  project.storage_version as "storage_version?",
  features.repository_access_level as "repository_level?",
  features.wiki_access_level as "wiki_level?",
  features.snippets_access_level as "snippets_level?",
  route.path as "full_path?",
  coalesce(namespace.traversal_ids[1], namespace.id) as "root_id?",
  -- Beside the level: an old database may hold less for the owner of a personal namespace (schema.md 1.5).
  namespace.type = 'User' and namespace.owner_id = actor.id as "owns_namespace?",
  root_settings.enabled_git_access_protocol as "root_protocol?",
  root_settings.enforce_ssh_certificates as "enforce_ssh_certificates?",
  array(
    -- Ranges are set on a top-level group and hold for all below it (schema.md 5).
    select ip_restrictions.range
    from ip_restrictions
    where ip_restrictions.group_id = coalesce(namespace.traversal_ids[1], namespace.id)
  ) as "ip_ranges!",
  (
    select max(project_authorizations.access_level)
    from project_authorizations
    where project_authorizations.user_id = actor.id
      and project_authorizations.project_id = project.id
  ) as "level?",
  case
    -- Null where the key is not linked: such a key reads as a stranger, a linked one by right (allowed.md 2.2).
    when key.type = 'DeployKey'
    then (
      select bool_or(deploy_keys_projects.can_push)
      from deploy_keys_projects
      where deploy_keys_projects.deploy_key_id = key.id
        and deploy_keys_projects.project_id = project.id
    )
  end as "deploy_key_can_push?",
  case
    when attempt.push and actor.id is not null
    then (
      select
        jsonb_agg(
          jsonb_build_object(
            'branch', merge_requests.source_branch,
            'target', merge_requests.target_project_id,
            'target_branch', merge_requests.target_branch,
            'level', target.level
          )
        )
      from merge_requests
      cross join lateral (
        select
          case
            when namespaces.type = 'User' and namespaces.owner_id = actor.id
            -- 50 is Owner.
            then 50
            else (
              select max(project_authorizations.access_level)
              from project_authorizations
              where project_authorizations.user_id = actor.id
                and project_authorizations.project_id = projects.id
            )
          end as level
        from projects
        join namespaces on namespaces.id = projects.namespace_id
        left join project_features on project_features.project_id = projects.id
        where projects.id = merge_requests.target_project_id
          and not projects.archived
          and projects.marked_for_deletion_at is null
          and not coalesce(projects.pending_delete, false)
          -- A project without such a row has its repository enabled (20).
          and coalesce(project_features.repository_access_level, 20) > 0
          and not exists (
            select
            from namespace_settings
            where namespace_settings.namespace_id = any (namespaces.traversal_ids)
              and namespace_settings.archived
          )
        offset 0
      ) as target
      where merge_requests.source_project_id = project.id
        -- 1 is opened; as in index_merge_requests_on_source_that_allows_collaboration.
        and merge_requests.state_id = 1
        and merge_requests.allow_maintainer_to_push
        and merge_requests.target_project_id <> merge_requests.source_project_id
        -- 30 is Developer, who may push there.
        and target.level >= 30
    )
  end as "collaborations?: Json<Vec<CollaborationRow>>",
  case
    -- A project may itself be named like a wiki.
    when attempt.wiki and (attempt.path is null or named.id is null)
    then exists (
      select
      from project_wiki_repositories
      where project_wiki_repositories.project_id = project.id
    )
    else exists (
      select
      from project_repositories
      where project_repositories.project_id = project.id
    )
  end as "repository_exists!",
  snippet.id as "snippet_id?",
  snippet.author_id as "snippet_author_id?",
  snippet.visibility_level as "snippet_visibility_level?",
  snippet.repository_read_only as "snippet_read_only?",
  snippet.project_id as "snippet_project_id?",
  case
    when snippet.id is not null
    then (
      select shards.name
      from snippet_repositories
      join shards on shards.id = snippet_repositories.shard_id
      where snippet_repositories.snippet_id = snippet.id
    )
  end as "snippet_storage?",
  case
    -- What a credential of git over HTTP is judged by (git_http.md 3); over SSH there is none.
    when attempt.login is not null
    then jsonb_build_object(
      'banned_until', (
        select extract(epoch from git_auth_bans.banned_until)::bigint
        from git_auth_bans
        where git_auth_bans.address = attempt.address::inet
      ),
      'failed_before', exists (
        select
        from git_auth_failures
        where git_auth_failures.address = attempt.address::inet
          and git_auth_failures.login = sha256(convert_to(lower(attempt.login), 'UTF8'))
      ),
      'oauth', credential.oauth,
      'token', credential.token,
      'deploy_token', credential.deploy_token,
      'deploy_token_linked', credential.deploy_token_id is not null and (
        exists (
          select
          from project_deploy_tokens
          where project_deploy_tokens.deploy_token_id = credential.deploy_token_id
            and project_deploy_tokens.project_id = project.id
        )
        or exists (
          select
          from group_deploy_tokens
          where group_deploy_tokens.deploy_token_id = credential.deploy_token_id
            and group_deploy_tokens.group_id = any (namespace.traversal_ids)
        )
      ),
      'encrypted_password', actor.encrypted_password,
      'key_fingerprint', encode(key.fingerprint_sha256, 'hex'),
      'user_type', actor.user_type,
      'two_factor', actor.otp_required_for_login or exists (
        select
        from webauthn_registrations
        where webauthn_registrations.user_id = actor.id
      ),
      'two_factor_grace', least(
        case when settings.require_two_factor_authentication then settings.two_factor_grace_period end,
        case when actor.require_two_factor_authentication_from_group then actor.two_factor_grace_period end
      ),
      'two_factor_grace_began', extract(epoch from actor.otp_grace_period_started_at)::bigint,
      'passwords_closed', not settings.password_authentication_enabled_for_git,
      'token_prefix', settings.personal_access_token_prefix
    )
  end as "credential?: Json<CredentialRow>"
from unnest(
  $1::bigint[],
  $2::bigint[],
  $3::text[],
  $4::text[],
  $5::bigint[],
  $6::bigint[],
  $7::text[],
  $8::text[],
  $9::boolean[],
  $10::boolean[],
  $12::text[],
  $13::text[],
  $14::text[],
  $15::text[],
  $16::text[],
  $17::text[],
  $18::text[]
) with ordinality as attempt (
  key_id,
  user_id,
  username,
  kerberos,
  project_id,
  snippet_id,
  path,
  stem,
  wiki,
  push,
  login,
  token_digest,
  oauth_digest,
  oauth_plain,
  deploy_token,
  older_deploy_token,
  address,
  position
)
left join (
  select
    enabled_git_access_protocol,
    maintenance_mode,
    receive_max_input_size,
    gitlab_shell_operation_limit,
    email_confirmation_setting,
    enforce_terms,
    globally_allowed_ips,
    max_ssh_key_lifetime,
    password_authentication_enabled_for_git,
    require_two_factor_authentication,
    two_factor_grace_period,
    personal_access_token_prefix,
    disable_personal_access_tokens,
    array[
      rsa_key_restriction,
      dsa_key_restriction,
      ecdsa_key_restriction,
      ed25519_key_restriction,
      ecdsa_sk_key_restriction,
      ed25519_sk_key_restriction
    ] as key_restrictions,
    -- Looking into a key costs more than all other rules; the default, which forbids DSA alone, needs it only there.
    (
      rsa_key_restriction,
      ecdsa_key_restriction,
      ed25519_key_restriction,
      ecdsa_sk_key_restriction,
      ed25519_sk_key_restriction
    ) <> (0, 0, 0, 0, 0) as keys_are_restricted
  from application_settings
  order by id desc
  limit 1
-- Outer, for without a row of settings each attempt still has its row.
) as settings on true
left join keys as key
  on key.id = attempt.key_id
  -- A key that only signs (2) is not found. Whose key is unknown is nobody, and not refused (allowed.md 0).
  and key.usage_type in (0, 1)
left join lateral (
  select
    -- The order is GitLab's; a login counts where the password is no token.
    coalesce(
      oauth.resource_owner_id,
      token.user_id,
      case
        when oauth.id is null and token.id is null and deploy_token.id is null
          and attempt.login like '%@%'
        then (
          select users.id
          from users
          where lower(users.email) = lower(attempt.login)
          order by users.id
          limit 1
        )
        when oauth.id is null and token.id is null and deploy_token.id is null
        then (
          select users.id
          from users
          where lower(users.username) = lower(attempt.login)
          order by users.id
          limit 1
        )
      end
    ) as user_id,
    deploy_token.id as deploy_token_id,
    case
      when oauth.id is not null
      then jsonb_build_object(
        'scopes', coalesce(oauth.scopes, ''),
        'ends_at', extract(epoch from oauth.created_at + make_interval(secs => oauth.expires_in))::bigint,
        'revoked', oauth.revoked_at is not null
      )
    end as oauth,
    case
      when token.id is not null
      then jsonb_build_object(
        'id', token.id,
        'scopes', token.scopes,
        'expires_at', extract(epoch from token.expires_at)::bigint,
        'revoked', coalesce(token.revoked, false),
        'impersonation', token.impersonation,
        'last_used_at', extract(epoch from token.last_used_at)::bigint,
        'unwanted', exists (
          -- 0 is a human: bots and service accounts keep their tokens, for these are all that they act with.
          select
          from users
          where users.id = token.user_id
            and users.user_type = 0
            and (
              coalesce(settings.disable_personal_access_tokens, false)
              or exists (
                select
                from user_details
                join namespace_settings on namespace_settings.namespace_id = user_details.enterprise_group_id
                where user_details.user_id = users.id
                  and namespace_settings.disable_personal_access_tokens
              )
            )
        )
      )
    end as token,
    case
      when deploy_token.id is not null
      then jsonb_build_object(
        'id', deploy_token.id,
        'username', deploy_token.username,
        'expires_at', extract(epoch from deploy_token.expires_at)::bigint,
        'revoked', coalesce(deploy_token.revoked, false),
        'read_repository', deploy_token.read_repository
      )
    end as deploy_token
  from (select) as one
  left join oauth_access_tokens as oauth on oauth.token in (attempt.oauth_digest, attempt.oauth_plain)
  left join personal_access_tokens as token on token.token_digest = attempt.token_digest
  left join deploy_tokens as deploy_token
    on deploy_token.token_encrypted in (attempt.deploy_token, attempt.older_deploy_token)
  where attempt.login is not null
  limit 1
  offset 0
) as credential on true
left join lateral (
  select coalesce(
    -- At most one of the ways of naming somebody is given, so none stands in for another (allowed.md 1.2).
    credential.user_id,
    key.user_id,
    attempt.user_id,
    (
      select users.id
      from users
      where lower(users.username) = lower(attempt.username)
      order by users.id
      limit 1
    ),
    (
      select identities.user_id
      from identities
      where lower(identities.extern_uid) = lower(attempt.kerberos)
        and identities.provider = 'kerberos'
      order by identities.id
      limit 1
    ),
    -- A deploy key whose creator is gone acts as the ghost user.
    case
      when key.type = 'DeployKey'
      then (
        select users.id
        from users
        where users.state = 'active'
          -- 5 is the ghost.
          and users.user_type = 5
        order by users.id
        limit 1
      )
    end
  ) as id
  offset 0
) as acting on true
left join users as actor on actor.id = acting.id
left join snippets as snippet on snippet.id = attempt.snippet_id
left join lateral (
  select coalesce(
    -- Exact path, any letter case, former path: that order is the contract's (allowed.md 1.3).
    attempt.project_id,
    (
      select routes.source_id
      from routes
      where routes.path = attempt.path
        and routes.source_type = 'Project'
    ),
    (
      select routes.source_id
      from routes
      where lower(routes.path) = lower(attempt.path)
        and routes.source_type = 'Project'
      order by routes.id
      limit 1
    ),
    (
      select redirect_routes.source_id
      from redirect_routes
      where lower(redirect_routes.path) = lower(attempt.path)
        and redirect_routes.source_type = 'Project'
      order by redirect_routes.id
      limit 1
    )
  ) as id
  offset 0
) as named on true
left join lateral (
  select coalesce(
    (
      select routes.source_id
      from routes
      where routes.path = attempt.stem
        and routes.source_type = 'Project'
    ),
    (
      select routes.source_id
      from routes
      where lower(routes.path) = lower(attempt.stem)
        and routes.source_type = 'Project'
      order by routes.id
      limit 1
    ),
    (
      select redirect_routes.source_id
      from redirect_routes
      where lower(redirect_routes.path) = lower(attempt.stem)
        and redirect_routes.source_type = 'Project'
      order by redirect_routes.id
      limit 1
    )
  ) as id
  -- A project that is itself named like a wiki goes first; what is before the suffix is asked only without one.
  where named.id is null
    and attempt.stem is not null
  offset 0
) as stemmed on true
left join projects as project
  on project.id = coalesce(
    named.id,
    stemmed.id,
    -- With a path before it, a snippet must belong to that project and brings none of its own (allowed.md 1.3).
    case when attempt.stem is null then snippet.project_id end
  )
left join project_features as features on features.project_id = project.id
left join namespaces as namespace on namespace.id = project.namespace_id
left join namespace_settings as root_settings
  on root_settings.namespace_id = coalesce(namespace.traversal_ids[1], namespace.id)
left join routes as route
  on route.source_type = 'Project'
  and route.source_id = project.id
