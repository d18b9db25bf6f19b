//! `GET /lfs`: Gitaly puts objects into archives, and keeps the pointer of what is not there.

use sqlx::PgPool;

use crate::support::TestApp;
use crate::support::git::Folder;

#[sqlx::test]
async fn there_is_nothing_to_send_and_nothing_wrong(pool: PgPool) {
    let app = TestApp::new(pool);
    assert_eq!(app.get("/lfs?oid=abc&gl_repository=project-7").await.line(), "204 ");
    assert_eq!(app.get("/lfs").await.line(), "204 ");
}

#[sqlx::test]
async fn an_object_of_the_project_goes_into_the_archive(pool: PgPool) {
    let folder = Folder::new();
    let app = TestApp::with(pool, &format!("lfs: {{storage_path: {}}}", folder.path().display()));
    let given = app.given();
    let (project, other) = (given.project("g/p").await.id, given.project("g/other").await.id);
    let oid = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    let place = folder.path().join(&oid[..2]).join(&oid[2..4]);
    std::fs::create_dir_all(&place).unwrap();
    std::fs::write(place.join(&oid[4..]), "hello").unwrap();
    let rows = format!(
        "with object as (insert into lfs_objects (oid, size) values ('{oid}', 5) returning id)
         insert into lfs_objects_projects (lfs_object_id, project_id) select id, {project} from object"
    );
    given.sql(&rows).await;
    let get = async |repository: &str| app.get(&format!("/lfs?oid={oid}&gl_repository={repository}")).await.line();
    assert_eq!(get(&format!("project-{project}")).await, "200 hello");
    assert_eq!(get(&format!("wiki-{project}")).await, "200 hello");
    assert_eq!(get(&format!("project-{other}")).await, "204 ");
    std::fs::remove_file(place.join(&oid[4..])).unwrap();
    assert_eq!(get(&format!("project-{project}")).await, "204 ");
}
