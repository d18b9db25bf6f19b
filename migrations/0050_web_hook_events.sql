-- What hooks may subscribe to in GitLab and never hear of here: kept, so that a client that writes them reads them back.

alter table web_hooks
    add column issues_events boolean not null default false,
    add column confidential_issues_events boolean not null default false,
    add column merge_requests_events boolean not null default false,
    add column note_events boolean not null default false,
    add column confidential_note_events boolean not null default false,
    add column job_events boolean not null default false,
    add column pipeline_events boolean not null default false,
    add column wiki_page_events boolean not null default false,
    add column deployment_events boolean not null default false,
    add column feature_flag_events boolean not null default false,
    add column releases_events boolean not null default false,
    add column milestone_events boolean not null default false,
    add column emoji_events boolean not null default false,
    add column resource_access_token_events boolean not null default false,
    add column resource_deploy_token_events boolean not null default false,
    add column vulnerability_events boolean not null default false,
    add column subgroup_events boolean not null default false,
    add column member_events boolean not null default false,
    add column project_events boolean not null default false;
