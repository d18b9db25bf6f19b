//! Users, as much of them as the one who looks may see (rest.md 3.1).

use std::collections::HashMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::{local_moment, moment, shapes_of};
use crate::domain::user_type::UserType;
use crate::http::rest::RestState;
use crate::http::rest::fault::RestRefusal;
use crate::store::rest::users::{self, BasicUserRow, ProfileRow, UserIdentityRow, UserScimRow};

/// What everybody may know.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct BasicUser {
    id: i64,
    username: String,
    /// The address that everybody may see.
    public_email: Option<String>,
    /// The name that people read.
    name: String,
    /// `active`, `blocked`, `deactivated`, `banned`, `ldap_blocked` or `blocked_pending_approval`
    state: String,
    /// Whether too many wrong passwords locked the account.
    locked: bool,
    /// Always null: no pictures are kept here.
    avatar_url: Option<String>,
    /// Where the user would be shown.
    web_url: String,
}

impl BasicUser {
    /// The user of an installation at this URL.
    #[must_use]
    pub fn of(row: BasicUserRow, url: &str) -> Self {
        Self {
            id: row.id,
            web_url: format!("{url}/{}", row.username),
            username: row.username,
            public_email: row.public_email,
            name: row.name,
            state: row.state,
            locked: row.locked,
            avatar_url: None,
        }
    }
}

/// What users may know of each other.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct UserShape {
    #[serde(flatten)]
    basic: BasicUser,
    /// Of a private profile, for himself and administrators alone; as are the numbers of followers.
    #[serde(flatten)]
    #[schema(value_type = OpenProfile)]
    open: Option<OpenProfile>,
    bio: String,
    location: String,
    linkedin: String,
    twitter: String,
    discord: String,
    website_url: String,
    github: String,
    organization: String,
    job_title: String,
    pronouns: String,
    /// Whether it is the account of a bot.
    bot: bool,
    /// Always null.
    work_information: Option<String>,
    /// Always null.
    local_time: Option<String>,
}

/// What a private profile keeps to itself.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct OpenProfile {
    #[schema(format = DateTime)]
    created_at: Option<String>,
    /// Always 0, as the other numbers.
    #[schema(required = false)]
    followers: i64,
    #[schema(required = false)]
    following: i64,
    #[schema(required = false)]
    is_followed: bool,
}

impl UserShape {
    /// The user, as somebody sees them who is told what private profiles keep to themselves or is not.
    #[must_use]
    pub fn of(row: ProfileRow, url: &str, told: bool) -> Self {
        let open = OpenProfile {
            created_at: row.created_at.map(local_moment),
            followers: 0,
            following: 0,
            is_followed: false,
        };
        let texts = row.texts;
        Self {
            basic: BasicUser::of(row.basic, url),
            open: (told || !row.private_profile).then_some(open),
            bio: texts.bio,
            location: texts.location,
            linkedin: texts.linkedin,
            twitter: texts.twitter,
            discord: texts.discord,
            website_url: texts.website_url,
            github: texts.github,
            organization: texts.organization,
            job_title: texts.job_title,
            pronouns: texts.pronouns,
            bot: !UserType::from_number(row.user_type).takes_seat(),
            work_information: None,
            local_time: None,
        }
    }
}

/// What users may know of themselves.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[expect(clippy::struct_excessive_bools, reason = "GitLab's shape")]
pub struct SelfShape {
    #[serde(flatten)]
    user: UserShape,
    #[schema(format = DateTime)]
    last_sign_in_at: Option<String>,
    /// When the address was confirmed.
    #[schema(format = DateTime)]
    confirmed_at: Option<String>,
    /// The last day on which the user did something.
    #[schema(format = Date)]
    last_activity_on: Option<String>,
    email: String,
    /// Always 1, as the next one.
    theme_id: i32,
    color_scheme_id: i32,
    /// How many projects may be in the personal namespace.
    projects_limit: i32,
    #[schema(format = DateTime)]
    current_sign_in_at: Option<String>,
    /// Who the user is at providers.
    identities: Vec<IdentityShape>,
    can_create_group: bool,
    can_create_project: bool,
    /// Whether a second factor is set up.
    two_factor_enabled: bool,
    /// Whether only what is shared with the user is seen.
    external: bool,
    /// Whether others see little of the user.
    private_profile: bool,
    /// The address that stands in commits.
    commit_email: String,
    preferred_language: String,
    /// Always null, as the next one.
    shared_runners_minutes_limit: Option<i32>,
    extra_shared_runners_minutes_limit: Option<i32>,
    /// Who the user is to identity providers that provision.
    scim_identities: Vec<ScimIdentityShape>,
}

impl SelfShape {
    /// The name that people read.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.user.basic.name
    }
}

/// Who a user is at a provider.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct IdentityShape {
    provider: String,
    /// Who the user is there.
    extern_uid: String,
    /// Of a provider that a group has of its own.
    saml_provider_id: Option<i64>,
}

/// Who a user is to an identity provider that provisions.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ScimIdentityShape {
    extern_uid: String,
    /// The group that is provisioned; null for the installation.
    group_id: Option<i64>,
    active: bool,
}

