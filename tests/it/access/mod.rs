//! `gatehouse access`, as an operator runs it, and the refusals that it shows, as clients cause them.

mod explain;
mod list;
mod refusals;

use serde_json::Value;
use sqlx::PgPool;

use crate::apply::applied;
use crate::support::{Installation, Ran, TestGitaly};

/// Two groups, of which one is shared with the other, a project that is linked to a third, and who is what there.
const COMPANY: &str = "
users:
  - {username: olga, email: olga@example.com}
  - {username: dana, email: dana@example.com}
  - {username: rita, email: rita@example.com}
  - {username: lina, email: lina@example.com}
  - {username: gone, email: gone@example.com}
  - {username: stranger, email: stranger@example.com}
  - {username: boss, email: boss@example.com, admin: true}
  - {username: looker, email: looker@example.com, auditor: true}
groups:
  - {path: acme, members: {olga: owner, dana: developer}}
  - {path: acme/tools}
  - {path: partner, members: {rita: maintainer}}
  - {path: links, members: {lina: owner}}
projects:
  - path: acme/tools/web
    creator: olga
    default_branch: main
    repository: present
    protected_branches:
      - {name: main, push: [maintainer], merge: [developer]}
    deploy_keys:
      - {title: builder, key: \"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICjfNdcL0RdkcBY5dtdZOxkqS3T36GUQuW5B1sdZk+SP b\", can_push: true}
";

/// Its shares, and a membership that ends.
const SHARES: &str = "
groups:
  - {path: acme, shared_with: {partner: reporter}}
projects:
  - {path: acme/tools/web, shared_with: {links: developer}, members: {gone: {level: maintainer, expires_at: 2030-01-01}}}
";

/// The company, as `apply` makes it.
async fn company(pool: &PgPool) -> Installation {
    applied(pool, COMPANY).await;
    applied(pool, SHARES).await;
    Installation::new(pool, "")
}

/// The same, with a Gitaly that has the project's repository.
async fn company_with(pool: &PgPool, gitaly: &TestGitaly) -> Installation {
    applied(pool, COMPANY).await;
    applied(pool, SHARES).await;
    Installation::new(pool, &gitaly.settings())
}

fn explain(installation: &Installation, arguments: &[&str]) -> Ran {
    installation.run(&[&["access", "explain", "--project", "acme/tools/web"], arguments].concat())
}

/// The one object that a command printed.
fn object(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

/// The last line, which says what would help.
fn last(ran: &Ran) -> &str {
    ran.stdout.trim_end().lines().last().unwrap_or_default()
}
