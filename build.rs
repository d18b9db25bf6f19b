//! Names the commit that the binary is built from, for `--version` and `GET /check`.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=migrations");
    // The log of HEAD grows with every commit and checkout. It lies elsewhere in a linked worktree, and nowhere in an
    // archive, where watching it would compile everything anew each time.
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]).filter(|log| Path::new(log).exists()) {
        println!("cargo:rerun-if-changed={log}");
    }
    let revision = git(&["rev-parse", "--short=11", "HEAD"]);
    println!("cargo:rustc-env=GATEHOUSE_REVISION={}", revision.as_deref().unwrap_or("unknown"));
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
