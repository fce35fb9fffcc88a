//! Amazon Braket's protocol, and the part of S3's that results need.

use super::{Kind, Respond, SECRET, body, connection, json, measured};
use crate::hardware::loopback::{Act, Loopback};
use burn_quantum::Error;
use burn_quantum::circuit::{Angle, Circuit, CircuitSampler, Gate};
use burn_quantum::hardware::{
    AwsCredentials, Braket, BraketDevice, CircuitJobs, Connection, Request, Token,
};
use serde_json::{Value, json as value};
use std::collections::{BTreeMap, HashMap};

pub const KIND: Kind = Kind {
    name: "Braket",
    fake: || service(Results::Shots, GATES),
    device: |url, connection| Ok(Box::new(device(url, connection)?) as Box<dyn CircuitJobs>),
    is_submission: |r| r.method.name() == "POST" && r.url == "/quantum-task",
    is_poll: |r| r.method.name() == "GET" && r.url.starts_with("/quantum-task/"),
    is_result: |r| r.url.ends_with("/results.json"),
    is_cancel: |r| r.method.name() == "PUT" && r.url.ends_with("/cancel"),
    set_status: |body, status| body["status"] = status.into(),
    running: "QUEUED",
    failed: "FAILED",
    cancelled: "CANCELLED",
    wrong: &[
        (|r| drop(r["measurements"].as_array_mut().unwrap().pop()), "19 shots of circuit 0"),
        (|r| r["measurements"] = value!([]), "no measurements"),
        (|r| r["measurements"][2] = value!([0]), "a shot is [0], expected 2 bits"),
        (|r| r["measurements"][2] = value!([0, 2]), "a shot is [0, 2]"),
        (|r| r["measuredQubits"] = value!([0, 0]), "measured qubits [0, 0]"),
        (|r| r["measuredQubits"] = value!([0]), "measured qubits [0]"),
        (|r| r["measuredQubits"] = value!([0, 2]), "measured qubits [0, 2]"),
    ],
    idempotent: true,
};

const ARN: &str = "arn:aws:braket:::device/quantum-simulator/test/toy";

const GATES: &[&str] = &[
    "ccnot",
    "cnot",
    "cphaseshift",
    "cswap",
    "cy",
    "cz",
    "h",
    "i",
    "phaseshift",
    "rx",
    "ry",
    "rz",
    "s",
    "si",
    "swap",
    "t",
    "ti",
    "v",
    "vi",
    "x",
    "xx",
    "y",
    "yy",
    "z",
    "zz",
];

fn target() -> BraketDevice {
    BraketDevice {
        arn: ARN.into(),
        region: "us-east-1".into(),
        bucket: "amazon-braket-test".into(),
        prefix: "some/tasks".into(),
    }
}

fn device(url: &str, connection: Connection) -> Result<Braket, Error> {
    let key = AwsCredentials::new(Token::new("AKIDEXAMPLE")?, Token::new(SECRET)?)
        .with_session_token(Token::new(format!("session-{SECRET}"))?);
    Braket::new(connection.with_endpoint(url), key, target())
}

/// How the device tells its results.
#[derive(Clone, Copy, PartialEq)]
enum Results {
    Shots,
    /// With the qubits in another order.
    Reversed,
    Probabilities,
}

