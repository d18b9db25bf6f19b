//! Every setting has an effect: each key of the state document and of the settings file stands in a row here, beside a
//! test that shows what it does. What has no effect is not taken: `gatehouse::document::refused` says why.

mod file;
mod stated;
mod tokens;

use std::collections::BTreeSet;

use gatehouse::config::Settings;
use gatehouse::document::refused::REFUSED;
use gatehouse::document::schema_of;
use gatehouse::document::state::StateDocument;
use serde_json::Value;

use crate::tidy::sources;

/// A test, and the keys whose effects it shows. `key=word` says what the test's file calls the key.
type Row = (&'static str, &'static str);

/// Parts of the document that have the same keys wherever they stand.
const SHAPES: [&str; 8] = [
    "push_rules",
    "hooks[]",
    "members.*",
    "shared_with.*",
    "security_policies",
    "scim_identities[]",
    "deploy_tokens[]",
    "access_tokens[]",
];

/// The keys of the state document.
const STATED: &[Row] = &[
    ("an_instance_may_wait_before_it_deletes_a_group", "settings.deletion_adjourned_period"),
    ("the_instance_may_close_a_protocol", "settings.enabled_git_access_protocol"),
    ("the_services_token_or_gitlab_shells_lets_in", "settings.error_tracking_access_token"),
    ("a_token_opens_its_own_scope_alone", "settings.scim_token groups[].scim_token"),
    ("the_largest_push_is_an_option_of_git", "settings.receive_max_input_size"),
    ("one_actor_asks_about_one_project_so_often_a_minute", "settings.gitlab_shell_operation_limit"),
    ("a_push_over_http_is_told_the_clone_url_that_the_instance_states", "settings.custom_http_clone_url_root"),
    ("clone_urls_are_those_that_the_instance_states", "settings.custom_http_clone_url_root"),
    ("hooks_are_not_told_of_more_refs_than_the_limit", "settings.push_event_hooks_limit"),
    ("the_instance_says_how_many_refs_have_events_of_their_own", "settings.push_event_activities_limit"),
    (
        "each_type_of_key_may_be_forbidden",
        "settings.key_restrictions.rsa settings.key_restrictions.dsa settings.key_restrictions.ecdsa \
         settings.key_restrictions.ed25519 settings.key_restrictions.ecdsa_sk \
         settings.key_restrictions.ed25519_sk",
    ),
    ("a_key_that_the_instance_no_longer_takes_is_told_what_would_do", "settings.key_restrictions.rsa"),
    ("keys_live_no_longer_than_the_instance_says", "settings.max_ssh_key_lifetime"),
    (
        "a_token_lives_as_long_as_the_instance_says",
        "settings.max_personal_access_token_lifetime settings.require_personal_access_token_expiry",
    ),
    ("nobody_has_tokens_where_the_instance_takes_none", "settings.disable_personal_access_tokens"),
    ("the_prefix_is_the_instances", "settings.personal_access_token_prefix"),
    (
        "an_admin_endpoint_needs_an_admin_and_scopes_that_suffice",
        "settings.admin_mode users[].admin users[].personal_access_tokens[].scopes",
    ),
    ("git_is_for_those_who_have_accepted_the_terms", "settings.enforce_terms users[].terms_accepted"),
    ("the_instance_says_how_long_git_stays_open", "settings.git_two_factor_session_expiry"),
    ("nobody_pushes_during_maintenance", "settings.maintenance_mode"),
    ("nobody_is_told_anything_in_silent_mode", "settings.silent_mode_enabled"),
    (
        "the_default_branch_is_the_one_we_know_or_else_the_configured_one",
        "settings.default_branch_name groups[].default_branch_name",
    ),
    ("the_first_branch_of_an_empty_repository_is_protected", "settings.default_branch_protection"),
    ("a_group_says_how_its_first_branches_are_protected", "groups[].default_branch_protection"),
    (
        "the_nearest_push_rule_and_size_limit_hold",
        "settings.repository_size_limit groups[].repository_size_limit projects[].repository_size_limit \
         push_rules.branch_name_regex",
    ),
    (
        "an_allow_list_hides_the_group_from_other_addresses",
        "settings.globally_allowed_ips groups[].ip_allowlist=ip_restrictions users[].auditor",
    ),
    (
        "instance_project_and_key_must_all_say_so",
        "settings.error_tracking_enabled projects[].error_tracking.enabled \
         projects[].error_tracking.integrated projects[].error_tracking.client_keys[].active \
         projects[].error_tracking.client_keys[].public_key",
    ),
    (
        "hooks_reach_no_local_address_unless_the_settings_say_so",
        "settings.allow_local_requests_from_web_hooks_and_services \
         settings.allow_local_requests_from_system_hooks",
    ),
    ("new_projects_are_as_visible_as_the_instance_says", "settings.default_project_visibility"),
    ("an_instance_may_wait_before_it_deletes_a_project", "settings.deletion_adjourned_period"),
    (
        "push_rules_look_at_what_the_push_brings",
        "push_rules.author_email_regex push_rules.commit_message_regex push_rules.reject_non_dco_commits \
         push_rules.reject_unsigned_commits push_rules.member_check push_rules.file_name_regex \
         push_rules.max_file_size",
    ),
    (
        "each_rule_says_its_own_sentence",
        "push_rules.commit_message_negative_regex=commit_message_negative push_rules.max_file_size",
    ),
    ("the_default_branch_may_have_any_name_and_tags_may_be_kept", "push_rules.deny_delete_tag"),
    ("files_that_are_named_like_secrets_stay_out", "push_rules.prevent_secrets"),
    ("a_committer_is_whoever_pushes", "push_rules.commit_committer_check push_rules.commit_committer_name_check"),
    (
        "error_tracking_and_push_rules_come_change_and_go",
        "push_rules.ensure projects[].error_tracking.client_keys[].ensure",
    ),
    ("a_user_comes_changes_and_goes", "users[].ensure"),
    (
        "ids_are_used_on_creation_and_sequences_move_past_them",
        "users[].id users[].keys[].id users[].personal_access_tokens[].id",
    ),
    ("an_id_under_another_name_renames_and_leaves_redirects", "users[].username"),
    ("a_key_names_its_user", "users[].name users[].username"),
    ("whoever_has_the_address_is_linked", "users[].email"),
    ("a_further_address_counts_once_it_is_confirmed", "users[].emails[].email users[].emails[].confirmed"),
    (
        "addresses_and_identities_come_change_and_go",
        "users[].emails[].ensure users[].identities[].ensure users[].emails[].id users[].identities[].id",
    ),
    ("terms_and_addresses_are_asked_for_where_the_settings_say_so", "users[].confirmed"),
    ("an_external_user_finds_no_internal_project", "users[].external"),
    ("an_account_that_sleeps_or_waits_is_told_how_it_wakes", "users[].state"),
    ("a_personal_namespace_is_its_owners_up_to_their_limit", "users[].projects_limit"),
    ("an_otp_secret_is_read_as_it_was_set", "users[].two_factor.otp_secret"),
    ("a_user_may_be_named_in_any_of_the_ways", "users[].identities[].provider users[].identities[].extern_uid"),
    (
        "a_password_opens_git_over_http_unless_the_instance_takes_none",
        "users[].password settings.password_authentication_enabled_for_git",
    ),
    (
        "a_stated_deploy_token_opens_what_it_is_of",
        "deploy_tokens[].name deploy_tokens[].id deploy_tokens[].username deploy_tokens[].scopes \
         deploy_tokens[].expires_at deploy_tokens[].token deploy_tokens[].revoked deploy_tokens[].ensure",
    ),
    (
        "a_stated_access_token_is_a_member_of_its_own",
        "access_tokens[].name access_tokens[].id access_tokens[].level access_tokens[].scopes access_tokens[].expires_at \
         access_tokens[].token access_tokens[].revoked access_tokens[].ensure",
    ),
    (
        "a_stated_oauth_token_opens_git_for_its_user",
        "users[].oauth_tokens[].application users[].oauth_tokens[].id users[].oauth_tokens[].scopes \
         users[].oauth_tokens[].expires_in users[].oauth_tokens[].token users[].oauth_tokens[].revoked \
         users[].oauth_tokens[].ensure",
    ),
    ("a_stated_fork_has_the_objects_of_its_source", "projects[].forked_from"),
    ("a_key_is_found_by_its_body", "users[].keys[].key"),
    ("a_key_comes_changes_and_goes", "users[].keys[].title users[].keys[].ensure"),
    ("a_key_for_signing_alone_is_nobodys", "users[].keys[].usage"),
    ("a_key_warns_of_its_end_and_then_is_refused", "users[].keys[].expires_at"),
    (
        "tokens_are_digested_and_those_that_are_made_are_printed_once",
        "users[].personal_access_tokens[].token users[].personal_access_tokens[].ensure",
    ),
    ("a_token_says_what_it_is", "users[].personal_access_tokens[].name"),
    (
        "expiry_and_revocation_hold_at_once",
        "users[].personal_access_tokens[].expires_at users[].personal_access_tokens[].revoked",
    ),
    (
        "members_and_shares_come_change_and_go",
        "members.* members.*.level=level members.*.ensure shared_with.* shared_with.*.level=level \
         shared_with.*.ensure",
    ),
    ("expired_members_and_shares_are_removed_with_what_they_gave", "members.*.expires_at shared_with.*.expires_at"),
    ("a_group_takes_members_of_its_own_domains", "groups[].allowed_email_domains"),
    ("a_group_may_admit_addresses_of_some_domains_alone", "groups[].allowed_email_domains"),
    ("a_project_is_archived_with_any_group_above_it", "groups[].archived"),
    (
        "a_group_decides_about_the_tokens_of_its_enterprise_users",
        "groups[].disable_personal_access_tokens groups[].max_personal_access_token_lifetime",
    ),
    ("the_top_level_group_may_close_a_protocol", "groups[].enabled_git_access_protocol"),
    ("a_certificate_opens_its_own_group_alone", "groups[].enforce_ssh_certificates"),
    (
        "what_belongs_to_a_group_comes_changes_and_goes",
        "groups[].ensure groups[].saml.ensure groups[].ssh_certificate_authorities[].ensure \
         groups[].ssh_certificate_authorities[].title",
    ),
    ("an_id_under_another_path_moves_the_whole_subtree", "groups[].id groups[].path"),
    ("there_is_no_token_where_there_is_no_lfs", "groups[].lfs_enabled projects[].lfs_enabled"),
    (
        "a_receiver_is_told_of_a_push_in_gitlabs_words",
        "groups[].name=namespace projects[].name projects[].description hooks[].url \
         hooks[].token=x-gitlab-token projects[].visibility",
    ),
    ("a_group_says_who_makes_projects_in_it", "groups[].project_creation_level=Level"),
    ("a_new_user_gets_all_that_belongs_to_one", "groups[].saml.default_membership_role=level"),
    ("a_list_has_integers_and_those_who_are_off", "groups[].saml.enabled"),
    ("enforced_single_sign_on_wants_an_account_at_the_provider", "groups[].saml.enforced_sso"),
    (
        "links_come_change_and_go_and_members_follow",
        "groups[].saml_group_links[].access_level groups[].saml_group_links[].ensure \
         groups[].saml_group_links[].saml_group_name",
    ),
    ("members_and_shares_of_a_project_come_and_go", "groups[].share_with_group_lock"),
    (
        "a_group_vouches_for_members_whose_accounts_it_manages",
        "groups[].ssh_certificate_authorities[].key users[].enterprise_group",
    ),
    (
        "ids_of_parts_are_used_and_must_agree",
        "groups[].ssh_certificate_authorities[].id projects[].protected_branches[].id \
         projects[].protected_tags[].id projects[].error_tracking.client_keys[].id \
         projects[].deploy_keys[].id",
    ),
    ("nothing_is_more_visible_than_the_group_around_it", "groups[].visibility projects[].visibility"),
    (
        "tokens_and_identities_come_change_and_go",
        "scim_identities[].user scim_identities[].extern_uid scim_identities[].active \
         scim_identities[].ensure scim_identities[].id",
    ),
    (
        "hooks_of_project_group_and_instance_hear_what_they_listen_to",
        "hooks[].push_events hooks[].tag_push_events hooks[].push_events_branch_filter=branch_filter",
    ),
    ("hooks_that_listen_hear_of_a_new_alert_once", "hooks[].alert_events"),
    ("a_certificate_that_nobody_vouches_for_is_taken_where_the_hook_says_so", "hooks[].enable_ssl_verification"),
    ("hooks_come_change_and_go_and_their_secrets_are_not_shown", "hooks[].ensure"),
    (
        "a_project_comes_changes_and_goes",
        "projects[].id projects[].path projects[].ensure projects[].repository projects[].wiki_repository",
    ),
    ("a_new_project_gets_its_repository_where_its_storage_answers", "projects[].default_branch projects[].repository"),
    ("a_hidden_project_is_nowhere_to_be_found", "projects[].hidden"),
    ("a_hidden_project_is_found_again_when_it_is_shown", "projects[].hidden"),
    ("an_archived_project_may_be_fetched_from_alone", "projects[].archived"),
    ("a_repository_on_the_move_takes_no_pushes", "projects[].repository_read_only"),
    ("each_project_is_on_its_own_storage", "projects[].storage"),
    ("nobody_pulls_where_the_repository_is_disabled", "projects[].features.repository"),
    ("a_wiki_that_is_switched_off_is_not_read", "projects[].features.wiki"),
    ("a_snippet_is_read_by_members_and_changed_by_its_author", "projects[].features.snippets"),
    (
        "a_project_may_have_no_links",
        "projects[].printing_merge_request_link_enabled projects[].features.merge_requests",
    ),
    (
        "a_deploy_key_that_may_push_has_an_owner",
        "projects[].creator projects[].deploy_keys[].owner projects[].deploy_keys[].can_push",
    ),
    ("a_deploy_key_pushes_where_it_may", "projects[].deploy_keys[].can_push=deploys projects[].deploy_keys[].key"),
    (
        "a_deploy_key_is_shared_by_projects_and_goes_with_the_last",
        "projects[].deploy_keys[].public projects[].deploy_keys[].ensure projects[].deploy_keys[].title",
    ),
    ("a_deploy_key_ends_like_any_key", "projects[].deploy_keys[].expires_at"),
    ("a_forced_push_is_known_by_its_ancestry", "projects[].protected_branches[].allow_force_push"),
    (
        "a_protected_branch_takes_pushes_of_maintainers_alone",
        "projects[].protected_branches[].name projects[].protected_branches[].push",
    ),
    ("who_may_merge_alone_starts_protected_branches_from_protected_commits", "projects[].protected_branches[].merge"),
    (
        "protected_refs_and_deploy_keys_come_change_and_go",
        "projects[].protected_branches[].ensure projects[].protected_tags[].ensure",
    ),
    (
        "protected_tags_are_made_by_whom_their_rows_admit",
        "projects[].protected_tags[].name projects[].protected_tags[].create",
    ),
    (
        "an_agent_and_its_tokens_are_brought_about",
        "projects[].agents[].ensure projects[].agents[].id projects[].agents[].project_access \
         projects[].agents[].tokens[].ensure projects[].agents[].tokens[].id \
         projects[].agents[].tokens[].name",
    ),
    ("an_agent_hears_where_its_configuration_is", "projects[].agents[].name"),
    ("an_agent_has_a_token_of_its_own", "projects[].agents[].tokens[].token"),
    ("whoever_made_the_agent_must_manage_vulnerabilities", "projects[].agents[].created_by"),
    (
        "who_may_merge_a_merge_request_may_push_to_its_branch",
        "projects[].merge_requests[].iid projects[].merge_requests[].source_project \
         projects[].merge_requests[].source_branch \
         projects[].merge_requests[].allow_collaboration=allow_maintainer_to_push",
    ),
    (
        "the_merge_that_is_running_goes_through_for_who_may_merge",
        "projects[].merge_requests[].target_branch projects[].merge_requests[].state=state_id \
         projects[].merge_requests[].in_progress_merge_commit_sha",
    ),
    ("merge_requests_come_change_and_go", "projects[].merge_requests[].ensure"),
    ("the_author_of_a_snippet_reads_and_writes_it", "snippets[].id=snippets snippets[].author"),
    ("a_projects_snippet_is_found_below_its_project_alone", "snippets[].project"),
    ("a_snippet_is_read_by_members_and_changed_by_its_author", "snippets[].visibility snippets[].repository_read_only"),
    ("snippets_come_change_and_go", "snippets[].storage snippets[].repository snippets[].ensure"),
    ("the_instance_hears_once_of_a_push_as_a_whole", "hooks[].repository_update_events"),
    (
        "a_policy_of_a_group_leaves_protected_branches_to_merge_requests",
        "security_policies.approval_policy[].name security_policies.approval_policy[].enabled \
         security_policies.approval_policy[].rules[].type security_policies.approval_policy[].rules[].branch_type \
         security_policies.approval_policy[].approval_settings.prevent_pushing_and_force_pushing",
    ),
    (
        "approval_policies_keep_branches_from_being_pushed_to",
        "security_policies.approval_policy[].rules[].branches \
         security_policies.approval_policy[].rules[].branch_exceptions",
    ),
    ("policies_are_kept_as_their_file", "security_policies.ensure"),
    (
        "an_agent_hears_what_is_scheduled_for_it",
        "security_policies.scan_execution_policy[].rules[].cadence \
         security_policies.scan_execution_policy[].rules[].agents.*.namespaces",
    ),
    (
        "the_policies_themselves_are_shown",
        "security_policies.scan_execution_policy[].actions \
         security_policies.scan_execution_policy[].description \
         security_policies.scan_execution_policy[].enabled security_policies.scan_execution_policy[].name \
         security_policies.scan_execution_policy[].rules[].type security_policies.updated_at",
    ),
    (
        "the_yaml_of_a_policy_reads_back",
        "security_policies.scan_execution_policy[].rules[].branches \
         security_policies.scan_execution_policy[].rules[].branch_type \
         security_policies.scan_execution_policy[].rules[].timezone \
         security_policies.approval_policy[].description",
    ),
    (
        "purchases_come_change_and_go",
        "add_on_purchases[].ensure minutes_packs[].ensure reconciliations[].ensure \
         storage_exclusions[].ensure",
    ),
    (
        "an_add_on_is_bought",
        "add_on_purchases[].add_on add_on_purchases[].expires_on add_on_purchases[].namespace \
         add_on_purchases[].purchase_xid add_on_purchases[].quantity",
    ),
    ("many_add_ons_are_bought_at_once", "add_on_purchases[].started_on add_on_purchases[].trial"),
    (
        "a_purchase_is_credited_once",
        "minutes_packs[].expires_at minutes_packs[].namespace minutes_packs[].number_of_minutes \
         minutes_packs[].purchase_xid",
    ),
    (
        "dates_are_written_and_overwritten",
        "reconciliations[].namespace reconciliations[].next_reconciliation_date \
         reconciliations[].display_alert_from",
    ),
    ("a_namespace_is_excluded_once", "storage_exclusions[].namespace storage_exclusions[].reason"),
    (
        "a_subscription_comes_changes_and_goes",
        "subscriptions[].ensure subscriptions[].namespace subscriptions[].plan_code subscriptions[].seats \
         subscriptions[].start_date subscriptions[].end_date subscriptions[].auto_renew \
         subscriptions[].max_seats_used",
    ),
    (
        "a_trial_starts_with_its_subscription",
        "subscriptions[].trial subscriptions[].trial_starts_on subscriptions[].trial_ends_on",
    ),
    (
        "broadcast_messages_and_plans_come_change_and_go",
        "plans[].ensure plans[].name plans[].title plans[].id broadcast_messages[].ensure \
         broadcast_messages[].id",
    ),
    (
        "alerts_come_first_and_the_banner_before_the_warning",
        "broadcast_messages[].message broadcast_messages[].broadcast_type broadcast_messages[].show_in_cli \
         broadcast_messages[].starts_at broadcast_messages[].ends_at",
    ),
    (
        "the_newest_banner_of_the_path_wins_over_the_newest_of_all",
        "broadcast_messages[].target_path broadcast_messages[].target_access_levels",
    ),
];

