//! `users:`, their rows, personal namespaces and second factors.

use std::collections::{HashMap, HashSet};

use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;

use super::emails::{EmailEntry, UserAddresses};
use super::identities::IdentityEntry;
use super::keys::KeyEntry;
use super::oauth_tokens::OauthTokenEntry;
use super::provisioned;
use super::tokens::TokenEntry;
use crate::crypto::passwords;
use crate::crypto::seal::UnsealError;
use crate::document::changes::FieldChanges;
use crate::document::object_kind::{EntryPosition, NewIds, ObjectKind, RowBatch};
use crate::document::place::DocumentPlace;
use crate::document::run::{ApplyRun, FoundRow};
use crate::document::words::{Ensure, GivenValue, StatedId, stated};
use crate::domain::full_path::{PathPosition, check_name};
use crate::domain::ids::{NamespaceId, UserId};
use crate::domain::two_factor::is_secret;
use crate::domain::user_type::UserType;
use crate::store::namespaces::{self, PathOwner, PersonalRow};
use crate::store::sets::users::{self as user_sets, NewPersonalNamespace, UserRecord};
use crate::store::users::{self, UserRow};
use crate::store::{Result, derived, two_factor};

/// A user, found by their name.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UserEntry {
    /// The name in URLs. With an id that exists, another name renames the user.
    #[schemars(length(min = 1, max = 255), extend("examples" = ["rubi"]))]
    pub username: String,
    /// Chosen on creation, and the same ever after.
    pub id: Option<StatedId>,
    /// The name that people read; the username where it is left out.
    #[schemars(length(min = 1, max = 255))]
    pub name: Option<String>,
    /// The first address; a new user needs one.
    #[schemars(regex(pattern = r"^[^@\s]+@[^@\s]+$"), length(max = 254), extend("examples" = ["rubi@example.com"]))]
    pub email: Option<String>,
    /// Whether the first address is confirmed, which every identity provider may then rely on. That of a new user is,
    /// unless stated.
    pub confirmed: Option<bool>,
    /// Further addresses.
    #[serde(default)]
    pub emails: Vec<EmailEntry>,
    /// Administers the instance.
    pub admin: Option<bool>,
    /// Reads everything.
    pub auditor: Option<bool>,
    /// Sees internal projects only as a member.
    pub external: Option<bool>,
    /// Whether they may sign in, and if not why.
    pub state: Option<UserStateWord>,
    /// Projects in the personal namespace, at most.
    #[schemars(range(min = 0))]
    pub projects_limit: Option<i32>,
    /// Whether they have accepted the terms of service, which `settings.enforce_terms` asks for.
    pub terms_accepted: Option<bool>,
    /// The password, of 8 characters at least, for git over HTTP; or its hash by bcrypt, which is compared faster.
    pub password: Option<GivenValue>,
    /// The second factor; null takes it away.
    #[serde(default, deserialize_with = "stated")]
    pub two_factor: Option<Option<TwoFactorEntry>>,
    /// SSH keys, found by their fingerprint.
    #[serde(default)]
    pub keys: Vec<KeyEntry>,
    /// Tokens, found by their name.
    #[serde(default)]
    pub personal_access_tokens: Vec<TokenEntry>,
    /// OAuth access tokens that applications have for the user, found by the application.
    #[serde(default)]
    pub oauth_tokens: Vec<OauthTokenEntry>,
    /// Who they are at other providers, found by the provider.
    #[serde(default)]
    pub identities: Vec<IdentityEntry>,
    /// The root group that manages the account, and may vouch for it by SSH certificates; null for none.
    #[serde(default, deserialize_with = "stated")]
    #[schemars(length(min = 1, max = 255), extend("examples" = ["acme"]))]
    pub enterprise_group: Option<Option<String>>,
    /// `absent` removes the user and all that is theirs.
    #[serde(default)]
    pub ensure: Ensure,
}

/// One-time passwords.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TwoFactorEntry {
    /// The secret that the user's authenticator holds, in base32.
    pub otp_secret: GivenValue,
}

/// Whether a user may sign in, and if not why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "GitLab's own words")]
pub enum UserStateWord {
    Active,
    Blocked,
    Deactivated,
    Banned,
    LdapBlocked,
    BlockedPendingApproval,
}

