//! `examples/forge` without the real programs: its settings and its state are accepted, and both ways to start it fill in
//! every configuration.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sqlx::PgPool;

use crate::apply::fresh_key;
use crate::support::{Installation, TestGitaly};

fn forge(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/forge").join(name)
}

/// The binary with the settings of the forge, in a folder of its own.
#[sqlx::test]
async fn the_state_of_the_forge_is_applied_with_its_settings(pool: PgPool) {
    let gitaly = TestGitaly::start_on_tcp("a-token-of-the-forge");
    let installation = Installation::new(&pool, "");
    let keys = [fresh_key("ed25519", "256"), fresh_key("ed25519", "256")];
    let state = forge("state.yml");
    let apply = || {
        let applied = installation
            .command(&["apply", "-f", state.to_str().unwrap()])
            .env("GATEHOUSE_CONFIG", forge("gatehouse.yml"))
            .env("REPOSITORIES__STORAGES__DEFAULT__GITALY_ADDRESS", gitaly.address())
            .env("GITALY__TOKEN", "a-token-of-the-forge")
            .env("MAINTAINER_KEY", &keys[0])
            .env("DEVELOPER_KEY", &keys[1])
            .output()
            .unwrap();
        let said = String::from_utf8(applied.stderr).unwrap();
        assert!(applied.status.success(), "{said}");
        said
    };
    let said = apply();
    assert!(said.contains("+ protected branch main of acme/web"), "{said}");
    assert_eq!(gitaly.count("CreateRepository"), 1, "{said}");
    assert_eq!(apply(), "nothing to change\n");
    // The secrets of this forge are made where it runs.
    for name in ["gitlab_shell_secret", "gitlab_kas_secret", "db_key_base"] {
        assert!(installation.folder.join(name).exists(), "{name}");
    }
}

#[test]
fn both_ways_to_start_the_forge_fill_in_every_word() {
    let starters = ["run", "compose.yml"].map(|name| (name, fs::read_to_string(forge(name)).unwrap()));
    for template in ["gitaly.toml", "gitlab-sshd.yml"] {
        let text = fs::read_to_string(forge(template)).unwrap();
        let words: Vec<&str> = text
            .split('"')
            .filter_map(|quoted| quoted.strip_prefix('@'))
            .filter_map(|word| word.split_once('@'))
            .map(|(word, _)| word)
            .collect();
        assert!(words.len() > 2, "{words:?}");
        for (name, starter) in &starters {
            for word in &words {
                assert!(starter.contains(&format!("s|@{word}@|")), "{name} does not fill in {word} of {template}");
            }
        }
    }
}

/// The script tells what it needs, from whichever folder it is called.
#[test]
fn the_forge_says_what_it_needs() {
    let run = |arguments: &[&str], gitaly: Option<&str>| {
        let mut command = Command::new(forge("run"));
        command.args(arguments).current_dir(std::env::temp_dir()).stdin(Stdio::null()).env_remove("GITALY");
        let ran = command.envs(gitaly.map(|gitaly| ("GITALY", gitaly))).output().unwrap();
        (ran.status.code(), String::from_utf8(ran.stdout).unwrap(), String::from_utf8(ran.stderr).unwrap())
    };
    let (code, help, _) = run(&["--help"], None);
    assert_eq!(code, Some(0));
    for word in ["GITALY=", "GITLAB_SHELL=", "GATEHOUSE=", "GIT=", "--serve", "FORGE_SSH_LISTEN"] {
        assert!(help.contains(word), "{word} in {help}");
    }
    for (arguments, gitaly, wanted) in [
        (&[][..], None, "say where gitaly is: GITALY="),
        (&[][..], Some("/nonexistent"), "GITALY=/nonexistent: there is no program gitaly in it"),
        (&["--sevre"][..], None, "I do not know --sevre"),
    ] {
        let (code, _, said) = run(arguments, gitaly);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(wanted), "{said}");
    }
}
