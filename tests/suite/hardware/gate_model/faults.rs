//! Services that break their promises, all in the same ways.

use super::super::loopback::{Act, Loopback, closed, json as answer, with_headers};
use super::{KINDS, Kind, SECRET, connection};
use burn_quantum::Error;
use burn_quantum::annealing::Cancellation;
use burn_quantum::circuit::Circuit;
use burn_quantum::hardware::{CircuitTicket, Request};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

fn bell() -> [Circuit; 1] {
    let mut circuit = Circuit::new(2);
    circuit.h(0).cnot(0, 1);
    [circuit]
}

/// A right service, save for the requests that `act` decides about. It is told what the right one
/// would say.
fn spoilt(kind: Kind, act: impl Fn(&Request, Value) -> Option<Act> + Send + 'static) -> Loopback {
    let mut right = (kind.fake)();
    Loopback::new(move |request| {
        let response = right(request);
        let body = serde_json::from_slice(&response.body).unwrap_or_default();
        act(request, body).unwrap_or(Act::Answer(response))
    })
}

/// The error of a run, in which no secret may show, and how often a circuit was submitted.
fn failed_run(kind: Kind, service: &Loopback) -> (Error, usize) {
    let device = (kind.device)(service.origin(), connection().with_timeout(Duration::from_secs(1)));
    let error = device.and_then(|device| device.run(&bell(), 20)).unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(!text.contains(SECRET), "{}: {text}", kind.name);
    assert!(error.is_device(), "{}: {text}", kind.name);
    (error, kind.count(service, kind.is_submission))
}

/// The error of a job that was submitted, which must be named by it and submitted once.
fn error_of_job(
    kind: Kind,
    act: impl Fn(&Request, Value) -> Option<Act> + Send + 'static,
) -> Error {
    let service = spoilt(kind, act);
    let (error, submitted) = failed_run(kind, &service);
    assert!(error.job_id().is_some(), "{}: no job in {error}", kind.name);
    assert_eq!(submitted, 1, "{}: {error}", kind.name);
    error
}

fn assert_says(kind: Kind, error: &Error, reason: &str) {
    assert!(error.to_string().contains(reason), "{}: {error}, not {reason}", kind.name);
}

#[test]
fn nothing_shows_a_secret() {
    for kind in KINDS {
        let service = kind.serve();
        let device = kind.connect(&service);
        let ticket = device.submit(&bell(), 3).unwrap();
        let shown = format!("{device:?} {ticket:?} {}", serde_json::to_string(&ticket).unwrap());
        assert!(!shown.contains(SECRET), "{}: {shown}", kind.name);
    }
}

#[test]
fn a_service_that_is_not_there_is_named() {
    for kind in KINDS {
        let url = closed();
        let origin = url.strip_suffix("/sapi/v2/").unwrap();
        let error = (kind.device)(origin, connection()).unwrap_err();
        assert!(error.is_unavailable(), "{error}");
        assert_says(kind, &error, "attempt 3");
        assert_says(kind, &error, origin);
        let error = (kind.device)("http://example.org", connection()).unwrap_err();
        assert_says(kind, &error, "use https://");
    }
}

