//! Gatehouse as its clients see it. The folders mirror `src/http`.

mod auth_matrix;
mod boot;
mod commands;
mod gather;
mod logs;
mod migrations;
mod query_cache;
mod shell;
mod support;
mod tidy;
