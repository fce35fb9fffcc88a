//! IBM's protocol, with the tokens of IBM Cloud.

use super::{Kind, Respond, SECRET, body, connection, json, measured};
use crate::hardware::loopback::{Act, Loopback};
use burn_quantum::Error;
use burn_quantum::circuit::{Circuit, CircuitSampler};
use burn_quantum::hardware::{
    CircuitJobs, Connection, Http, Ibm, IbmAccount, Recording, Replay, Request, Token,
};
use serde_json::{Value, json as value};
use std::collections::HashMap;
use std::sync::Arc;

pub const KIND: Kind = Kind {
    name: "IBM",
    fake: || service("ecr", 3600),
    device: |url, connection| Ok(Box::new(device(url, connection)?) as Box<dyn CircuitJobs>),
    is_submission: |r| r.method.name() == "POST" && r.url.ends_with("/jobs"),
    is_poll: |r| r.method.name() == "GET" && r.url.contains("/jobs/") && !is_result(r),
    is_result,
    is_cancel: |r| r.method.name() == "POST" && r.url.ends_with("/cancel"),
    set_status: |body, status| body["state"]["status"] = status.into(),
    running: "Queued",
    failed: "Failed",
    cancelled: "Cancelled",
    wrong: &[
        (|r| drop(samples(r).pop()), "19 shots of circuit 0, asked for 20"),
        (|r| samples(r)[3] = "0x4".into(), "the outcome 4 of circuit 0, which has 2 qubits"),
        (|r| samples(r)[3] = "0xq".into(), "the sample \"0xq\""),
        (|r| r["results"][0]["data"]["c"]["num_bits"] = 3.into(), "samples of 3 bits, expected 2"),
        (|r| r["results"] = value!([]), "results of 0 circuits, expected 1"),
    ],
    idempotent: false,
};

fn samples(results: &mut Value) -> &mut Vec<Value> {
    results["results"][0]["data"]["c"]["samples"].as_array_mut().unwrap()
}

fn is_result(request: &Request) -> bool {
    request.url.ends_with("/results")
}

fn device(url: &str, connection: Connection) -> Result<Ibm, Error> {
    let instance = Token::new("crn:v1:bluemix:public:quantum-computing:us-east:a/1:2::")?;
    let account = IbmAccount::new(Token::new(SECRET)?, instance).with_identity_endpoint(url);
    Ibm::new(connection.with_endpoint(format!("{url}/api/v1")), account, "toy")
}

const COUPLING: [[usize; 2]; 5] = [[0, 1], [2, 1], [1, 3], [4, 3], [4, 5]];

/// The circuit on the processor's qubits, and where each bit is measured.
fn read(source: &str, pair: &str) -> (Circuit, Vec<usize>) {
    let (mut text, mut places) = (String::new(), Vec::new());
    for line in source.lines() {
        let qubits: Vec<usize> = line
            .split('$')
            .skip(1)
            .map(|rest| rest.split([',', ';']).next().unwrap().parse().unwrap())
            .collect();
        if line.contains("measure") {
            assert!(line.starts_with(&format!("c[{}] = measure", places.len())), "{line}");
            places.push(qubits[0]);
            continue;
        }
        if let [a, b] = qubits[..] {
            assert!(line.starts_with(pair) && COUPLING.contains(&[a, b]), "{line} is no gate here");
        } else if !qubits.is_empty() {
            assert!(["rz(", "sx ", "x "].iter().any(|name| line.starts_with(name)), "{line}");
        }
        let line = qubits.iter().fold(line.to_owned(), |line, q| {
            line.replace(&format!("${q},"), &format!("q[{q}],"))
                .replace(&format!("${q};"), &format!("q[{q}];"))
        });
        text += &format!("{line}\n");
        if line.starts_with("include") {
            text += "qubit[6] q;\n";
        }
    }
    (Circuit::from_qasm(&text).unwrap(), places)
}

