//! Traces: a request goes on with the trace of its caller, hands it to whomever it asks, and what it was is told to a
//! collector, which may be away without anybody's noticing.

use std::fs;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::json;
use sqlx::PgPool;

use crate::support::collector::{TakenSpan, TestCollector};
use crate::support::pushes::{NEW, OLD, report};
use crate::support::receiver::Receiver;
use crate::support::{Installation, Served, TestGitaly};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";
const JSON: &str = "Content-Type: application/json\r\n";

/// A header of the caller's trace.
fn traceparent(flags: &str) -> String {
    format!("traceparent: 00-{TRACE}-{CALLER}-{flags}\r\n")
}

/// Who the project of the story is for: `rubi`, user 5, whose hook is at this URL.
fn state(hook: &str) -> String {
    format!(
        "settings: {{allow_local_requests_from_web_hooks_and_services: true}}\n\
         users: [{{username: rubi, id: 5, name: Rubi, email: rubi@example.com}}]\n\
         groups: [{{path: g, members: {{rubi: owner}}}}]\n\
         projects: [{{path: g/p, id: 7, repository: present, hooks: [{{url: '{hook}', push_events: true}}]}}]\n"
    )
}

fn serves(installation: Installation, state: &str) -> Served {
    let served = installation.serve();
    let document = served.installation.folder.join("state.yml");
    fs::write(&document, state).unwrap();
    let applied = served.installation.run(&["apply", "-f", document.to_str().unwrap()]);
    assert_eq!(applied.code, 0, "{applied:?}");
    served
}

fn asks(served: &Served, method: &str, path: &str, headers: &str, body: &str) -> u16 {
    let headers = format!("{}{JSON}{headers}", served.signature());
    served.connect().ask(method, &format!("/api/v4/internal{path}"), &headers, body).status
}

/// Stops it as an operator does, which sends the last spans without a pause.
fn stops(served: &mut Served) {
    served.terminate();
    assert_eq!(served.ended(), 0);
}

fn push_report() -> String {
    report("project-7", "user-5", &format!("{OLD} {NEW} refs/heads/main\n")).to_string()
}

fn fetch() -> String {
    json!({ "action": "git-upload-pack", "changes": "_any", "protocol": "ssh", "project": "g/p.git", "user_id": 5 })
        .to_string()
}

/// Runs what blocks beside the test's runtime, where the receiver answers.
async fn beside(story: impl FnOnce() + Send + 'static) {
    tokio::task::spawn_blocking(story).await.unwrap();
}

#[sqlx::test]
async fn a_push_is_one_trace_from_its_caller_to_gitaly_and_the_receivers_of_hooks(pool: PgPool) {
    let receiver = Receiver::start().await;
    beside(move || {
        let (collector, gitaly) = (TestCollector::start(), TestGitaly::start());
        let settings = format!("{}{}", collector.settings("0"), gitaly.settings());
        let served = serves(Installation::new(&pool, &settings), &state(&receiver.url()));
        let headers = format!("{}tracestate: other=1\r\nX-Request-Id: push-1\r\n", traceparent("01"));
        assert_eq!(asks(&served, "POST", "/post_receive", &headers, &push_report()), 200);

        let request = collector.span("POST /api/v4/internal/post_receive");
        assert_eq!((request.trace().as_str(), request.parent().as_str()), (TRACE, CALLER));
        assert_eq!(request.says("correlation_id"), "push-1");
        assert_eq!(request.says("http.response.status_code"), "200");
        assert_eq!(request.says("http.route"), "/api/v4/internal/post_receive");
        assert_eq!(request.says("gatehouse.area"), "shell");
        assert_eq!(request.resource("service.name"), "gatehouse");
        assert_eq!(request.resource("service.version"), env!("CARGO_PKG_VERSION"));
        let job = collector.span("post_receive");
        assert_eq!((job.trace().as_str(), job.parent()), (TRACE, request.id()));
        let delivery = collector.span("deliver_webhook");
        assert_eq!((delivery.trace().as_str(), delivery.parent()), (TRACE, job.id()));
        let post = collector.span("POST");
        assert_eq!((post.parent(), post.says("gatehouse.outcome").as_str()), (delivery.id(), "taken"));
        assert_eq!(receiver.requests()[0].header("traceparent"), format!("00-{TRACE}-{}-01", post.id()));

        let call = collector.awaits(|taken| taken.span.name.starts_with("Gitaly "));
        assert_eq!(call.trace(), TRACE);
        let asked = gitaly.calls().into_iter().find(|asked| asked.header("traceparent").contains(&call.id())).unwrap();
        assert_eq!(call.says("rpc.method"), asked.method);
        let all = gitaly.calls();
        assert!(all.iter().all(|asked| asked.header("traceparent").contains(TRACE)), "{all:?}");
    })
    .await;
}

