//! The shell area, as gitlab-shell and Gitaly see it.

mod allowed;