/// The keys of the settings file.
const FILE: &[Row] = &[
    ("the_gate_comes_after_the_caller", "gatehouse.check_namespace_plan"),
    (
        "customers_dot_provisions_at_both_mounts",
        "gatehouse.customers_dot.jwks_file=customers_dot gatehouse.customers_dot.url",
    ),
    ("old_keys_outlive_customers_dot_being_away", "gatehouse.customers_dot.refresh"),
    ("a_database_that_goes_away_is_missed_and_found_again", "gatehouse.database.acquire_timeout"),
    ("a_pooler_in_between_changes_nothing", "gatehouse.database.direct_url"),
    (
        "while_the_primary_is_away_fetches_go_on_for_as_long_as_the_settings_allow",
        "gatehouse.database.replicas gatehouse.database.stale_fetches",
    ),
    ("a_declared_standby_answers_who_reads_and_refuses_who_writes", "gatehouse.database.read_only"),
    (
        "each_area_has_the_connections_that_the_settings_say",
        "gatehouse.database.connections.lookups gatehouse.database.connections.pushes \
         gatehouse.database.connections.provisioning gatehouse.database.connections.scim \
         gatehouse.database.connections.kubernetes gatehouse.database.connections.upkeep \
         gatehouse.database.access_connections gatehouse.database.statement_timeout gatehouse.database.lock_timeout \
         gatehouse.database.url",
    ),
    (
        "secrets_are_read_from_the_files_that_the_settings_name",
        "gatehouse.db_key_base_file gitlab_kas.secret_file gitlab_shell.secret_file workhorse.secret_file",
    ),
    ("without_the_feature_or_the_project_there_are_no_alerts", "gatehouse.features.cilium_alerts"),
    ("acting_as_the_user_needs_a_licence", "gatehouse.features.cluster_agents_user_impersonation"),
    ("agents_that_are_dialled_need_a_licence", "gatehouse.features.cluster_receptive_agents"),
    ("without_the_feature_there_are_no_vulnerabilities", "gatehouse.features.security_dashboard"),
    ("policies_need_a_licence", "gatehouse.features.security_orchestration_policies"),
    ("an_operation_is_written_down_where_git_is_audited", "gatehouse.git_audit"),
    ("the_options_of_git_may_be_configured_away", "gatehouse.git_config_options"),
    ("the_jobs_of_a_server_that_was_killed_are_taken_over", "gatehouse.jobs.takeover_timeout=killed"),
    ("a_server_may_leave_the_jobs_to_others", "gatehouse.jobs.concurrency"),
    ("dead_jobs_are_forgotten_in_the_end", "gatehouse.jobs.keep_dead=delete_dead"),
    ("a_project_has_so_many_vulnerabilities_and_no_more", "gatehouse.kas.vulnerabilities_per_project"),
    ("an_installation_may_have_a_namespace_of_its_own", "gatehouse.kas.vulnerability_namespace"),
    ("the_secret_is_taken_where_the_setting_allows_it", "gatehouse.legacy_shared_secret"),
    ("the_life_of_a_token_is_a_setting", "gatehouse.lfs_token_lifetime"),
    ("a_body_may_be_as_large_as_its_endpoint_needs", "gatehouse.limits.body_bytes gatehouse.limits.push_body_bytes"),
    (
        "a_full_server_serves_the_next_client_when_one_leaves_and_stops_when_it_is_asked_to",
        "gatehouse.limits.connections gatehouse.limits.drain_timeout=drain",
    ),
    ("a_slow_head_is_cut", "gatehouse.limits.header_timeout"),
    ("a_slow_body_is_answered_in_time", "gatehouse.limits.request_timeout gatehouse.limits.body_timeout"),
    ("bodies_under_way_have_a_bound_together", "gatehouse.limits.bodies_bytes"),
    (
        "one_address_has_its_share_of_the_places_and_a_proxy_all",
        "gatehouse.limits.connections_per_peer gatehouse.limits.exempt_peers",
    ),
    ("clients_that_never_read_lose_their_places", "gatehouse.limits.write_timeout"),
    ("a_push_that_takes_too_long_to_check_is_told_where_the_time_went", "gatehouse.limits.push_check_timeout"),
    (
        "the_binary_serves_a_socket_below_its_root_and_drains_when_asked_to_stop",
        "gatehouse.socket gatehouse.listen gitlab.relative_url_root",
    ),
    ("the_binary_serves_the_admin_area_where_the_settings_say", "gatehouse.admin.listen=listen"),
    ("the_cookie_is_secure_where_browsers_come_by_https", "gatehouse.admin.url=url"),
    ("the_operators_listener_tells_how_the_server_is", "gatehouse.metrics_listen=metrics"),
    ("lines_for_people_keep_every_secret", "gatehouse.log.level"),
    ("lines_for_machines_are_json_with_the_name_of_their_request", "gatehouse.log.format"),
    ("a_push_is_one_trace_from_its_caller_to_gitaly_and_the_receivers_of_hooks", "gatehouse.tracing.endpoint"),
    ("the_settings_say_which_traces_are_taken", "gatehouse.tracing.sample_ratio=settings"),
    ("of_a_flood_some_are_kept_and_the_rest_is_counted", "gatehouse.refusals.rows_per_second"),
    ("none_are_kept_where_the_settings_say_so", "gatehouse.refusals.keep_rows"),
    ("old_refusals_are_forgotten_in_the_end", "gatehouse.refusals.keep_days"),
    ("links_can_be_switched_off", "gatehouse.mr_links"),
    (
        "what_is_switched_off_says_so",
        "gatehouse.scim.groups gatehouse.scim.instance gatehouse.scim.licensed gatehouse.scim.token_in_query",
    ),
    ("a_refresh_counts_what_is_paid_once_in_its_time", "gatehouse.seat_refresh_interval=refresh"),
    ("it_says_so_where_the_installation_asks_at_all", "gatehouse.two_factor_for_git"),
    (
        "each_project_is_on_its_own_storage",
        "repositories.storages.*.gitaly_address repositories.storages.*.gitaly_token gitaly.token",
    ),
    ("the_version_is_a_setting", "gitlab.version"),
    ("a_user_gets_a_token_of_their_own", "gitlab.host gitlab.https gitlab.port gitlab.relative_url_root"),
    ("a_receiver_that_never_answers_is_given_up_and_tried_again", "gitlab.webhook_timeout=will_take"),
    ("git_over_http_may_be_switched_off_by_direction", "gitlab_shell.upload_pack gitlab_shell.receive_pack"),
    (
        "ssh_clone_urls_are_made_of_user_host_and_port",
        "gitlab_shell.ssh_host gitlab_shell.ssh_port gitlab_shell.ssh_user",
    ),
    ("there_is_no_token_where_there_is_no_lfs", "lfs.enabled"),
    ("what_workhorse_has_laid_down_is_stored_and_counted", "lfs.storage_path=LfsForge"),
    (
        "the_bucket_is_entered_with_the_key_of_the_settings",
        "lfs.object_store.connection.aws_access_key_id lfs.object_store.connection.aws_secret_access_key \
         lfs.object_store.connection.aws_secret_access_key_file lfs.object_store.connection.use_iam_profile \
         lfs.object_store.connection.endpoint lfs.object_store.remote_directory",
    ),
    ("objects_are_named_as_gitlab_names_them", "lfs.object_store.connection.path_style lfs.object_store.bucket_prefix"),
    ("a_url_is_signed_for_the_region", "lfs.object_store.connection.region"),
    ("no_other_protocol_than_s3_is_spoken", "lfs.object_store.connection.provider"),
    (
        "workhorse_lays_an_object_down_in_the_bucket",
        "lfs.object_store.enabled=in_bucket lfs.object_store.bucket_prefix",
    ),
    ("clients_fetch_from_the_bucket_where_they_can_reach_it", "lfs.object_store.proxy_download"),
    ("a_token_of_a_transfer_lives_as_long_as_the_settings_say", "gatehouse.lfs_transfer_token_lifetime"),
    ("the_clients_address_is_told_by_proxies_that_are_trusted", "gitlab.trusted_proxies"),
    ("a_token_that_has_ended_is_none", "gitlab.impersonation_enabled"),
    (
        "an_address_that_guesses_is_shut_out_for_a_while",
        "rack_attack.git_basic_auth.maxretry rack_attack.git_basic_auth.findtime rack_attack.git_basic_auth.bantime",
    ),
    (
        "the_ban_may_be_switched_off_and_addresses_left_out",
        "rack_attack.git_basic_auth.enabled rack_attack.git_basic_auth.ip_whitelist",
    ),
    ("the_addresses_of_the_settings_are_told_how_the_server_is", "monitoring.ip_whitelist"),
    ("a_balancer_sees_the_stop_before_it_happens", "shutdown.blackout_seconds"),
];

