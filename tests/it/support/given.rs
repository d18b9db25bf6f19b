//! Builders that read as a story: `given.project("g/p").await.developer("dana").await`.
//!
//! They write GitLab's rows by hand, so that a test of a query does not lean on the code that writes them.

use chrono::{DateTime, TimeDelta, Utc};
use gatehouse::crypto::seal::Seal;
use gatehouse::crypto::secrets::token_salt;
use gatehouse::domain::ids::{AgentId, KeyId, NamespaceId, ProjectId, SnippetId, UserId};
use gatehouse::domain::scim::ScimScope;
use gatehouse::domain::token;
use gatehouse::store::two_factor;
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use sqlx::PgPool;

/// Where the story begins.
#[derive(Clone)]
pub struct Given {
    pub pool: PgPool,
    pub now: DateTime<Utc>,
}

/// A project that exists, for what is said of it next.
#[derive(Clone)]
pub struct GivenProject {
    given: Given,
    pub id: ProjectId,
}

impl Given {
    pub fn new(pool: PgPool, now: DateTime<Utc>) -> Self {
        Self { pool, now }
    }

    /// An active user with a personal namespace. Asking for them again finds them.
    pub async fn user(&self, username: &str) -> UserId {
        if let Some(id) = self.optional("select id from users where username = $1", username).await {
            return UserId(id);
        }
        let id: i64 = sqlx::query_scalar(
            "insert into users (username, name, email, confirmed_at)
             values ($1, initcap($1), $1 || '@example.com', now() at time zone 'utc')
             returning id",
        )
        .bind(username)
        .fetch_one(&self.pool)
        .await
        .unwrap();
        let namespace = self.namespace(username, "User", None).await;
        self.run("update namespaces set owner_id = $1 where id = $2", &[id, namespace.0]).await;
        UserId(id)
    }

    /// A group, and the groups above it. Asking for it again finds it.
    pub async fn group(&self, path: &str) -> NamespaceId {
        let sql = "select source_id from routes where path = $1 and source_type = 'Namespace'";
        if let Some(id) = self.optional(sql, path).await {
            return NamespaceId(id);
        }
        let parent = match path.rsplit_once('/') {
            Some((above, _)) => Some(Box::pin(self.group(above)).await),
            None => None,
        };
        self.namespace(path, "Group", parent).await
    }

    /// A SCIM token of a group or of the installation, in place of the one before it.
    pub async fn scim_token(&self, scope: ScimScope, token: &str) {
        gatehouse::store::scim_tokens::replace(&self.pool, scope, &token::sha256(token)).await.unwrap();
    }

