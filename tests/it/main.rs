//! Gatehouse as its clients see it. The folders mirror `src/http`.

mod shell;
mod support;