impl UserStateWord {
    fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Blocked => "blocked",
            Self::Deactivated => "deactivated",
            Self::Banned => "banned",
            Self::LdapBlocked => "ldap_blocked",
            Self::BlockedPendingApproval => "blocked_pending_approval",
        }
    }
}

/// Characters of a password at least, and bytes at most: bcrypt looks at no more.
const SHORTEST_PASSWORD: usize = 8;
const LONGEST_PASSWORD: usize = 72;

/// A user of the document and where it stands.
pub(crate) struct StatedUser<'d> {
    pub(crate) position: EntryPosition,
    pub(crate) entry: &'d UserEntry,
}

/// The users that a document states, and what the database has of them.
pub(crate) struct UserSet {
    records: HashMap<UserId, UserRecord>,
    addresses: UserAddresses,
    otp_secrets: HashMap<UserId, std::result::Result<SecretString, UnsealError>>,
    ids: NewIds,
    namespace_ids: NewIds,
    rows: RowBatch<UserRow>,
    new_namespaces: Vec<NewPersonalNamespace>,
    renamed_namespaces: Vec<(NamespaceId, String)>,
    new_otp_secrets: Vec<(UserId, String)>,
    passwords: HashMap<UserId, String>,
    new_passwords: Vec<(UserId, String)>,
    new_terms: Vec<(UserId, bool)>,
    /// Where the document states whom.
    stated: HashMap<UserId, DocumentPlace>,
    failed: HashSet<String>,
    is_loaded: bool,
}

impl UserSet {
    pub(crate) fn new() -> Self {
        Self {
            records: HashMap::new(),
            addresses: UserAddresses::default(),
            otp_secrets: HashMap::new(),
            ids: NewIds::of("users"),
            namespace_ids: NewIds::of("namespaces"),
            rows: RowBatch::default(),
            new_namespaces: Vec::new(),
            renamed_namespaces: Vec::new(),
            new_otp_secrets: Vec::new(),
            passwords: HashMap::new(),
            new_passwords: Vec::new(),
            new_terms: Vec::new(),
            stated: HashMap::new(),
            failed: HashSet::new(),
            is_loaded: false,
        }
    }