    /// A top-level group with SAML, whose provisioned members become developers, and with the SCIM token `T`.
    pub async fn scim_group(&self, path: &str) -> NamespaceId {
        let group = self.group(path).await;
        let sql = "insert into saml_providers (
                     group_id, enabled, sso_url, certificate_fingerprint, default_membership_role
                   )
                   values ($1, true, 'https://idp.example/sso', 'x', 30)";
        self.run(sql, &[group.0]).await;
        self.scim_token(ScimScope::Group(group), "T").await;
        group
    }

    /// A private project with a repository, in the group or personal namespace before its last slash.
    pub async fn project(&self, path: &str) -> GivenProject {
        let (above, name) = path.rsplit_once('/').expect("a project has a namespace");
        let namespace = self.group(above).await;
        let shadow: i64 = sqlx::query_scalar(
            "insert into namespaces (name, path, type, parent_id, traversal_ids)
             select $1, $1, 'Project', id, traversal_ids from namespaces where id = $2
             returning id",
        )
        .bind(name)
        .bind(namespace.0)
        .fetch_one(&self.pool)
        .await
        .unwrap();
        let id: i64 = sqlx::query_scalar(
            "insert into projects (name, path, namespace_id, project_namespace_id, storage_version)
             values ($1, $1, $2, $3, 2)
             returning id",
        )
        .bind(name)
        .bind(namespace.0)
        .bind(shadow)
        .fetch_one(&self.pool)
        .await
        .unwrap();
        self.route(path, "Project", id, shadow).await;
        self.run("insert into project_features (project_id) values ($1)", &[id]).await;
        let repository = "insert into project_repositories (shard_id, disk_path, project_id)
                          select id, 'disk/' || $1, $1 from shards where name = 'default'";
        self.run(repository, &[id]).await;
        GivenProject { given: self.clone(), id: ProjectId(id) }
    }

    /// An SSH key of a user's, made of the word. The line is OpenSSH's, the key itself nobody's.
    pub async fn key(&self, owner: UserId, word: &str) -> KeyId {
        self.key_of(Some(owner), None, &key_body(word)).await
    }

    /// A deploy key, made by a user or by nobody who is left.
    pub async fn deploy_key(&self, creator: Option<UserId>, word: &str) -> KeyId {
        self.key_of(creator, Some("DeployKey"), &key_body(word)).await
    }

    /// A key of any type, by its whole line.
    pub async fn key_line(&self, owner: UserId, line: &str) -> KeyId {
        let body = line.split(' ').nth(1).unwrap();
        let id = self.key_of(Some(owner), None, body).await;
        sqlx::query("update keys set key = $1 where id = $2").bind(line).bind(id.0).execute(&self.pool).await.unwrap();
        id
    }

    async fn key_of(&self, owner: Option<UserId>, kind: Option<&str>, body: &str) -> KeyId {
        use base64::prelude::{BASE64_STANDARD, Engine};
        let fingerprint = Sha256::digest(BASE64_STANDARD.decode(body).unwrap());
        let id = sqlx::query_scalar(
            "insert into keys (user_id, title, key, type, fingerprint_sha256)
             values ($1, 'laptop', 'ssh-ed25519 ' || $2 || ' someone@example.com', $3, $4)
             returning id",
        )
        .bind(owner.map(|owner| owner.0))
        .bind(body)
        .bind(kind)
        .bind(fingerprint.as_slice())
        .fetch_one(&self.pool)
        .await
        .unwrap();
        KeyId(id)
    }

    /// A user's personal access token of these scopes, good for a year; it is handed back.
    pub async fn personal_access_token(
        &self,
        owner: UserId,
        db_key_base: &SecretString,
        token: &str,
        scopes: &[&str],
    ) -> String {
        let scopes: Vec<String> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        sqlx::query(
            "insert into personal_access_tokens (user_id, name, scopes, expires_at, token_digest)
             values ($1, 'for a test', $2, $3, $4)",
        )
        .bind(owner.0)
        .bind(token::scopes_to_yaml(&scopes))
        .bind((self.now + TimeDelta::days(365)).date_naive())
        .bind(token::digest(token, token_salt(db_key_base)))
        .execute(&self.pool)
        .await
        .unwrap();
        token.to_owned()
    }

    /// An agent of a project, made by a user or by nobody who is left.
    pub async fn agent(&self, project: ProjectId, name: &str, creator: Option<UserId>) -> AgentId {
        let id = sqlx::query_scalar(
            "insert into cluster_agents (project_id, name, created_by_user_id) values ($1, $2, $3) returning id",
        )
        .bind(project.0)
        .bind(name)
        .bind(creator.map(|user| user.0))
        .fetch_one(&self.pool)
        .await
        .unwrap();
        AgentId(id)
    }

    /// An active token of an agent; its id is handed back.
    pub async fn agent_token(&self, agent: AgentId, db_key_base: &SecretString, token: &str) -> i64 {
        sqlx::query_scalar(
            "insert into cluster_agent_tokens (agent_id, project_id, name, token_encrypted)
             select id, project_id, $2, $3 from cluster_agents where id = $1
             returning id",
        )
        .bind(agent.0)
        .bind(token)
        .bind(token::digest(token, token_salt(db_key_base)))
        .fetch_one(&self.pool)
        .await
        .unwrap()
    }

    /// Sets one column of the instance's settings.
    pub async fn setting(&self, assignment: &str) {
        self.sql(&format!("update application_settings set {assignment}")).await;
    }

    /// Sets columns of a user.
    pub async fn user_is(&self, user: UserId, assignment: &str) {
        self.sql(&format!("update users set {assignment} where id = {user}")).await;
    }

    /// Sets up one-time passwords of this secret for a user.
    pub async fn one_time_passwords(&self, user: UserId, db_key_base: &SecretString, base32: &str) {
        let seal = Seal::of_otp_secrets(db_key_base);
        two_factor::update_otp_secret(&self.pool, &seal, user, base32).await.unwrap();
    }

    /// Sets columns of a key.
    pub async fn key_is(&self, key: KeyId, assignment: &str) {
        self.sql(&format!("update keys set {assignment} where id = {key}")).await;
    }

    /// Any statement.
    pub async fn sql(&self, statement: &str) {
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement.to_owned())).execute(&self.pool).await.unwrap();
    }

    /// Any single value.
    pub async fn value<T>(&self, query: &str) -> T
    where
        T: Send + Unpin + for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
    {
        sqlx::query_scalar(sqlx::AssertSqlSafe(query.to_owned())).fetch_one(&self.pool).await.unwrap()
    }

    /// Waits until a query says true: some rows are written behind the answer.
    pub async fn eventually(&self, query: &str) {
        for _ in 0..200 {
            if self.value::<Option<bool>>(query).await == Some(true) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("never came true: {query}");
    }

    /// A private snippet with a repository, a person's own or a project's.
    pub async fn snippet(&self, author: UserId, project: Option<&GivenProject>) -> SnippetId {
        let id = sqlx::query_scalar(
            "insert into snippets (type, author_id, project_id, organization_id)
             values (case when $2::bigint is null then 'PersonalSnippet' else 'ProjectSnippet' end, $1, $2,
                     case when $2 is null then 1 end)
             returning id",
        )
        .bind(author.0)
        .bind(project.map(|project| project.id.0))
        .fetch_one(&self.pool)
        .await
        .unwrap();
        let repository = "insert into snippet_repositories (snippet_id, shard_id, disk_path)
                          select $1, id, 'snippet/' || $1 from shards where name = 'default'";
        self.run(repository, &[id]).await;
        SnippetId(id)
    }

    async fn namespace(&self, path: &str, kind: &str, parent: Option<NamespaceId>) -> NamespaceId {
        let name = path.rsplit('/').next().unwrap_or(path);
        let id: i64 = sqlx::query_scalar(
            "insert into namespaces (name, path, type, parent_id) values ($1, $1, $2, $3) returning id",
        )
        .bind(name)
        .bind(kind)
        .bind(parent.map(|parent| parent.0))
        .fetch_one(&self.pool)
        .await
        .unwrap();
        let traversal = "update namespaces
                         set traversal_ids = coalesce(
                           (select above.traversal_ids from namespaces as above where above.id = namespaces.parent_id),
                           '{}'
                         ) || namespaces.id
                         where id = $1";
        self.run(traversal, &[id]).await;
        self.run("insert into namespace_settings (namespace_id) values ($1)", &[id]).await;
        self.route(path, "Namespace", id, id).await;
        NamespaceId(id)
    }

    async fn route(&self, path: &str, kind: &str, source: i64, namespace: i64) {
        sqlx::query("insert into routes (source_id, source_type, path, namespace_id) values ($1, $2, $3, $4)")
            .bind(source)
            .bind(kind)
            .bind(path)
            .bind(namespace)
            .execute(&self.pool)
            .await
            .unwrap();
    }

    async fn run(&self, sql: &'static str, numbers: &[i64]) {
        let mut query = sqlx::query(sql);
        for number in numbers {
            query = query.bind(number);
        }
        query.execute(&self.pool).await.unwrap();
    }

    async fn optional(&self, sql: &'static str, text: &str) -> Option<i64> {
        sqlx::query_scalar(sql).bind(text).fetch_optional(&self.pool).await.unwrap()
    }
}

