//! The shell area, as gitlab-shell and Gitaly see it.

mod allowed;
mod authorized_keys;
mod check;
mod discover;
mod legacy_secret;
mod lfs_authenticate;
mod post_receive;
mod pre_receive;
mod transport;
