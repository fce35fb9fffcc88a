//! IQM's protocol.

use super::{Kind, Respond, SECRET, body, connection, json, measured};
use crate::hardware::loopback::{Act, Loopback};
use burn_quantum::Error;
use burn_quantum::circuit::{Circuit, CircuitSampler};
use burn_quantum::hardware::{CircuitJobs, Connection, Iqm, Request, Token};
use serde_json::{Value, json as value};
use std::collections::HashMap;

pub const KIND: Kind = Kind {
    name: "IQM",
    fake: service,
    device: |url, connection| Ok(Box::new(device(url, connection)?) as Box<dyn CircuitJobs>),
    is_submission: |r| r.method.name() == "POST" && r.url.contains("/circuit?"),
    is_poll: |r| r.method.name() == "GET" && r.url.contains("/jobs/") && !is_result(r),
    is_result,
    is_cancel: |r| r.method.name() == "POST" && r.url.ends_with("/cancel"),
    set_status: |body, status| body["status"] = status.into(),
    running: "waiting",
    failed: "failed",
    cancelled: "cancelled",
    wrong: &[
        (|r| drop(r[0]["1"].as_array_mut().unwrap().pop()), "19 shots of qubit 1, asked for 20"),
        (|r| drop(r[0].as_object_mut().unwrap().remove("1")), "1 measurements, expected 2"),
        (|r| r[0]["0"][4] = value!([2]), "the outcome [2] of qubit 0"),
        (|r| r[0]["0"][4] = value!([0, 1]), "the outcome [0, 1] of qubit 0"),
        (|r| *r = value!([r[0], r[0]]), "results of 2 circuits, expected 1"),
        (
            |r| {
                let bits = r[0].as_object_mut().unwrap().remove("1").unwrap();
                r[0]["2"] = bits;
            },
            "no measurement of qubit 1",
        ),
    ],
    idempotent: false,
};

fn is_result(request: &Request) -> bool {
    request.url.contains("/artifacts/")
}

fn device(url: &str, connection: Connection) -> Result<Iqm, Error> {
    Iqm::new(connection.with_endpoint(url), Token::new(SECRET)?, "toy")
}

/// Qubits 1 to 5 in a line; qubit 6 cannot be measured.
const CZ: [[&str; 2]; 5] =
    [["QB1", "QB2"], ["QB3", "QB2"], ["QB3", "QB4"], ["QB5", "QB4"], ["QB5", "QB6"]];

fn architecture() -> Value {
    let loci = |loci: Value| {
        value!({
            "implementations": {"fast": {"loci": loci}, "slow": {"loci": [["QB1"], ["QB6"]]}},
            "default_implementation": "fast", "override_default_implementation": {},
        })
    };
    let one = |n: usize| (1..=n).map(|k| value!([format!("QB{k}")])).collect::<Value>();
    let qubits: Vec<String> = (1..=6).map(|k| format!("QB{k}")).collect();
    value!({
        "calibration_set_id": "c-1", "qubits": qubits, "computational_resonators": [],
        "gates": {"prx": loci(one(6)), "cz": loci(value!(CZ)), "measure": loci(one(5))},
    })
}

/// A circuit of IQM's on its six qubits, and where each key is measured.
fn read(circuit: &Value) -> (Circuit, Vec<(String, usize)>) {
    let mut read = Circuit::new(6);
    let mut keys = Vec::new();
    for instruction in circuit["instructions"].as_array().unwrap() {
        let locus: Vec<&str> =
            instruction["locus"].as_array().unwrap().iter().map(|q| q.as_str().unwrap()).collect();
        let place = |name: &str| name.strip_prefix("QB").unwrap().parse::<usize>().unwrap() - 1;
        let qubits: Vec<usize> = locus.iter().map(|name| place(name)).collect();
        let args = &instruction["args"];
        assert!(keys.is_empty() || instruction["name"] == "measure", "a gate after a measurement");
        match instruction["name"].as_str().unwrap() {
            "prx" => {
                let number = |name: &str| args[name].as_f64().unwrap();
                let (angle, phase) = (number("angle"), number("phase"));
                read.rz(-phase, qubits[0]).rx(angle, qubits[0]).rz(phase, qubits[0]);
            }
            "cz" => {
                assert!(CZ.iter().any(|pair| pair[..] == locus[..]), "{locus:?} are not coupled");
                read.cz(qubits[0], qubits[1]);
            }
            "measure" => {
                assert!(qubits[0] < 5, "QB6 cannot be measured");
                keys.push((args["key"].as_str().unwrap().to_owned(), qubits[0]));
            }
            name => panic!("{name} is not a gate of IQM"),
        }
    }
    (read, keys)
}

