//! The RFCs, as scim2-tester reads them, against the built server: each check and what comes of it is listed here, so that
//! any change of the list is a change of this file.

use std::path::{Path, PathBuf};
use std::process::Command;

use gatehouse::domain::scim::ScimScope;
use sqlx::PgPool;

use crate::support::{Installation, TestApp};

/// Where `bin/test` puts the checker; it says so in `SCIM2`, and then the checker must be there.
fn python() -> Option<PathBuf> {
    let beside = |scim2: &Path| scim2.with_file_name("python3");
    if let Some(scim2) = std::env::var_os("SCIM2") {
        return Some(beside(Path::new(&scim2)));
    }
    let usual = Path::new(env!("CARGO_MANIFEST_DIR")).join(".gatehouse/conformance/bin/scim2");
    usual.exists().then(|| beside(&usual))
}

/// What is not a success: the check, what comes of it, and what we do instead.
const DEPARTURES: [(&str, &str, &str); 2] = [
    // A client that was removed can come back: GitLab documents GET, then PATCH active.
    ("object_deletion", "ERROR", "the identity stays after DELETE, and is shown as not active"),
    // Whether somebody is active is always said; Entra depends on it.
    ("check_remove_attribute", "ERROR", "active cannot be removed"),
];

/// What is asked of groups, of which the installation has some: a group is made only where a SAML group link has its name,
/// and no check can know one.
const GROUP_CHECKS: [&str; 11] = [
    "object_creation",
    "object_query",
    "object_query_without_id",
    "object_query_with_attributes",
    "object_list_with_attributes",
    "search_with_attributes",
    "object_replacement",
    "object_deletion",
    "check_add_attribute",
    "check_remove_attribute",
    "check_replace_attribute",
];

/// All checks, and how often each of them runs.
const CHECKS: [(&str, usize); 23] = [
    ("access_invalid_resource_type", 1),
    ("access_invalid_schema", 1),
    ("access_schema_by_id", 4),
    ("check_add_attribute", 1),
    ("check_remove_attribute", 1),
    ("check_replace_attribute", 1),
    ("object_creation", 1),
    ("object_deletion", 1),
    ("object_list_with_attributes", 1),
    ("object_query", 1),
    ("object_query_with_attributes", 1),
    ("object_query_without_id", 1),
    ("object_replacement", 1),
    ("query_all_resource_types", 1),
    ("query_all_schemas", 1),
    ("query_resource_type_by_id", 1),
    ("random_url", 1),
    ("resource_types_endpoint_methods", 4),
    ("resource_types_schema_validation", 1),
    ("schemas_endpoint_methods", 4),
    ("search_with_attributes", 1),
    ("service_provider_config_endpoint", 1),
    ("service_provider_config_endpoint_methods", 4),
];

async fn check(pool: &PgPool, scope: ScimScope, base: &str) {
    let Some(python) = python() else {
        println!("skipped: no scim2-tester here; bin/test installs it into .gatehouse/conformance");
        return;
    };
    TestApp::new(pool.clone()).given().scim_token(scope, "T").await;
    let served = Installation::new(pool, "").serve();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/scim/conformance.py");
    let ran = Command::new(&python)
        .arg(script)
        .arg(served.socket())
        .arg(format!("http://localhost/api/scim/v2{base}"))
        .arg("T")
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", python.display()));
    let (said, errors) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{said}\n{errors}\n{}", served.log());
    let mut counted: Vec<(&str, usize)> = Vec::new();
    let mut departed = Vec::new();
    for line in said.lines() {
        let mut cells = line.split('\t');
        let (status, title, reason) =
            (cells.next().unwrap_or_default(), cells.next().unwrap_or_default(), cells.next().unwrap_or_default());
        match counted.iter_mut().find(|(known, _)| *known == title) {
            Some((_, count)) => *count += 1,
            None => counted.push((title, 1)),
        }
        if status != "SUCCESS" {
            departed.push((title, status, reason));
        }
    }
    counted.sort_unstable();
    let departures = DEPARTURES.iter().map(|(title, status, _)| (*title, *status));
    let of_groups = GROUP_CHECKS.iter().map(|title| (*title, "ERROR")).filter(|_| scope == ScimScope::Instance);
    let expected: Vec<(&str, &str)> = departures.chain(of_groups).collect();
    let found: Vec<(&str, &str)> = departed.iter().map(|(title, status, _)| (*title, *status)).collect();
    assert_eq!(found, expected, "{departed:#?}");
    let no_link = "No matching SAML group found with name: ";
    let of_groups = &departed[DEPARTURES.len()..];
    assert!(of_groups.iter().all(|(.., reason)| reason.contains(no_link)), "{of_groups:#?}");
    let types = ["access_schema_by_id", "query_resource_type_by_id", "resource_types_schema_validation"];
    let checks = CHECKS.map(|(title, count)| match scope {
        ScimScope::Instance if GROUP_CHECKS.contains(&title) || types.contains(&title) => (title, count + 1),
        _ => (title, count),
    });
    assert_eq!(counted, checks);
}

#[sqlx::test]
async fn a_group_conforms_but_for_what_is_listed(pool: PgPool) {
    let group = TestApp::new(pool.clone()).given().scim_group("acme").await;
    check(&pool, ScimScope::Group(group), "/groups/acme").await;
}

#[sqlx::test]
async fn the_installation_conforms_but_for_what_is_listed(pool: PgPool) {
    check(&pool, ScimScope::Instance, "/application").await;
}
