//! Gatehouse as its clients see it. The folders mirror `src/http`.

mod jobs;
mod shell;
mod support;