/// A service of one processor, whose jobs are done at the second question, and the identity service
/// of which it knows the last token alone.
fn service(pair: &'static str, expires_in: u64) -> Respond {
    let mut jobs: Vec<Vec<Value>> = Vec::new();
    let mut polls: HashMap<String, usize> = HashMap::new();
    let mut granted = 0;
    Box::new(move |request| {
        if request.url == "/identity/token" {
            let form = format!(
                "grant_type=urn%3Aibm%3Aparams%3Aoauth%3Agrant-type%3Aapikey&apikey={SECRET}"
            );
            assert_eq!(String::from_utf8_lossy(&request.body), form);
            granted += 1;
            let token = format!("bearer-{SECRET}-{granted}");
            return json(200, &value!({"access_token": token, "expires_in": expires_in}));
        }
        let bearer = format!("Bearer bearer-{SECRET}-{granted}");
        if request.header("Authorization") != Some(&bearer) {
            return json(401, &value!({"errors": [{"code": 1200, "message": "unauthorized"}]}));
        }
        assert!(request.header("Service-CRN").unwrap().starts_with("crn:v1:"));
        let path = request.url.strip_prefix("/api/v1/").unwrap_or_default();
        let segments: Vec<&str> = path.split('/').collect();
        match (request.method.name(), &segments[..]) {
            ("GET", ["backends", "toy", "configuration"]) => json(
                200,
                &value!({
                    "backend_name": "toy", "n_qubits": 6, "basis_gates": [pair, "id", "rz", "sx", "x"],
                    "coupling_map": COUPLING, "max_shots": 5000, "max_experiments": 40,
                }),
            ),
            ("POST", ["jobs"]) => {
                let job = body(request);
                assert_eq!(
                    (&job["program_id"], &job["backend"]),
                    (&"sampler".into(), &"toy".into())
                );
                jobs.push(job["params"]["pubs"].as_array().unwrap().clone());
                json(200, &value!({"id": format!("job-{}", jobs.len() - 1), "backend": "toy"}))
            }
            ("GET", ["jobs", id]) => {
                let id = id.strip_suffix("?exclude_params=true").unwrap();
                let count = polls.entry(id.to_string()).or_default();
                *count += 1;
                let status = if *count > 1 { "Completed" } else { "Running" };
                json(200, &value!({"id": id, "status": status, "state": {"status": status}}))
            }
            ("GET", ["jobs", id, "results"]) => {
                let place: usize = id.strip_prefix("job-").unwrap().parse().unwrap();
                let results: Vec<Value> =
                    jobs[place].iter().map(|block| told(block, pair)).collect();
                json(200, &value!({"results": results, "metadata": {"version": 2}}))
            }
            ("POST", ["jobs", _, "cancel"]) => json(204, &Value::Null),
            _ => json(404, &value!({"errors": [{"code": 404, "message": format!("no {path}")}]})),
        }
    })
}

fn told(block: &Value, pair: &str) -> Value {
    let (circuit, places) = read(block[0].as_str().unwrap(), pair);
    let shots = block[2].as_u64().unwrap() as usize;
    let bit = |index: usize, (k, place): (usize, &usize)| (index >> place & 1) << k;
    let sample = |index: usize| -> String {
        let bits = places.iter().enumerate().map(|p| bit(index, p));
        format!("{:#x}", bits.sum::<usize>())
    };
    let samples: Vec<String> = measured(&circuit, shots, 11).into_iter().map(sample).collect();
    value!({"data": {"c": {"samples": samples, "num_bits": places.len()}}, "metadata": {}})
}

fn serve(pair: &'static str, expires_in: u64) -> Loopback {
    let mut service = service(pair, expires_in);
    Loopback::new(move |request| Act::Answer(service(request)))
}

fn identities(service: &Loopback) -> usize {
    service.count("POST", "/identity/token")
}

