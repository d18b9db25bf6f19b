//! Gatehouse as its clients see it. The folders mirror `src/http`.

mod gitaly;
mod shell;
mod support;
