//! Gatehouse as its clients see it. The folders mirror `src/http`.

mod apply;
mod derived;
mod gitaly;
mod shell;
mod support;