/// What administrators may know.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AdminUserShape {
    #[serde(flatten)]
    own: SelfShape,
    is_admin: bool,
    /// What administrators write down of the user.
    note: Option<String>,
    /// The personal namespace.
    namespace_id: Option<i64>,
    /// Who made the account, where somebody did.
    created_by: Option<BasicUser>,
    /// Always null.
    #[schema(format = DateTime)]
    email_reset_offered_at: Option<String>,
    /// Whether the user takes a seat.
    using_license_seat: bool,
    is_auditor: bool,
    /// The group whose identity provider made the account.
    provisioned_by_group_id: Option<i64>,
    /// The group whose enterprise user it is.
    enterprise_group_id: Option<i64>,
    #[schema(format = DateTime)]
    enterprise_group_associated_at: Option<String>,
}

/// A user as themself, or an administrator, sees them.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum OwnUser {
    /// For themself.
    Own(Box<SelfShape>),
    /// For an administrator.
    Admin(Box<AdminUserShape>),
}

shapes_of! {
    /// The caller; administrators see more of themselves.
    OwnUser: SelfShape, AdminUserShape
}

/// A user in a list.
#[derive(Debug)]
pub struct ListedUser;

shapes_of! {
    /// All of a user for administrators, and for others what everybody may know.
    ListedUser: AdminUserShape, BasicUser
}

/// What a [`SelfShape`] is made of beside the profile.
struct Identities {
    providers: HashMap<i64, Vec<IdentityShape>>,
    scim: HashMap<i64, Vec<ScimIdentityShape>>,
}

impl RestState {
    /// Users as others see them, in the order of these ids.
    pub async fn user_shapes(&self, ids: &[i64], told: bool) -> Result<Vec<UserShape>, RestRefusal> {
        let rows = users::list_profiles(self.db.pool(), ids).await?;
        Ok(rows.into_iter().map(|row| UserShape::of(row, &self.url, told)).collect())
    }

    /// Users as they see themselves, in the order of these ids.
    pub async fn self_shapes(&self, ids: &[i64]) -> Result<Vec<SelfShape>, RestRefusal> {
        let rows = users::list_profiles(self.db.pool(), ids).await?;
        let mut identities = self.identities(ids).await?;
        Ok(rows.into_iter().map(|row| self.own(row, &mut identities)).collect())
    }

    /// Users as administrators see them, in the order of these ids.
    pub async fn admin_shapes(&self, ids: &[i64]) -> Result<Vec<AdminUserShape>, RestRefusal> {
        let rows = users::list_profiles(self.db.pool(), ids).await?;
        let makers: Vec<i64> = rows.iter().filter_map(|row| row.created_by).collect();
        let makers = users::list_basic(self.db.pool(), &makers).await?;
        let mut identities = self.identities(ids).await?;
        let shapes = rows.into_iter().map(|row| AdminUserShape {
            is_admin: row.admin,
            note: row.note.clone(),
            namespace_id: row.namespace,
            created_by: row.created_by.and_then(|id| makers.get(&id)).map(|row| BasicUser::of(row.clone(), &self.url)),
            email_reset_offered_at: None,
            using_license_seat: row.basic.state == "active" && UserType::from_number(row.user_type).takes_seat(),
            is_auditor: row.auditor,
            provisioned_by_group_id: row.provisioned_by_group,
            enterprise_group_id: row.enterprise_group,
            enterprise_group_associated_at: row.enterprise_since.map(moment),
            own: self.own(row, &mut identities),
        });
        Ok(shapes.collect())
    }

    fn own(&self, row: ProfileRow, identities: &mut Identities) -> SelfShape {
        let id = row.basic.id;
        SelfShape {
            last_sign_in_at: row.last_sign_in_at.map(local_moment),
            confirmed_at: row.confirmed_at.map(local_moment),
            last_activity_on: row.last_activity_on.map(|day| day.to_string()),
            email: row.email.clone(),
            theme_id: 1,
            color_scheme_id: 1,
            projects_limit: row.projects_limit,
            current_sign_in_at: row.current_sign_in_at.map(local_moment),
            identities: identities.providers.remove(&id).unwrap_or_default(),
            can_create_group: row.can_create_group,
            can_create_project: row.projects_limit > 0 && !row.external,
            two_factor_enabled: row.two_factor,
            external: row.external,
            private_profile: row.private_profile,
            commit_email: row.commit_email.clone().unwrap_or_else(|| row.email.clone()),
            preferred_language: row.preferred_language.clone().unwrap_or_else(|| "en".to_owned()),
            shared_runners_minutes_limit: None,
            extra_shared_runners_minutes_limit: None,
            scim_identities: identities.scim.remove(&id).unwrap_or_default(),
            user: UserShape::of(row, &self.url, true),
        }
    }

    async fn identities(&self, ids: &[i64]) -> Result<Identities, RestRefusal> {
        let mut found = Identities { providers: HashMap::new(), scim: HashMap::new() };
        for row in users::list_identities(self.db.pool(), ids).await? {
            let UserIdentityRow { user, provider, extern_uid, saml_provider } = row;
            let shape = IdentityShape { provider, extern_uid, saml_provider_id: saml_provider };
            found.providers.entry(user).or_default().push(shape);
        }
        for row in users::list_scim_identities(self.db.pool(), ids).await? {
            let UserScimRow { user, extern_uid, group, active } = row;
            found.scim.entry(user).or_default().push(ScimIdentityShape { extern_uid, group_id: group, active });
        }
        Ok(found)
    }
}
