//! What the network does to requests, seen through the client that reads a list of solvers.

use super::loopback::{Act, Loopback, closed, json, with_headers};
use burn_quantum::Error;
use burn_quantum::annealing::Cancellation;
use burn_quantum::hardware::sapi::Client;
use burn_quantum::hardware::{
    FailureKind, Http, Method, Recording, Replay, Request, Retry, Token, Transport,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const TOKEN: &str = "DEV-c0ffee";

fn client(url: &str) -> Client {
    let patience = Retry::default()
        .with_max_attempts(3)
        .with_delays(Duration::from_millis(1), Duration::from_secs(3));
    let token = Token::new(TOKEN).unwrap();
    Client::new(url, token).unwrap().with_retry(patience).with_timeout(Duration::from_millis(500))
}

/// The error of a service that does this for ever, and how often it was asked.
fn error_of(act: impl Fn() -> Act + Send + 'static) -> (Error, usize) {
    let server = Loopback::new(move |_| act());
    let error = client(&server.url).solvers().unwrap_err();
    assert!(error.is_device(), "{error}");
    let text = format!("{error} {error:?}");
    assert!(!text.contains(TOKEN) && text.contains(&server.url), "{text}");
    (error, server.requests().len())
}

#[test]
fn a_refused_connection_is_tried_again_and_then_named() {
    let url = closed();
    let error = client(&url).solvers().unwrap_err();
    assert!(error.is_unavailable(), "{error}");
    assert!(error.to_string().contains("attempt 3"), "{error}");
    let failure = Http::default().send(&Request::new(Method::Get, url)).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unsent);
}

#[test]
fn silence_and_a_slow_drip_end_in_time() {
    for act in [|| Act::Hang, || Act::Drip] {
        let start = Instant::now();
        let (error, asked) = error_of(act);
        assert!(error.is_unavailable() && asked == 3, "{error}, {asked}");
        assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    }
}

#[test]
fn refusals_are_not_repeated_and_say_why() {
    for status in [400, 401, 403, 404, 409] {
        let body = format!(r#"{{"error_code":{status},"error_msg":"no, {TOKEN}, because"}}"#);
        let (error, asked) = error_of(move || json(status, &body));
        assert_eq!(asked, 1);
        assert_eq!(error.is_authentication(), status == 401 || status == 403, "{error}");
        assert!(!error.is_unavailable(), "{error}");
        let text = error.to_string();
        assert!(
            text.contains(&format!("status {status}")) && text.contains("no, ***, because"),
            "{text}"
        );
    }
}

#[test]
fn trouble_of_the_server_is_repeated_within_bounds() {
    for status in [429, 500, 502, 503] {
        let (error, asked) = error_of(move || json(status, ""));
        assert!(error.is_unavailable() && asked == 3, "{error}, {asked}");
    }
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let server = Loopback::new(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        0 => json(500, ""),
        1 => Act::Raw(Vec::new()),
        _ => json(200, "[]"),
    });
    assert_eq!(client(&server.url).solvers().unwrap(), []);
    assert_eq!(asked.load(Ordering::SeqCst), 3);
}

#[test]
fn retry_after_is_obeyed_and_too_long_a_wait_is_refused() {
    let mut asked = 0;
    let server = Loopback::new(move |_| {
        asked += 1;
        if asked == 1 { with_headers(429, &[("Retry-After", "1")], "") } else { json(200, "[]") }
    });
    let start = Instant::now();
    assert_eq!(client(&server.url).solvers().unwrap(), []);
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());

    let (error, asked) = error_of(|| with_headers(429, &[("retry-after", "3600")], ""));
    assert!(error.to_string().contains("wait 3600 s, the limit is 3 s"), "{error}");
    assert_eq!(asked, 1);
}

#[test]
fn broken_answers_are_errors() {
    let truncated = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[{".to_vec();
    let (error, asked) = error_of(move || Act::Raw(truncated.clone()));
    assert!(error.is_unavailable() && asked == 3, "{error}");
    let (error, _) = error_of(|| Act::Raw(b"SSH-2.0-OpenSSH\r\n".to_vec()));
    assert!(error.is_unavailable(), "{error}");
    for body in ["[{\"identity\":", "{}", "[1]", "\u{0}"] {
        let (error, asked) = error_of(|| json(200, body));
        assert!(error.to_string().contains("breaks the protocol"), "{error}");
        assert_eq!(asked, 1, "what was received will be received again");
    }
    let old =
        [("Content-Type", "application/vnd.dwave.sapi.solver-definition-list+json; version=2.2.0")];
    let (error, _) = error_of(move || with_headers(200, &old, "[]"));
    assert!(error.to_string().contains("version 2.2.0, this client needs 3"), "{error}");
}

#[test]
fn redirections_are_not_followed() {
    let thief = Loopback::new(|_| json(200, "[]"));
    let url = thief.url.clone();
    let (error, _) = error_of(move || with_headers(307, &[("Location", &url)], ""));
    assert!(error.to_string().contains("status 307"), "{error}");
    assert_eq!(thief.requests(), []);
}

#[test]
fn waits_are_cancelled_and_have_deadlines() {
    let server = Loopback::new(|_| with_headers(429, &[("Retry-After", "3")], ""));
    let cancellation = Cancellation::default();
    let switch = cancellation.clone();
    let start = Instant::now();
    let error = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(100));
            switch.cancel();
        });
        client(&server.url).with_cancellation(cancellation).solvers().unwrap_err()
    });
    assert!(error.is_cancelled(), "{error}");
    assert!(start.elapsed() < Duration::from_secs(1));

    let deadline = Instant::now() + Duration::from_millis(200);
    let error = client(&server.url).with_deadline(deadline).solvers().unwrap_err();
    assert!(error.is_unavailable() && error.to_string().contains("limit of time"), "{error}");
    assert!(Instant::now() < deadline + Duration::from_millis(500));
}

#[test]
fn tokens_travel_only_where_they_are_safe() {
    let token = || Token::new(TOKEN).unwrap();
    for endpoint in
        ["http://example.com/sapi", "ftp://x", "", "http://127.0.0.1.example.com/", "https://a@b/"]
    {
        let error = Client::new(endpoint, token()).unwrap_err().to_string();
        assert!(error.contains("https"), "{error}");
    }
    let server = Loopback::new(|_| json(200, "[]"));
    let client = client(&server.url);
    client.solvers().unwrap();
    assert_eq!(server.requests()[0].header("x-auth-token"), Some(TOKEN));
    assert!(!format!("{client:?} {:?}", server.requests()).contains(TOKEN));
}

#[test]
fn recordings_are_replayed_without_a_network_and_hold_no_secret() {
    let server = Loopback::new(|_| json(200, "[]"));
    let recording = Arc::new(Recording::new(Arc::new(Http::default())));
    let online = client(&server.url).with_transport(recording.clone());
    online.solvers().unwrap();
    let error = client(&server.url).with_transport(recording.clone()).solver("x").unwrap_err();

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("exchanges.json");
    recording.save(&path).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(!text.contains(TOKEN) && text.contains("solvers/remote"), "{text}");

    let replay = Arc::new(Replay::load(&path).unwrap());
    let offline = client(&server.url).with_transport(replay.clone());
    assert_eq!(offline.solvers().unwrap(), []);
    assert_eq!(offline.solver("x").unwrap_err().to_string(), error.to_string());
    assert_eq!(replay.remaining(), 0);
    let error = offline.solvers().unwrap_err();
    assert!(error.to_string().contains("not among the recorded"), "{error}");
    assert_eq!(server.requests().len(), 2);
}
