//! Names the commit that the binary is built from, for `--version` and `GET /check`.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=.git/HEAD");
    println!("cargo:rerun-if-changed=migrations");
    let revision = Command::new("git").args(["rev-parse", "--short=11", "HEAD"]).output().ok();
    let revision =
        revision.filter(|output| output.status.success()).and_then(|output| String::from_utf8(output.stdout).ok());
    println!("cargo:rustc-env=GATEHOUSE_REVISION={}", revision.as_deref().map_or("unknown", str::trim));
}