    /// Fetches everything that the database has of these users, absent ones included.
    pub(crate) async fn load_all(&mut self, run: &mut ApplyRun<'_>, users: &[StatedUser<'_>]) -> Result<()> {
        self.load(run, users).await
    }

    /// Whose addresses are whose, for the kinds of what belongs to users.
    pub(crate) fn addresses(&mut self) -> &mut UserAddresses {
        &mut self.addresses
    }

    /// The user that the entry means, by name or, where it is about to be renamed, by id; nothing where there is none,
    /// or where the entry has a problem.
    pub(crate) fn find(&self, run: &ApplyRun<'_>, entry: &UserEntry) -> Option<UserId> {
        if self.failed.contains(&entry.username.to_lowercase()) {
            return None;
        }
        let by_id = || Some(UserId(entry.id?.0)).filter(|id| self.records.contains_key(id));
        run.directory.known_user(&entry.username).or_else(by_id)
    }

    /// Removes a user who should not exist, with all that is theirs.
    pub(crate) async fn remove(&mut self, run: &mut ApplyRun<'_>, user: &StatedUser<'_>) -> Result<()> {
        let StatedUser { position: EntryPosition { place, .. }, entry } = user;
        let Some(id) = self.find(run, entry) else { return Ok(()) };
        if entry.id.is_some_and(|stated| stated.0 != id.0) {
            run.problem(&place.key("id"), format!("must be {id}, which it has, or be left out"));
            return Ok(());
        }
        let record = self.records.get(&id);
        if let Some(personal) = record.and_then(|record| record.personal.as_ref()) {
            let count = namespaces::count_children(&mut *run.conn, personal.id).await?;
            if count > 0 {
                let reason = format!("cannot be removed, for the personal namespace holds projects ({count})");
                run.problem(place, reason);
                return Ok(());
            }
            provisioned::end(run, personal.id, &entry.username).await?;
            let path = personal.path.clone();
            run.directory.forget_below(&path);
        }
        users::delete(run.conn, id).await?;
        if let Some(record) = self.records.remove(&id) {
            run.directory.set_user(&record.row.username, None);
        }
        self.addresses.remove_user(id);
        run.removed(&format!("user {}", entry.username));
        Ok(())
    }

    /// The row of the user, once it is known that nothing stands in its way.
    async fn identify(
        &mut self,
        run: &mut ApplyRun<'_>,
        place: &DocumentPlace,
        user: &UserEntry,
    ) -> Result<Option<FoundRow>> {
        if let Err(reason) = check_name(&user.username, PathPosition::Root) {
            run.problem(&place.key("username"), reason.to_string());
            return Ok(None);
        }
        let by_name = run.directory.known_user(&user.username).map(|id| id.0);
        let stated = user.id.map(|id| id.0);
        let taken = stated.is_some_and(|id| self.records.contains_key(&UserId(id)));
        let Some(found) = run.identify(place, stated, by_name, taken) else { return Ok(None) };
        let own = if let FoundRow::Existing(id) = found { Some(UserId(id)) } else { None };
        // One name twice is told of before.
        if let (None, Some(id)) = (by_name, own)
            && let Some(first) = self.stated.get(&id)
        {
            run.problem(&place.key("id"), format!("{id} is that of {first} as well"));
            return Ok(None);
        }
        Ok(self.is_free(run, place, user, own).await?.then_some(found))
    }

    /// Whether nobody else has the name or the address.
    async fn is_free(
        &self,
        run: &mut ApplyRun<'_>,
        place: &DocumentPlace,
        user: &UserEntry,
        own: Option<UserId>,
    ) -> Result<bool> {
        let personal = own.and_then(|id| self.records.get(&id)?.personal.as_ref());
        let own_namespace = personal.map(|personal| personal.id);
        let mut free = true;
        match run.path_owner(&user.username).await? {
            Some(PathOwner::Personal(id)) if Some(id) == own_namespace => {}
            None => {}
            Some(_) => {
                let reason = format!("{} is the path of a group or of another user", user.username);
                run.problem(&place.key("username"), reason);
                free = false;
            }
        }
        if let Some(email) = &user.email
            && let Some(other) = self.addresses.find(email).filter(|other| Some(*other) != own)
        {
            let other = self.name_of(run, other).await?;
            run.problem(&place.key("email"), format!("is an address of {other}"));
            free = false;
        }
        Ok(free)
    }

    async fn name_of(&self, run: &mut ApplyRun<'_>, user: UserId) -> Result<String> {
        match self.records.get(&user) {
            Some(record) => Ok(format!("user {}", record.row.username)),
            None => run.name_of(user).await,
        }
    }

    /// Compares the row with the entry; the answer is the user's id.
    async fn diff_row(
        &mut self,
        run: &mut ApplyRun<'_>,
        place: &DocumentPlace,
        user: &UserEntry,
        found: FoundRow,
    ) -> Result<Option<UserId>> {
        let existing = match found {
            FoundRow::Existing(id) => self.records.get(&UserId(id)).map(|record| record.row.clone()),
            FoundRow::Missing(_) => None,
        };
        let mut row = existing.clone().unwrap_or_else(|| new_row(user));
        let changes = user.put_into(&mut row, existing.is_none(), run);
        if row.email.is_empty() && existing.is_none() {
            run.problem(place, "email is missing, which a new user needs");
            return Ok(None);
        }
        let what = format!("user {}", user.username);
        match (found, existing) {
            (FoundRow::Existing(id), Some(before)) => {
                let id = UserId(id);
                if !changes.is_empty() {
                    self.update_row(run, id, &before, row).await?;
                    run.updated(&what, &changes);
                }
                Ok(Some(id))
            }
            (FoundRow::Missing(_) | FoundRow::Existing(_), _) => {
                let chosen = if let FoundRow::Missing(id) = found { id } else { None };
                let id = UserId(self.ids.next(run, chosen).await?);
                self.addresses.set_first(id, None, &row.email);
                run.directory.set_user(&row.username, Some(id));
                self.rows.insert(id.0, row.clone());
                let record = UserRecord {
                    row,
                    terms_accepted: false,
                    personal: None,
                    confirmed_by_group_scim: false,
                    enterprise_group: None,
                };
                self.records.insert(id, record);
                run.added(&what);
                Ok(Some(id))
            }
        }
    }

    /// Names and addresses pass from one user to another in the order of the document, and the unique indexes look at
    /// each row as it is written: such a row is written at once, all others together.
    async fn update_row(&mut self, run: &mut ApplyRun<'_>, id: UserId, before: &UserRow, row: UserRow) -> Result<()> {
        if row.username == before.username && row.email == before.email {
            self.rows.change(id.0, before.clone(), row.clone());
        } else {
            user_sets::update(&mut *run.conn, &[(id.0, before.clone(), row.clone())]).await?;
            run.directory.set_user(&before.username, None);
            run.directory.set_user(&row.username, Some(id));
            self.addresses.set_first(id, Some(&before.email), &row.email);
        }
        if let Some(record) = self.records.get_mut(&id) {
            record.row = row;
        }
        Ok(())
    }

    /// Names the personal namespace as its user, or makes it.
    async fn diff_namespace(&mut self, run: &mut ApplyRun<'_>, id: UserId) -> Result<()> {
        let Some(record) = self.records.get_mut(&id) else { return Ok(()) };
        let (path, name) = (record.row.username.clone(), record.row.name.clone());
        match &mut record.personal {
            None => {
                let namespace = NamespaceId(self.namespace_ids.next(run, None).await?);
                run.directory.set_owner(&path, PathOwner::Personal(namespace));
                record.personal = Some(PersonalRow { id: namespace, path: path.clone(), name: name.clone() });
                self.new_namespaces.push(NewPersonalNamespace { id: namespace, owner: id, path, name });
            }
            Some(personal) if personal.path == path && personal.name == name => {}
            Some(personal) if personal.path == path => {
                personal.name.clone_from(&name);
                self.renamed_namespaces.push((personal.id, name));
            }
            Some(personal) => {
                namespaces::update_personal(&mut *run.conn, personal.id, &path, &name).await?;
                derived::refresh_namespace(run.conn, personal.id).await?;
                run.directory.forget_below(&personal.path);
                run.directory.forget_below(&path);
                *personal = PersonalRow { id: personal.id, path, name };
            }
        }
        Ok(())
    }

    fn diff_terms(&mut self, run: &mut ApplyRun<'_>, id: UserId, user: &UserEntry) {
        let Some(record) = self.records.get_mut(&id) else { return };
        let mut changes = FieldChanges::default();
        changes.set("terms_accepted", &mut record.terms_accepted, user.terms_accepted);
        if !changes.is_empty() {
            self.new_terms.push((id, record.terms_accepted));
            run.updated(&format!("user {}", user.username), &changes);
        }
    }

    fn diff_password(&mut self, run: &mut ApplyRun<'_>, place: &DocumentPlace, id: UserId, user: &UserEntry) {
        let Some(given) = &user.password else { return };
        let place = place.key("password");
        let Some(password) = run.given(&place, given) else { return };
        let known = self.passwords.get(&id).filter(|hash| !hash.is_empty());
        let stated_as_hash = passwords::is_hash(&password);
        if !stated_as_hash && (password.chars().count() < SHORTEST_PASSWORD || password.len() > LONGEST_PASSWORD) {
            run.problem(&place, "must have 8 characters at least, and at most the 72 bytes that bcrypt looks at");
            return;
        }
        let same = |known: &String| *known == password || (!stated_as_hash && passwords::matches(&password, known));
        if known.is_some_and(same) {
            return;
        }
        let what = format!("password of {}", user.username);
        if known.is_some() {
            run.changed(&what);
        } else {
            run.added(&what);
        }
        let hash = if stated_as_hash { Some(password) } else { passwords::hash(&password) };
        match hash {
            Some(hash) => self.new_passwords.push((id, hash)),
            None => run.problem(&place, "cannot be hashed"),
        }
    }

    async fn diff_two_factor(
        &mut self,
        run: &mut ApplyRun<'_>,
        place: &DocumentPlace,
        id: UserId,
        user: &UserEntry,
    ) -> Result<()> {
        let Some(stated) = &user.two_factor else { return Ok(()) };
        let what = format!("second factor of {}", user.username);
        let known = self.otp_secrets.get(&id);
        let Some(stated) = stated else {
            if known.is_some() {
                two_factor::delete_otp_secret(&mut *run.conn, id).await?;
                run.removed(&what);
            }
            return Ok(());
        };
        let place = place.key("two_factor").key("otp_secret");
        let Some(secret) = run.given(&place, &stated.otp_secret) else { return Ok(()) };
        if !is_secret(&secret) {
            run.problem(&place, "must be base32, as an authenticator shows it, for example JBSWY3DPEHPK3PXP");
            return Ok(());
        }
        match known {
            Some(Ok(known)) if known.expose_secret() == secret => return Ok(()),
            Some(_) => run.changed(&what),
            None => run.added(&what),
        }
        self.new_otp_secrets.push((id, secret));
        Ok(())
    }

    async fn write_rows(&mut self, run: &mut ApplyRun<'_>) -> Result<()> {
        let updates = self.rows.take_changes();
        if !updates.is_empty() {
            user_sets::update(&mut *run.conn, &updates).await?;
        }
        let inserts = self.rows.take_inserts();
        if !inserts.is_empty() {
            user_sets::insert(&mut *run.conn, &inserts).await?;
        }
        Ok(())
    }
}

