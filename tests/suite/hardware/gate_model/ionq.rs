//! IonQ's protocol.

use super::{Kind, Respond, SECRET, body, connection, distance, json, measured};
use crate::hardware::loopback::{Act, Loopback};
use burn_quantum::Error;
use burn_quantum::circuit::{Circuit, CircuitSampler, Gate};
use burn_quantum::hardware::{CircuitJobs, Connection, IonQ, Request, Response, Token};
use serde_json::{Value, json as value};
use std::collections::{BTreeMap, HashMap};

pub const KIND: Kind = Kind {
    name: "IonQ",
    fake: || service(Results::Shots),
    device: |url, connection| Ok(Box::new(device(url, connection)?) as Box<dyn CircuitJobs>),
    is_submission: |r| r.method.name() == "POST" && r.url.ends_with("/jobs"),
    is_poll: |r| r.method.name() == "GET" && r.url.contains("/jobs/") && !is_result(r),
    is_result,
    is_cancel: |r| r.method.name() == "PUT" && r.url.ends_with("/status/cancel"),
    set_status: |body, status| body["status"] = status.into(),
    running: "running",
    failed: "failed",
    cancelled: "canceled",
    wrong: &[
        (|shots| drop(shots.as_array_mut().unwrap().pop()), "19 shots of circuit 0, asked for 20"),
        (|shots| shots.as_array_mut().unwrap().push(0.into()), "21 shots"),
        (|shots| shots[3] = "4".into(), "the outcome 4 of circuit 0, which has 2 qubits"),
        (|shots| shots[3] = "x".into(), "\"x\" is no outcome"),
        (|shots| shots[3] = (-1).into(), "-1 is no outcome"),
    ],
    idempotent: false,
};

fn is_result(request: &Request) -> bool {
    request.url.contains("/results/") || request.url.contains("/artifacts/")
}

fn device(url: &str, connection: Connection) -> Result<IonQ, Error> {
    let connection = connection.with_endpoint(format!("{url}/v0.4"));
    IonQ::new(connection, Token::new(SECRET)?, "simulator")
}

/// In what form the service tells its results.
#[derive(Clone, Copy, PartialEq)]
enum Results {
    Shots,
    Histogram,
    Artifact,
    Probabilities,
}

/// A gate of IonQ's, read by its name.
fn push(circuit: &mut Circuit, gate: &Value) {
    let qubits = |field: &str| -> Vec<usize> {
        let list = gate[field].as_array().map(Vec::as_slice).unwrap_or_default();
        list.iter().map(|qubit| qubit.as_u64().unwrap() as usize).collect()
    };
    let named = match gate["gate"].as_str().unwrap() {
        "x" if gate.get("controls").is_some() => Gate::CNOT,
        "x" => Gate::X,
        "y" => Gate::Y,
        "z" => Gate::Z,
        "h" => Gate::H,
        "s" => Gate::S,
        "si" => Gate::Sdg,
        "t" => Gate::T,
        "ti" => Gate::Tdg,
        "v" => Gate::SX,
        "vi" => Gate::SXdg,
        "rx" => Gate::RX,
        "ry" => Gate::RY,
        "rz" => Gate::RZ,
        "swap" => Gate::SWAP,
        "xx" => Gate::RXX,
        "yy" => Gate::RYY,
        "zz" => Gate::RZZ,
        name => panic!("{name} is not a gate of IonQ"),
    };
    let angles: Vec<_> = gate["rotation"].as_f64().map(Into::into).into_iter().collect();
    circuit.gate(named, &[qubits("controls"), qubits("targets")].concat(), &angles);
}

fn read(gates: &Value, n_qubits: u64) -> Circuit {
    let mut circuit = Circuit::new(n_qubits as usize);
    gates.as_array().unwrap().iter().for_each(|gate| push(&mut circuit, gate));
    circuit
}

