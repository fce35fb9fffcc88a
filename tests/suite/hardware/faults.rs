//! Services that break their promises between the submission of a job and its answer.

use super::loopback::{Act, Loopback, json, with_headers};
use super::{annealer, client, server};
use burn_quantum::Error;
use burn_quantum::annealing::{Cancellation, IsingSampler};
use burn_quantum::hardware::sapi::Server;
use burn_quantum::hardware::{DWave, Request, Topology};
use burn_quantum::ising::Ising;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

fn model() -> Ising {
    Ising::sparse(vec![0.5, 0.0, 0.0, 0.0, -0.5], [(0, 4, 1.0)], 0.0).unwrap()
}

fn is_submission(request: &Request) -> bool {
    request.method.name() == "POST"
}

fn is_poll(request: &Request) -> bool {
    request.url.contains("problems/?id=")
}

fn is_answer(request: &Request) -> bool {
    request.method.name() == "GET" && request.url.contains("problems/") && !is_poll(request)
}

/// A right service, save for the requests that `act` decides about. It is told what the right one
/// would say.
fn spoilt(act: impl Fn(&Request, Value) -> Option<Act> + Send + 'static) -> Loopback {
    let right = server(Topology::chimera(1).unwrap(), annealer());
    Loopback::new(move |request| {
        let response = right.respond(request);
        let body = serde_json::from_slice(&response.body).unwrap();
        act(request, body).unwrap_or(Act::Answer(response))
    })
}

fn device(service: &Loopback) -> DWave {
    let client = client(&service.url).with_timeout(Duration::from_secs(1));
    let solver = client.solver("local").unwrap();
    DWave::new(client, solver)
}

/// The error of a device, which must name a job that the service gave out.
fn error_of(act: impl Fn(&Request, Value) -> Option<Act> + Send + 'static) -> Error {
    let service = spoilt(act);
    let error = device(&service).sample(&model(), 10).unwrap_err();
    let id = error.job_id().unwrap_or_else(|| panic!("no job: {error}")).to_string();
    assert!(error.is_device() && error.to_string().contains(&format!("job {id}: ")), "{error}");
    assert!(service.requests().iter().any(|r| r.url.contains(&id)), "{error}");
    assert_eq!(service.count("POST", "problems"), 1, "a job is never submitted twice");
    error
}

/// The error of a service that changes its final answers.
fn error_of_answer(change: impl Fn(&mut Value) + Send + 'static) -> Error {
    error_of(move |r, mut body| {
        is_answer(r).then(|| {
            change(&mut body);
            json(200, &body.to_string())
        })
    })
}

fn assert_says(error: &Error, reason: &str) {
    assert!(error.to_string().contains(reason), "{error}");
}

