//! The lines that `bin/run` and README print for a first try, run one after the other.

use sqlx::PgPool;

use super::{Running, shell};

/// A line's answer, which is a good one.
fn answer(line: &str) -> String {
    let output = shell(&line.replacen("curl ", "curl --silent --show-error --fail-with-body ", 1));
    let said = [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
    assert!(output.status.success() && !said.is_empty(), "{line}\n{said}");
    said
}

#[sqlx::test(migrations = false)]
async fn what_bin_run_prints_works(pool: PgPool) {
    let running = Running::start(&pool);
    let (_, printed) = running.said.split_once("try:\n").unwrap();
    let (printed, _) = printed.split_once("Each curl line").unwrap();
    let lines = printed.lines().filter_map(|line| line.strip_prefix("  ")).filter(|line| !line.starts_with('#'));
    let answers: Vec<(&str, String)> = lines.map(|line| (line, answer(line))).collect();
    assert!(answers.len() > 15, "{}", running.said);
    let expected = [
        ("/check", r#""redis":true"#),
        ("discover", r#"{"id":7,"name":"Dede Eichmann","username":"rubi"}"#),
        ("authorized_keys", r#""id":11"#),
        ("--unix-socket", r#""gl_project_path":"gnuwget/wget2""#),
        ("agent_info", r#""agent_name":"prod""#),
        ("-X POST", r#""code":"premium""#),
        ("ledger", "administrator root"),
        ("test_group/Users", r#""totalResults":2"#),
        ("application/Groups", r#""displayName":"Engineering""#),
        ("apply", "change"),
        ("metrics", "gatehouse_"),
        ("--help", "Usage"),
    ];
    for (line, words) in expected {
        let found = answers.iter().any(|(asked, answer)| asked.contains(line) && answer.contains(words));
        assert!(found, "no answer to {line} has {words}: {answers:#?}");
    }
    let dana =
        "select access_level from members join users on users.id = user_id join namespaces on source_id = namespaces.id
                where username = 'dana' and path = 'test_group'";
    assert_eq!(sqlx::query_scalar::<_, i32>(dana).fetch_one(&pool).await.unwrap(), 30);
}

/// An answer is printed below its line as a comment, in which `…` stands for any text.
#[sqlx::test(migrations = false)]
async fn the_first_conversation_of_readme_goes_as_it_is_printed(pool: PgPool) {
    let running = Running::start(&pool);
    let readme = include_str!("../../../README.md").split_once("## A first conversation").unwrap().1;
    let readme = readme.split_once("\n## ").unwrap().0;
    let readme = readme.replace(".gatehouse/", &format!("{}/", running.home.display()));
    let readme = readme.replace("127.0.0.1:3001", &running.listen).replace("\\\n", "");
    let mut answered = String::new();
    let mut compared = 0;
    for line in readme.split("```").filter_map(|block| block.strip_prefix("sh\n")).flat_map(str::lines) {
        if let Some(printed) = line.strip_prefix("# ") {
            let mut rest = &*answered;
            for part in printed.split('…').map(str::trim) {
                rest = rest.split_once(part).unwrap_or_else(|| panic!("{part} of {printed} is not in {answered}")).1;
            }
            compared += 1;
        } else if !line.is_empty() {
            if line.starts_with("curl") {
                let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
                assert!(running.said.contains(&line), "bin/run does not print {line}");
            }
            answered = answer(line);
        }
    }
    assert_eq!(compared, 3, "{readme}");
}
