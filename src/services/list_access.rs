//! Who has access to a project, and what a user has access to: every entry with its level and where that comes from.
//! Entries come in one order and some thousand at a time, so that a list of any length takes little memory.

use chrono::NaiveDate;

use crate::domain::access::level_path::{LevelPath, level_of};
use crate::domain::ids::{ProjectId, UserId};
use crate::domain::level::{AccessLevel, VisibilityLevel};
use crate::store::access_lists::{self, ListedProject, ListedUser};
use crate::store::level_paths::{self, PairLevels};
use crate::store::{Db, Result};

/// Entries that are made at once.
const AT_ONCE: usize = 1000;

/// Whose access it is. The order is the list's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HolderKind {
    /// Everybody, or every user who is signed in: the project is open.
    Everybody,
    /// A user.
    User,
    /// A deploy key.
    DeployKey,
}

impl HolderKind {
    /// The word in lists.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Everybody => "everybody",
            Self::User => "user",
            Self::DeployKey => "deploy_key",
        }
    }

    /// The kind of a word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Everybody, Self::User, Self::DeployKey].into_iter().find(|kind| kind.word() == word)
    }
}

/// One entry: somebody, or something, has access to a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessEntry {
    /// Whose access it is.
    pub kind: HolderKind,
    /// The user's or key's id; 0 for everybody.
    pub id: i64,
    /// The user's name, or the key's title.
    pub name: String,
    /// `users.state`; of others empty.
    pub state: String,
    /// The project's id; 0 for all of them.
    pub project_id: i64,
    /// The project's full path; `*` for all of them.
    pub project: String,
    /// The level in words.
    pub level: String,
    /// Where it comes from, and what is wrong with it.
    pub reasons: Vec<String>,
}

impl AccessEntry {
    /// Where the entry stands in its list: lists are in this order.
    #[must_use]
    pub fn place(&self) -> (HolderKind, i64, i64) {
        (self.kind, self.id, self.project_id)
    }
}

/// A list that is made as it is read.
#[derive(Debug)]
pub struct AccessList {
    db: Db,
    today: NaiveDate,
    pairs: std::vec::IntoIter<(UserId, ProjectId)>,
    first: Vec<AccessEntry>,
    last: Vec<AccessEntry>,
}

impl AccessList {
    /// Everybody and everything that has access to the project.
    pub async fn of_project(db: &Db, project: &ListedProject, today: NaiveDate) -> Result<Self> {
        let users = level_paths::list_users(db, project.id).await?;
        let keys = access_lists::list_deploy_keys(db, project.id).await?;
        let of_everybody = |name: &str| AccessEntry {
            kind: HolderKind::Everybody,
            id: 0,
            name: name.to_owned(),
            state: String::new(),
            project_id: project.id.0,
            project: project.full_path.clone(),
            level: "reads what is open".to_owned(),
            reasons: vec![format!("the project is {}", project.visibility)],
        };
        let first = match project.visibility {
            VisibilityLevel::Private => Vec::new(),
            VisibilityLevel::Internal => vec![of_everybody("every user who is not external")],
            VisibilityLevel::Public => vec![of_everybody("everybody")],
        };
        let last = keys.into_iter().map(|key| AccessEntry {
            kind: HolderKind::DeployKey,
            id: key.id.0,
            name: key.title,
            state: String::new(),
            project_id: project.id.0,
            project: project.full_path.clone(),
            level: if key.can_push { "writes" } else { "reads" }.to_owned(),
            reasons: vec![match key.since {
                Some(day) => format!("enabled since {day}"),
                None => "enabled".to_owned(),
            }],
        });
        let last = last.collect();
        let pairs: Vec<_> = users.into_iter().map(|user| (user, project.id)).collect();
        Ok(Self { db: db.clone(), today, pairs: pairs.into_iter(), first, last })
    }

    /// Everything that the user has access to by more than its being open.
    pub async fn of_user(db: &Db, user: &ListedUser, today: NaiveDate) -> Result<Self> {
        let projects = level_paths::list_projects(db, user.id).await?;
        let everywhere = match (user.admin, user.auditor) {
            (true, _) => Some(("administrator", "administrators reach everything")),
            (false, true) => Some(("auditor", "auditors read everything")),
            (false, false) => None,
        };
        let first = everywhere.map(|(level, reason)| AccessEntry {
            kind: HolderKind::User,
            id: user.id.0,
            name: user.username.clone(),
            state: user.state.clone(),
            project_id: 0,
            project: "*".to_owned(),
            level: level.to_owned(),
            reasons: vec![reason.to_owned()],
        });
        let first = first.into_iter().collect();
        let pairs: Vec<_> = projects.into_iter().map(|project| (user.id, project)).collect();
        Ok(Self { db: db.clone(), today, pairs: pairs.into_iter(), first, last: Vec::new() })
    }

    /// The next entries, in order; none where the list has ended.
    pub async fn next(&mut self) -> Result<Option<Vec<AccessEntry>>> {
        if !self.first.is_empty() {
            return Ok(Some(std::mem::take(&mut self.first)));
        }
        loop {
            let pairs: Vec<_> = self.pairs.by_ref().take(AT_ONCE).collect();
            if pairs.is_empty() {
                break;
            }
            let entries = self.entries(&pairs).await?;
            if !entries.is_empty() {
                return Ok(Some(entries));
            }
        }
        Ok(Some(std::mem::take(&mut self.last)).filter(|last| !last.is_empty()))
    }

    async fn entries(&self, pairs: &[(UserId, ProjectId)]) -> Result<Vec<AccessEntry>> {
        let levels = level_paths::list(&self.db, pairs, self.today).await?;
        let (users, projects): (Vec<UserId>, Vec<ProjectId>) = pairs.iter().copied().unzip();
        let users = access_lists::list_users(&self.db, &users).await?;
        let projects = access_lists::list_projects(&self.db, &projects).await?;
        let entries = pairs.iter().zip(levels).filter_map(|((user, project), levels)| {
            // Who or what is gone since the list was begun has no access.
            entry(users.get(user)?, projects.get(project)?, &levels)
        });
        Ok(entries.collect())
    }
}

/// The entry of a pair; none where nothing gives any access.
fn entry(user: &ListedUser, project: &ListedProject, levels: &PairLevels) -> Option<AccessEntry> {
    let given = level_of(&levels.paths);
    let kept = levels.kept.unwrap_or(AccessLevel::NO_ACCESS);
    let mut reasons: Vec<String> =
        levels.paths.iter().filter(|path| path.idle.is_none()).map(LevelPath::to_string).collect();
    if given != kept {
        reasons.push(format!("a fault: {kept} is kept in project_authorizations"));
    }
    let level = match (user.admin, user.auditor) {
        (true, _) => {
            reasons.insert(0, "administrators reach everything".to_owned());
            "administrator".to_owned()
        }
        (false, true) if given < AccessLevel::REPORTER => {
            reasons.insert(0, "auditors read everything".to_owned());
            "auditor".to_owned()
        }
        // Decisions look at what is kept.
        (false, _) => kept.to_string(),
    };
    (!reasons.is_empty()).then(|| AccessEntry {
        kind: HolderKind::User,
        id: user.id.0,
        name: user.username.clone(),
        state: user.state.clone(),
        project_id: project.id.0,
        project: project.full_path.clone(),
        level,
        reasons,
    })
}
