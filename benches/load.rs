//! The load generator of `bin/bench`: raw HTTP/1.1 over TCP or a Unix socket, on one thread, because it shares the
//! machine with the server it measures.

use std::cell::RefCell;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Parser;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{sleep, timeout};

/// Sends requests for a while and prints requests a second, the latencies at 50 % and 99 % in milliseconds, the number of
/// requests that failed, and the latencies at each of the points of a curve.
#[derive(Debug, Parser)]
struct Load {
    /// host:port, or the path of a Unix socket
    #[arg(long)]
    address: String,
    /// Requests under way at once
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Seconds that count
    #[arg(long, default_value_t = 8)]
    seconds: u64,
    /// Seconds before them that do not
    #[arg(long, default_value_t = 1)]
    warm_up: u64,
    /// Open a connection for each request, as gitlab-shell does
    #[arg(long)]
    close: bool,
    /// The path; each %s takes the next column of a sample
    #[arg(long)]
    path: String,
    /// The JSON body of a POST, likewise; a GET without it
    #[arg(long)]
    body: Option<String>,
    /// Columns separated by tabs, a sample a line; each request takes the next
    #[arg(long)]
    samples: PathBuf,
    /// What a good answer contains; looked for in some of them
    #[arg(long)]
    expect: String,
    /// The binary that mints gitlab-shell's tokens
    #[arg(long, required_unless_present_any = ["bearer", "cookie", "header"])]
    gatehouse: Option<PathBuf>,
    /// The bearer token of each request instead, as SCIM has it
    #[arg(long)]
    bearer: Option<String>,
    /// The cookie of each request instead, as browsers have it
    #[arg(long)]
    cookie: Option<String>,
    /// Lines of each request's head instead; each %s takes the next column of a sample after those of the path
    #[arg(long)]
    header: Vec<String>,
    /// Cargo passes this to benchmarks
    #[arg(long, hide = true)]
    bench: bool,
}

/// Tokens live for a minute.
const TOKEN_LIFE: Duration = Duration::from_secs(30);
/// One answer of so many is read, beyond its status.
const SAMPLED: usize = 64;
const PATIENCE: Duration = Duration::from_mins(1);
/// The points of the curve, in thousandths of all requests; benches/plot.py knows them too.
const CURVE: [usize; 11] = [50, 100, 250, 500, 750, 900, 950, 980, 990, 995, 999];
/// The longest answer that is taken: a page of a hundred users is about 60 KiB.
const ANSWER_BYTES: usize = 1 << 20;

struct Shared {
    load: Load,
    samples: Vec<&'static str>,
    next: RefCell<usize>,
    token: RefCell<String>,
    tally: RefCell<Tally>,
    counted_from: Instant,
    until: Instant,
}

#[derive(Default)]
struct Tally {
    micros: Vec<u32>,
    errors: usize,
    first_error: Option<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let load = Load::parse();
    let text = fs::read_to_string(&load.samples).with_context(|| format!("cannot read {}", load.samples.display()))?;
    let samples: Vec<&'static str> = Box::leak(text.into_boxed_str()).lines().collect();
    ensure!(!samples.is_empty(), "no samples");
    let token = RefCell::new(mint(&load)?);
    let counted_from = Instant::now() + Duration::from_secs(load.warm_up);
    let until = counted_from + Duration::from_secs(load.seconds);
    let (seconds, connections) = (load.seconds, load.connections);
    let next = RefCell::new(std::process::id() as usize * 7919 % samples.len());
    let tally = RefCell::default();
    let shared = Rc::new(Shared { load, samples, next, token, tally, counted_from, until });

    let local = LocalSet::new();
    for _ in 0..connections {
        local.spawn_local(client(Rc::clone(&shared)));
    }
    let refreshed = Rc::clone(&shared);
    local
        .run_until(async move {
            let refresh = spawn_local(async move {
                loop {
                    sleep(TOKEN_LIFE).await;
                    if let Ok(token) = mint(&refreshed.load) {
                        *refreshed.token.borrow_mut() = token;
                    }
                }
            });
            sleep(until.saturating_duration_since(Instant::now()) + Duration::from_millis(200)).await;
            refresh.abort();
        })
        .await;

    let mut tally = shared.tally.take();
    tally.micros.sort_unstable();
    if let Some(error) = &tally.first_error {
        eprintln!("{error}");
    }
    let at = |thousandths: usize| {
        tally.micros.get(tally.micros.len() * thousandths / 1000).map_or(0.0, |micros| f64::from(*micros) / 1000.0)
    };
    let curve = CURVE.map(|thousandths| format!("{:.2}", at(thousandths))).join(",");
    println!("{} {:.2} {:.2} {} {curve}", tally.micros.len() as u64 / seconds, at(500), at(990), tally.errors);
    Ok(())
}

