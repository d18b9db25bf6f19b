//! Gatehouse as its clients see it. The folders mirror `src/http`.

mod gitaly;
mod apply;
mod derived;
mod shell;
mod support;