/// A service of one computer, whose jobs are done at the second question.
fn service() -> Respond {
    let mut jobs: Vec<(Vec<Value>, usize)> = Vec::new();
    let mut polls: HashMap<String, usize> = HashMap::new();
    Box::new(move |request| {
        if request.header("Authorization") != Some(&format!("Bearer {SECRET}")) {
            return json(401, &value!({"message": "not authorised"}));
        }
        let path = request.url.strip_prefix("/api/v1/").unwrap_or_default();
        let segments: Vec<&str> = path.split('/').collect();
        let status = |id: &str, status: &str| value!({"id": id, "type": "circuit", "status": status, "messages": [], "errors": []});
        match (request.method.name(), &segments[..]) {
            ("GET", ["calibration-sets", "toy", "default", "dynamic-quantum-architecture"]) => {
                json(200, &architecture())
            }
            ("POST", ["jobs", "toy", "circuit?use_timeslot=false"]) => {
                let job = body(request);
                assert_eq!(job["calibration_set_id"], "c-1");
                let circuits = job["circuits"].as_array().unwrap().clone();
                jobs.push((circuits, job["shots"].as_u64().unwrap() as usize));
                json(201, &status(&format!("job-{}", jobs.len() - 1), "waiting"))
            }
            ("GET", ["jobs", id]) => {
                let count = polls.entry(id.to_string()).or_default();
                *count += 1;
                json(200, &status(id, if *count > 1 { "completed" } else { "processing" }))
            }
            ("GET", ["jobs", id, "artifacts", "measurements"]) => {
                let place: usize = id.strip_prefix("job-").unwrap().parse().unwrap();
                let (circuits, shots) = &jobs[place];
                json(200, &circuits.iter().map(|circuit| told(circuit, *shots)).collect())
            }
            ("POST", ["jobs", id, "cancel"]) => json(200, &status(id, "cancelled")),
            _ => json(404, &value!({"message": format!("no {path}")})),
        }
    })
}

fn told(circuit: &Value, shots: usize) -> Value {
    let (circuit, keys) = read(circuit);
    let outcomes = measured(&circuit, shots, 11);
    let bits = |place: usize| -> Vec<[usize; 1]> {
        outcomes.iter().map(|index| [index >> place & 1]).collect()
    };
    keys.into_iter().map(|(key, place)| (key, value!(bits(place)))).collect()
}

#[test]
fn iqm_gets_one_job_for_many_circuits() {
    let service = KIND.serve();
    let device = device(service.origin(), connection()).unwrap();
    assert_eq!(device.max_qubits(), 5);
    let circuits = [1, 2, 3, 4, 5].map(Circuit::new);
    assert_eq!(device.run(&circuits, 3).unwrap().len(), 5);
    assert_eq!(KIND.count(&service, KIND.is_submission), 1);
    device.with_circuits_a_job(2).run(&circuits, 3).unwrap();
    assert_eq!(KIND.count(&service, KIND.is_submission), 4);
}

#[test]
fn iqms_computers_without_what_is_needed_are_refused() {
    let with = |change: fn(&mut Value)| {
        let mut body = architecture();
        change(&mut body);
        let mut right = service();
        Loopback::new(move |request| match request.url.contains("architecture") {
            true => Act::Answer(json(200, &body)),
            false => Act::Answer(right(request)),
        })
    };
    let service = with(|body| drop(body["gates"].as_object_mut().unwrap().remove("measure")));
    let error = device(service.origin(), connection()).unwrap_err().to_string();
    assert!(error.contains("IQM toy has no qubits with prx and measure"), "{error}");
    let service = with(|body| body["gates"] = value!(1));
    let error = device(service.origin(), connection()).unwrap_err().to_string();
    assert!(error.contains("breaks the protocol"), "{error}");
    // Pairs that meet through a resonator are no pairs of qubits.
    let service = with(|body| {
        body["gates"]["cz"]["implementations"]["fast"]["loci"] = value!([["QB1", "COMPR1"]])
    });
    let device = device(service.origin(), connection()).unwrap();
    let mut bell = Circuit::new(2);
    bell.h(0).cnot(0, 1);
    let error = device.run(&[bell], 3).unwrap_err();
    assert!(
        error.is_size_limit() && error.to_string().contains("no more are connected"),
        "{error}"
    );
    assert_eq!(device.run(&[Circuit::new(1)], 3).unwrap().len(), 1);
}