/// The line of a request's head that says who asks.
fn mint(load: &Load) -> anyhow::Result<String> {
    if let Some(token) = &load.bearer {
        return Ok(format!("Authorization: Bearer {token}"));
    }
    if let Some(cookie) = &load.cookie {
        return Ok(format!("Cookie: {cookie}"));
    }
    if !load.header.is_empty() {
        return Ok(load.header.join("\r\n"));
    }
    let gatehouse = load.gatehouse.as_deref().context("no binary mints tokens")?;
    let output = Command::new(gatehouse).args(["token", "shell"]).output().context("cannot mint a token")?;
    ensure!(output.status.success(), "cannot mint a token: {}", String::from_utf8_lossy(&output.stderr));
    Ok(format!("Gitlab-Shell-Api-Request: {}", String::from_utf8(output.stdout)?.trim()))
}

async fn client(shared: Rc<Shared>) {
    let mut stream = None;
    let (mut request, mut answer) = (String::new(), vec![0; ANSWER_BYTES]);
    for count in 0.. {
        let started = Instant::now();
        if started >= shared.until {
            return;
        }
        write_request(&shared, &mut request);
        let outcome = timeout(PATIENCE, exchange(&shared.load, &mut stream, &request, &mut answer)).await;
        let outcome = outcome.unwrap_or_else(|_| Err(anyhow::anyhow!("no answer in {PATIENCE:?}")));
        let outcome = outcome.and_then(|length| {
            let answer = String::from_utf8_lossy(&answer[..length]);
            let good = count % SAMPLED != 0 || answer.contains(&shared.load.expect);
            ensure!(good, "unexpected answer: {answer}");
            Ok(())
        });
        let ended = Instant::now();
        let mut tally = shared.tally.borrow_mut();
        match outcome {
            Ok(()) if started >= shared.counted_from && ended <= shared.until => {
                let micros = (ended - started).as_micros();
                tally.micros.push(u32::try_from(micros).expect("an answer is awaited for seconds at most"));
            }
            Ok(()) => {}
            Err(error) => {
                stream = None;
                tally.errors += 1;
                tally.first_error.get_or_insert_with(|| format!("{error:#}"));
            }
        }
        if shared.load.close {
            stream = None;
        }
    }
}

fn write_request(shared: &Shared, request: &mut String) {
    use std::fmt::Write as _;
    let Load { path, body, close, .. } = &shared.load;
    let sample = {
        let mut next = shared.next.borrow_mut();
        *next = (*next + 1) % shared.samples.len();
        shared.samples[*next]
    };
    let mut columns = sample.split('\t');
    let token = shared.token.borrow();
    request.clear();
    request.push_str(if body.is_some() { "POST " } else { "GET " });
    fill(request, path, &mut columns);
    let connection = if *close { "close" } else { "keep-alive" };
    let _ = write!(request, " HTTP/1.1\r\nHost: localhost\r\nConnection: {connection}\r\n");
    fill(request, &token, &mut columns);
    request.push_str("\r\n");
    match body {
        None => request.push_str("\r\n"),
        Some(body) => {
            // A length of three digits fits every body that a template makes.
            request.push_str("Content-Type: application/json\r\nContent-Length: ");
            let (digits, start) = (request.len(), request.len() + 3 + 4);
            request.push_str("000\r\n\r\n");
            fill(request, body, &mut columns);
            let length = format!("{:03}", request.len() - start);
            request.replace_range(digits..digits + 3, &length);
        }
    }
}

fn fill<'a>(out: &mut String, template: &str, columns: &mut impl Iterator<Item = &'a str>) {
    let mut parts = template.split("%s");
    out.push_str(parts.next().unwrap_or_default());
    for part in parts {
        out.push_str(columns.next().unwrap_or_default());
        out.push_str(part);
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Stream for T {}

/// Sends a request and takes its whole answer; its length is returned.
async fn exchange(
    load: &Load,
    stream: &mut Option<Box<dyn Stream>>,
    request: &str,
    answer: &mut [u8],
) -> anyhow::Result<usize> {
    let stream = match stream {
        Some(stream) => stream,
        None => stream.insert(connect(&load.address).await?),
    };
    stream.write_all(request.as_bytes()).await?;
    let (mut length, mut end) = (0, None);
    while end.is_none_or(|end| length < end) {
        let read = stream.read(&mut answer[length..]).await?;
        ensure!(read > 0, "the server closed the connection before its answer ended");
        length += read;
        end = match end {
            None => end_of(&answer[..length])?,
            some => some,
        };
    }
    if load.close {
        // The server closes first, so that it and not the clients' range of ports keeps the memory of the connection.
        ensure!(stream.read(&mut answer[length..]).await? == 0, "more bytes after the answer");
    }
    Ok(length)
}

async fn connect(address: &str) -> anyhow::Result<Box<dyn Stream>> {
    if address.contains('/') {
        return Ok(Box::new(UnixStream::connect(address).await?));
    }
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(Box::new(stream))
}

/// Where an answer ends, once its head is there.
fn end_of(answer: &[u8]) -> anyhow::Result<Option<usize>> {
    let Some(head) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let text = std::str::from_utf8(&answer[..head])?;
    let shown = String::from_utf8_lossy(&answer[..answer.len().min(2000)]);
    ensure!(text.get(8..13) == Some(" 200 "), "{shown}");
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    Ok(Some(head + 4 + length.context("an answer without a length")?))
}
