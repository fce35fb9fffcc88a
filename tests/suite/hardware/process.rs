//! A device behind a program, and all that a program can do wrong.

use burn_quantum::Error;
use burn_quantum::annealing::{Cancellation, Exact, IsingSampler, SampleSet, check_conformance};
use burn_quantum::hardware::{ProblemForm, ProcessDevice};
use burn_quantum::ising::Ising;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const GREETING: &str = r#"{"protocol":"burn-quantum/1","name":"fake"}"#;

/// The example, in plain Python.
fn bridge(arguments: &[&str]) -> ProcessDevice {
    let mut command = Command::new("python3");
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/process_bridge.py"));
    command.args(arguments);
    ProcessDevice::new(command).with_time(Duration::from_secs(60))
}

/// A program of the shell.
fn shell(script: &str) -> ProcessDevice {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    ProcessDevice::new(command).with_time(Duration::from_secs(20))
}

/// A program that greets, and then gives each request the next of these lines.
fn answering(lines: &[&str]) -> ProcessDevice {
    let mut command = Command::new("sh");
    command.args(["-c", r#"for a; do read l; printf '%s\n' "$a"; done; read l"#, "sh", GREETING]);
    command.args(lines);
    ProcessDevice::new(command).with_time(Duration::from_secs(20))
}

/// A script that greets and reads a request.
fn greeted(rest: &str) -> ProcessDevice {
    shell(&format!("read l; echo '{GREETING}'; read l; {rest}"))
}

fn pair() -> Ising {
    Ising::sparse(vec![0.5, 0.0], [(0, 1, -1.0)], 0.25).unwrap()
}

fn random(n: usize, seed: u64) -> Ising {
    let mut rng = StdRng::seed_from_u64(seed);
    let fields = (0..n).map(|_| rng.random_range(-1.0..1.0)).collect();
    let pairs = (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j)));
    let couplings: Vec<_> = pairs.map(|(i, j)| (i, j, rng.random_range(-1.0..1.0))).collect();
    Ising::sparse(fields, couplings, 0.5).unwrap()
}

fn error_of(device: &ProcessDevice) -> Error {
    let error = device.sample(&pair(), 3).unwrap_err();
    assert!(error.is_device(), "{error}");
    assert!(error.to_string().contains("(sh): "), "{error}");
    error
}

fn refused(device: &ProcessDevice, expected: &str) {
    let error = error_of(device);
    let text = error.to_string();
    assert!(!error.is_unavailable() && text.contains(expected), "{expected}: {text}");
}

#[test]
fn the_example_conforms_in_both_forms() {
    for (arguments, form) in [(&[][..], ProblemForm::Ising), (&["--int8"], ProblemForm::Int8)] {
        let device = bridge(arguments);
        check_conformance(&device).unwrap();
        let info = device.info().unwrap();
        assert_eq!((info.name.as_str(), info.takes), ("annealing in Python", form));
    }
}

#[test]
fn the_example_finds_ground_states() {
    for (seed, arguments) in [(1, &["--beta", "20"][..]), (2, &["--int8", "--beta", "1"])] {
        let model = random(7, seed);
        let ground = Exact::default().sample(&model, 1).unwrap().energies()[0];
        let set = bridge(arguments).sample(&model, 30).unwrap();
        // In 8 bits the lowest state may be another one, within the reported bound.
        let bound = 2.0 * model.rounded(8).unwrap().error_bound();
        let best = set.first().unwrap().energy;
        assert!(best >= ground - 1e-12 && best <= ground + bound, "{best}, not {ground}");
    }
}

/// At the inverse temperature 1 a spin in the field `h` has the mean `-tanh h`.
#[test]
fn the_example_samples_at_its_temperature() {
    let model = Ising::sparse(vec![0.7], [], 0.0).unwrap();
    let n = 4000.0;
    let mean = bridge(&[]).sample(&model, n as usize).unwrap().mean_spins()[0];
    let expected = -0.7f64.tanh();
    let error = ((1.0 - expected * expected) / n).sqrt();
    assert!((mean - expected).abs() < 4.0 * error, "{mean}, not {expected} by {error}");
}

