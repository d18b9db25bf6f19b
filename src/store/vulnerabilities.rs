//! Findings and the vulnerabilities that they make. A finding is found by its uuid; the unique index on it settles
//! races.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::Result;
use crate::domain::ids::{AgentId, ProjectId, UserId};
use crate::domain::level::AccessLevel;
use crate::domain::vulnerability::{
    AgentReporter, Finding, FindingIdentifier, FindingScanner, REPORT_TYPE, VulnerabilityState,
};

/// Vulnerabilities that one statement resolves.
const BATCH: i64 = 250;

/// Who acts for an agent in its project: whoever made the agent. Nothing where the project is gone.
pub async fn find_reporter(db: impl PgExecutor<'_>, agent: AgentId) -> Result<Option<AgentReporter>> {
    let row = sqlx::query!(
        r#"
        select
          projects.id as project,
          users.id as "user?",
          coalesce(users.admin, false) as "admin!",
          coalesce(authorized.level, 0) as "level!"
        from cluster_agents
        join projects
          on projects.id = cluster_agents.project_id
          and not coalesce(projects.pending_delete, false)
          and not projects.hidden
        left join users on users.id = cluster_agents.created_by_user_id and users.state = 'active'
        left join lateral (
          select max(access_level) as level
          from project_authorizations
          where user_id = users.id
            and project_id = projects.id
        ) as authorized on true
        where cluster_agents.id = $1
        "#,
        agent.0,
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| AgentReporter {
        project: ProjectId(row.project),
        user: row.user.map(UserId),
        admin: row.admin,
        level: AccessLevel(row.level),
    }))
}

/// The state of the vulnerability that this finding makes.
pub async fn find_state(db: impl PgExecutor<'_>, uuid: Uuid) -> Result<Option<VulnerabilityState>> {
    let state = sqlx::query_scalar!(
        "select vulnerabilities.state
         from vulnerability_occurrences
         join vulnerabilities on vulnerabilities.id = vulnerability_occurrences.vulnerability_id
         where uuid = $1",
        uuid,
    )
    .fetch_optional(db)
    .await?;
    Ok(state.map(VulnerabilityState::of))
}

/// A report of a finding, for the row that it becomes.
#[derive(Debug)]
pub struct VulnerabilityReport<'a> {
    /// Whose token it came with.
    pub agent: AgentId,
    /// The agent's project.
    pub project: ProjectId,
    /// Who acts for the agent.
    pub author: UserId,
    /// The finding's id.
    pub uuid: Uuid,
    /// The finding.
    pub finding: &'a Finding,
    /// Vulnerabilities that the project may have.
    pub quota: u32,
    /// When it was reported.
    pub now: DateTime<Utc>,
}

/// What became of a new report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InsertedVulnerability {
    /// It is a vulnerability now.
    Created,
    /// Somebody else has reported it meanwhile.
    Known,
    /// The project has too many. The transaction is to be given up.
    OverQuota,
}

/// Makes a vulnerability of a finding that was not known a moment ago. All in the caller's transaction; rows that
/// others may write too are taken in the same order by everybody: scanner, identifiers, finding, then what the project
/// sums up.
pub async fn insert(db: &mut PgConnection, report: &VulnerabilityReport<'_>) -> Result<InsertedVulnerability> {
    let VulnerabilityReport { agent, project, author, uuid, finding, quota, now } = report;
    let scanner = find_or_insert_scanner(db, *project, &finding.scanner).await?;
    let identifiers = find_or_insert_identifiers(db, *project, &finding.identifiers).await?;
    let row = sqlx::query!(
        r#"
        with numbered as (
          -- Each of the two rows names the other, so one of the ids is drawn before either is written.
          select nextval('vulnerabilities_id_seq') as vulnerability_id
        ),
        occurrence as (
          insert into vulnerability_occurrences (
            uuid, project_id, scanner_id, primary_identifier_id, vulnerability_id, name, severity, report_type,
            project_fingerprint, location_fingerprint, metadata_version, raw_metadata, location, description, solution,
            created_at, updated_at
          )
          select
            $1, $2, $3, $4, vulnerability_id, $5, $6, $7, $8, $9, 'cluster_image_scanning:1.0', $10, $11::text::jsonb,
            $12, $13, $14, $14
          from numbered
          -- All that follows reads from this row, so who loses the race writes nothing here (kas.md 4.3).
          on conflict (uuid) do nothing
          returning id, vulnerability_id
        ),
        vulnerability as (
          insert into vulnerabilities (
            id, finding_id, project_id, author_id, title, description, state, severity, report_type, detected_at,
            created_at, updated_at
          )
          select vulnerability_id, id, $2, $15, $5, $12, 1, $6, $7, $14, $14, $14
          from occurrence
          returning id
        ),
        joined as (
          insert into vulnerability_occurrence_identifiers (
            occurrence_id, identifier_id, project_id, created_at, updated_at
          )
          select occurrence.id, identifiers.id, $2, $14, $14
          from occurrence
          cross join unnest($16::bigint[]) as identifiers (id)
        ),
        -- What GitLab lists and filters by. The agent is that of the token, whatever the report says of it.
        read as (
          insert into vulnerability_reads (
            vulnerability_id, project_id, scanner_id, report_type, severity, state, uuid, location_image,
            cluster_agent_id, casted_cluster_agent_id
          )
          select vulnerability_id, $2, $3, $7, $6, 1, $1, $17, $18::bigint::text, $18
          from occurrence
        ),
        flagged_agent as (
          update cluster_agents
          set has_vulnerabilities = true
          where id = $18
            -- Only the first report writes the flag: later ones would wait for each other here for nothing.
            and not has_vulnerabilities
            and exists (select 1 from occurrence)
        ),
        flagged_project as (
          insert into project_settings (project_id, has_vulnerabilities)
          select $2, true
          from occurrence
          on conflict (project_id) do update
          set has_vulnerabilities = true, updated_at = $14
          where not project_settings.has_vulnerabilities
        )
        -- All reports of a project meet in this row; its lock makes the count that the quota is compared with exact.
        insert into project_security_statistics (project_id, vulnerability_count)
        select $2, 1
        from vulnerability
        on conflict (project_id) do update
        set vulnerability_count = project_security_statistics.vulnerability_count + 1
        returning vulnerability_count
        "#,
        uuid,
        project.0,
        scanner,
        identifiers.first().copied(),
        finding.title(),
        finding.severity.number(),
        REPORT_TYPE,
        &finding.project_fingerprint(),
        &finding.place.fingerprint(*agent),
        finding.raw,
        finding.location,
        finding.description,
        finding.solution,
        now,
        author.0,
        &identifiers,
        finding.image,
        agent.0,
    )
    .fetch_optional(db)
    .await?;
    Ok(match row {
        Some(row) if i64::from(row.vulnerability_count) > i64::from(*quota) => InsertedVulnerability::OverQuota,
        Some(_) => InsertedVulnerability::Created,
        None => InsertedVulnerability::Known,
    })
}