impl ObjectKind for UserSet {
    type Entry<'d> = StatedUser<'d>;
    const NOUN: &'static str = "users";

    fn position<'e>(entry: &'e Self::Entry<'_>) -> &'e EntryPosition {
        &entry.position
    }

    async fn load(&mut self, run: &mut ApplyRun<'_>, entries: &[Self::Entry<'_>]) -> Result<()> {
        if std::mem::replace(&mut self.is_loaded, true) {
            return Ok(());
        }
        let users = || entries.iter().map(|user| user.entry);
        run.directory.load(run.conn, users().map(|user| &*user.username), users().map(|user| &*user.username)).await?;
        let named = users().filter_map(|user| run.directory.known_user(&user.username));
        let stated = users().filter_map(|user| user.id).map(|id| UserId(id.0));
        let ids: HashSet<i64> = named.chain(stated).map(|id| id.0).collect();
        let ids: Vec<i64> = ids.into_iter().collect();
        self.records = user_sets::list(&mut *run.conn, &ids).await?;
        self.addresses.load(run, users()).await?;
        if users().any(|user| user.two_factor.is_some()) {
            let seal = run.otp_seal();
            self.otp_secrets = user_sets::list_otp_secrets(&mut *run.conn, &seal, &ids).await?;
        }
        if users().any(|user| user.password.is_some()) {
            self.passwords = user_sets::list_passwords(&mut *run.conn, &ids).await?;
        }
        let new = users().filter(|user| !user.ensure.is_absent() && self.find(run, user).is_none());
        let (chosen, numbered): (Vec<_>, Vec<_>) = new.partition(|user| user.id.is_some());
        let homeless = self.records.values().filter(|record| record.personal.is_none()).count();
        self.ids.reserve(run, numbered.len()).await?;
        self.namespace_ids.reserve(run, chosen.len() + numbered.len() + homeless).await
    }

    async fn diff(&mut self, run: &mut ApplyRun<'_>, user: &Self::Entry<'_>) -> Result<()> {
        let StatedUser { position: EntryPosition { place, .. }, entry } = user;
        let found = self.identify(run, place, entry).await?;
        let id = match found {
            Some(found) => self.diff_row(run, place, entry, found).await?,
            None => None,
        };
        let Some(id) = id else {
            run.failed(&entry.username);
            self.failed.insert(entry.username.to_lowercase());
            check_parts(run, place, entry);
            return Ok(());
        };
        self.stated.insert(id, place.clone());
        let on_the_word_of_scim = self.records.get(&id).is_some_and(|record| record.confirmed_by_group_scim);
        if entry.confirmed == Some(true) && on_the_word_of_scim && users::vouch_for_email(&mut *run.conn, id).await? {
            run.changed(&format!("user {} confirmed", entry.username));
        }
        self.diff_namespace(run, id).await?;
        self.diff_terms(run, id, entry);
        self.diff_password(run, place, id, entry);
        self.diff_two_factor(run, place, id, entry).await?;
        run.name("users", &entry.username, json!({ "id": id.0 }));
        Ok(())
    }

    async fn write(&mut self, run: &mut ApplyRun<'_>) -> Result<()> {
        self.write_rows(run).await?;
        let mut moved: Vec<NamespaceId> = Vec::new();
        if !self.new_namespaces.is_empty() {
            user_sets::insert_personal(&mut *run.conn, &self.new_namespaces).await?;
            moved.extend(self.new_namespaces.drain(..).map(|namespace| namespace.id));
        }
        if !self.renamed_namespaces.is_empty() {
            user_sets::update_personal_names(&mut *run.conn, &self.renamed_namespaces).await?;
            moved.extend(self.renamed_namespaces.drain(..).map(|(id, _)| id));
        }
        if !moved.is_empty() {
            derived::refresh_namespaces(run.conn, &moved).await?;
        }
        let seal = run.otp_seal();
        for (user, secret) in self.new_otp_secrets.drain(..) {
            two_factor::update_otp_secret(&mut *run.conn, &seal, user, &secret).await?;
        }
        for (user, hash) in self.new_passwords.drain(..) {
            users::update_password(&mut *run.conn, user, &hash).await?;
        }
        for accepted in [true, false] {
            let users = self.new_terms.iter().filter(|(_, stated)| *stated == accepted);
            let users: Vec<i64> = users.map(|(user, _)| user.0).collect();
            if !users.is_empty() {
                user_sets::set_accepted_terms(&mut *run.conn, &users, accepted).await?;
            }
        }
        self.new_terms.clear();
        Ok(())
    }
}