#[test]
fn a_job_whose_answer_is_never_reached_is_named() {
    for status in [500, 503, 429] {
        let error = error_of(move |r, _| is_poll(r).then(|| json(status, "")));
        assert!(error.is_unavailable(), "{error}");
        assert_says(&error, &format!("status {status}, attempt 3"));
    }
    for act in [|| Act::Hang, || Act::Drip] {
        let error = error_of(move |r, _| is_answer(r).then(act));
        assert!(error.is_unavailable(), "{error}");
    }
    let error = error_of(|r, _| is_answer(r).then(|| json(403, r#"{"error_msg":"not yours"}"#)));
    assert!(error.is_authentication(), "{error}");
    assert_says(&error, "status 403, not yours");
}

#[test]
fn truncated_answers_are_not_guessed_at() {
    let error = error_of(|r, body| {
        let text = body.to_string();
        is_answer(r).then(|| json(200, &text[..text.len() / 2]))
    });
    assert_says(&error, "breaks the protocol");
    let cut = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"id\":".to_vec();
    let error = error_of(move |r, _| is_answer(r).then(|| Act::Raw(cut.clone())));
    assert!(error.is_unavailable(), "{error}");
}

/// Base64 of little-endian numbers: NaN, and a count of 10.
const NAN: &str = "AAAAAAAA+H8=";

#[test]
fn wrong_numbers_in_an_answer_are_refused() {
    let cases: [(&str, Value, &str); 8] = [
        (
            "energies",
            json!("AAAAAAAA8D8AAAAAAADwPwAAAAAAAPA/AAAAAAAA8D8AAAAAAADwPw=="),
            "num_occurrences has",
        ),
        ("energies", json!("AAAA"), "no multiple of 8"),
        ("solutions", json!(""), "solutions has 0 values"),
        ("num_occurrences", json!(""), "num_occurrences has 0 values"),
        ("active_variables", json!("AAAAAA=="), "other qubits than the problem"),
        ("num_variables", json!(9), "num_variables has 9 values, expected 8"),
        ("format", json!("bq"), "`bq` is not supported"),
        ("energies", Value::Null, "invalid type: null"),
    ];
    for (field, value, reason) in cases {
        let error = error_of_answer(move |body| body["answer"][field] = value.clone());
        assert_says(&error, reason);
    }
}

#[test]
fn energies_that_are_not_those_of_the_samples_are_refused() {
    // Ten reads of one configuration with the energy 0, which none has.
    let error = error_of_answer(|body| {
        body["answer"]["energies"] = json!("AAAAAAAAAAA=");
        body["answer"]["solutions"] = json!("AA==");
        body["answer"]["num_occurrences"] = json!("CgAAAA==");
    });
    assert_says(&error, "do not belong together");
}

#[test]
fn a_nan_energy_is_refused_by_name() {
    let error = error_of_answer(|body| {
        body["answer"]["energies"] = json!(NAN);
        body["answer"]["solutions"] = json!("AA==");
        body["answer"]["num_occurrences"] = json!("CgAAAA==");
    });
    assert_says(&error, "the energy of sample 0 is NaN");
}

#[test]
fn reads_that_were_not_asked_for_or_are_missing_are_refused() {
    for n in ["CQAAAA==", "CwAAAA=="] {
        let error = error_of_answer(move |body| {
            // The ground state (-1, +1) at the scale of the chip: h = (0.5, -0.5), J = 1.
            body["answer"]["energies"] = json!("AAAAAAAAAMA=");
            body["answer"]["solutions"] = json!("CA==");
            body["answer"]["num_occurrences"] = json!(n);
        });
        assert_says(&error, "reads, asked for 10");
    }
}

#[test]
fn statuses_that_end_a_job_or_mean_nothing_are_errors() {
    for (status, reason) in [
        ("FAILED", "the job failed: coolant"),
        ("CANCELLED", "the job was cancelled"),
        ("TELEPORTED", "the status `TELEPORTED`"),
    ] {
        let error = error_of(move |r, mut body| {
            if !is_poll(r) {
                return None;
            }
            body[0]["status"] = json!(status);
            body[0]["error_message"] = json!("coolant");
            Some(json(200, &body.to_string()))
        });
        assert_says(&error, reason);
    }
}

#[test]
fn a_lost_job_is_an_error() {
    let error = error_of(|r, _| match () {
        _ if is_poll(r) => Some(json(200, "[]")),
        _ if is_answer(r) => Some(json(404, r#"{"error_msg":"Problem does not exist"}"#)),
        _ => None,
    });
    assert_says(&error, "status 404, Problem does not exist");
    let error = error_of_answer(|body| body["answer"] = Value::Null);
    assert_says(&error, "completed, but has no answer");
}

#[test]
fn a_job_that_a_poll_forgets_is_asked_for_by_name() {
    let service = spoilt(|r, _| is_poll(r).then(|| json(200, "[]")));
    assert_eq!(device(&service).sample(&model(), 10).unwrap().n_reads(), 10);
}

#[test]
fn duplicate_and_strange_answers_are_errors() {
    let error =
        error_of(|r, body| is_poll(r).then(|| json(200, &json!([body[0], body[0]]).to_string())));
    assert_says(&error, "2 times at once");
    let error = error_of_answer(|body| {
        body["id"] = json!("another");
    });
    assert_says(&error, "it is about job Some(\"another\")");
}

#[test]
fn the_same_job_for_two_problems_is_an_error() {
    let service = spoilt(|r, body| {
        is_submission(r).then(|| json(202, &json!([body[0], body[0]]).to_string()))
    });
    let model = model();
    let device = device(&service).with_spin_reversal_transforms(2);
    let error = device.sample(&model, 10).unwrap_err();
    assert!(error.job_id().is_some(), "{error}");
    assert_says(&error, "the same job for two problems");
}

#[test]
fn refused_submissions_leave_no_job_behind() {
    for (status, body, reason) in [
        (
            202,
            r#"[{"error_code":400,"error_msg":"too hot"}]"#,
            "the problem is refused, 400: too hot",
        ),
        (202, "[]", "0 jobs for 1 problems"),
        (202, "[{}]", "neither a job nor an error"),
        (202, r#"[{"id":"../../etc"}]"#, "neither a job nor an error"),
        (409, r#"{"error_msg":"busy"}"#, "status 409, busy"),
        (401, "", "status 401"),
    ] {
        let service = spoilt(move |r, _| is_submission(r).then(|| json(status, body)));
        let error = device(&service).sample(&model(), 10).unwrap_err();
        assert_says(&error, reason);
        assert_eq!(service.count("POST", "problems"), 1);
    }
    // One of two problems is taken: it is given up.
    let service = spoilt(|r, body| {
        let refusal = json!({"error_code": 400, "error_msg": "only one"});
        is_submission(r).then(|| json(202, &json!([body[0], refusal]).to_string()))
    });
    let error = device(&service).with_spin_reversal_transforms(2).sample(&model(), 10).unwrap_err();
    assert_says(&error, "only one");
    assert_eq!(service.count("DELETE", "problems/"), 1);
}

/// Sent again only where it cannot have been taken: a job costs money.
#[test]
fn a_submission_is_repeated_only_if_it_cannot_have_been_taken() {
    for (act, expected) in [
        ((|| json(429, "")) as fn() -> Act, 3),
        (|| json(503, ""), 3),
        (|| json(500, ""), 1),
        (|| Act::Raw(Vec::new()), 1),
        (|| Act::Hang, 1),
    ] {
        let service = spoilt(move |r, _| is_submission(r).then(act));
        let error = device(&service).sample(&model(), 10).unwrap_err();
        assert!(error.is_unavailable(), "{error}");
        assert_eq!(service.count("POST", "problems"), expected, "{error}");
        assert_eq!(expected == 1, error.to_string().contains("may have taken it"), "{error}");
    }
    let service =
        spoilt(|r, _| is_submission(r).then(|| with_headers(429, &[("Retry-After", "100")], "")));
    let error = device(&service).sample(&model(), 10).unwrap_err();
    assert_says(&error, "it asks to wait 100 s");
}

/// A service whose jobs wait for a worker that never comes.
fn idle() -> Loopback {
    let queue = Arc::new(server(Topology::chimera(1).unwrap(), annealer()).with_queue());
    Loopback::new(move |request| Act::Answer(queue.respond(request)))
}

#[test]
fn a_cancelled_wait_cancels_its_jobs() {
    let service = idle();
    let cancellation = Cancellation::default();
    let device = device(&service).with_cancellation(cancellation.clone());
    let start = Instant::now();
    let error = std::thread::scope(|scope| {
        let call = scope.spawn(|| device.sample(&model(), 10).unwrap_err());
        std::thread::sleep(Duration::from_millis(200));
        cancellation.cancel();
        call.join().unwrap()
    });
    assert!(error.is_cancelled() && error.job_id().is_some(), "{error}");
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    assert_eq!(service.count("DELETE", "problems/"), 1);
}

#[test]
fn a_wait_that_takes_too_long_names_the_job_and_leaves_it_alone() {
    let service = idle();
    let error =
        device(&service).with_time(Duration::from_millis(300)).sample(&model(), 10).unwrap_err();
    assert!(error.is_unavailable() && error.job_id().is_some(), "{error}");
    assert_eq!(service.count("DELETE", "problems/"), 0);
}

/// The program ends between submission and answer, and the service answers only then.
#[test]
fn a_restart_loses_nothing() {
    let queue: Arc<Server> =
        Arc::new(server(Topology::chimera(1).unwrap(), annealer()).with_queue());
    let respond = queue.clone();
    let service = Loopback::new(move |request| Act::Answer(respond.respond(request)));
    let model = model();
    let ticket = device(&service).submit(&[&model], 10).unwrap();
    let text = serde_json::to_string(&ticket).unwrap();
    drop(ticket);

    let stop = Cancellation::default();
    let sets = std::thread::scope(|scope| {
        scope.spawn(|| queue.work(&stop));
        let ticket = serde_json::from_str(&text).unwrap();
        let sets = device(&service).collect(&[&model], &ticket);
        stop.cancel();
        sets
    });
    let (set, report) = &sets.unwrap()[0];
    assert_eq!((set.n_reads(), report.jobs.len()), (10, 1));
    assert_eq!(service.count("POST", "problems"), 1);
}
