//! Gatehouse as its clients and operators see it. The folders mirror `src/http`; `apply` is the command.

#![expect(clippy::disallowed_methods, reason = "tests look at any row, and hold the clock themselves")]

mod access;
mod admin;
mod apply;
mod auth_matrix;
mod background;
mod batcher;
mod books;
mod boot;
mod clients;
mod commands;
mod contract;
mod database;
mod derived;
mod documentation;
mod effects;
mod examples;
mod git_http;
mod git_names;
mod gitaly;
mod hooks_crash;
mod kubernetes;
mod logs;
mod manners;
mod migrations;
mod monitoring;
mod openapi;
mod personal_access_tokens;
mod pooler;
mod provisioning;
mod query_cache;
mod re2;
mod references;
mod repositories;
mod rest;
mod scim;
mod shell;
mod standbys;
mod support;
mod tidy;
mod traces;
