//! One application of a document: what is known so far, what was changed and what is wrong.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use sqlx::PgConnection;

use super::words::{Day, Given, Word};
use crate::crypto::attr_encrypted::ColumnKey;
use crate::crypto::seal::Seal;
use crate::crypto::secrets;
use crate::document::{self, Problem};
use crate::domain::ids::{NamespaceId, UserId};
use crate::domain::ledger::{Actor, Author};
use crate::domain::ssh_key::PublicKey;
use crate::domain::token;
use crate::gitaly::{CallContext, GitalyClient, RepositoryLocation};
use crate::services::sync_scim_members;
use crate::store::namespaces::{self, Holder};
use crate::store::{self, Result, derived, ids, users};

/// A place in the document, as a person would write it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place(String);

impl Place {
    /// A key of the document itself.
    #[must_use]
    pub fn root(key: &str) -> Self {
        Self(key.to_owned())
    }

    /// A key below this place.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        Self(format!("{self}.{key}"))
    }

    /// An entry of the list at this place.
    #[must_use]
    pub fn item(&self, index: usize) -> Self {
        Self(format!("{self}[{index}]"))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// What making one repository may take.
const GITALY_BUDGET: Duration = Duration::from_secs(10);

type Environment = Box<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// What a run reaches beyond the document and the database: where `$env:` and `$file:` take values from, and the
/// storages that new repositories are made on.
pub struct Sources {
    environment: Environment,
    folder: PathBuf,
    gitaly: Option<GitalyClient>,
}

impl Sources {
    /// Variables that `environment` knows, and files whose paths start from `folder`.
    pub fn new(environment: impl Fn(&str) -> Option<String> + Send + Sync + 'static, folder: PathBuf) -> Self {
        Self { environment: Box::new(environment), folder, gitaly: None }
    }

    /// The same, with storages.
    #[must_use]
    pub fn with_gitaly(self, gitaly: GitalyClient) -> Self {
        Self { gitaly: Some(gitaly), ..self }
    }

    /// The environment of this process, and files whose paths start from `folder`.
    #[must_use]
    pub fn of_process(folder: PathBuf) -> Self {
        Self::new(|name| std::env::var(name).ok(), folder)
    }

    /// The value itself, that of the variable, or the contents of the file.
    fn resolve(&self, given: &Given) -> std::result::Result<String, String> {
        let text = given.as_str();
        let value = if let Some(name) = text.strip_prefix("$env:") {
            (self.environment)(name).ok_or_else(|| format!("the environment has no variable {name}"))?
        } else if let Some(path) = text.strip_prefix("$file:") {
            let path = self.folder.join(path);
            std::fs::read_to_string(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?
        } else {
            text.to_owned()
        };
        match value.trim() {
            "" => Err("must not be empty".to_owned()),
            value => Ok(value.to_owned()),
        }
    }
}

/// What a run did.
#[derive(Debug, Clone, Default)]
pub struct Report {
    lines: Vec<String>,
    changes: usize,
    dry_run: bool,
    named: BTreeMap<&'static str, Value>,
}

impl Report {
    /// A line per change, in the order in which they were made, and warnings.
    #[must_use]
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// How many rows were created, updated or removed.
    #[must_use]
    pub fn changes(&self) -> usize {
        self.changes
    }

    /// The end of the report, for people.
    #[must_use]
    pub fn summary(&self) -> String {
        match (self.changes, self.dry_run) {
            (0, _) => "nothing to change".to_owned(),
            (1, false) => "1 change".to_owned(),
            (count, false) => format!("{count} changes"),
            (1, true) => "1 change, not made: this was a dry run".to_owned(),
            (count, true) => format!("{count} changes, not made: this was a dry run"),
        }
    }

    /// The ids of everything that the document names, and the secrets that were made.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut object =
            Map::from_iter([("changes".to_owned(), json!(self.changes)), ("dry_run".to_owned(), json!(self.dry_run))]);
        object.extend(self.named.iter().map(|(noun, value)| ((*noun).to_owned(), value.clone())));
        Value::Object(object)
    }
}

/// What an entry of the document turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// A row that exists.
    Row(i64),
    /// Nothing yet; the id is the one to create it with, if the document chooses one.
    Nothing(Option<i64>),
}

