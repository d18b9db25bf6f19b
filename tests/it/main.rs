//! Gatehouse as its clients see it. The folders mirror `src/http`.

mod hooks_in_anger;
mod jobs;
mod shell;
mod support;
