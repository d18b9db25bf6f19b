//! Gatehouse as its clients and operators see it. The folders mirror `src/http`; `apply` is the command.

mod apply;
mod auth_matrix;
mod boot;
mod clients;
mod commands;
mod derived;
mod gather;
mod gitaly;
mod hooks_in_anger;
mod jobs;
mod kubernetes;
mod logs;
mod migrations;
mod personal_access_tokens;
mod provisioning;
mod query_cache;
mod scim;
mod shell;
mod support;
mod tidy;