/// One application of a document.
pub struct Run<'a> {
    /// The transaction.
    pub conn: &'a mut PgConnection,
    /// When this runs.
    pub now: DateTime<Utc>,
    sources: &'a Sources,
    db_key_base: &'a SecretString,
    report: Report,
    mistakes: Vec<Problem>,
    /// Users and paths that the document names and that mistakes kept from being. What depends on them is not reported.
    unborn: HashSet<String>,
    users: HashMap<String, UserId>,
    touched_users: BTreeSet<UserId>,
    touched_namespaces: BTreeSet<NamespaceId>,
    linked: BTreeSet<NamespaceId>,
    visible: HashMap<NamespaceId, Place>,
    silent_storages: HashSet<String>,
}

impl<'a> Run<'a> {
    /// A run that has done nothing yet.
    pub fn new(
        conn: &'a mut PgConnection,
        sources: &'a Sources,
        db_key_base: &'a SecretString,
        now: DateTime<Utc>,
        dry_run: bool,
    ) -> Self {
        Self {
            conn,
            now,
            sources,
            db_key_base,
            report: Report { dry_run, ..Report::default() },
            mistakes: Vec::new(),
            unborn: HashSet::new(),
            users: HashMap::new(),
            touched_users: BTreeSet::new(),
            touched_namespaces: BTreeSet::new(),
            linked: BTreeSet::new(),
            visible: HashMap::new(),
            silent_storages: HashSet::new(),
        }
    }

    /// What the run did.
    ///
    /// # Errors
    /// Every mistake that was met, sorted by place.
    pub fn finish(mut self) -> std::result::Result<Report, Vec<Problem>> {
        if self.mistakes.is_empty() {
            return Ok(self.report);
        }
        self.mistakes.sort();
        self.mistakes.dedup();
        Err(self.mistakes)
    }

    /// Notes a mistake; the run goes on to find the others.
    pub fn mistake(&mut self, place: &Place, reason: impl Into<String>) {
        self.mistakes.push(Problem::new(place.to_string(), reason));
    }

    /// How many mistakes were met.
    #[must_use]
    pub fn mistakes(&self) -> usize {
        self.mistakes.len()
    }

    /// Turns a unique index that an entry ran into after all into a mistake of that entry. The error stays one, because the
    /// transaction is of no more use.
    pub fn caught(&mut self, place: &Place, answer: Result<()>) -> Result<()> {
        if let Err(store::Error::Duplicate(index)) = &answer {
            self.mistake(place, format!("collides with a row that exists already ({index})"));
        }
        answer
    }

    /// Notes that something was created.
    pub fn added(&mut self, what: &str) {
        self.report.changes += 1;
        self.report.lines.push(format!("+ {what}"));
    }

    /// Notes that something was updated.
    pub fn updated(&mut self, what: &str, changes: &Changes) {
        self.report.changes += 1;
        self.report.lines.push(format!("~ {what} {changes}"));
    }

    /// Something differs from before, in ways that are not shown: they are secret, or many.
    pub fn changed(&mut self, what: &str) {
        self.report.changes += 1;
        self.report.lines.push(format!("~ {what}"));
    }

