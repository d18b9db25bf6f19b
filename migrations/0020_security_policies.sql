-- Scan execution policies of projects and groups. GitLab keeps the policies in a repository; here they stand beside the
-- row that links to it, as they are in that repository's file.

create table security_orchestration_policy_configurations (
    id bigserial primary key,
    project_id bigint references projects (id) on delete cascade,
    namespace_id bigint references namespaces (id) on delete cascade,
    security_policy_management_project_id bigint references projects (id) on delete cascade,
    -- the file .gitlab/security-policies/policy.yml
    policy_yaml text not null,
    -- when the file was changed
    policy_last_updated_at timestamptz not null,
    configured_at timestamptz,
    experiments jsonb not null default '{}',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint cop_configs_project_or_namespace_existence check (num_nonnulls(project_id, namespace_id) = 1)
);

create unique index partial_index_sop_configs_on_project_id
    on security_orchestration_policy_configurations (project_id) where project_id is not null;
create unique index partial_index_sop_configs_on_namespace_id
    on security_orchestration_policy_configurations (namespace_id) where namespace_id is not null;
create index index_sop_configurations_on_security_policy_management_project
    on security_orchestration_policy_configurations (security_policy_management_project_id);