/// Reports what is wrong with the keys and tokens of a user that is not written because of another problem.
fn check_parts(run: &mut ApplyRun<'_>, place: &DocumentPlace, user: &UserEntry) {
    for (index, key) in user.keys.iter().enumerate() {
        if let Some(given) = &key.key {
            run.ssh_key(&place.key("keys").item(index).key("key"), given);
        }
    }
    for (index, token) in user.personal_access_tokens.iter().enumerate() {
        if let Some(given) = &token.token {
            run.given(&place.key("personal_access_tokens").item(index).key("token"), given);
        }
    }
}

impl UserEntry {
    fn put_into(&self, row: &mut UserRow, is_new: bool, run: &ApplyRun<'_>) -> FieldChanges {
        let mut changes = FieldChanges::default();
        changes.set("username", &mut row.username, Some(self.username.clone()));
        changes.set("name", &mut row.name, self.name.clone());
        changes.set("email", &mut row.email, self.email.clone());
        changes.set("admin", &mut row.admin, self.admin);
        changes.set("auditor", &mut row.auditor, self.auditor);
        changes.set("external", &mut row.external, self.external);
        changes.set("state", &mut row.state, self.state.map(|state| state.word().to_owned()));
        changes.set("projects_limit", &mut row.projects_limit, self.projects_limit);
        let confirmed = self.confirmed.or(is_new.then_some(true));
        if let Some(confirmed) = confirmed.filter(|confirmed| *confirmed != row.confirmed_at.is_some()) {
            row.confirmed_at = confirmed.then_some(run.naive_now());
            changes.note(if confirmed { "confirmed" } else { "no longer confirmed" });
        }
        changes
    }
}

