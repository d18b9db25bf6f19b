//! One application of a document: what is known so far, what was changed and what is wrong.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use sqlx::PgConnection;

use super::Problem;
use super::changes::FieldChanges;
use super::directory::NameDirectory;
use super::place::DocumentPlace;
use super::report::{ApplyReport, LineOrder, ReportDraft};
use super::sources::ApplySources;
use super::words::{GivenValue, NumberedWord, StatedDay, VisibilityWord};
use crate::crypto::attr_encrypted::ColumnKey;
use crate::crypto::seal::Seal;
use crate::crypto::secrets;
use crate::domain::ids::{NamespaceId, UserId};
use crate::domain::ledger::{LedgerActor, LedgerAuthor};
use crate::domain::ssh_key::PublicKey;
use crate::domain::token;
use crate::gitaly::{CallContext, RepositoryLocation};
use crate::services::sync_scim_members;
use crate::store::namespaces::{self, PathOwner};
use crate::store::{self, Result, derived, ids, users};

/// What making one repository may take.
const GITALY_BUDGET: Duration = Duration::from_secs(10);

/// What an entry of the document turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FoundRow {
    /// A row that exists.
    Existing(i64),
    /// Nothing yet; the id is the one to create it with, if the document chooses one.
    Missing(Option<i64>),
}

/// One application of a document.
pub struct ApplyRun<'a> {
    /// The transaction.
    pub conn: &'a mut PgConnection,
    /// When this runs.
    pub now: DateTime<Utc>,
    /// Who has which username and which path.
    pub directory: NameDirectory,
    sources: &'a ApplySources,
    db_key_base: &'a SecretString,
    dry_run: bool,
    report: ReportDraft,
    problems: Vec<Problem>,
    /// Users and paths that the document names and that problems kept from being. What depends on them is not reported.
    failed: HashSet<String>,
    touched_users: BTreeSet<UserId>,
    touched_namespaces: BTreeSet<NamespaceId>,
    linked: BTreeSet<NamespaceId>,
    visible: HashMap<NamespaceId, DocumentPlace>,
    silent_storages: HashSet<String>,
    /// Tables and the ids that entries chose for new rows of them.
    chosen_ids: HashSet<(&'static str, i64)>,
}

impl<'a> ApplyRun<'a> {
    /// A run that has done nothing yet.
    pub fn new(
        conn: &'a mut PgConnection,
        sources: &'a ApplySources,
        db_key_base: &'a SecretString,
        now: DateTime<Utc>,
        dry_run: bool,
    ) -> Self {
        Self {
            conn,
            now,
            directory: NameDirectory::default(),
            sources,
            db_key_base,
            dry_run,
            report: ReportDraft::default(),
            problems: Vec::new(),
            failed: HashSet::new(),
            touched_users: BTreeSet::new(),
            touched_namespaces: BTreeSet::new(),
            linked: BTreeSet::new(),
            visible: HashMap::new(),
            silent_storages: HashSet::new(),
            chosen_ids: HashSet::new(),
        }
    }

    /// What the run did.
    ///
    /// # Errors
    /// Every problem that was met, sorted by place.
    pub fn into_report(mut self) -> std::result::Result<ApplyReport, Vec<Problem>> {
        if self.problems.is_empty() {
            return Ok(self.report.finish(self.dry_run));
        }
        self.problems.sort();
        self.problems.dedup();
        Err(self.problems)
    }

    /// Whether what the run does is undone at its end.
    #[must_use]
    pub fn is_dry(&self) -> bool {
        self.dry_run
    }

    /// Notes a problem; the run goes on to find the others.
    pub fn problem(&mut self, place: &DocumentPlace, reason: impl Into<String>) {
        self.problems.push(Problem::new(place.to_string(), reason));
    }

    /// How many problems were met.
    #[must_use]
    pub fn problems(&self) -> usize {
        self.problems.len()
    }

    /// Turns a unique index that an entry ran into after all into a problem of that entry. The error stays one, because
    /// the transaction is of no more use.
    pub fn failed_at(&mut self, place: &DocumentPlace, answer: Result<()>) -> Result<()> {
        if let Err(store::Error::Duplicate(index)) = &answer {
            self.problem(place, format!("collides with a row that exists already ({index})"));
        }
        answer
    }