#[test]
fn refusals_say_why_and_are_not_repeated() {
    for kind in KINDS {
        for status in [400, 401, 403, 404, 409] {
            let body = format!(r#"{{"message":"no, {SECRET}, because"}}"#);
            let service =
                spoilt(kind, move |r, _| (kind.is_submission)(r).then(|| answer(status, &body)));
            let (error, submitted) = failed_run(kind, &service);
            // A service whose tokens expire is given a fresh one, once.
            assert!(submitted == 1 || (status == 401 && submitted == 2), "{}", kind.name);
            assert_eq!(error.is_authentication(), status == 401 || status == 403, "{error}");
            assert!(!error.is_unavailable() && error.job_id().is_none(), "{error}");
            assert_says(kind, &error, &format!("status {status}, no, ***, because"));
        }
    }
}

#[test]
fn a_submission_is_repeated_only_if_it_cannot_be_taken_twice() {
    for kind in KINDS {
        for (act, is_safe) in [
            ((|| answer(429, "")) as fn() -> Act, true),
            (|| answer(503, ""), true),
            (|| answer(500, ""), kind.idempotent),
            (|| Act::Raw(Vec::new()), kind.idempotent),
            (|| Act::Hang, kind.idempotent),
        ] {
            let service = spoilt(kind, move |r, _| (kind.is_submission)(r).then(act));
            let (error, submitted) = failed_run(kind, &service);
            assert!(error.is_unavailable(), "{}: {error}", kind.name);
            assert_eq!(submitted, if is_safe { 3 } else { 1 }, "{}: {error}", kind.name);
        }
    }
}

#[test]
fn a_busy_service_is_waited_for_as_long_as_it_asks() {
    for kind in KINDS {
        let asked = Arc::new(AtomicUsize::new(0));
        let service = spoilt(kind, move |r, _| {
            let first = (kind.is_submission)(r) && asked.fetch_add(1, Ordering::SeqCst) == 0;
            first.then(|| with_headers(429, &[("Retry-After", "1")], ""))
        });
        let start = Instant::now();
        let counts = kind.connect(&service).run(&bell(), 20).unwrap();
        assert_eq!(counts[0].values().sum::<usize>(), 20);
        assert!(start.elapsed() >= Duration::from_secs(1), "{}", kind.name);

        let service = spoilt(kind, move |r, _| {
            (kind.is_submission)(r).then(|| with_headers(429, &[("Retry-After", "100")], ""))
        });
        let (error, submitted) = failed_run(kind, &service);
        assert_eq!(submitted, 1);
        assert_says(kind, &error, "it asks to wait 100 s");
    }
}

#[test]
fn trouble_after_the_submission_names_the_job() {
    for kind in KINDS {
        for is in [kind.is_poll, kind.is_result] {
            for status in [500, 503, 429] {
                let error = error_of_job(kind, move |r, _| is(r).then(|| answer(status, "")));
                assert!(error.is_unavailable(), "{error}");
                assert_says(kind, &error, &format!("status {status}, attempt 3"));
            }
            let error = error_of_job(kind, move |r, _| is(r).then_some(Act::Hang));
            assert!(error.is_unavailable(), "{error}");
            for status in [401, 403] {
                let error = error_of_job(kind, move |r, _| is(r).then(|| answer(status, "{}")));
                assert!(error.is_authentication(), "{error}");
            }
            let error = error_of_job(kind, move |r, _| is(r).then(|| answer(404, "{}")));
            assert_says(kind, &error, "the service does not know it");
            for cut in ["", "{", "[]", "null", "\"x\"", "{}"] {
                let error = error_of_job(kind, move |r, _| is(r).then(|| answer(200, cut)));
                assert!(!error.is_unavailable(), "{}: {cut}: {error}", kind.name);
                assert_says(kind, &error, "breaks the protocol");
            }
            let error = error_of_job(kind, move |r, body| {
                let text = body.to_string();
                is(r).then(|| answer(200, &text[..text.len() / 2]))
            });
            assert_says(kind, &error, "breaks the protocol");
        }
    }
}

#[test]
fn statuses_that_end_a_job_or_mean_nothing_are_errors() {
    for kind in KINDS {
        for (status, reason) in [
            (kind.failed, "the job failed"),
            (kind.cancelled, "the job was cancelled"),
            ("TELEPORTED", "TELEPORTED"),
        ] {
            let error = error_of_job(kind, move |r, mut body| {
                (kind.is_poll)(r).then(|| {
                    (kind.set_status)(&mut body, status);
                    answer(200, &body.to_string())
                })
            });
            assert!(!error.is_unavailable(), "{error}");
            assert_says(kind, &error, reason);
        }
    }
}

#[test]
fn results_that_do_not_hold_together_are_refused() {
    for kind in KINDS {
        assert!(kind.wrong.len() >= 4, "{}", kind.name);
        for &(change, reason) in kind.wrong {
            let error = error_of_job(kind, move |r, mut body| {
                (kind.is_result)(r).then(|| {
                    change(&mut body);
                    answer(200, &body.to_string())
                })
            });
            assert_says(kind, &error, "breaks the protocol");
            assert_says(kind, &error, reason);
        }
    }
}

/// A service whose jobs never end.
fn idle(kind: Kind) -> Loopback {
    spoilt(kind, move |r, mut body| {
        (kind.is_poll)(r).then(|| {
            (kind.set_status)(&mut body, kind.running);
            answer(200, &body.to_string())
        })
    })
}

#[test]
fn a_cancelled_wait_cancels_its_job() {
    for kind in KINDS {
        let service = idle(kind);
        let stop = Cancellation::default();
        let connection = connection().with_cancellation(stop.clone());
        let device = (kind.device)(service.origin(), connection).unwrap();
        let error = std::thread::scope(|scope| {
            let call = scope.spawn(|| device.run(&bell(), 10).unwrap_err());
            std::thread::sleep(Duration::from_millis(150));
            stop.cancel();
            call.join().unwrap()
        });
        assert!(error.is_cancelled() && error.job_id().is_some(), "{}: {error}", kind.name);
        assert_eq!(kind.count(&service, kind.is_cancel), 1, "{}", kind.name);
    }
}

#[test]
fn a_wait_that_takes_too_long_names_the_job_and_leaves_it_alone() {
    for kind in KINDS {
        let service = idle(kind);
        let connection = connection().with_time(Duration::from_millis(300));
        let device = (kind.device)(service.origin(), connection).unwrap();
        let start = Instant::now();
        let error = device.run(&bell(), 10).unwrap_err();
        assert!(error.is_unavailable() && error.job_id().is_some(), "{}: {error}", kind.name);
        assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
        assert_eq!(kind.count(&service, kind.is_cancel), 0, "{}", kind.name);
    }
}

#[test]
fn a_restart_loses_nothing() {
    for kind in KINDS {
        let service = kind.serve();
        let [circuit] = bell();
        let circuits = [circuit.clone(), Circuit::new(1), circuit];
        let ticket = kind.connect(&service).submit(&circuits, 10).unwrap();
        let text = serde_json::to_string(&ticket).unwrap();
        drop(ticket);
        let submitted = kind.count(&service, kind.is_submission);

        let ticket: CircuitTicket = serde_json::from_str(&text).unwrap();
        let counts = kind.connect(&service).collect(&ticket).unwrap();
        assert_eq!(counts.len(), 3, "{}", kind.name);
        assert!(counts.iter().all(|counts| counts.values().sum::<usize>() == 10));
        assert_eq!(counts[1].keys().copied().collect::<Vec<_>>(), [0]);
        assert_eq!(kind.count(&service, kind.is_submission), submitted);
    }
}

#[test]
fn tickets_of_another_device_or_with_other_names_are_refused() {
    for kind in KINDS {
        let service = kind.serve();
        let device = kind.connect(&service);
        let ticket = device.submit(&bell(), 10).unwrap();
        let good = serde_json::to_value(&ticket).unwrap();
        let id = ticket.jobs().next().unwrap().0.clone();
        for (field, value) in [("device", "another"), ("id", "../../etc"), ("id", "a?b=c")] {
            let text = good.to_string();
            let text = match field {
                "id" => text.replace(&id, value),
                _ => text.replace(device.name(), value),
            };
            let error = device.collect(&serde_json::from_str(&text).unwrap()).unwrap_err();
            assert_says(kind, &error, "a ticket");
        }
    }
}

#[test]
fn jobs_are_cancelled_by_their_ticket() {
    for kind in KINDS {
        let service = idle(kind);
        let device = kind.connect(&service);
        let ticket = device.submit(&bell(), 10).unwrap();
        device.cancel(&ticket).remove(0).unwrap();
        assert_eq!(kind.count(&service, kind.is_cancel), 1);
        let service = spoilt(kind, move |r, _| {
            (kind.is_cancel)(r).then(|| answer(409, r#"{"message":"done"}"#))
        });
        let device = kind.connect(&service);
        let error = device.cancel(&device.submit(&bell(), 10).unwrap()).remove(0).unwrap_err();
        assert!(error.job_id().is_some(), "{error}");
        assert_says(kind, &error, "status 409, done");
    }
}
