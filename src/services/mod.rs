//! Workflows: each is one transaction, or a stated order of them. A service asks `store` for rows and `domain` for decisions, and
//! is called by `http`, `background` and the commands alike.

pub mod retry;