    /// The value that is given directly, by a variable or by a file.
    pub fn given(&mut self, place: &DocumentPlace, given: &GivenValue) -> Option<String> {
        self.sources.resolve(given).map_err(|reason| self.problem(place, reason)).ok()
    }

    /// The SSH key that is given.
    pub fn ssh_key(&mut self, place: &DocumentPlace, given: &GivenValue) -> Option<PublicKey> {
        let text = self.given(place, given)?;
        if text.len() > 5000 {
            self.problem(place, "must have at most 5000 characters");
            return None;
        }
        PublicKey::parse(&text).map_err(|reason| self.problem(place, reason.to_string())).ok()
    }

    /// The date that is given.
    pub fn day(&mut self, place: &DocumentPlace, day: &StatedDay) -> Option<NaiveDate> {
        day.date().or_else(|| {
            self.problem(place, "is not in the calendar; write a date such as 2027-01-31");
            None
        })
    }

    /// The date that is given; `Some(None)` where the document says that there is none.
    pub fn optional_day(
        &mut self,
        place: &DocumentPlace,
        day: Option<&Option<StatedDay>>,
    ) -> Option<Option<NaiveDate>> {
        match day? {
            None => Some(None),
            Some(day) => self.day(place, day).map(Some),
        }
    }

    /// What may be stored of a token that GitLab encrypts, the current form first.
    #[must_use]
    pub fn ciphertexts(&self, text: &str) -> [String; 2] {
        token::ciphertexts(text, self.db_key_base.expose_secret())
    }

    /// What is stored of a token.
    #[must_use]
    pub fn digest(&self, text: &str) -> String {
        token::digest(text, secrets::token_salt(self.db_key_base))
    }

    /// The seal of one-time passwords' secrets.
    #[must_use]
    pub fn otp_seal(&self) -> Seal {
        Seal::of_otp_secrets(self.db_key_base)
    }

    /// The key of columns that are encrypted.
    #[must_use]
    pub fn column_key(&self) -> ColumnKey {
        ColumnKey::new(self.db_key_base)
    }

    /// Who changes what namespaces are provisioned with, for the ledger.
    #[must_use]
    pub fn author(&self) -> LedgerAuthor {
        LedgerAuthor { actor: LedgerActor::Operator, request_id: None }
    }

    /// The current date, from which on a membership that ends today is over.
    #[must_use]
    pub fn today(&self) -> NaiveDate {
        self.now.date_naive()
    }

    /// The time, as old tables store it.
    #[must_use]
    pub fn naive_now(&self) -> NaiveDateTime {
        self.now.naive_utc()
    }
}

/// What the report will say.
impl ApplyRun<'_> {
    /// Says where the next lines stand in the report.
    pub fn at(&mut self, order: LineOrder) {
        self.report.order = order;
    }

    /// Notes that something was created.
    pub fn added(&mut self, what: &str) {
        self.report.change(format!("+ {what}"));
    }

    /// Notes that something was updated.
    pub fn updated(&mut self, what: &str, changes: &FieldChanges) {
        self.report.change(format!("~ {what} {changes}"));
    }

    /// Something differs from before, in ways that are not shown: they are secret, or many.
    pub fn changed(&mut self, what: &str) {
        self.report.change(format!("~ {what}"));
    }

    /// Notes that something was removed.
    pub fn removed(&mut self, what: &str) {
        self.report.change(format!("- {what}"));
    }

    /// Notes what an operator should know.
    pub fn warn(&mut self, what: &str) {
        self.report.warning(format!("! {what}"));
    }

    /// Adds an object to the result: `users` → `rubi` → `{"id": 7}`.
    pub fn name(&mut self, noun: &'static str, key: &str, value: Value) {
        self.name_at(&[noun, key], value);
    }

    /// Adds an object further down: `users` → `rubi` → `keys` → `laptop` → `{"id": 9}`.
    pub fn name_at(&mut self, path: &[&str], value: Value) {
        let fields = match value {
            Value::Object(fields) => fields,
            other => Map::from_iter([("value".to_owned(), other)]),
        };
        self.report.name(path, fields);
    }

    /// A secret that was made, as the result shows it. A dry run makes none that would be good for anything.
    #[must_use]
    pub fn minted(&self, secret: &str) -> Value {
        if self.dry_run { Value::Null } else { json!(secret) }
    }

    /// Says how far the run is, to whoever watches.
    pub fn progress(&self, noun: &'static str, done: usize, all: usize) {
        self.sources.progress().tell(noun, done, all);
    }
}