fn new_row(user: &UserEntry) -> UserRow {
    UserRow {
        username: user.username.clone(),
        name: user.username.clone(),
        email: String::new(),
        state: UserStateWord::Active.word().to_owned(),
        user_type: UserType::Human.number(),
        admin: false,
        auditor: false,
        external: false,
        can_create_group: true,
        projects_limit: 100_000,
        private_profile: false,
        confirmed_at: None,
    }
}

/// Applies which groups manage users' accounts, when all groups exist.
pub(crate) async fn apply_enterprise_group(
    run: &mut ApplyRun<'_>,
    users: &mut UserSet,
    user: &StatedUser<'_>,
) -> Result<()> {
    let StatedUser { position: EntryPosition { place, .. }, entry } = user;
    let Some(stated) = &entry.enterprise_group else { return Ok(()) };
    let place = place.key("enterprise_group");
    let group = match stated {
        None => None,
        Some(path) if path.contains('/') => {
            run.problem(&place, "must be a root group: it holds for everything in it");
            return Ok(());
        }
        Some(path) => match run.group(&place, path).await? {
            Some(group) => Some(group),
            None => return Ok(()),
        },
    };
    let Some(id) = run.user(&place, &entry.username).await? else { return Ok(()) };
    let Some(record) = users.records.get_mut(&id).filter(|record| record.enterprise_group != group) else {
        return Ok(());
    };
    users::update_enterprise_group(&mut *run.conn, id, group).await?;
    record.enterprise_group = group;
    let mut changes = FieldChanges::default();
    changes.note(&format!("enterprise_group {}", stated.as_deref().unwrap_or("none")));
    run.updated(&format!("user {}", entry.username), &changes);
    Ok(())
}
