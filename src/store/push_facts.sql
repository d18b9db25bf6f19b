-- What a project, and what is above it, say about pushes: one row, whatever the number of refs.
select
  coalesce(
    (
      select jsonb_agg(
        jsonb_build_object(
          'name', protected_branches.name,
          'allow_force_push', protected_branches.allow_force_push,
          'push', (
            select coalesce(
              jsonb_agg(
                jsonb_build_object(
                  'access_level', push.access_level,
                  'user_id', push.user_id,
                  -- Null for a row that is not about a group, which tells it from a group that the user is not in.
                  'group_member', case
                    when push.group_id is not null
                    then exists (
                      select
                      from namespaces as groups
                      join members on members.source_id = any (groups.traversal_ids)
                      where groups.id = push.group_id
                        and members.user_id = $2
                        and members.source_type = 'Namespace'
                        and gatehouse_is_active_member(members, $3)
                        -- Minimal access (5) is no membership.
                        and members.access_level >= 10
                    )
                  end,
                  'deploy_key_id', push.deploy_key_id,
                  -- The creator, while they belong to the project and the key may still push.
                  'creator_id', (
                    select keys.user_id
                    from keys
                    join deploy_keys_projects
                      on deploy_keys_projects.deploy_key_id = keys.id
                      and deploy_keys_projects.project_id = projects.id
                      and deploy_keys_projects.can_push
                    where keys.id = push.deploy_key_id
                      and exists (
                        select
                        from project_authorizations
                        where project_authorizations.user_id = keys.user_id
                          and project_authorizations.project_id = projects.id
                      )
                  )
                )
              ),
              '[]'
            )
            from protected_branch_push_access_levels as push
            where push.protected_branch_id = protected_branches.id
          ),
          'merge', (
            select coalesce(
              jsonb_agg(
                jsonb_build_object(
                  'access_level', merge.access_level,
                  'user_id', merge.user_id,
                  'group_member', case
                    when merge.group_id is not null
                    then exists (
                      select
                      from namespaces as groups
                      join members on members.source_id = any (groups.traversal_ids)
                      where groups.id = merge.group_id
                        and members.user_id = $2
                        and members.source_type = 'Namespace'
                        and gatehouse_is_active_member(members, $3)
                        and members.access_level >= 10
                    )
                  end
                )
              ),
              '[]'
            )
            from protected_branch_merge_access_levels as merge
            where merge.protected_branch_id = protected_branches.id
          )
        )
      )
      from protected_branches
      where protected_branches.project_id = projects.id
        or protected_branches.namespace_id = any (namespaces.traversal_ids)
    ),
    '[]'
  ) as "branches!: Json<Vec<BranchProtectionRow>>",
  coalesce(
    (
      select jsonb_agg(
        jsonb_build_object(
          'name', protected_tags.name,
          'create', (
            select coalesce(
              jsonb_agg(
                jsonb_build_object(
                  'access_level', levels.access_level,
                  'user_id', levels.user_id,
                  'group_member', case
                    when levels.group_id is not null
                    then exists (
                      select
                      from namespaces as groups
                      join members on members.source_id = any (groups.traversal_ids)
                      where groups.id = levels.group_id
                        and members.user_id = $2
                        and members.source_type = 'Namespace'
                        and gatehouse_is_active_member(members, $3)
                        and members.access_level >= 10
                    )
                  end,
                  'deploy_key_id', levels.deploy_key_id
                )
              ),
              '[]'
            )
            from protected_tag_create_access_levels as levels
            where levels.protected_tag_id = protected_tags.id
          )
        )
      )
      from protected_tags
      where protected_tags.project_id = projects.id
    ),
    '[]'
  ) as "tags!: Json<Vec<TagProtectionRow>>",
  array(
    select merge_requests.in_progress_merge_commit_sha || ' ' || merge_requests.target_branch
    from merge_requests
    where merge_requests.target_project_id = projects.id
      -- 4 is locked, as while it is merged (allowed.md R12), and as in the partial index on the target and that state.
      and merge_requests.state_id = 4
      and merge_requests.in_progress_merge_commit_sha = any ($4)
  ) as "merges!",
  array(
    select configurations.policy_yaml
    from security_orchestration_policy_configurations as configurations
    where configurations.project_id = projects.id
      -- Unlike protections, policies add up from each level (allowed.md R14).
      or configurations.namespace_id = any (namespaces.traversal_ids)
  ) as "policies!",
  -- An empty object says nothing, and must not hide what the older column or the instance says (schema.md 11).
  nullif(namespace_settings.default_branch_protection_defaults, '{}') as "group_protection_defaults?",
  namespaces.default_branch_protection as "group_protection?",
  nullif(settings.default_branch_protection_defaults, '{}') as "instance_protection_defaults?",
  settings.default_branch_protection as "instance_protection?",
  coalesce(
    (
      select nullif(above.default_branch_name, '')
      from namespace_settings as above
      join namespaces as above_namespaces on above_namespaces.id = above.namespace_id
      where above.namespace_id = any (namespaces.traversal_ids)
        and above.default_branch_name <> ''
      -- The longest chain of ids is the nearest namespace, here and below: what it says goes before what is said above.
      order by cardinality(above_namespaces.traversal_ids) desc
      limit 1
    ),
    nullif(settings.default_branch_name, ''),
    'main'
  ) as "default_branch_name!",
  coalesce(
    projects.repository_size_limit,
    (
      select above.repository_size_limit
      from namespaces as above
      where above.id = any (namespaces.traversal_ids)
        and above.repository_size_limit is not null
      order by cardinality(above.traversal_ids) desc
      limit 1
    ),
    settings.repository_size_limit
  ) as "size_limit?",
  project_statistics.repository_size as "repository_size?",
  coalesce(project_statistics.lfs_objects_size, 0) as "lfs_objects_size!",
  coalesce(
    projects.lfs_enabled,
    (
      select above.lfs_enabled
      from namespaces as above
      where above.id = any (namespaces.traversal_ids)
        and above.lfs_enabled is not null
      order by cardinality(above.traversal_ids) desc
      limit 1
    ),
    true
  ) as "lfs!",
  coalesce(
    (
      select jsonb_agg(jsonb_build_object('path', locks.path, 'username', coalesce(users.username, '')) order by locks.id)
      from lfs_file_locks as locks
      join users on users.id = locks.user_id
      where locks.project_id = projects.id
        and locks.user_id is distinct from $2
        and locks.path is not null
    ),
    '[]'
  ) as "locks!: Json<Vec<LockRow>>",
  rule.id as "rule_id?",
  rule.branch_name_regex as "branch_name_regex?",
  rule.commit_message_regex as "commit_message_regex?",
  rule.commit_message_negative_regex as "commit_message_negative_regex?",
  rule.author_email_regex as "author_email_regex?",
  rule.file_name_regex as "file_name_regex?",
  rule.max_file_size as "max_file_size?",
  rule.reject_non_dco_commits as "reject_non_dco?",
  rule.reject_unsigned_commits as "reject_unsigned?",
  rule.deny_delete_tag as "deny_delete_tag?",
  rule.member_check as "member_check?",
  rule.prevent_secrets as "prevent_secrets?",
  rule.commit_committer_check as "committer_check?",
  rule.commit_committer_name_check as "committer_name_check?",
  case
    -- Names and addresses are read only where a rule compares them.
    when rule.commit_committer_name_check
    then (select users.name from users where users.id = $2)
  end as "pusher_name?",
  case
    when rule.commit_committer_check
    then (
      select coalesce(
        jsonb_agg(jsonb_build_object('email', own.email, 'confirmed', own.confirmed_at is not null)),
        '[]'
      )
      from (
        select users.email, users.confirmed_at
        from users
        where users.id = $2
        union all
        select emails.email, emails.confirmed_at
        from emails
        where emails.user_id = $2
      ) as own
    )
    else '[]'
  end as "pusher_emails!: Json<Vec<PusherEmailRow>>"
from projects
join namespaces on namespaces.id = projects.namespace_id
left join namespace_settings on namespace_settings.namespace_id = namespaces.id
left join project_statistics on project_statistics.project_id = projects.id
left join lateral (
  select
    default_branch_protection_defaults,
    default_branch_protection,
    default_branch_name,
    repository_size_limit
  from application_settings
  order by id desc
  limit 1
) as settings on true
-- One rule counts, the nearest: the project's own, a group's, or the instance's sample. Rules do not add up.
left join push_rules as rule
  on rule.id = coalesce(
    (select own.id from push_rules as own where own.project_id = projects.id order by own.id desc limit 1),
    (
      select above.push_rule_id
      from namespaces as above
      where above.id = any (namespaces.traversal_ids)
        and above.push_rule_id is not null
      order by cardinality(above.traversal_ids) desc
      limit 1
    ),
    (select sample.id from push_rules as sample where sample.is_sample order by sample.id desc limit 1)
  )
where projects.id = $1