#[test]
fn every_key_of_the_state_document_has_an_effect() {
    let mut leaves = BTreeSet::new();
    collect(&schema_of::<StateDocument>(), "", &mut leaves);
    let leaves = leaves.iter().map(|leaf| shaped(leaf)).collect();
    assert_eq!(faults(&leaves, STATED), "");
}

#[test]
fn every_key_of_the_settings_file_has_an_effect() {
    let mut leaves = BTreeSet::new();
    collect(&schema_of::<Settings>(), "", &mut leaves);
    assert_eq!(faults(&leaves, FILE), "");
}

/// A key that is refused is not in the schema: one that comes to have an effect leaves the list of those.
#[test]
fn what_is_refused_is_not_taken_as_well() {
    let mut leaves = BTreeSet::new();
    collect(&schema_of::<StateDocument>(), "", &mut leaves);
    for refused in REFUSED {
        assert!(!leaves.contains(refused.place), "{} is both refused and taken", refused.place);
    }
}

/// Every key at which the schema goes no deeper: `projects[].members.*.level`.
fn collect(node: &Value, place: &str, leaves: &mut BTreeSet<String>) {
    let objects = node["properties"].as_object();
    for (key, inner) in objects.into_iter().flatten() {
        let place = if place.is_empty() { key.clone() } else { format!("{place}.{key}") };
        collect(inner, &place, leaves);
    }
    let entries = &node["additionalProperties"];
    if entries.is_object() {
        collect(entries, &format!("{place}.*"), leaves);
    }
    let items = &node["items"];
    if items.is_object() {
        collect(items, &format!("{place}[]"), leaves);
    }
    let alternatives = ["anyOf", "oneOf"].iter().filter_map(|word| node[*word].as_array()).flatten();
    let alternatives: Vec<&Value> = alternatives.filter(|inner| inner["type"] != "null").collect();
    for inner in &alternatives {
        collect(inner, place, leaves);
    }
    if objects.is_none() && !entries.is_object() && !items.is_object() && alternatives.is_empty() {
        leaves.insert(place.trim_end_matches("[]").to_owned());
    }
}