/// A program in Braket's names, statement by statement.
fn read(source: &str, gates: &[&str]) -> Circuit {
    let mut circuit = Circuit::new(0);
    for line in source.lines() {
        let line = line.strip_suffix(';').unwrap();
        let numbers = |text: &str| -> Vec<usize> {
            let names = text.split(['[', ']']).skip(1).step_by(2);
            names.map(|number| number.parse().unwrap()).collect()
        };
        if let Some((bit, qubit)) = line.split_once(" = measure ") {
            assert_eq!(numbers(bit), numbers(qubit));
            continue;
        }
        let (head, qubits) = match line.find(" q[") {
            Some(at) => line.split_at(at),
            None => (line, ""),
        };
        let (name, angles) = head.split_once('(').unwrap_or((head, ""));
        let gate = match name {
            "OPENQASM 3.0" | "OPENQASM" | "bit" => continue,
            name if name.starts_with("bit[") => continue,
            name if name.starts_with("qubit[") => {
                circuit = Circuit::new(numbers(name)[0]);
                continue;
            }
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
            "phaseshift" => Gate::P,
            "cnot" => Gate::CNOT,
            "cy" => Gate::CY,
            "cz" => Gate::CZ,
            "cphaseshift" => Gate::CP,
            "swap" => Gate::SWAP,
            "cswap" => Gate::CSWAP,
            "ccnot" => Gate::CCX,
            "xx" => Gate::RXX,
            "yy" => Gate::RYY,
            "zz" => Gate::RZZ,
            name => panic!("{name} is not a gate of Braket"),
        };
        assert!(gates.contains(&name), "{name} is not a gate of the device");
        let angles = angles.trim_end_matches(')').split(", ").filter(|text| !text.is_empty());
        let angles: Vec<Angle> = angles.map(|text| text.parse::<f64>().unwrap().into()).collect();
        circuit.gate(gate, &numbers(qubits), &angles);
    }
    circuit
}

fn decoded(text: &str) -> String {
    text.replace("%3A", ":").replace("%2F", "/")
}

/// Whether a request is signed for this service with the key of the test, over what it carries.
fn is_signed(request: &Request, service: &str) -> bool {
    let date = request.header("X-Amz-Date").unwrap_or_default();
    let day = date.get(..8).unwrap_or_default();
    let start = format!("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/{day}/us-east-1/{service}/");
    let signed = request.header("Authorization").is_some_and(|text| text.starts_with(&start));
    signed && request.header("X-Amz-Security-Token") == Some(&format!("session-{SECRET}"))
}

/// A service with one device, whose tasks are done at the second question. A token that it has seen
/// makes no second task.
fn service(results: Results, gates: &'static [&'static str]) -> Respond {
    let mut tasks: Vec<(String, Circuit, usize)> = Vec::new();
    let mut polls: HashMap<String, usize> = HashMap::new();
    Box::new(move |request| {
        let path = decoded(&request.url);
        let service = if path.ends_with("results.json") { "s3" } else { "braket" };
        if !is_signed(request, service) {
            return json(403, &value!({"message": "The security token is invalid"}));
        }
        let task = |path: &str| {
            path.rsplit("/task-").next().and_then(|n| n.split('/').next()?.parse::<usize>().ok())
        };
        match (request.method.name(), path.as_str()) {
            ("GET", path) if path == format!("/device/{ARN}") => json(200, &described(gates)),
            ("POST", "/quantum-task") => {
                let job = body(request);
                let token = job["clientToken"].as_str().unwrap().to_owned();
                assert!((1..=64).contains(&token.len()));
                let place = tasks.iter().position(|(known, ..)| *known == token);
                let place = place.unwrap_or_else(|| {
                    let (circuit, shots) = accepted(&job, gates);
                    tasks.push((token, circuit, shots));
                    tasks.len() - 1
                });
                json(201, &value!({"quantumTaskArn": arn(place)}))
            }
            ("GET", path) if path.starts_with("/quantum-task/") => {
                match task(path).filter(|&k| k < tasks.len()) {
                    None => json(404, &value!({"message": "no such task"})),
                    Some(place) => {
                        let count = polls.entry(path.to_owned()).or_default();
                        *count += 1;
                        let status = if *count > 1 { "COMPLETED" } else { "RUNNING" };
                        json(
                            200,
                            &value!({
                                "quantumTaskArn": arn(place), "status": status, "shots": tasks[place].2,
                                "outputS3Bucket": "amazon-braket-test", "deviceArn": ARN,
                                "outputS3Directory": format!("some/tasks/task-{place}"),
                            }),
                        )
                    }
                }
            }
            ("PUT", path) => json(
                200,
                &value!({
                    "quantumTaskArn": arn(task(path).unwrap()), "cancellationStatus": "CANCELLING",
                }),
            ),
            ("GET", path) if path.starts_with("/amazon-braket-test/some/tasks/task-") => {
                let (_, circuit, shots) = &tasks[task(path).unwrap()];
                json(200, &told(circuit, *shots, results))
            }
            _ => json(404, &value!({"message": format!("no {path}")})),
        }
    })
}