    /// Makes an empty repository on its storage, or says why there is none; false where one was there already. A dry run
    /// only says that it would. A storage that gave no answer once is not asked again.
    pub async fn create_repository(
        &mut self,
        location: RepositoryLocation,
        default_branch: &str,
    ) -> std::result::Result<bool, String> {
        if self.report.dry_run {
            return Ok(true);
        }
        let storage = location.storage.clone();
        let Some(gitaly) = &self.sources.gitaly else { return Err("no Gitaly is at hand".to_owned()) };
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

    /// Notes that something was removed.
    pub fn removed(&mut self, what: &str) {
        self.report.changes += 1;
        self.report.lines.push(format!("- {what}"));
    }

    /// Notes what an operator should know.
    pub fn warn(&mut self, what: &str) {
        self.report.lines.push(format!("! {what}"));
    }

    /// Adds an object to the result: `users` → `rubi` → `{"id": 7}`.
    pub fn name(&mut self, noun: &'static str, key: &str, value: Value) {
        let object = self.report.named.entry(noun).or_insert_with(|| json!({}));
        object[key] = value;
    }

    /// A secret that was made, as the result shows it. A dry run makes none that would be good for anything.
    #[must_use]
    pub fn minted(&self, secret: &str) -> Value {
        if self.report.dry_run { Value::Null } else { json!(secret) }
    }

    /// The current date, from which on a membership that ends today is over.
    #[must_use]
    pub fn today(&self) -> NaiveDate {
        self.now.date_naive()
    }

    /// What may be stored of a token that GitLab encrypts, the current form first.
    #[must_use]
    pub fn ciphertexts(&self, text: &str) -> [String; 2] {
        token::ciphertexts(text, self.db_key_base.expose_secret())
    }

    /// Who changes what namespaces are provisioned with, for the ledger.
    #[must_use]
    pub fn author(&self) -> Author {
        Author { actor: Actor::Operator, request_id: None }
    }

    /// The time, as old tables store it.
    #[must_use]
    pub fn naive_now(&self) -> NaiveDateTime {
        self.now.naive_utc()
    }

    /// What is stored of a token.
    #[must_use]
    pub fn digest(&self, text: &str) -> String {
        token::digest(text, secrets::token_salt(self.db_key_base))
    }

    /// The value that is given directly, by a variable or by a file.
    pub fn given(&mut self, place: &Place, given: &Given) -> Option<String> {
        self.sources.resolve(given).map_err(|reason| self.mistake(place, reason)).ok()
    }

    /// The SSH key that is given.
    pub fn ssh_key(&mut self, place: &Place, given: &Given) -> Option<PublicKey> {
        let text = self.given(place, given)?;
        if text.len() > 5000 {
            self.mistake(place, "must have at most 5000 characters");
            return None;
        }
        PublicKey::parse(&text).map_err(|reason| self.mistake(place, reason.to_string())).ok()
    }

    /// The date that is given.
    pub fn day(&mut self, place: &Place, day: &Day) -> Option<NaiveDate> {
        day.date().or_else(|| {
            self.mistake(place, "is not in the calendar; write a date such as 2027-01-31");
            None
        })
    }

    /// The date that is given; `Some(None)` where the document says that there is none.
    pub fn optional_day(&mut self, place: &Place, day: Option<&Option<Day>>) -> Option<Option<NaiveDate>> {
        match day? {
            None => Some(None),
            Some(day) => self.day(place, day).map(Some),
        }
    }

    /// Which row an entry means, by its natural key and by the id that it states. Where the two disagree there is a mistake
    /// and no answer.
    pub async fn identify(
        &mut self,
        place: &Place,
        table: &'static str,
        stated: Option<i64>,
        by_key: Option<i64>,
    ) -> Result<Option<Found>> {
        match (stated, by_key) {
            (None, Some(id)) => Ok(Some(Found::Row(id))),
            (None, None) => Ok(Some(Found::Nothing(None))),
            (Some(stated), Some(id)) if stated == id => Ok(Some(Found::Row(id))),
            (Some(_), Some(id)) => {
                self.mistake(&place.key("id"), format!("must be {id}, which it has, or be left out"));
                Ok(None)
            }
            (Some(stated), None) if ids::exists(&mut *self.conn, table, stated).await? => Ok(Some(Found::Row(stated))),
            (Some(stated), None) => Ok(Some(Found::Nothing(Some(stated)))),
        }
    }

    /// Like [`Run::identify`], for rows that are not renamed: an id that another row has is a mistake.
    pub async fn identify_fixed(
        &mut self,
        place: &Place,
        table: &'static str,
        stated: Option<i64>,
        by_key: Option<i64>,
    ) -> Result<Option<Found>> {
        let found = self.identify(place, table, stated, by_key).await?;
        if let (Some(Found::Row(id)), None) = (found, by_key) {
            self.mistake(&place.key("id"), format!("{id} belongs to another row of {table}"));
            return Ok(None);
        }
        Ok(found)
    }

    /// Notes that a mistake kept the user or the path from being.
    pub fn unborn(&mut self, name: &str) {
        self.unborn.insert(name.to_lowercase());
    }

    /// Whether a mistake kept the user or the path from being.
    #[must_use]
    pub fn is_unborn(&self, name: &str) -> bool {
        self.unborn.contains(&name.to_lowercase())
    }

    /// Remembers who has the username.
    pub fn know_user(&mut self, username: &str, id: UserId) {
        self.users.insert(username.to_lowercase(), id);
    }

    /// Forgets who had the username.
    pub fn forget_user(&mut self, username: &str) {
        self.users.remove(&username.to_lowercase());
    }

    /// The user of that name; if there is none, a mistake.
    pub async fn user(&mut self, place: &Place, username: &str) -> Result<Option<UserId>> {
        if let Some(id) = self.users.get(&username.to_lowercase()) {
            return Ok(Some(*id));
        }
        if let Some(id) = users::find_id_by_username(&mut *self.conn, username).await? {
            self.know_user(username, id);
            return Ok(Some(id));
        }
        if !self.is_unborn(username) {
            let known = self.users.keys().map(String::as_str);
            let hint = document::nearest(username, known).map(|near| format!("; did you mean `{near}`?"));
            self.mistake(place, format!("there is no user {username}{}", hint.unwrap_or_default()));
        }
        Ok(None)
    }

    /// What a mistake calls the user.
    pub async fn name_of(&mut self, user: UserId) -> Result<String> {
        let row = users::find(&mut *self.conn, user).await?;
        Ok(row.map_or_else(|| format!("user {user}, who is gone"), |row| format!("user {}", row.username)))
    }

    /// The group of that path; if there is none, a mistake.
    pub async fn group(&mut self, place: &Place, path: &str) -> Result<Option<NamespaceId>> {
        match namespaces::find_holder(&mut *self.conn, path).await? {
            Some(Holder::Group(id)) => return Ok(Some(id)),
            Some(Holder::Personal(_)) => self.mistake(place, format!("{path} is a user, not a group")),
            Some(Holder::Project(_)) => self.mistake(place, format!("{path} is a project, not a group")),
            None if self.is_unborn(path) => {}
            None => self.mistake(place, format!("there is no group {path}")),
        }
        Ok(None)
    }

    /// Notes that the user's authorizations may change.
    pub fn touch_user(&mut self, user: UserId) {
        self.touched_users.insert(user);
    }

    /// Notes that the authorizations of those who reach the namespace at the end of the run may change.
    pub fn touch(&mut self, namespace: NamespaceId) {
        self.touched_namespaces.insert(namespace);
    }

    /// Like [`Run::touch`], for those who reach the namespace now, before a change takes that from them.
    pub async fn touch_before(&mut self, namespace: NamespaceId) -> Result<()> {
        let users = derived::users_reaching(&mut *self.conn, &[namespace]).await?;
        self.touched_users.extend(users);
        Ok(())
    }

    /// Notes that the memberships that an identity provider's groups give in this group may change.
    pub fn link(&mut self, group: NamespaceId) {
        self.linked.insert(group);
    }

    /// Notes that the visibility of a group or project is to be compared with its surroundings at the end of the run.
    pub fn check_visibility(&mut self, namespace: NamespaceId, place: &Place) {
        self.visible.insert(namespace, place.key("visibility"));
    }

    /// What can only be done when everything else is: compare visibilities, and bring authorizations in line.
    pub async fn settle(&mut self) -> Result<()> {
        let ids: Vec<i64> = self.visible.keys().map(|id| id.0).collect();
        for found in namespaces::list_too_visible(&mut *self.conn, &ids).await? {
            let widest = super::words::Visibility::word_of(found.widest);
            if let Some(place) = self.visible.get(&found.id).cloned() {
                self.mistake(&place, format!("must be at most {widest}, as that of the group around it"));
            } else if let Some(place) = self.visible.get(&found.parent_id).cloned() {
                let path = namespaces::find_path(&mut *self.conn, found.id).await?.unwrap_or_default();
                self.mistake(&place, format!("is narrower than that of {path}, which is in the group"));
            }
        }
        let namespaces: Vec<NamespaceId> = self.touched_namespaces.iter().copied().collect();
        self.touched_users.extend(derived::users_reaching(&mut *self.conn, &namespaces).await?);
        let users: Vec<UserId> = self.touched_users.iter().copied().collect();
        derived::refresh_authorizations(&mut *self.conn, &users, self.now.date_naive()).await?;
        for group in &self.linked {
            while sync_scim_members::sync_some(&mut *self.conn, *group, self.now.date_naive()).await? > 0 {}
        }
        Ok(())
    }
}

/// The fields of a row that a document states otherwise.
#[derive(Debug, Clone, Default)]
pub struct Changes(Vec<String>);

impl Changes {
    /// Whether the row agrees with the document.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds the changes of another part of the row.
    pub fn append(&mut self, mut others: Self) {
        self.0.append(&mut others.0);
    }