#[test]
fn counts_and_energies_are_optional() {
    let samples = |answer| -> SampleSet { answering(&[answer]).sample(&pair(), 3).unwrap() };
    let counted =
        samples(r#"{"id":1,"spins":[[-1,-1],[1,1]],"occurrences":[2,1],"energies":[-1.25,-0.25]}"#);
    assert_eq!((counted.len(), counted.n_reads()), (2, 3));
    assert_eq!(counted.energies(), [-1.25, -0.25]);
    let plain = samples(r#"{"id":1,"spins":[[-1,-1],[1,1],[1,1]],"energies":null}"#);
    assert_eq!(plain.energies(), [-1.25, -0.25, -0.25]);
    assert!(plain.elapsed() > Duration::ZERO);
    // A program that sums in single precision.
    let far = Ising::sparse(vec![0.5, 0.0], [], 1e7).unwrap();
    let answer = r#"{"id":1,"spins":[[-1,1]],"energies":[10000000.0]}"#;
    assert_eq!(answering(&[answer]).sample(&far, 1).unwrap().energies(), [1e7 - 0.5]);
}

#[test]
fn a_model_without_spins_needs_no_program() {
    let device = ProcessDevice::new(Command::new("/no/such/program"));
    let set = device.sample(&Ising::sparse(vec![], [], 2.0).unwrap(), 3).unwrap();
    assert_eq!((set.n_reads(), set.mean_energy()), (3, 2.0));
}

/// More than a line without samples may have.
#[test]
fn many_samples_are_a_long_line() {
    let spins = "s=$(yes '[1,1],' | head -n 200000 | tr -d '\\n')";
    let answer = r#"printf '{"id":1,"spins":[%s]}\n' "${s%,}""#;
    let set = greeted(&format!("{spins}; {answer}; read l")).sample(&pair(), 200_000).unwrap();
    assert_eq!(set.n_reads(), 200_000);
}

#[test]
fn an_endless_patience_is_a_long_one() {
    let answer = r#"{"id":1,"spins":[[1,1]],"occurrences":[3]}"#;
    let device = answering(&[answer]).with_time(Duration::MAX);
    assert_eq!(device.sample(&pair(), 3).unwrap().n_reads(), 3);
}

#[test]
fn answers_of_the_wrong_kind_are_refused() {
    let cases = [
        ("connecting...", "expected value at line 1 column 1, in `connecting...`: write one JSON"),
        (r#"{"id":7,"spins":[[1,1]],"occurrences":[3]}"#, "answers request 7, asked was 1"),
        (r#"{"spins":[[1,1]],"occurrences":[3]}"#, "missing field `id`"),
        (r#"{"id":1}"#, "there is no `spins`"),
        (r#"{"id":1,"spins":[[1,1]]}"#, "1 reads, asked for 3"),
        (r#"{"id":1,"spins":[[1,1]],"occurrences":[4]}"#, "4 reads, asked for 3"),
        (
            r#"{"id":1,"spins":[[1,1],[1,1]],"occurrences":[18446744073709551615,4]}"#,
            "18446744073709551615 reads",
        ),
        (r#"{"id":1,"spins":[[1,1]],"occurrences":[3,0]}"#, "2 `occurrences` of 1 samples"),
        (r#"{"id":1,"spins":[[1,1],[1,1]],"occurrences":[3,0]}"#, "sample 1 occurs 0 times"),
        (r#"{"id":1,"spins":[[1,1],[1,1,1],[1,1]]}"#, "sample 1 has 3 spins, the problem 2"),
        (r#"{"id":1,"spins":[[1,1],[1,0],[1,1]]}"#, "spin 1 of sample 1 is 0: use 1 or -1"),
        (r#"{"id":1,"spins":[[1,1],[1,-128],[1,1]]}"#, "spin 1 of sample 1 is -128"),
        (r#"{"id":1,"spins":[[1,1]],"occurrences":[3],"energies":[NaN]}"#, "without NaN"),
        (r#"{"id":1,"spins":[[1,1]],"occurrences":[3],"energies":[1e999]}"#, "out of range"),
        (r#"{"id":1,"spins":[[1,1]],"occurrences":[3],"energies":[]}"#, "0 `energies` of 1"),
        (
            r#"{"id":1,"spins":[[1,1]],"occurrences":[3],"energies":[0.25]}"#,
            "the energy 0.25, but has -0.25: its spins are in another order",
        ),
        (r#"{"id":1,"spins":[[1,1]],"occurrence":[3]}"#, "unknown field `occurrence`"),
    ];
    for (answer, expected) in cases {
        refused(&answering(&[answer]), expected);
    }
    // Of a long line only the beginning is shown.
    refused(&answering(&[&"x".repeat(5000)]), &format!("in `{}...`: write", "x".repeat(120)));
}

#[test]
fn greetings_of_the_wrong_kind_are_refused() {
    let greets = |greeting: &str| shell(&format!("read l; echo '{greeting}'; read l"));
    let cases = [
        ("Welcome to the SDK", "in `Welcome to the SDK`: write one JSON object a line"),
        (
            r#"{"protocol":"burn-quantum/2","name":"x"}"#,
            r#"it speaks "burn-quantum/2", this version "burn"#,
        ),
        (r#"{"name":"x"}"#, "it speaks null"),
        (r#"{"protocol":"burn-quantum/1"}"#, "missing field `name`"),
        (r#"{"protocol":"burn-quantum/1","name":"x","max_reads":0}"#, "say 1 or more"),
        (r#"{"protocol":"burn-quantum/1","name":"x","takes":"qubo"}"#, "unknown variant `qubo`"),
        (r#"{"protocol":"burn-quantum/1","name":"x","max_spin":9}"#, "unknown field `max_spin`"),
        (r#"{"error":"no licence"}"#, "the device (sh): no licence"),
    ];
    for (greeting, expected) in cases {
        refused(&greets(greeting), expected);
    }
}

#[test]
fn a_program_that_cannot_start_is_named() {
    let device = ProcessDevice::new(Command::new("/no/such/program"));
    let error = device.info().unwrap_err();
    assert!(error.is_unavailable(), "{error}");
    let text = error.to_string();
    assert!(
        text.contains("the device (/no/such/program): the program cannot be started"),
        "{text}"
    );
}

#[test]
fn a_dead_program_leaves_its_status_and_its_last_words() {
    let cases = [
        shell("echo 'no module named kaiwu' >&2; exit 3"),
        greeted("echo 'no module named kaiwu' >&2; exit 3"),
        greeted("printf '{\"id\":1,'; echo 'no module named kaiwu' >&2; exit 3"),
    ];
    for device in cases {
        let error = error_of(&device);
        let text = error.to_string();
        assert!(error.is_unavailable() && text.contains("closed its pipes"), "{text}");
        let last_words =
            "ended with exit status: 3; its standard error ends: no module named kaiwu";
        assert!(text.contains(last_words), "{text}");
    }
    let error = error_of(&greeted("exit 0")).to_string();
    assert!(error.contains("exit status: 0; nothing on its standard error"), "{error}");
}

#[test]
fn a_flood_of_standard_error_does_not_block_and_only_its_end_is_shown() {
    let flood = "i=0; while [ $i -lt 3000 ]; do \
        echo 'a warning of some sixty characters, as libraries like to write' >&2; \
        i=$((i + 1)); done";
    let answer = r#"{"id":1,"spins":[[1,1]],"occurrences":[3]}"#;
    let device = greeted(&format!("{flood}; echo '{answer}'; read l"));
    assert_eq!(device.sample(&pair(), 3).unwrap().n_reads(), 3);
    let text = error_of(&greeted(&format!("{flood}; echo the end >&2"))).to_string();
    assert!(text.len() < 2500 && text.ends_with("the end"), "{text}");
}

#[test]
fn an_endless_flood_ends_in_time() {
    let device = greeted("yes >&2").with_time(Duration::from_millis(300));
    let start = Instant::now();
    let error = error_of(&device);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert!(error.is_unavailable() && error.to_string().contains("no answer within"), "{error}");
}

#[test]
fn a_program_may_say_why_before_it_listens() {
    for _ in 0..20 {
        refused(&shell("echo '{\"error\":\"no licence\"}'; exit 1"), "(sh): no licence");
    }
}

/// Whether a process runs; a zombie does not.
fn is_running(pid: &str) -> bool {
    let state = Command::new("ps").args(["-o", "stat=", "-p", pid]).output().unwrap().stdout;
    !matches!(state.first(), None | Some(b'Z'))
}

/// The numbers of a program and of one that it started, once it has noted both.
fn noted(path: &Path) -> Vec<String> {
    let start = Instant::now();
    loop {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        if text.ends_with('\n') {
            return text.split_whitespace().map(String::from).collect();
        }
        assert!(start.elapsed() < Duration::from_secs(10), "nothing noted");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn check_gone(path: &Path) {
    let pids = noted(path);
    assert_eq!(pids.len(), 2);
    let start = Instant::now();
    // Who was not waited for here is waited for by another process, soon.
    while pids.iter().any(|pid| is_running(pid)) {
        assert!(start.elapsed() < Duration::from_secs(5), "{pids:?} still run");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn silence_ends_in_time_and_so_does_the_program_with_what_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pids");
    let note = format!("sleep 1000 & echo $$ $! >{}; wait", path.display());
    let silent = [
        note.clone(),
        format!("read l; echo '{GREETING}'; read l; {note}"),
        // Deaf as well: the request does not fit into the pipe.
        format!("read l; echo '{GREETING}'; {note}"),
    ];
    for script in silent {
        // On a busy machine a program may be killed before it has noted anything.
        let mut time = Duration::from_millis(300);
        while !std::fs::read(&path).is_ok_and(|text| text.ends_with(b"\n")) {
            assert!(time < Duration::from_secs(60), "nothing noted");
            let start = Instant::now();
            let error = shell(&script).with_time(time).sample(&random(200, 1), 3).unwrap_err();
            assert!(start.elapsed() < time + Duration::from_secs(5), "{:?}", start.elapsed());
            let expected = format!("no answer within {} s", time.as_secs_f64());
            assert!(error.is_unavailable() && error.to_string().contains(&expected), "{error}");
            // We have killed it, which is no news to us.
            assert!(!error.to_string().contains("it ended with"), "{error}");
            time *= 3;
        }
        check_gone(&path);
        std::fs::remove_file(&path).unwrap();
    }
}

#[test]
fn a_dropped_device_is_a_dead_program() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pids");
    let note = format!("sleep 1000 & echo $$ $! >{}; wait", path.display());
    let device = shell(&format!("read l; echo '{GREETING}'; {note}"));
    device.info().unwrap();
    assert!(noted(&path).iter().all(|pid| is_running(pid)));
    drop(device);
    check_gone(&path);
}

#[test]
fn a_wait_is_cancelled() {
    let switch = Cancellation::default();
    let device = greeted("sleep 1000").with_cancellation(switch.clone());
    let start = Instant::now();
    let error = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(200));
            switch.cancel();
        });
        device.sample(&pair(), 3).unwrap_err()
    });
    assert!(error.is_cancelled(), "{error}");
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn a_closed_input_is_a_broken_pipe_and_not_the_end_of_this_program() {
    let device = shell(&format!("read l; echo '{GREETING}'; exec 0<&-; echo deaf >&2; sleep 1000"));
    let start = Instant::now();
    let error = device.sample(&random(300, 1), 3).unwrap_err();
    // Who does not listen is not waited for as long as who may still answer.
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
    let text = error.to_string();
    assert!(error.is_unavailable() && text.contains("closed its pipes"), "{text}");
    assert!(text.ends_with("its standard error ends: deaf"), "{text}");
}

#[test]
fn a_line_without_end_is_refused() {
    for write in ["yes | tr -d '\\n'", "cat /dev/zero"] {
        let start = Instant::now();
        refused(&greeted(write), "a line of more than");
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    }
}

#[test]
fn chatter_is_refused_when_it_is_read() {
    let answer = r#"{"id":1,"spins":[[1,1]],"occurrences":[3]}"#;
    let device = answering(&[&format!("{answer}\n{answer}")]);
    assert_eq!(device.sample(&pair(), 3).unwrap().n_reads(), 3);
    // Its second line is seen before the request is written, or after.
    refused(&device, "it answer");
    let device = shell(&format!("printf '{GREETING}\n{answer}\n'; cat"));
    let error = device.sample(&random(300, 1), 3).unwrap_err().to_string();
    assert!(error.contains("answered before it had read the request"), "{error}");
}

#[test]
fn a_failure_of_the_device_is_not_the_end_of_the_program() {
    let good = r#"{"id":2,"spins":[[1,1]],"occurrences":[3]}"#;
    let device = answering(&[r#"{"id":1,"error":"under maintenance"}"#, good]);
    refused(&device, "fake (sh): under maintenance");
    assert_eq!(device.sample(&pair(), 3).unwrap().n_reads(), 3);
}

#[test]
fn after_a_failure_the_program_is_started_again() {
    let folder = tempfile::tempdir().unwrap();
    let flag = folder.path().join("flag");
    let good = r#"{"id":1,"spins":[[1,1]],"occurrences":[3]}"#;
    let flag = flag.display();
    let device = greeted(&format!("if test -e {flag}; then echo '{good}'; else touch {flag}; fi"));
    assert!(error_of(&device).is_unavailable());
    assert_eq!(device.sample(&pair(), 3).unwrap().n_reads(), 3);
}

#[test]
fn limits_of_the_program_are_kept() {
    let limited = |form: &str| {
        let greeting = format!(
            r#"{{"protocol":"burn-quantum/1","name":"small","takes":"{form}","max_spins":2,"max_reads":3}}"#
        );
        let reads = "grep -o '\"num_reads\":[0-9]*' | cut -d: -f2";
        let answer = r#"printf '{"id":%s,"spins":[[1,1]],"occurrences":[%s]}\n' $id $n"#;
        shell(&format!(
            "read l; echo '{greeting}'; id=1; \
             while read l; do n=$(echo \"$l\" | {reads}); {answer}; id=$((id + 1)); done"
        ))
    };
    let device = limited("ising");
    let set = device.sample(&pair(), 8).unwrap();
    assert_eq!(set.iter().map(|sample| sample.count).collect::<Vec<_>>(), [3, 3, 2]);
    assert_eq!([0, 1, 3, 4, 8].map(|n| device.n_requests(5, n).unwrap()), [0, 5, 5, 10, 15]);
    let error = device.sample(&random(3, 1), 1).unwrap_err();
    assert!(error.is_size_limit(), "{error}");
    let text = error.to_string();
    assert!(text.contains("3 spins do not fit small, which takes 2"), "{text}");
    assert_eq!(device.sample(&pair(), 3).unwrap().n_reads(), 3, "it goes on");
    // Two spins and their field.
    assert!(limited("int8").sample(&pair(), 1).unwrap_err().is_size_limit());
}

#[test]
fn secrets_in_the_environment_are_not_shown() {
    let mut command = Command::new("sh");
    command.env("TOKEN", "DEV-c0ffee").args(["-c", "exit 1"]);
    let device = ProcessDevice::new(command);
    let error = error_of(&device);
    assert!(!format!("{device:?} {error} {error:?}").contains("c0ffee"));
}