impl GivenProject {
    /// Gives a user this access level, as `project_authorizations` holds it.
    pub async fn member(self, username: &str, level: i32) -> Self {
        let user = self.given.user(username).await;
        let sql = "insert into project_authorizations (user_id, project_id, access_level, is_unique)
                   values ($1, $2, $3, true)";
        self.given.run(sql, &[user.0, self.id.0, level.into()]).await;
        self
    }

    pub async fn guest(self, username: &str) -> Self {
        self.member(username, 10).await
    }

    pub async fn reporter(self, username: &str) -> Self {
        self.member(username, 20).await
    }

    pub async fn developer(self, username: &str) -> Self {
        self.member(username, 30).await
    }

    pub async fn maintainer(self, username: &str) -> Self {
        self.member(username, 40).await
    }

    /// Everybody sees it.
    pub async fn public(self) -> Self {
        self.is("visibility_level = 20").await
    }

    /// Every user sees it who is not external.
    pub async fn internal(self) -> Self {
        self.is("visibility_level = 10").await
    }

    /// Sets columns of the project.
    pub async fn is(self, assignment: &str) -> Self {
        self.given.sql(&format!("update projects set {assignment} where id = {}", self.id)).await;
        self
    }

    /// Sets columns of its features.
    pub async fn features(self, assignment: &str) -> Self {
        self.given.sql(&format!("update project_features set {assignment} where project_id = {}", self.id)).await;
        self
    }