#[test]
fn ibms_processors_have_one_of_three_gates_on_pairs() {
    for pair in ["cz", "cx", "ecr"] {
        let service = serve(pair, 3600);
        let circuits = super::whole_table();
        let counts = device(service.origin(), connection()).unwrap().run(&circuits, 4000).unwrap();
        for (circuit, counts) in circuits.iter().zip(&counts) {
            assert!(super::distance(circuit, counts) < 0.05, "{pair}: {circuit:?}");
        }
        assert_eq!(KIND.count(&service, KIND.is_submission), 1, "one job of all circuits");
        assert_eq!(identities(&service), 1);
    }
    let service = serve("rzz", 3600);
    let error = device(service.origin(), connection()).unwrap_err().to_string();
    assert!(error.contains("IBM toy has the gates rzz, id, rz, sx, x"), "{error}");
}

#[test]
fn ibm_gets_as_many_circuits_in_a_job_as_it_takes() {
    let service = KIND.serve();
    let device = device(service.origin(), connection()).unwrap();
    let circuits = vec![Circuit::new(1); 90];
    assert_eq!(device.run(&circuits, 3).unwrap().len(), 90);
    assert_eq!(KIND.count(&service, KIND.is_submission), 3);
    let error = device.run(&[Circuit::new(1)], 5001).unwrap_err();
    assert!(error.is_size_limit() && error.to_string().contains("5000"), "{error}");
}

#[test]
fn ibms_bearer_token_is_renewed_before_it_expires() {
    // A token is renewed a minute early, so that this one is at once too old.
    let service = serve("cz", 60);
    let device = device(service.origin(), connection()).unwrap();
    assert_eq!(identities(&service), 1);
    device.run(&[Circuit::new(1)], 3).unwrap();
    assert!(identities(&service) >= 3, "{}", identities(&service));
}

#[test]
fn a_bearer_token_that_ibm_no_longer_takes_is_replaced_once() {
    let mut right = service("cz", 3600);
    let mut refused = 0;
    let service = Loopback::new(move |request| {
        let response = right(request);
        if (KIND.is_submission)(request) && refused == 0 {
            refused += 1;
            return Act::Answer(json(401, &Value::Null));
        }
        Act::Answer(response)
    });
    let device = device(service.origin(), connection()).unwrap();
    assert_eq!(device.run(&[Circuit::new(1)], 3).unwrap().len(), 1);
    assert_eq!((identities(&service), KIND.count(&service, KIND.is_submission)), (2, 2));
}

#[test]
fn answers_of_ibms_identity_service_show_no_secret() {
    for (status, answer, reason) in [
        (400, value!({"errorMessage": format!("no such key {SECRET}")}), "no such key ***"),
        (200, value!({"access_token": 3, "expires_in": SECRET}), "no bearer token and time"),
        (200, value!({"access_token": format!("{SECRET} \n"), "expires_in": 3}), "no bearer token"),
        (200, value!(SECRET), "no bearer token"),
    ] {
        let service = Loopback::new(move |_| Act::Answer(json(status, &answer)));
        let error = device(service.origin(), connection()).unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(!text.contains(SECRET) && text.contains(reason), "{text}");
    }
}

#[test]
fn ibms_exchanges_are_recorded_without_keys_and_replayed() {
    let service = KIND.serve();
    let recording = Arc::new(Recording::new(Arc::new(Http::default())));
    let run = |connection| device(service.origin(), connection).unwrap().run(&[Circuit::new(2)], 5);
    let counts = run(connection().with_transport(recording.clone())).unwrap();
    let notes = recording.exchanges();
    let text = format!("{notes:?}{}", serde_json::to_string(&notes).unwrap());
    assert!(!text.contains(SECRET), "{text}");
    let replay = Arc::new(Replay::new(notes));
    assert_eq!(run(connection().with_transport(replay.clone())).unwrap(), counts);
    assert_eq!(replay.remaining(), 0);
}