fn arn(place: usize) -> String {
    format!("arn:aws:braket:us-east-1:123456789012:quantum-task/task-{place}")
}

fn described(gates: &[&str]) -> Value {
    let action = value!({"braket.ir.openqasm.program": {"supportedOperations": gates}});
    let capabilities = value!({
        "action": action, "paradigm": {"qubitCount": 5}, "service": {"shotsRange": [1, 5000]},
    });
    value!({"deviceArn": ARN, "deviceStatus": "ONLINE", "deviceCapabilities": capabilities.to_string()})
}

fn accepted(job: &Value, gates: &[&str]) -> (Circuit, usize) {
    let place = (&job["deviceArn"], &job["outputS3Bucket"], &job["outputS3KeyPrefix"]);
    assert_eq!(place, (&ARN.into(), &"amazon-braket-test".into(), &"some/tasks".into()));
    let action: Value = serde_json::from_str(job["action"].as_str().unwrap()).unwrap();
    assert_eq!(action["braketSchemaHeader"]["name"], "braket.ir.openqasm.program");
    let circuit = read(action["source"].as_str().unwrap(), gates);
    (circuit, job["shots"].as_u64().unwrap() as usize)
}

fn told(circuit: &Circuit, shots: usize, results: Results) -> Value {
    let n = circuit.n_qubits();
    let mut qubits: Vec<usize> = (0..n).collect();
    if results == Results::Reversed {
        qubits.reverse();
    }
    let bits = |index: usize| -> Vec<usize> { qubits.iter().map(|q| index >> q & 1).collect() };
    let outcomes = measured(circuit, shots, 11);
    if results == Results::Probabilities {
        let mut shares: BTreeMap<String, f64> = BTreeMap::new();
        for index in outcomes {
            let text = bits(index).iter().map(usize::to_string).collect();
            *shares.entry(text).or_default() += 1.0 / shots as f64;
        }
        return value!({"measurementProbabilities": shares, "measuredQubits": qubits});
    }
    let rows: Vec<Vec<usize>> = outcomes.into_iter().map(bits).collect();
    value!({"measurements": rows, "measuredQubits": qubits})
}

fn serve(results: Results, gates: &'static [&'static str]) -> Loopback {
    let mut service = service(results, gates);
    Loopback::new(move |request| Act::Answer(service(request)))
}

#[test]
fn braket_tells_its_results_in_three_forms_of_the_same() {
    let mut circuit = Circuit::new(3);
    circuit.h(0).cnot(0, 1).ry(0.4, 2);
    let circuits = [circuit.clone(), Circuit::new(1), circuit];
    let run = |results| {
        let service = serve(results, GATES);
        let counts = device(service.origin(), connection()).unwrap().run(&circuits, 321).unwrap();
        assert_eq!(KIND.count(&service, KIND.is_submission), 3);
        counts
    };
    let shots = run(Results::Shots);
    assert_eq!(shots, run(Results::Reversed));
    assert_eq!(shots, run(Results::Probabilities));
}

#[test]
fn braket_devices_get_only_gates_that_they_take() {
    for gates in [&["rz", "ry", "cz"] as &[&str], &["rz", "ry", "cnot", "xx"], GATES] {
        let service = serve(Results::Shots, gates);
        let device = device(service.origin(), connection()).unwrap();
        let circuits = super::whole_table();
        for (circuit, counts) in circuits.iter().zip(device.run(&circuits, 4000).unwrap()) {
            assert!(super::distance(circuit, &counts) < 0.05, "{circuit:?}");
        }
    }
}