/// A service of version 0.4 with one backend, whose jobs are done at the second question.
fn service(results: Results) -> Respond {
    let mut jobs: HashMap<String, Vec<(Circuit, usize)>> = HashMap::new();
    let mut polls: HashMap<String, usize> = HashMap::new();
    Box::new(move |request| {
        if request.header("Authorization") != Some(&format!("apiKey {SECRET}")) {
            return json(401, &value!({"message": "Invalid key"}));
        }
        let path = request.url.strip_prefix("/v0.4/").unwrap_or_default();
        let segments: Vec<&str> = path.split('/').collect();
        match (request.method.name(), &segments[..]) {
            ("GET", ["backends", "simulator"]) => {
                json(200, &value!({"backend": "simulator", "qubits": 5, "status": "available"}))
            }
            ("POST", ["jobs"]) => {
                let id = format!("job-{}", jobs.len());
                jobs.insert(id.clone(), accepted(&body(request)));
                json(200, &value!({"id": id, "status": "ready"}))
            }
            ("GET", ["jobs", id]) => {
                let count = polls.entry(id.to_string()).or_default();
                *count += 1;
                let (parent, child) = id.split_once("_c").unwrap_or((id, ""));
                let Some(circuits) = jobs.get(parent) else {
                    return json(404, &value!({"message": "no such job"}));
                };
                let is_done = *count > 1 || !child.is_empty();
                json(200, &status(id, circuits.len(), is_done, results))
            }
            ("GET", ["jobs", id, _, _]) => {
                let (parent, child) = id.split_once("_c").unwrap_or((id, "0"));
                let (circuit, shots) = &jobs[parent][child.parse::<usize>().unwrap()];
                json(200, &told(circuit, *shots, results))
            }
            ("PUT", ["jobs", id, "status", "cancel"]) => json(200, &value!({"id": id})),
            _ => json(404, &value!({"message": format!("no {path}")})),
        }
    })
}

fn accepted(job: &Value) -> Vec<(Circuit, usize)> {
    assert_eq!((&job["backend"], &job["input"]["gateset"]), (&"simulator".into(), &"qis".into()));
    let (shots, n) =
        (job["shots"].as_u64().unwrap() as usize, job["input"]["qubits"].as_u64().unwrap());
    match job["type"].as_str().unwrap() {
        "ionq.circuit.v1" => vec![(read(&job["input"]["circuit"], n), shots)],
        "ionq.multi-circuit.v1" => {
            let circuits = job["input"]["circuits"].as_array().unwrap();
            circuits.iter().map(|circuit| (read(&circuit["circuit"], n), shots)).collect()
        }
        kind => panic!("{kind}"),
    }
}

fn status(id: &str, n_circuits: usize, is_done: bool, results: Results) -> Value {
    let mut status = value!({"id": id, "status": if is_done { "completed" } else { "ready" }});
    if n_circuits > 1 && !id.contains("_c") {
        let children = (0..n_circuits).map(|k| format!("{id}_c{k}"));
        status["child_job_ids"] = children.collect();
    } else if is_done {
        let url = |name: &str| value!({"url": format!("/v0.4/jobs/{id}/results/{name}")});
        let probabilities = url("probabilities");
        status["results"] = match results {
            Results::Shots => value!({"probabilities": probabilities, "shots": url("shots")}),
            Results::Histogram => {
                value!({"probabilities": probabilities, "histogram": url("histogram")})
            }
            Results::Artifact => value!({"ionq.result.histogram.json.v1": {"id": "a-1"}}),
            Results::Probabilities => value!({"probabilities": probabilities}),
        };
    }
    status
}

fn told(circuit: &Circuit, shots: usize, results: Results) -> Value {
    let outcomes = measured(circuit, shots, 11);
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    outcomes.iter().for_each(|index| *counts.entry(index.to_string()).or_default() += 1);
    match results {
        Results::Shots => outcomes.iter().map(usize::to_string).collect(),
        Results::Histogram | Results::Artifact => value!(counts),
        Results::Probabilities => counts
            .iter()
            .map(|(index, &n)| (index.clone(), value!(n as f64 / shots as f64)))
            .collect(),
    }
}

fn serve(results: Results) -> Loopback {
    let mut service = service(results);
    Loopback::new(move |request| Act::Answer(service(request)))
}