/// The scanner's row. What the first report said of it stays.
async fn find_or_insert_scanner(db: &mut PgConnection, project: ProjectId, scanner: &FindingScanner) -> Result<i64> {
    if let Some(id) = find_scanner(db, project, scanner).await? {
        return Ok(id);
    }
    sqlx::query!(
        "insert into vulnerability_scanners (project_id, external_id, name, vendor)
         values ($1, $2, $3, $4)
         on conflict (project_id, external_id) do nothing",
        project.0,
        scanner.id,
        scanner.name,
        scanner.vendor,
    )
    .execute(&mut *db)
    .await?;
    // Of somebody else's row, this statement sees more than the one before.
    find_scanner(db, project, scanner).await?.ok_or_else(|| sqlx::Error::RowNotFound.into())
}

async fn find_scanner(db: &mut PgConnection, project: ProjectId, scanner: &FindingScanner) -> Result<Option<i64>> {
    let id = sqlx::query_scalar!(
        "select id
         from vulnerability_scanners
         where project_id = $1
           and external_id = $2",
        project.0,
        scanner.id,
    )
    .fetch_optional(db)
    .await?;
    Ok(id)
}

/// The ids of the identifiers, in their order, each once.
async fn find_or_insert_identifiers(
    db: &mut PgConnection,
    project: ProjectId,
    identifiers: &[FindingIdentifier],
) -> Result<Vec<i64>> {
    let mut fingerprints: Vec<[u8; 20]> = Vec::new();
    let mut distinct: Vec<&FindingIdentifier> = Vec::new();
    for identifier in identifiers {
        let fingerprint = identifier.fingerprint;
        if !fingerprints.contains(&fingerprint) {
            fingerprints.push(fingerprint);
            distinct.push(identifier);
        }
    }
    let found = list_identifiers(db, project, &fingerprints).await?;
    if found.len() == fingerprints.len() {
        return Ok(found);
    }
    let bytes: Vec<Vec<u8>> = fingerprints.iter().map(|fingerprint| fingerprint.to_vec()).collect();
    let column =
        |of: fn(&FindingIdentifier) -> &str| distinct.iter().map(|one| of(one).to_owned()).collect::<Vec<String>>();
    let urls: Vec<Option<String>> = distinct.iter().map(|one| one.url.clone()).collect();
    sqlx::query!(
        "insert into vulnerability_identifiers (project_id, fingerprint, external_type, external_id, name, url)
         select $1, fingerprint, external_type, external_id, name, url
         from unnest($2::bytea[], $3::text[], $4::text[], $5::text[], $6::text[])
           as identifiers (fingerprint, external_type, external_id, name, url)
         order by fingerprint
         on conflict (project_id, fingerprint) do nothing",
        project.0,
        &bytes,
        &column(|one| &one.external_type),
        &column(|one| &one.external_id),
        &column(|one| &one.name),
        &urls as &[Option<String>],
    )
    .execute(&mut *db)
    .await?;
    list_identifiers(db, project, &fingerprints).await
}