#[sqlx::test]
async fn a_fetch_without_a_caller_s_trace_begins_one_and_shows_its_batch(pool: PgPool) {
    let collector = TestCollector::start();
    let served = serves(Installation::new(&pool, &collector.settings("1")), &state("http://127.0.0.1:1/"));
    // What is no header of W3C's is as good as none.
    assert_eq!(asks(&served, "POST", "/allowed", "traceparent: 00-nonsense-01\r\n", &fetch()), 200);
    let request = collector.span("POST /api/v4/internal/allowed");
    assert!(request.parent().is_empty(), "{request:?}");
    let wait = collector.span("wait for access_facts");
    assert_eq!((wait.trace(), wait.parent()), (request.trace(), request.id()));
    let batch = collector.span("access_facts");
    assert_eq!((batch.parent(), batch.says("gatehouse.batch_size").as_str()), (wait.id(), "1"));
    // A correlation id of ours is in the answer and in the log, as without a trace.
    assert!(served.log().contains(&request.says("correlation_id")));
    assert_eq!(asks(&served, "GET", "/nothing", "", ""), 404);
    let lost = collector.span("GET none");
    assert_eq!((lost.says("gatehouse.area").as_str(), lost.says("http.route").as_str()), ("none", "none"));
}

#[sqlx::test]
async fn what_the_caller_does_not_take_is_passed_on_and_told_to_nobody(pool: PgPool) {
    let receiver = Receiver::start().await;
    beside(move || {
        let collector = TestCollector::start();
        let mut served = serves(Installation::new(&pool, &collector.settings("1")), &state(&receiver.url()));
        assert_eq!(asks(&served, "POST", "/post_receive", &traceparent("00"), &push_report()), 200);
        let begun = Instant::now();
        while receiver.requests().is_empty() {
            assert!(begun.elapsed() < Duration::from_secs(20), "{}", served.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        let told = receiver.requests()[0].header("traceparent").to_owned();
        assert!(told.starts_with(&format!("00-{TRACE}-")) && told.ends_with("-00"), "{told}");
        stops(&mut served);
        let taken = collector.spans();
        assert!(taken.iter().all(|taken| taken.trace() != TRACE), "{taken:?}");
    })
    .await;
}

/// The share that the settings take counts where the caller says nothing; and nobody is told of traces by default.
#[sqlx::test]
async fn the_settings_say_which_traces_are_taken(pool: PgPool) {
    let collector = TestCollector::start();
    let mut served = serves(Installation::new(&pool, &collector.settings("0")), &state("http://127.0.0.1:1/"));
    assert_eq!(asks(&served, "POST", "/allowed", "", &fetch()), 200);
    assert_eq!(asks(&served, "POST", "/allowed", &traceparent("01"), &fetch()), 200);
    stops(&mut served);
    let requests: Vec<_> = collector.spans().into_iter().filter(|taken| taken.span.name.contains("allowed")).collect();
    assert_eq!(requests.iter().map(TakenSpan::parent).collect::<Vec<_>>(), [CALLER]);
}

#[sqlx::test]
async fn a_collector_that_is_away_costs_one_line_and_no_answer(pool: PgPool) {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let settings = format!("  tracing: {{endpoint: 'http://{free}'}}\n");
    let mut served = serves(Installation::new(&pool, &settings), &state("http://127.0.0.1:1/"));
    let said = |served: &Served, text: &str| served.log().matches(text).count();
    let until = |served: &Served, text: &str| {
        let begun = Instant::now();
        while said(served, text) == 0 {
            assert!(begun.elapsed() < Duration::from_secs(20), "{}", served.log());
            assert_eq!(asks(served, "POST", "/allowed", "", &fetch()), 200);
            std::thread::sleep(Duration::from_millis(200));
        }
    };
    until(&served, "WARN the collector takes no traces");
    for _ in 0..10 {
        assert_eq!(asks(&served, "POST", "/allowed", "", &fetch()), 200);
        std::thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(said(&served, "the collector takes no traces"), 1, "{}", served.log());
    let collector = TestCollector::on(free);
    until(&served, "no more: the collector takes no traces");
    collector.span("POST /api/v4/internal/allowed");
    stops(&mut served);
    assert_eq!(said(&served, "the collector takes no traces"), 2, "{}", served.log());
}

/// One that accepts connections and says nothing.
#[sqlx::test]
async fn a_collector_that_is_silent_keeps_no_server_from_its_end(pool: PgPool) {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let settings = format!("  tracing: {{endpoint: 'http://{}'}}\n", silent.local_addr().unwrap());
    let mut served = serves(Installation::new(&pool, &settings), &state("http://127.0.0.1:1/"));
    assert_eq!(asks(&served, "POST", "/allowed", "", &fetch()), 200);
    let begun = Instant::now();
    stops(&mut served);
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}\n{}", begun.elapsed(), served.log());
    assert!(served.log().contains("the collector did not take the last traces in time"), "{}", served.log());
}