    /// Notes a change whose values are not shown.
    pub fn note(&mut self, change: &str) {
        self.0.push(change.to_owned());
    }

    /// Puts what the document states into the row's field.
    pub fn set<T: PartialEq + Shown>(&mut self, field: &str, slot: &mut T, stated: Option<T>) {
        self.set_as(field, slot, stated, Shown::shown);
    }

    /// Puts the number of the word that the document states into the row's field.
    pub fn word<W: Word>(&mut self, field: &str, slot: &mut i32, stated: Option<W>) {
        self.set_as(field, slot, stated.map(Word::number), |number| W::word_of(*number));
    }

    /// Like [`Changes::word`], for a field that may be null.
    pub fn optional_word<W: Word>(&mut self, field: &str, slot: &mut Option<i32>, stated: Option<W>) {
        let show = |number: &Option<i32>| number.map_or_else(|| "unset".to_owned(), W::word_of);
        self.set_as(field, slot, stated.map(|word| Some(word.number())), show);
    }

    /// Like [`Changes::word`], for a field of a small type.
    pub fn small_word<W: Word>(&mut self, field: &str, slot: &mut i16, stated: Option<W>) {
        let mut number = i32::from(*slot);
        self.word(field, &mut number, stated);
        *slot = i16::try_from(number).unwrap_or(*slot);
    }

