//! Gatehouse as its clients see it. The folders mirror `src/http`.

mod personal_access_tokens;
mod shell;
mod support;
