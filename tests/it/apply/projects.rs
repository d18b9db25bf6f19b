//! `projects:`

use sqlx::PgPool;

use super::{KEY, applied, refused, rows, run};

const BASE: &str = "
users: [{username: rubi, email: r@x}, {username: dana, email: d@x}, {username: eve, email: e@x}]
groups: [{path: acme, visibility: public, members: {rubi: owner}}, {path: guests, members: {eve: owner}}]
";

#[sqlx::test]
async fn a_project_comes_changes_and_goes(pool: PgPool) {
    applied(&pool, BASE).await;
    let report = applied(&pool, "projects: [{path: acme/web, id: 3, name: Web}]").await;
    insta::assert_snapshot!(report.lines().join("\n"), @"
    + project acme/web
    ! repository of acme/web was not created: no Gitaly is at hand; it is made when its storage answers, or say `repository: present` when it exists
    ");
    let query = "
        select concat_ws(' | ', routes.path, routes.name, projects.visibility_level, shadow.type, shadow.path,
          cardinality(shadow.traversal_ids), storage_version, repository_access_level)
        from projects
        join namespaces as shadow on shadow.id = project_namespace_id
        join routes on routes.source_type = 'Project' and routes.source_id = projects.id and routes.namespace_id = shadow.id
        join project_features on project_features.project_id = projects.id";
    assert_eq!(rows(&pool, query).await, "acme/web | acme / Web | 0 | Project | web | 2 | 2 | 20");

    let report = applied(
        &pool,
        "
projects:
  - path: acme/web
    visibility: public
    repository: present
    wiki_repository: present
    archived: true
    features: {repository: private, wiki: disabled}
",
    )
    .await;
    insta::assert_snapshot!(report.lines().join("\n"), @"
    ~ project acme/web visibility private → public, archived false → true
    ~ features of acme/web repository enabled → private, wiki enabled → disabled
    + repository of acme/web
    + wiki repository of acme/web
    ");
    let repository = "select name || ' ' || disk_path from project_repositories join shards on shards.id = shard_id";
    assert_eq!(
        rows(&pool, repository).await,
        "default @hashed/4e/07/4e07408562bedb8b60ce05c1decfe3ad16b72230967de01f640b7e4729b49fce"
    );
    let report = applied(&pool, "projects: [{path: acme/web, storage: fast}]").await;
    assert_eq!(
        report.lines(),
        ["~ project acme/web storage default → fast", "~ repository of acme/web storage default → fast"]
    );
    let report = applied(&pool, "projects: [{path: acme/web, repository: absent, wiki_repository: absent}]").await;
    assert_eq!(report.changes(), 2);
    let report = applied(&pool, "projects: [{path: acme/web, ensure: absent}]").await;
    assert_eq!(report.lines(), ["- project acme/web"]);
    let left = "select 'x' from projects union all select 'x' from namespaces where type = 'Project' union all select 'x' from project_authorizations";
    assert_eq!(rows(&pool, left).await, "");
}

#[sqlx::test]
async fn a_project_moves_with_its_authorizations(pool: PgPool) {
    applied(&pool, BASE).await;
    applied(&pool, "projects: [{path: acme/web, id: 3, repository: present, members: {dana: reporter}}]").await;
    let report = applied(&pool, "projects: [{path: guests/site, id: 3}]").await;
    assert_eq!(report.lines(), ["~ project guests/site path acme/web → guests/site"]);
    let levels = "select concat_ws(' ', username, access_level) from project_authorizations join users on users.id = user_id order by 1";
    assert_eq!(rows(&pool, levels).await, "dana 20\neve 50");
    assert_eq!(rows(&pool, "select path from redirect_routes").await, "acme/web");
    applied(&pool, "projects: [{path: eve/site, id: 3}]").await;
    assert_eq!(rows(&pool, levels).await, "dana 20\neve 50");
}

#[sqlx::test]
async fn members_and_shares_of_a_project_come_and_go(pool: PgPool) {
    applied(&pool, BASE).await;
    let levels = "select concat_ws(' ', username, access_level) from project_authorizations join users on users.id = user_id order by 1";
    applied(&pool, "projects: [{path: acme/web, repository: present, members: {dana: reporter}, shared_with: {guests: developer}}]").await;
    assert_eq!(rows(&pool, levels).await, "dana 20\neve 30\nrubi 50");
    assert_eq!(applied(&pool, "groups: [{path: acme, share_with_group_lock: true}]").await.changes(), 1);
    assert_eq!(rows(&pool, levels).await, "dana 20\nrubi 50");
    applied(&pool, "groups: [{path: acme, share_with_group_lock: false}]").await;
    assert_eq!(rows(&pool, levels).await, "dana 20\neve 30\nrubi 50");
    applied(
        &pool,
        "projects: [{path: acme/web, members: {dana: {ensure: absent}}, shared_with: {guests: {ensure: absent}}}]",
    )
    .await;
    assert_eq!(rows(&pool, levels).await, "rubi 50");
    let own = "projects: [{path: acme/web, shared_with: {acme: developer}}]";
    assert!(refused(&pool, own).await.contains("whose members get in anyway"));
}

#[sqlx::test]
async fn protected_refs_and_deploy_keys_come_change_and_go(pool: PgPool) {
    applied(&pool, BASE).await;
    let document = format!(
        "
projects:
  - path: acme/web
    repository: present
    deploy_keys: [{{title: builder, key: '{KEY}'}}]
    protected_branches:
      - {{name: main}}
      - {{name: 'release/*', push: [none, 'user:dana', 'deploy_key:builder', 'group:guests'], merge: [developer], allow_force_push: true}}
    protected_tags: [{{name: 'v*', create: [admin, 'user:dana']}}]
"
    );
    insta::assert_snapshot!(applied(&pool, &document).await.lines().join("\n"), @"
    + project acme/web
    + repository of acme/web
    + user ghost
    + deploy key builder of acme/web
    + protected branch main of acme/web
    + protected branch release/* of acme/web
    + protected tag v* of acme/web
    ");
    let push = "
        select concat_ws(' ', name, access_level, user_id is not null, group_id is not null, deploy_key_id is not null)
        from protected_branches
        join protected_branch_push_access_levels on protected_branch_id = protected_branches.id
        order by 1";
    insta::assert_snapshot!(rows(&pool, push).await, @"
    main 40 f f f
    release/* 0 f f f
    release/* 40 f f t
    release/* 40 f t f
    release/* 40 t f f
    ");
    assert_eq!(rows(&pool, "select username || user_type from users where user_type <> 0").await, "ghost5");
    let changed = "
projects:
  - path: acme/web
    deploy_keys: [{title: builder, ensure: absent}]
    protected_branches:
      - {name: main, push: [developer]}
      - {name: 'release/*', allow_force_push: false, push: [none]}
    protected_tags: [{name: 'v*', create: [maintainer]}]
";
    insta::assert_snapshot!(applied(&pool, changed).await.lines().join("\n"), @"
    - deploy key builder of acme/web
    ~ protected branch main of acme/web push [maintainer] → [developer]
    ~ protected branch release/* of acme/web allow_force_push true → false, push [none, user 2, group 5] → [none]
    ~ protected tag v* of acme/web create [admin, user 2] → [maintainer]
    ");
    assert_eq!(rows(&pool, "select title from keys").await, "");
    let gone = "
projects:
  - path: acme/web
    protected_branches: [{name: main, ensure: absent}]
    protected_tags: [{name: 'v*', ensure: absent}]
";
    assert_eq!(applied(&pool, gone).await.changes(), 2);
}

#[sqlx::test]
async fn a_deploy_key_is_shared_by_projects_and_goes_with_the_last(pool: PgPool) {
    applied(&pool, BASE).await;
    let project = |path: &str, rest: &str| {
        format!("{{path: {path}, repository: present, deploy_keys: [{{title: ci, key: '{KEY}', {rest}}}]}}")
    };
    applied(
        &pool,
        &format!("projects: [{}, {}]", project("acme/a", "owner: dana"), project("acme/b", "can_push: true")),
    )
    .await;
    assert_eq!(
        rows(&pool, "select concat_ws(' ', username, type) from keys join users on users.id = user_id").await,
        "dana DeployKey"
    );
    assert_eq!(rows(&pool, "select can_push::text from deploy_keys_projects order by project_id").await, "false\ntrue");
    let user = format!("users: [{{username: rubi, keys: [{{title: x, key: '{KEY}'}}]}}]");
    assert!(refused(&pool, &user).await.starts_with("users[0].keys[0].key: is deploy key"));
    applied(&pool, "projects: [{path: acme/a, ensure: absent}]").await;
    assert_eq!(rows(&pool, "select title from keys").await, "ci");
    applied(&pool, "projects: [{path: acme/b, ensure: absent}]").await;
    assert_eq!(rows(&pool, "select title from keys").await, "");
}

/// A key that pushes as nobody would never push.
#[sqlx::test]
async fn a_deploy_key_that_may_push_has_an_owner(pool: PgPool) {
    applied(&pool, BASE).await;
    let project = |more: &str, rest: &str| {
        format!(
            "projects: [{{path: acme/web, repository: present{more}, deploy_keys: [{{title: ci, key: '{KEY}'{rest}}}]}}]"
        )
    };
    let whose = async || rows(&pool, "select username from keys join users on users.id = user_id").await;
    let missing =
        "projects[0].deploy_keys[0].owner: is missing: the key pushes as its owner, and acme/web has no creator";
    assert_eq!(refused(&pool, &project("", ", can_push: true")).await, missing);
    applied(&pool, &project("", "")).await;
    assert_eq!(whose().await, "ghost", "one that only reads needs none");
    assert_eq!(refused(&pool, &project("", ", can_push: true")).await, missing);
    let ghost = refused(&pool, &project("", ", can_push: true, owner: ghost")).await;
    assert_eq!(ghost, "projects[0].deploy_keys[0].owner: is the ghost user, who may not push; name somebody who may");
    applied(&pool, &project(", creator: dana", ", can_push: true")).await;
    assert_eq!(whose().await, "dana", "the creator takes it over from the ghost user");
    applied(&pool, &project(", creator: rubi", "")).await;
    assert_eq!(whose().await, "dana", "somebody's key stays theirs");
    applied(&pool, &project("", ", owner: eve")).await;
    assert_eq!(whose().await, "eve");
}

#[sqlx::test]
async fn error_tracking_and_push_rules_come_change_and_go(pool: PgPool) {
    applied(&pool, BASE).await;
    let document = "
projects:
  - path: acme/web
    repository: present
    push_rules: {max_file_size: 5}
    error_tracking: {enabled: true, client_keys: [{public_key: glet_example}]}
";
    assert_eq!(applied(&pool, document).await.changes(), 5);
    let changed = "
projects:
  - path: acme/web
    push_rules: {max_file_size: 6}
    error_tracking: {enabled: false, client_keys: [{public_key: glet_example, active: false}]}
";
    insta::assert_snapshot!(applied(&pool, changed).await.lines().join("\n"), @"
    ~ push rules of acme/web max_file_size 5 → 6
    ~ error tracking of acme/web enabled true → false
    ~ client key glet_example of acme/web active true → false
    ");
    let gone = "
projects:
  - path: acme/web
    push_rules: {ensure: absent}
    error_tracking: {client_keys: [{public_key: glet_example, ensure: absent}]}
";
    assert_eq!(applied(&pool, gone).await.changes(), 2);
}

#[sqlx::test]
async fn ids_of_parts_are_used_and_must_agree(pool: PgPool) {
    applied(&pool, BASE).await;
    applied(
        &pool,
        "projects: [{path: acme/web, id: 3, repository: present, protected_branches: [{name: main, id: 12}]}]",
    )
    .await;
    let document = "
projects:
  - {path: acme/web, id: 4, repository: present}
  - {path: acme/api, repository: present, protected_branches: [{name: main, id: 12}]}
";
    insta::assert_snapshot!(refused(&pool, document).await, @"
    projects[0].id: must be 3, which it has, or be left out
    projects[1].protected_branches[0].id: 12 belongs to another row of protected_branches
    ");
}

#[sqlx::test]
async fn an_id_passes_on_from_what_goes(pool: PgPool) {
    applied(&pool, BASE).await;
    let with = |entries: &str| {
        let part = |noun: &str| format!("    {noun}: [{entries}]\n");
        let parts = ["protected_branches", "protected_tags", "agents"].map(part).concat();
        format!("projects:\n  - path: acme/web\n    repository: absent\n{parts}")
    };
    applied(&pool, &with("{name: a, id: 12}")).await;
    let report = run(&pool, &with("{name: a, ensure: absent}, {name: b, id: 12}"), false).await.unwrap();
    insta::assert_snapshot!(report.lines().join("\n"), @"
    - protected branch a of acme/web
    + protected branch b of acme/web
    - protected tag a of acme/web
    + protected tag b of acme/web
    - agent a of acme/web
    + agent b of acme/web
    ");
    let found = "
        select concat_ws(' ', kind, name, id)
        from (
          select 'branch' as kind, name, id from protected_branches
          union all select 'tag', name, id from protected_tags
          union all select 'agent', name, id from cluster_agents
        ) as found
        order by 1";
    assert_eq!(rows(&pool, found).await, "agent b 12\nbranch b 12\ntag b 12");
    let access = "
        select access_level::text from protected_branch_push_access_levels
        union all select access_level::text from protected_branch_merge_access_levels
        union all select access_level::text from protected_tag_create_access_levels";
    assert_eq!(rows(&pool, access).await, "40\n40\n40");
}

#[sqlx::test]
async fn merge_requests_come_change_and_go(pool: PgPool) {
    applied(&pool, BASE).await;
    // The project that one comes from may stand below it.
    let document = "
projects:
  - path: acme/web
    repository: present
    merge_requests:
      - {iid: 1, source_branch: topic, target_branch: main}
      - {iid: 2, source_project: eve/web, source_branch: fix, target_branch: main, allow_collaboration: true}
      - {iid: 3, source_branch: next, target_branch: main, state: locked, in_progress_merge_commit_sha: 4f7b0e2c3d5a6978801b2c3d4e5f60718293a4b5}
  - {path: eve/web, repository: present}
";
    insta::assert_snapshot!(applied(&pool, document).await.lines().join("\n"), @"
    + project acme/web
    + repository of acme/web
    + project eve/web
    + repository of eve/web
    + merge request acme/web!1
    + merge request acme/web!2
    + merge request acme/web!3
    ");
    let columns = "
        select concat_ws(' ', iid, source_project_id = target_project_id, source_branch, target_branch, state_id,
          allow_maintainer_to_push, left(in_progress_merge_commit_sha, 4))
        from merge_requests
        order by iid";
    insta::assert_snapshot!(rows(&pool, columns).await, @"
    1 t topic main 1 f
    2 f fix main 1 t
    3 t next main 4 f 4f7b
    ");
    let changed = "
projects:
  - path: acme/web
    merge_requests:
      - {iid: 1, ensure: absent}
      - {iid: 2, allow_collaboration: false, state: closed}
      - {iid: 3, state: merged, in_progress_merge_commit_sha: null}
";
    insta::assert_snapshot!(applied(&pool, changed).await.lines().join("\n"), @"
    - merge request acme/web!1
    ~ merge request acme/web!2 state opened → closed, allow_collaboration true → false
    ~ merge request acme/web!3 state locked → merged, in_progress_merge_commit_sha 4f7b0e2c3d5a6978801b2c3d4e5f60718293a4b5 → unset
    ");
}

/// What no rule would read is not taken.
#[sqlx::test]
async fn a_merge_request_that_would_have_no_effect_is_refused(pool: PgPool) {
    applied(&pool, BASE).await;
    applied(&pool, "projects: [{path: acme/web, repository: present}]").await;
    let document = "
projects:
  - path: acme/web
    merge_requests:
      - {iid: 1, source_branch: topic}
      - {iid: 2, source_branch: 'a..b', target_branch: main}
      - {iid: 3, source_branch: a, target_branch: main, allow_collaboration: true}
      - {iid: 4, source_branch: a, target_branch: main, in_progress_merge_commit_sha: 4f7b0e2c3d5a6978801b2c3d4e5f60718293a4b5}
      - {iid: 5, source_project: acme/none, source_branch: a, target_branch: main}
      - {iid: 5, source_branch: a, target_branch: main}
";
    insta::assert_snapshot!(refused(&pool, document).await, @"
    projects[0].merge_requests[0].target_branch: is missing, for example main
    projects[0].merge_requests[1].source_branch: a..b cannot be the name of a branch
    projects[0].merge_requests[2].allow_collaboration: is for merge requests from another project: who may merge here may push here
    projects[0].merge_requests[3].in_progress_merge_commit_sha: is for a merge request whose state is locked: its merge is running; null for any other
    projects[0].merge_requests[4].source_project: there is no project acme/none
    projects[0].merge_requests[5].iid: 5 is that of projects[0].merge_requests[4] as well
    ");
    for key in ["title: x", "author: rubi", "draft: true"] {
        let document = format!("projects: [{{path: acme/web, merge_requests: [{{iid: 1, {key}}}]}}]");
        assert!(refused(&pool, &document).await.contains("unknown key"), "{key}");
    }
}

#[sqlx::test]
async fn snippets_come_change_and_go(pool: PgPool) {
    applied(&pool, BASE).await;
    let document = "
projects: [{path: acme/web, repository: present}]
snippets:
  - {id: 7, author: dana, visibility: public}
  - {id: 8, author: eve, project: acme/web, storage: fast, repository_read_only: true}
  - {id: 9, author: eve, repository: absent}
";
    insta::assert_snapshot!(applied(&pool, document).await.lines().join("\n"), @"
    + project acme/web
    + repository of acme/web
    + snippet 7
    + repository of snippet 7
    + snippet 8
    + repository of snippet 8
    + snippet 9
    ");
    let columns = "
        select concat_ws(' ', snippets.id, type, username, project_id is not null, organization_id, visibility_level,
          repository_read_only, shards.name, left(disk_path, 13))
        from snippets
        join users on users.id = author_id
        left join snippet_repositories on snippet_id = snippets.id
        left join shards on shards.id = shard_id
        order by snippets.id";
    insta::assert_snapshot!(rows(&pool, columns).await, @"
    7 PersonalSnippet dana f 1 20 f default @snippets/79/
    8 ProjectSnippet eve t 0 t fast @snippets/2c/
    9 PersonalSnippet eve f 1 0 f
    ");
    let changed = "
snippets:
  - {id: 7, author: rubi, visibility: private, storage: fast}
  - {id: 8, repository_read_only: false, repository: absent}
  - {id: 9, ensure: absent}
";
    insta::assert_snapshot!(applied(&pool, changed).await.lines().join("\n"), @"
    ~ snippet 7 author 2 → 1, visibility public → private
    ~ repository of snippet 7 storage default → fast
    ~ snippet 8 repository_read_only true → false
    - repository of snippet 8
    - snippet 9
    ");
    let wrong = "
snippets:
  - {id: 7, project: acme/web}
  - {id: 10}
  - {id: 11, author: nobody}
  - {id: 12, author: eve, project: acme/none}
  - {id: 12, author: eve}
";
    insta::assert_snapshot!(refused(&pool, wrong).await, @"
    snippets[0].project: must stay what it is: a snippet does not move
    snippets[1].author: is missing: a new snippet is somebody's
    snippets[2].author: there is no user nobody
    snippets[3].project: there is no project acme/none
    snippets[4].id: 12 is that of snippets[3] as well
    ");
    assert_eq!(rows(&pool, "select (nextval('snippets_id_seq') > 9)::text").await, "true");
}

#[sqlx::test]
async fn approval_policies_that_keep_branches_from_pushes_are_taken_and_others_refused(pool: PgPool) {
    applied(&pool, BASE).await;
    let policy = |rest: &str| {
        format!(
            "projects: [{{path: acme/web, repository: present, security_policies: {{approval_policy: [\
             {{name: Merge alone, enabled: true, {rest}}}]}}}}]"
        )
    };
    let settings = "approval_settings: {prevent_pushing_and_force_pushing: true}";
    let good = policy(&format!("rules: [{{type: any_merge_request, branch_type: protected}}], {settings}"));
    assert!(applied(&pool, &good).await.lines().contains(&"+ security policies of acme/web".to_owned()));
    let idle = "rules: [{type: any_merge_request, branches: []}], approval_settings: {prevent_pushing_and_force_pushing: false}";
    assert!(refused(&pool, &policy(idle)).await.contains("must be true: a policy has no other effect here"));
    let both = format!("rules: [{{type: any_merge_request, branches: [], branch_type: default}}], {settings}");
    assert!(refused(&pool, &policy(&both)).await.contains("needs exactly one of branches and branch_type"));
    let actions = format!(
        "rules: [{{type: any_merge_request, branches: []}}], {settings}, actions: [{{type: require_approval}}]"
    );
    assert!(refused(&pool, &policy(&actions)).await.contains("actions: unknown key"));
}

#[sqlx::test]
async fn only_hooks_of_the_instance_hear_of_pushes_as_a_whole(pool: PgPool) {
    applied(&pool, BASE).await;
    let hook = "hooks: [{url: 'https://ci.example.com/', repository_update_events: true}]";
    assert_eq!(applied(&pool, hook).await.lines(), ["+ hook ci.example.com of the instance"]);
    assert_eq!(rows(&pool, "select repository_update_events::text from web_hooks").await, "true");
    let document = format!("projects: [{{path: acme/web, repository: present, {hook}}}]");
    assert!(refused(&pool, &document).await.contains("is for hooks of the instance"));
}