    /// Puts what the document states into the row's field, showing values in the given way.
    pub fn set_as<T: PartialEq>(&mut self, field: &str, slot: &mut T, stated: Option<T>, show: impl Fn(&T) -> String) {
        if let Some(stated) = stated.filter(|stated| stated != slot) {
            self.0.push(format!("{field} {} → {}", show(slot), show(&stated)));
            *slot = stated;
        }
    }
}

impl fmt::Display for Changes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0.join(", "))
    }
}

/// A value as a line of the report shows it.
pub trait Shown {
    /// The value in a word or two.
    fn shown(&self) -> String;
}

impl Shown for String {
    fn shown(&self) -> String {
        let short: String = self.chars().take(60).collect();
        match (self.as_str(), short.len() < self.len()) {
            ("", _) => "\"\"".to_owned(),
            (_, true) => format!("{short}…"),
            (_, false) => short,
        }
    }
}

impl<T: Shown> Shown for Option<T> {
    fn shown(&self) -> String {
        self.as_ref().map_or_else(|| "unset".to_owned(), Shown::shown)
    }
}

impl<T: Shown> Shown for Vec<T> {
    fn shown(&self) -> String {
        format!("[{}]", self.iter().map(Shown::shown).collect::<Vec<_>>().join(", "))
    }
}

macro_rules! shown {
    ($($kind:ty)+) => {$(
        impl Shown for $kind {
            fn shown(&self) -> String {
                self.to_string()
            }
        }
    )+};
}

shown!(bool i16 i32 i64 NaiveDate NaiveDateTime DateTime<Utc>);