/// What entries mean.
impl ApplyRun<'_> {
    /// Which row an entry means, by its natural key and by the id that it states; `taken` says whether a row has the
    /// latter. Where the two disagree there is a problem and no answer.
    pub fn identify(
        &mut self,
        place: &DocumentPlace,
        stated: Option<i64>,
        by_key: Option<i64>,
        taken: bool,
    ) -> Option<FoundRow> {
        match (stated, by_key) {
            (None, Some(id)) => Some(FoundRow::Existing(id)),
            (None, None) => Some(FoundRow::Missing(None)),
            (Some(stated), Some(id)) if stated == id => Some(FoundRow::Existing(id)),
            (Some(_), Some(id)) => {
                self.problem(&place.key("id"), format!("must be {id}, which it has, or be left out"));
                None
            }
            (Some(stated), None) if taken => Some(FoundRow::Existing(stated)),
            (Some(stated), None) => Some(FoundRow::Missing(Some(stated))),
        }
    }

    /// Like [`ApplyRun::identify`], asking the table whether a row has the stated id.
    pub async fn identify_row(
        &mut self,
        place: &DocumentPlace,
        table: &'static str,
        stated: Option<i64>,
        by_key: Option<i64>,
    ) -> Result<Option<FoundRow>> {
        let taken = match (stated, by_key) {
            (Some(stated), None) => ids::exists(&mut *self.conn, table, stated).await?,
            _ => false,
        };
        Ok(self.identify(place, stated, by_key, taken))
    }

    /// Like [`ApplyRun::identify_row`], for rows that are not renamed: an id that another row has is a problem.
    pub async fn identify_fixed_row(
        &mut self,
        place: &DocumentPlace,
        table: &'static str,
        stated: Option<i64>,
        by_key: Option<i64>,
    ) -> Result<Option<FoundRow>> {
        let found = self.identify_row(place, table, stated, by_key).await?;
        if let (Some(FoundRow::Existing(id)), None) = (found, by_key) {
            self.problem(&place.key("id"), format!("{id} belongs to another row of {table}"));
            return Ok(None);
        }
        // The rows of entries before this one are not written yet.
        if let Some(FoundRow::Missing(Some(id))) = found
            && !self.chosen_ids.insert((table, id))
        {
            self.problem(&place.key("id"), format!("{id} belongs to another row of {table}"));
            return Ok(None);
        }
        Ok(found)
    }

    /// Notes that a problem kept the user or the path from being.
    pub fn failed(&mut self, name: &str) {
        self.failed.insert(name.to_lowercase());
    }

    /// Whether a problem kept the user or the path from being.
    #[must_use]
    pub fn has_failed(&self, name: &str) -> bool {
        self.failed.contains(&name.to_lowercase())
    }

    /// The user of that name; if there is none, a problem.
    pub async fn user(&mut self, place: &DocumentPlace, username: &str) -> Result<Option<UserId>> {
        let found = self.directory.find_user(self.conn, username).await?;
        if found.is_none() && !self.has_failed(username) {
            let hint = super::nearest(username, self.directory.usernames());
            let hint = hint.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            self.problem(place, format!("there is no user {username}{hint}"));
        }
        Ok(found)
    }

    /// What a problem calls the user.
    pub async fn name_of(&mut self, user: UserId) -> Result<String> {
        let row = users::find(&mut *self.conn, user).await?;
        Ok(row.map_or_else(|| format!("user {user}, who is gone"), |row| format!("user {}", row.username)))
    }

    /// Who has the path.
    pub async fn path_owner(&mut self, path: &str) -> Result<Option<PathOwner>> {
        self.directory.find_owner(self.conn, path).await
    }

    /// The group of that path; if there is none, a problem.
    pub async fn group(&mut self, place: &DocumentPlace, path: &str) -> Result<Option<NamespaceId>> {
        match self.path_owner(path).await? {
            Some(PathOwner::Group(id)) => return Ok(Some(id)),
            Some(PathOwner::Personal(_)) => self.problem(place, format!("{path} is a user, not a group")),
            Some(PathOwner::Project(_)) => self.problem(place, format!("{path} is a project, not a group")),
            None if self.has_failed(path) => {}
            None => self.problem(place, format!("there is no group {path}")),
        }
        Ok(None)
    }
}