async fn list_identifiers(db: &mut PgConnection, project: ProjectId, fingerprints: &[[u8; 20]]) -> Result<Vec<i64>> {
    let bytes: Vec<Vec<u8>> = fingerprints.iter().map(|fingerprint| fingerprint.to_vec()).collect();
    let ids = sqlx::query_scalar!(
        "select vulnerability_identifiers.id
         from unnest($2::bytea[]) with ordinality as wanted (fingerprint, place)
         join vulnerability_identifiers
           on vulnerability_identifiers.project_id = $1
           and vulnerability_identifiers.fingerprint = wanted.fingerprint
         order by place",
        project.0,
        &bytes,
    )
    .fetch_all(db)
    .await?;
    Ok(ids)
}

/// Brings a vulnerability that was resolved back, since it is reported again. False where it is not resolved, any more.
pub async fn reopen(db: impl PgExecutor<'_>, uuid: Uuid, author: UserId, now: DateTime<Utc>) -> Result<bool> {
    let reopened = sqlx::query!(
        "with reopened as (
           update vulnerabilities
           set
             state = 1,
             resolved_at = null,
             resolved_by_id = null,
             resolved_on_default_branch = false,
             updated_at = $3
           from vulnerability_occurrences
           where vulnerability_occurrences.uuid = $1
             and vulnerabilities.id = vulnerability_occurrences.vulnerability_id
             and vulnerabilities.state = 3
           returning vulnerabilities.id
         ),
         read as (
           update vulnerability_reads
           set state = 1, resolved_on_default_branch = false
           from reopened
           where vulnerability_reads.vulnerability_id = reopened.id
         )
         insert into vulnerability_state_transitions (
           vulnerability_id, from_state, to_state, author_id, comment, created_at, updated_at
         )
         select id, 3, 1, $2, 'reported again', $3, $3
         from reopened",
        uuid,
        author.0,
        now,
    )
    .execute(db)
    .await?;
    Ok(reopened.rows_affected() > 0)
}

/// Resolves what an agent has reported and does not report any more: the vulnerabilities that nobody has dismissed and
/// that are not among `reported`. Answers with how many those are.
///
/// # Errors
/// Where the database does not answer, or takes no writes. What was resolved until then stays resolved.
pub async fn resolve_others(
    db: &mut PgConnection,
    (project, agent): (ProjectId, AgentId),
    reported: &[Uuid],
    author: UserId,
    now: DateTime<Utc>,
) -> Result<u64> {
    let (mut resolved, mut after) = (0, 0);
    loop {
        let batch = sqlx::query!(
            r#"
            with gone as (
              select vulnerabilities.id
              from vulnerability_reads
              join vulnerabilities on vulnerabilities.id = vulnerability_reads.vulnerability_id
              where casted_cluster_agent_id = $1
                and vulnerability_reads.project_id = $2
                -- As in index_vulnerability_reads_on_agent_and_active: 7 is a scan of images, 1 detected, 4 confirmed.
                and vulnerability_reads.report_type = 7
                and vulnerability_reads.state in (1, 4)
                -- The copy in vulnerability_reads serves the index; this state is the one that counts.
                and vulnerabilities.state in (1, 4)
                and not exists (select 1 from unnest($3::uuid[]) as reported (uuid) where reported.uuid = vulnerability_reads.uuid)
                -- By id and not by what is left, so that the pages end even where others reopen what was resolved.
                and vulnerabilities.id > $4
              order by vulnerabilities.id
              limit $5
            ),
            held as (
              -- One order for everybody; the state may have changed while the lock was waited for.
              select id, state
              from vulnerabilities
              where id in (select id from gone)
                and state in (1, 4)
              order by id
              for no key update
            ),
            resolved as (
              update vulnerabilities
              set state = 3, resolved_on_default_branch = true, resolved_at = $6, updated_at = $6
              from held
              where vulnerabilities.id = held.id
              -- The state before the update, which the transition names.
              returning vulnerabilities.id, held.state
            ),
            read as (
              update vulnerability_reads
              set state = 3, resolved_on_default_branch = true
              from resolved
              where vulnerability_reads.vulnerability_id = resolved.id
            ),
            written as (
              insert into vulnerability_state_transitions (
                vulnerability_id, from_state, to_state, author_id, comment, created_at, updated_at
              )
              select id, state, 3, $7, 'no longer reported', $6, $6
              from resolved
            )
            select
              (select count(*) from gone) as "seen!",
              (select max(id) from gone) as last,
              (select count(*) from resolved) as "resolved!"
            "#,
            agent.0,
            project.0,
            reported,
            after,
            BATCH,
            now,
            author.0,
        )
        .fetch_one(&mut *db)
        .await?;
        resolved += u64::try_from(batch.resolved).unwrap_or_default();
        match batch.last {
            Some(last) if batch.seen == BATCH => after = last,
            Some(_) | None => return Ok(resolved),
        }
    }
}