#[test]
fn a_braket_task_that_is_sent_twice_is_one_task() {
    let mut right = service(Results::Shots, GATES);
    let mut first = true;
    let service = Loopback::new(move |request| {
        let response = right(request);
        match (KIND.is_submission)(request) && std::mem::take(&mut first) {
            true => Act::Raw(Vec::new()),
            false => Act::Answer(response),
        }
    });
    let device = device(service.origin(), connection()).unwrap();
    let ticket = device.submit(&[Circuit::new(1)], 3).unwrap();
    assert_eq!(ticket.jobs().next().unwrap().0, arn(0), "the first task is the one");
    assert_eq!(KIND.count(&service, KIND.is_submission), 2);
}

#[test]
fn braket_results_in_other_places_are_refused() {
    for (field, place) in [
        ("outputS3Bucket", "another"),
        ("outputS3Directory", "../x"),
        ("outputS3Directory", ""),
        ("outputS3Directory", "a//b"),
    ] {
        let mut right = service(Results::Shots, GATES);
        let service = Loopback::new(move |request| {
            let response = right(request);
            if !(KIND.is_poll)(request) {
                return Act::Answer(response);
            }
            let mut body: Value = serde_json::from_slice(&response.body).unwrap();
            body[field] = place.into();
            Act::Answer(json(200, &body))
        });
        let device = device(service.origin(), connection()).unwrap();
        let error = device.run(&[Circuit::new(1)], 3).unwrap_err();
        assert!(error.to_string().contains("the results are in"), "{error}");
        assert_eq!(KIND.count(&service, KIND.is_result), 0);
    }
}

#[test]
fn braket_names_are_checked_before_they_are_used() {
    let key = || AwsCredentials::new(Token::new("A").unwrap(), Token::new("b").unwrap());
    type Change = fn(&mut BraketDevice);
    let wrong: [(Change, &str); 4] = [
        (|d| d.arn = "sv1".into(), "the device `sv1`"),
        (|d| d.region = "evil.example.org/".into(), "the region `evil.example.org/`"),
        (|d| d.bucket = "a/b".into(), "the bucket `a/b`"),
        (|d| d.region = String::new(), "the region ``"),
    ];
    for (change, reason) in wrong {
        let mut target = target();
        change(&mut target);
        let error = Braket::new(connection(), key(), target).unwrap_err().to_string();
        assert!(error.contains(reason) && error.contains("write it as"), "{error}");
    }
}

#[test]
fn a_braket_device_without_our_programs_is_refused() {
    let described = |change: fn(&mut Value)| {
        let mut body = described(GATES);
        change(&mut body);
        let service = Loopback::new(move |_| Act::Answer(json(200, &body)));
        device(service.origin(), connection()).unwrap_err().to_string()
    };
    let error = described(|body| body["deviceStatus"] = "RETIRED".into());
    assert!(error.contains("it is retired"), "{error}");
    let error = described(|body| body["deviceCapabilities"] = "{}".into());
    assert!(error.contains("takes no braket.ir.openqasm.program"), "{error}");
    let error = described(|body| body["deviceCapabilities"] = "{".into());
    assert!(error.contains("breaks the protocol: the capabilities"), "{error}");
    let error = described(|body| {
        let text = body["deviceCapabilities"].as_str().unwrap().replace("qubitCount", "count");
        body["deviceCapabilities"] = text.into();
    });
    assert!(error.contains("no numbers of qubits and shots"), "{error}");
    let service = KIND.serve();
    let device = device(service.origin(), connection()).unwrap();
    let error = device.run(&[Circuit::new(1)], 5001).unwrap_err();
    assert!(error.is_size_limit() && error.to_string().contains("5000"), "{error}");
}
