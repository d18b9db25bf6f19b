//! A receiver of web hooks: a real HTTP server that keeps what it is told, and answers as a test says.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use gatehouse::config::RequestLimits;
use gatehouse::server::{self, Listener};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// The server, until it is dropped.
pub struct Receiver {
    pub port: u16,
    told: Told,
    _stop: watch::Sender<bool>,
}

/// One request.
#[derive(Debug, Clone)]
pub struct Request {
    pub uri: Uri,
    pub headers: HeaderMap,
    pub text: String,
}

impl Request {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }
}

#[derive(Clone, Default)]
struct Told {
    requests: Arc<Mutex<Vec<Request>>>,
    answers: Arc<Mutex<VecDeque<(u16, String)>>>,
    pause: Arc<Mutex<Duration>>,
    /// Requests under way, and the most that ever were.
    load: Arc<Mutex<(usize, usize)>>,
}

/// A request under way, until it is answered or its sender hangs up.
struct UnderWay(Told);

impl UnderWay {
    fn begins(told: &Told) -> Self {
        let mut load = told.load.lock().unwrap();
        load.0 += 1;
        load.1 = load.1.max(load.0);
        Self(told.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.load.lock().unwrap().0 -= 1;
    }
}

impl Receiver {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (stop, stopped) = watch::channel(false);
        let told = Told::default();
        let router = Router::new().fallback(take).with_state(told.clone());
        tokio::spawn(server::serve(Listener::Tcp(listener), router, RequestLimits::default(), stopped));
        Self { port, told, _stop: stop }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    /// The next request gets this answer; 200 is what is answered otherwise.
    pub fn will_answer(&self, status: u16, body: &str) {
        self.told.answers.lock().unwrap().push_back((status, body.to_owned()));
    }

    /// Every answer takes this long from now on.
    pub fn will_take(&self, pause: Duration) {
        *self.told.pause.lock().unwrap() = pause;
    }

    /// The most requests that were under way at once.
    pub fn busiest(&self) -> usize {
        self.told.load.lock().unwrap().1
    }

    pub fn requests(&self) -> Vec<Request> {
        self.told.requests.lock().unwrap().clone()
    }
}

async fn take(State(told): State<Told>, uri: Uri, headers: HeaderMap, text: String) -> Response {
    let _under_way = UnderWay::begins(&told);
    told.requests.lock().unwrap().push(Request { uri, headers, text });
    let pause = *told.pause.lock().unwrap();
    tokio::time::sleep(pause).await;
    let (status, body) = told.answers.lock().unwrap().pop_front().unwrap_or((200, String::new()));
    let location = [("location", "http://127.0.0.1:1/elsewhere")];
    (StatusCode::from_u16(status).unwrap(), location, body).into_response()
}
