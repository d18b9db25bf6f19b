//! Gatehouse as its clients and operators see it. The folders mirror `src/http`; `apply` is the command.

mod apply;
mod derived;
mod gitaly;
mod personal_access_tokens;
mod shell;
mod support;