#[test]
fn ionq_tells_its_results_in_four_forms_of_the_same() {
    let mut circuit = Circuit::new(3);
    circuit.h(0).cnot(0, 1).ry(0.4, 2);
    let circuits = [circuit.clone(), Circuit::new(1), circuit];
    let run = |results| {
        let service = serve(results);
        let counts = device(service.origin(), connection()).unwrap().run(&circuits, 321).unwrap();
        assert_eq!(KIND.count(&service, KIND.is_submission), 1, "one job of three circuits");
        counts
    };
    let shots = run(Results::Shots);
    assert!(distance(&circuits[0], &shots[0]) < 0.1);
    for results in [Results::Histogram, Results::Artifact, Results::Probabilities] {
        assert_eq!(run(results), shots);
    }
}

#[test]
fn ionq_gets_several_jobs_only_if_one_does_not_hold_all() {
    let service = serve(Results::Shots);
    let device = device(service.origin(), connection()).unwrap().with_circuits_a_job(2);
    let circuits = [1, 2, 3, 4, 5].map(Circuit::new);
    assert_eq!(device.run(&circuits, 3).unwrap().len(), 5);
    assert_eq!(KIND.count(&service, KIND.is_submission), 3);
}

#[test]
fn ionqs_key_goes_to_no_other_address() {
    for url in ["https://example.org/shots", "/v0.5/x", "//example.org/x", "/v0.4/../x", ""] {
        let mut right = service(Results::Shots);
        let service = Loopback::new(move |request| {
            let response: Response = right(request);
            if !(KIND.is_poll)(request) {
                return Act::Answer(response);
            }
            let mut body: Value = serde_json::from_slice(&response.body).unwrap();
            if body["results"].is_object() {
                body["results"] = value!({"shots": {"url": url}});
            }
            Act::Answer(json(200, &body))
        });
        let device = device(service.origin(), connection()).unwrap();
        let error = device.run(&[Circuit::new(1)], 3).unwrap_err();
        assert!(error.to_string().contains("outside of the service"), "{error}");
        assert_eq!(KIND.count(&service, is_result), 0);
    }
}

#[test]
fn ionqs_shares_must_be_a_distribution_over_the_qubits() {
    for (shares, reason) in [
        (value!({"0": 0.5, "3": 0.4}), "add up to 0.9"),
        (value!({"0": 0.5, "4": 0.5}), "the outcome 4 of 2 qubits"),
        (value!({"0": 1.5, "1": -0.5}), "the probability of 0 is 1.5"),
        (value!({"a": 1.0}), "\"a\" is no outcome"),
        (value!({}), "add up to 0"),
    ] {
        let mut right = service(Results::Probabilities);
        let service = Loopback::new(move |request| match is_result(request) {
            true => Act::Answer(json(200, &shares)),
            false => Act::Answer(right(request)),
        });
        let device = device(service.origin(), connection()).unwrap();
        let error = device.run(&[Circuit::new(2)], 3).unwrap_err();
        assert!(error.job_id().is_some() && error.to_string().contains(reason), "{error}");
    }
}

#[test]
fn ionqs_simulator_takes_a_noise_model_and_a_label() {
    let service = serve(Results::Shots);
    let device = device(service.origin(), connection()).unwrap().with_label("mine");
    device.with_noise("forte-1").unwrap().run(&[Circuit::new(1)], 3).unwrap();
    let requests = service.requests();
    let job = body(requests.iter().find(|r| (KIND.is_submission)(r)).unwrap());
    assert_eq!((&job["noise"]["model"], &job["name"]), (&"forte-1".into(), &"mine".into()));
}

#[test]
fn ionqs_jobs_of_several_circuits_must_have_as_many_children() {
    for children in
        [value!(["job-0_c0"]), value!(["../x", "job-0_c1"]), value!([1, 2]), Value::Null]
    {
        let mut right = service(Results::Shots);
        let service = Loopback::new(move |request| {
            let response = right(request);
            let mut body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
            if body.get("child_job_ids").is_none() {
                return Act::Answer(response);
            }
            body["child_job_ids"] = children.clone();
            Act::Answer(json(200, &body))
        });
        let device = device(service.origin(), connection()).unwrap();
        let error = device.run(&[Circuit::new(1), Circuit::new(1)], 3).unwrap_err();
        assert!(error.to_string().contains("jobs of circuits, expected 2"), "{error}");
    }
}