/// What follows from the changes.
impl ApplyRun<'_> {
    /// Makes an empty repository on its storage, or says why there is none; false where one was there already. A dry
    /// run only says that it would. A storage that gave no answer once is not asked again.
    pub async fn create_repository(
        &mut self,
        location: RepositoryLocation,
        default_branch: &str,
    ) -> std::result::Result<bool, String> {
        if self.dry_run {
            return Ok(true);
        }
        let storage = location.storage.clone();
        let Some(gitaly) = self.sources.gitaly() else { return Err("no Gitaly is at hand".to_owned()) };
        if self.silent_storages.contains(&storage) {
            return Err(format!("storage {storage} gave no answer before"));
        }
        let context = CallContext::new("apply", Instant::now() + GITALY_BUDGET);
        let made = async { gitaly.repository(location, context)?.create(default_branch).await };
        made.await.map_err(|error| {
            self.silent_storages.insert(storage);
            error.to_string()
        })
    }

    /// Notes that the user's authorizations may change.
    pub fn touch_user(&mut self, user: UserId) {
        self.touched_users.insert(user);
    }

    /// Notes that these users' authorizations may change.
    pub fn touch_users(&mut self, users: Vec<UserId>) {
        self.touched_users.extend(users);
    }

    /// Notes that the authorizations of those who reach the namespace at the end of the run may change.
    pub fn touch(&mut self, namespace: NamespaceId) {
        self.touched_namespaces.insert(namespace);
    }

    /// Like [`ApplyRun::touch`], for those who reach the namespaces now, before a change takes that from them.
    pub async fn touch_before(&mut self, namespaces: &[NamespaceId]) -> Result<()> {
        let users = derived::users_reaching(&mut *self.conn, namespaces).await?;
        self.touched_users.extend(users);
        Ok(())
    }

    /// Notes that the memberships that an identity provider's groups give in this group may change.
    pub fn link(&mut self, group: NamespaceId) {
        self.linked.insert(group);
    }

    /// Notes that the visibility of a group or project is to be compared with its surroundings at the end of the run.
    pub fn check_visibility(&mut self, namespace: NamespaceId, place: &DocumentPlace) {
        self.visible.insert(namespace, place.key("visibility"));
    }

    /// What can only be done when everything else is: compare visibilities, and bring authorizations in line.
    pub async fn finish(&mut self) -> Result<()> {
        self.compare_visibilities().await?;
        if !self.touched_namespaces.is_empty() {
            let namespaces: Vec<NamespaceId> = self.touched_namespaces.iter().copied().collect();
            self.touch_before(&namespaces).await?;
        }
        let users: Vec<UserId> = self.touched_users.iter().copied().collect();
        for (done, some) in users.chunks(derived::USERS_AT_ONCE).enumerate() {
            self.progress("authorizations", done * derived::USERS_AT_ONCE, users.len());
            if done <= 1 && users.len() > derived::USERS_AT_ONCE {
                derived::analyze(&mut *self.conn).await?;
            }
            derived::refresh_authorizations(&mut *self.conn, some, self.now.date_naive()).await?;
        }
        for group in &self.linked {
            while sync_scim_members::sync_some(&mut *self.conn, *group, self.now.date_naive()).await?.users > 0 {}
        }
        Ok(())
    }

    async fn compare_visibilities(&mut self) -> Result<()> {
        if self.visible.is_empty() {
            return Ok(());
        }
        let ids: Vec<i64> = self.visible.keys().map(|id| id.0).collect();
        for found in namespaces::list_too_visible(&mut *self.conn, &ids).await? {
            let widest = VisibilityWord::word_of(found.widest);
            if let Some(place) = self.visible.get(&found.id).cloned() {
                self.problem(&place, format!("must be at most {widest}, as that of the group around it"));
            } else if let Some(place) = self.visible.get(&found.parent_id).cloned() {
                let path = namespaces::find_path(&mut *self.conn, found.id).await?.unwrap_or_default();
                self.problem(&place, format!("is narrower than that of {path}, which is in the group"));
            }
        }
        Ok(())
    }
}
