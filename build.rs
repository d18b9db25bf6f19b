//! Names the commit that the binary is built from, for `--version` and `GET /check`, and compiles what Gitaly speaks.

use std::env;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=migrations");
    println!("cargo:rerun-if-changed=src/gitaly/proto");
    println!("cargo:rerun-if-env-changed=GATEHOUSE_REVISION");
    // Whoever builds from an archive, or many times from one commit, says which.
    let given = env::var("GATEHOUSE_REVISION").ok().filter(|revision| !revision.is_empty());
    let revision = given.or_else(revision);
    println!("cargo:rustc-env=GATEHOUSE_REVISION={}", revision.as_deref().unwrap_or("unknown"));
    gitaly()
}

/// The commit of the checkout, watched from now on.
fn revision() -> Option<String> {
    // The log of HEAD grows with every commit and checkout. It lies elsewhere in a linked worktree, and nowhere in an
    // archive, where watching it would compile everything anew each time.
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]).filter(|log| Path::new(log).exists()) {
        println!("cargo:rerun-if-changed={log}");
    }
    git(&["rev-parse", "--short=11", "HEAD"])
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

/// The client for `src/gitaly`, and in a folder beside it the server that tests stand in for Gitaly with: the binary has
/// no use for that one.
fn gitaly() -> Result<(), Box<dyn Error>> {
    let descriptors = protox::compile(["gitaly.proto"], ["src/gitaly/proto"])?;
    let server = Path::new(&env::var("OUT_DIR")?).join("server");
    fs::create_dir_all(&server)?;
    tonic_prost_build::configure().build_server(false).compile_fds(descriptors.clone())?;
    tonic_prost_build::configure().build_client(false).out_dir(server).compile_fds(descriptors)?;
    Ok(())
}
