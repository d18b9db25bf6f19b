//! The shell area, as gitlab-shell and Gitaly see it.

mod allowed;
mod post_receive;
mod pre_receive;