    /// Its repository is not on its storage.
    pub async fn without_repository(self) -> Self {
        self.given.run("delete from project_repositories where project_id = $1", &[self.id.0]).await;
        self
    }

    /// Its wiki is on its storage.
    pub async fn with_wiki(self) -> Self {
        self.given.run("insert into project_wiki_repositories (project_id) values ($1)", &[self.id.0]).await;
        self
    }

    /// Its path was once another.
    pub async fn moved_from(self, path: &str) -> Self {
        sqlx::query("insert into redirect_routes (source_id, source_type, path) values ($1, 'Project', $2)")
            .bind(self.id.0)
            .bind(path)
            .execute(&self.given.pool)
            .await
            .unwrap();
        self
    }

    /// Enables a deploy key on it.
    pub async fn deploys(self, key: KeyId, can_push: bool) -> Self {
        let sql = "insert into deploy_keys_projects (deploy_key_id, project_id, can_push) values ($1, $2, $3 = 1)";
        self.given.run(sql, &[key.0, self.id.0, can_push.into()]).await;
        self
    }
}

/// The body of an ed25519 key whose 32 bytes are made of the word.
pub fn key_body(word: &str) -> String {
    use base64::prelude::{BASE64_STANDARD, Engine};
    let mut blob = b"\0\0\0\x0bssh-ed25519\0\0\0\x20".to_vec();
    blob.extend(Sha256::digest(word));
    BASE64_STANDARD.encode(blob)
}

/// The line of an RSA key of so many bits that nobody has the other half of.
pub fn rsa_key(bits: usize) -> String {
    let modulus: Vec<u8> = [0x00, 0x80].into_iter().chain(std::iter::repeat_n(1, bits / 8 - 1)).collect();
    line("ssh-rsa", &[&[1, 0, 1], &modulus])
}

/// The line of a DSA key of 1024 bits that nobody has the other half of.
pub fn dsa_1024_key() -> String {
    let number = |bytes: usize| [0x00, 0x80].into_iter().chain(std::iter::repeat_n(1, bytes - 1)).collect::<Vec<u8>>();
    line("ssh-dss", &[&number(128), &number(20), &number(128), &number(128)])
}

fn line(kind: &str, numbers: &[&[u8]]) -> String {
    use base64::prelude::{BASE64_STANDARD, Engine};
    let mut blob = Vec::new();
    for part in [kind.as_bytes()].iter().chain(numbers) {
        blob.extend(u32::try_from(part.len()).unwrap().to_be_bytes());
        blob.extend(*part);
    }
    format!("{kind} {} someone@example.com", BASE64_STANDARD.encode(blob))
}
