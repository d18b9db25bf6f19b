//! Workflows: each is one transaction, or a stated order of them. A service asks `store` for rows and `domain` for
//! decisions, and is called by `http`, `background` and the commands alike.

pub mod acting_user;
pub mod admin_sessions;
pub mod administer_scim;
pub mod agent_tokens;
pub mod ask_access;
pub mod audit_log;
pub mod audited_change;
pub mod block_user;
pub mod change_account;
pub mod change_scim_group;
pub mod change_scim_user;
pub mod check_access;
pub mod check_git_password;
pub mod check_installation;
pub mod check_push;
pub mod choose_storage;
pub mod configure_agent;
pub mod configure_web_hook;
pub mod create_personal_access_token;
pub mod create_project;
pub mod create_pushed_project;
mod create_scim_account;
pub mod credit_minutes;
pub mod delete_group_or_project;
pub mod delete_places;
pub mod delete_scim_group;
pub mod delete_user;
mod deprovision_scim_user;
pub mod describe_namespace;
pub mod end_provisioning;
pub mod exclude_storage_limit;
pub mod expire_memberships;
pub mod explain_access;
pub mod find_clone_url;
pub mod ghost_user;
pub mod group_change;
pub mod guard_call;
pub mod hook_payload;
pub mod issue_access_token;
pub mod issue_deploy_token;
mod join_scim_group;
pub mod list_access;
pub mod make_repository;
pub mod manage_members;
pub mod move_group;
pub mod move_minutes;
pub mod open_otp_session;
pub mod outbound;
pub mod personal_tokens;
pub mod place_groups;
pub mod place_projects;
pub mod process_push;
pub mod project_change;
pub mod protect_ref;
pub mod provision_namespace;
pub mod provision_scim_group;
pub mod provision_scim_user;
pub mod purchase_add_ons;
pub mod pushed_repositories;
pub mod record_alert;
pub mod record_delivery;
pub mod record_refusal;
pub mod record_vulnerability;
pub mod refresh_repository;
pub mod refresh_seats;
pub mod remove_repository;
pub mod replace_recovery_codes;
pub mod report_push;
pub mod resolve_vulnerabilities;
pub mod retry;
pub mod revoke_credential;
pub mod revoke_token;
pub mod scim_refusal;
pub mod set_push_rule;
pub mod settle_default_branch;
pub mod share_with_group;
pub mod store_lfs_object;
pub mod subscribe;
pub mod sync_scim_members;
pub mod tend_queue;
pub mod test_web_hook;
pub mod update_project;
pub mod use_deploy_key;
pub mod user_keys;
pub mod write_group;
pub mod write_reconciliations;
pub mod write_user;

use self::retry::StoreFailure;
use crate::store;

/// Why a service did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError<R> {
    /// The rules stand against it, and nothing was done.
    #[error("refused")]
    Refused(R),
    /// The database did not answer.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl<R> StoreFailure for ServiceError<R> {
    fn store_error(&self) -> Option<&store::Error> {
        match self {
            Self::Refused(_) => None,
            Self::Store(error) => Some(error),
        }
    }
}

/// What comes of a service that the rules may refuse.
pub type ServiceResult<T, R> = Result<T, ServiceError<R>>;