/// The place, from the part on that has the same keys everywhere.
fn shaped(place: &str) -> String {
    let dotted = format!(".{place}.");
    let start = SHAPES.iter().filter_map(|shape| dotted.find(&format!(".{shape}."))).min();
    start.map_or_else(|| place.to_owned(), |start| place[start..].to_owned())
}

/// Whether the source has this test: the function, with the attribute that makes it one.
fn has_test(source: &str, test: &str) -> bool {
    source.match_indices(&format!("fn {test}(")).any(|(at, _)| {
        let item = source[..at].rsplit("\n\n").next().unwrap_or_default();
        item.contains("test]") || item.contains("::test(")
    })
}

/// What is wrong with the rows: keys without a test, keys that do not exist, and tests that do not.
fn faults(leaves: &BTreeSet<String>, rows: &[Row]) -> String {
    let sources: Vec<(String, String)> = ["src", "tests"].into_iter().flat_map(sources).collect();
    let (mut faults, mut shown) = (Vec::new(), BTreeSet::new());
    for (test, keys) in rows {
        let with_test: Vec<&str> =
            sources.iter().map(|(_, source)| source.as_str()).filter(|source| has_test(source, test)).collect();
        if with_test.is_empty() {
            faults.push(format!("there is no test {test}"));
        }
        for stated in keys.split_whitespace() {
            let (key, word) = stated.split_once('=').unwrap_or_else(|| {
                let last = stated.trim_end_matches(".*").trim_end_matches("[]").rsplit('.').next().unwrap_or(stated);
                (stated, last)
            });
            if !leaves.contains(key) {
                faults.push(format!("{test}: there is no key {key}"));
            }
            if !with_test.is_empty() && !with_test.iter().any(|source| source.contains(word)) {
                faults.push(format!("{test}: its file does not name {word}"));
            }
            shown.insert(key);
        }
    }
    let missing = leaves.iter().filter(|leaf| !shown.contains(leaf.as_str()));
    faults.extend(missing.map(|leaf| format!("no test shows the effect of {leaf}")));
    faults.join("\n")
}
