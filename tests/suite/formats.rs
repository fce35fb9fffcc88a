//! Files: what other programs wrote, round trips, and malformed input.

use crate::common::rng;
use burn_quantum::Error;
use burn_quantum::ising::formats::bqm::{self, Label};
use burn_quantum::ising::formats::{Model, Vartype, beasley, coo, gset, qbsolv};
use burn_quantum::ising::{Ising, MaxCut, Qubo};
use rand::RngExt;
use rand::rngs::StdRng;

fn values(n: usize, k: usize, of: [i8; 2]) -> Vec<i8> {
    (0..n).map(|i| of[k >> i & 1]).collect()
}

fn bits(n: usize, k: usize) -> Vec<u8> {
    (0..n).map(|i| (k >> i & 1) as u8).collect()
}

fn entries(rng: &mut StdRng, n: usize) -> Vec<(usize, usize, f64)> {
    let pairs = (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j)));
    let kept: Vec<_> = pairs.filter(|_| rng.random_range(0..3) == 0).collect();
    let values = [0.1, -1e-17, 2.5e300, -3.0, 1.0 / 3.0];
    kept.into_iter().map(|(i, j)| (i, j, values[rng.random_range(0..values.len())])).collect()
}

fn random_ising(seed: u64, n: usize) -> Ising {
    let mut rng = rng(seed);
    let fields = (0..n).map(|_| rng.random_range(-1.0..1.0) * f64::from(rng.random_range(0..2)));
    let fields = fields.collect();
    Ising::sparse(fields, entries(&mut rng, n), [0.0, 0.1, -7.0][seed as usize % 3]).unwrap()
}

fn random_qubo(seed: u64, n: usize, offset: f64) -> Qubo {
    let mut rng = rng(seed);
    let diagonal: Vec<_> = (0..n).step_by(2).map(|i| (i, i, rng.random_range(-9.0..9.0))).collect();
    Qubo::sparse(n, diagonal.into_iter().chain(entries(&mut rng, n)), offset).unwrap()
}

fn written(write: impl FnOnce(&mut Vec<u8>) -> Result<(), Error>) -> Vec<u8> {
    let mut text = Vec::new();
    write(&mut text).unwrap();
    text
}

/// The error's place and reason, both expected words.
fn refused<T>(result: Result<T, Error>, words: &[&str]) {
    let Err(error) = result else { panic!("must be refused: {words:?}") };
    let message = error.to_string();
    assert!(error.is_syntax(), "{message}");
    assert!(words.iter().all(|word| message.contains(word)), "{message}");
}

#[test]
fn every_format_reads_back_what_it_wrote() {
    for seed in 0..20 {
        let n = seed as usize;
        let graph = MaxCut::new(n, entries(&mut rng(seed), n)).unwrap();
        assert_eq!(gset::read(&written(|w| gset::write(&graph, w))[..]).unwrap(), graph);

        let qubo = random_qubo(seed, n, [0.0, -2.25][n % 2]);
        assert_eq!(qbsolv::read(&written(|w| qbsolv::write(&qubo, w))[..]).unwrap(), qubo);

        let problems = [random_qubo(seed, n, 0.0), random_qubo(seed + 100, 3, 0.0)];
        let text = written(|w| beasley::write(&problems, w));
        assert_eq!(beasley::read(&text[..]).unwrap(), problems);

        for model in [Model::from(random_ising(seed, n)), Model::from(qubo)] {
            let text = written(|w| coo::write(&model, w));
            assert_eq!(coo::read(&text[..], None).unwrap(), model);
            let read = bqm::read(&written(|w| bqm::write(&model, None, w))[..]).unwrap();
            assert_eq!(read.model, model);
            let numbers: Vec<_> = (0..n as i64).map(Label::Integer).collect();
            assert_eq!(read.labels, numbers);
        }
    }
}

#[test]
fn files_of_dimod_have_the_energies_of_dimod() {
    let read = bqm::read(&include_bytes!("../data/models/dimod_binary.json")[..]).unwrap();
    let tuple = Label::Tuple(vec![Label::Text("x".into()), Label::Integer(1)]);
    let text = |text: &str| Label::Text(text.into());
    assert_eq!(read.labels, [text("a"), text("b"), Label::Integer(3), tuple]);
    let qubo = read.model.to_qubo().unwrap();
    let energies =
        [2.5, 4.0, 0.5, 2.5, 2.75, 4.25, -0.5, 1.5, 2.5, 6.0, 0.5, 4.5, 2.85, 6.35, -0.4, 3.6];
    for (k, expected) in energies.into_iter().enumerate() {
        assert!((qubo.energy(&bits(4, k)) - expected).abs() < 1e-15, "{k}");
    }

    let json = bqm::read(&include_bytes!("../data/models/dimod_spin.json")[..]).unwrap().model;
    let list = coo::read(&include_bytes!("../data/models/dimod_spin.coo")[..], None).unwrap();
    let energies = [
        1.375, 0.375, -2.625, -7.625, -1.625, -2.625, 6.375, 1.375, 0.125, 1.125, -3.875, -6.875,
        -2.875, -1.875, 5.125, 2.125,
    ];
    assert_eq!((json.vartype(), list.vartype()), (Vartype::Spin, Vartype::Spin));
    let (json, list) = (json.to_ising().unwrap(), list.to_ising().unwrap());
    for (k, expected) in energies.into_iter().enumerate() {
        let spins = values(4, k, [1, -1]);
        assert_eq!(json.energy(&spins), expected);
        assert_eq!(list.energy(&spins) - 0.75, expected, "COO has no offset");
    }
}

#[test]
fn cuts_and_energies_of_a_graph_agree() {
    let edges = [(0, 1, 3.0), (1, 2, -1.0), (3, 0, 2.0), (2, 3, 1.0), (0, 1, 1.0), (1, 3, 0.0)];
    let graph = MaxCut::new(5, edges).unwrap();
    assert_eq!((graph.n_vertices(), graph.n_edges(), graph.total_weight()), (5, 4, 6.0));
    let ising = graph.to_ising();
    for k in 0..32 {
        let s = values(5, k, [-1, 1]);
        let sum: f64 = edges.iter().map(|&(i, j, w)| w * f64::from(s[i] * s[j])).sum();
        assert_eq!(graph.cut(&s), (6.0 - sum) / 2.0);
        assert_eq!(graph.cut_of_energy(ising.energy(&s)), graph.cut(&s));
    }
    let message = |edge| MaxCut::new(5, [edge]).unwrap_err().to_string();
    assert!(message((2, 2, 1.0)).contains("edge (2, 2) = 1"));
    assert!(message((2, 5, 1.0)).contains("5 vertices"));
}

#[test]
fn malformed_graphs_are_refused_with_the_line() {
    let read = |text: &str| gset::read(text.as_bytes());
    refused(read(""), &["G-set, line 0", "empty", "n m"]);
    refused(read("3\n"), &["line 1", "`3`", "`n m`"]);
    refused(read("3 -1\n"), &["line 1", "edges `-1`", "whole number"]);
    refused(read("3 99999999999999999999999\n"), &["line 1", "whole number"]);
    refused(read("3 1\n\n1 2\n"), &["line 3", "`1 2`", "`i j w`"]);
    refused(read("3 1\n1 2 1 1\n"), &["line 2", "`i j w`"]);
    refused(read("3 1\n0 2 1\n"), &["line 2", "vertex 0", "1 to 3"]);
    refused(read("3 1\n1 4 1\n"), &["line 2", "vertex 4", "1 to 3"]);
    refused(read("3 1\n2 2 1\n"), &["line 2", "(2, 2)", "loop", "leave it out"]);
    refused(read("3 1\n1 2 x\n"), &["line 2", "weight `x`", "number"]);
    refused(read("3 1\n1 2 NaN\n"), &["line 2", "`NaN`", "finite"]);
    refused(read("3 1\n1 2 1e999\n"), &["line 2", "finite"]);
    refused(read("3 2\n1 2 1\n"), &["line 2", "1 of 2 edges"]);
    refused(read("3 1\n1 2 1\n2 3 1\n"), &["line 3", "1 edges", "another"]);
    refused(read("3 3\n1 2 1\n1 3 1\n2 1 1\n"), &["line 4", "(1, 2)", "line 2 already"]);
    refused(read("4000000000 0\n"), &["4000000000 variables", "limit", "renumber"]);
    refused(read("1 18446744073709551615\n"), &["0 of 18446744073709551615"]);
    refused(gset::read(&b"\x1f\x8b\x08\n"[..]), &["line 1", "UTF-8", "compressed"]);
    refused(gset::read(&vec![b'1'; 1 << 17][..]), &["line 1", "longer than"]);
    assert!(read("0 0\n").is_ok() && read("3 1\r\n1 2 -0.5\r\n\r\n").is_ok());
}

#[test]
fn malformed_qubo_files_are_refused_with_the_line() {
    let read = |text: &str| qbsolv::read(text.as_bytes());
    refused(read("c nothing\n"), &["line 1", "ends without", "p qubo"]);
    refused(read("0 0 1\n"), &["line 1", "before any entry"]);
    refused(read("p qubo 0 2 1\n"), &["line 1", "maxNodes"]);
    refused(read("p cnf 0 2 1 0\n"), &["line 1", "`qubo`"]);
    refused(read("p qubo 0 2 0 0\np qubo 0 2 0 0\n"), &["line 2", "second"]);
    refused(read("p qubo 0 2 1 0\n2 2 1\n"), &["line 2", "variable 2", "0 to 1"]);
    refused(read("p qubo 0 2 1 1\n0 1 1\n"), &["line 2", "(0, 1) is a coupler", "1 nodes"]);
    refused(read("p qubo 0 2 1 1\n0 0 1\n1 1 1\n"), &["line 3", "(1, 1) is a node"]);
    refused(read("p qubo 0 2 0 1\n1 0 1\n"), &["line 2", "i < j", "swap"]);
    refused(read("p qubo 0 2 1 0\n0 0 1\n1 1 1\n"), &["line 3", "another"]);
    refused(read("p qubo 0 2 2 0\n0 0 1\n0 0 1\n"), &["line 3", "(0, 0)", "line 2 already"]);
    refused(read("p qubo 0 2 1 1\n0 0 1\n"), &["after 1 entries", "1 couplers"]);
    refused(read("p qubo 0 2 18446744073709551615 2\n0 0 1\n"), &["after 1 entries"]);
    refused(read("p qubo 0 2 0 18446744073709551615\n0 1 1\n"), &["after 1 entries"]);
    refused(read("p qubo 0 9999999999 0 0\n"), &["9999999999 variables", "limit"]);
    refused(read("c offset x\n"), &["line 1", "offset `x`"]);
    let sparse =
        read("c any\np qubo unconstrained 4 1 1\nc\n2 2 99.0\nc links\n0 3 78.0\n").unwrap();
    assert_eq!((sparse.n_variables(), sparse.energy(&[1, 0, 1, 1])), (4, 177.0));
}

#[test]
fn malformed_lists_are_refused_with_the_line() {
    let read = |text: &str| coo::read(text.as_bytes(), None);
    refused(read("0 0 1\n"), &["line 1", "no vartype", "# vartype=SPIN"]);
    refused(read("# vartype=QUBIT\n"), &["line 1", "QUBIT", "SPIN or BINARY"]);
    refused(read("# vartype=SPIN\n# vartype=BINARY\n"), &["line 2", "contradicts"]);
    refused(coo::read("# vartype=SPIN\n".as_bytes(), Some(Vartype::Binary)), &["contradicts"]);
    refused(read("# vartype=SPIN\n0 1\n"), &["line 2", "`0 1`", "`i j bias`"]);
    refused(read("# vartype=SPIN\na 1 1\n"), &["line 2", "variable `a`"]);
    refused(read("# vartype=SPIN\n0 1 inf\n"), &["line 2", "finite"]);
    refused(read("# vartype=SPIN\n0 4000000000 1\n"), &["4000000001 variables", "limit"]);
    let twice = read("# vartype: SPIN, by hand\n").unwrap_err();
    assert!(twice.to_string().contains("SPIN,"));
    let model = read("# made by us\n# vartype=SPIN\n# offset=2\n0 1 1\n1 0 1\n2 2 -1\n2 2 -1\n");
    let expected = Ising::sparse(vec![0.0, 0.0, -2.0], [(0, 1, 2.0)], 2.0).unwrap();
    assert_eq!(model.unwrap(), Model::Ising(expected));
}

#[test]
fn malformed_problem_lists_are_refused_with_the_line() {
    let read = |text: &str| beasley::read(text.as_bytes());
    refused(read(""), &["line 0", "number of problems"]);
    refused(read("2\n1 0\n"), &["line 2", "1 of 2 problems"]);
    refused(read("1\n1 0\n1 0\n"), &["line 3", "1 problems", "more"]);
    refused(read("1\n2 2\n1 1 1\n"), &["line 3", "1 of 2 entries"]);
    refused(read("1\n2 1\n0 1 1\n"), &["line 3", "variable 0", "1 to 2"]);
    refused(read("1\n2 2\n1 2 1\n2 1 1\n"), &["line 4", "(1, 2)", "line 3 already"]);
    refused(read("9\n500000 0\n500000 0\n500000 0\n"), &["line 4", "1500000 variables"]);
    let offset = beasley::write(&[random_qubo(0, 2, 1.0)], Vec::new()).unwrap_err();
    assert!(offset.to_string().contains("offset"));
}

#[test]
fn malformed_json_is_refused_with_the_place() {
    let good = include_str!("../data/models/dimod_spin.json");
    let with = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        bqm::read(good.replacen(from, to, 1).as_bytes())
    };
    refused(bqm::read("".as_bytes()), &["line 1", "EOF"]);
    refused(bqm::read("{\n}".as_bytes()), &["line 2, column 1", "missing field", "json.dumps"]);
    refused(with("\"BinaryQ", "\"Q"), &["BQM JSON, type", "QuadraticModel`"]);
    refused(with("3.0.0", "1.0.0"), &["version", "1.0.0", "3.0.0"]);
    refused(with("\"use_bytes\": false", "\"use_bytes\": true"), &["use_bytes=False"]);
    refused(with("SPIN", "INTEGER"), &["variable_type", "INTEGER"]);
    refused(with("num_variables\": 4", "num_variables\": 5"), &["variable_labels", "4", "5"]);
    refused(with("[0, 0, 1]", "[0, 0]"), &["quadratic_head", "2 entries", "3"]);
    refused(with("[1, 3, 2]", "[1, 4, 2]"), &["quadratic_tail[1]", "4", "4 variables"]);
    refused(with("[1, 3, 2]", "[1, -3, 2]"), &["line 1, column", "-3"]);
    refused(with("[1, 3, 2]", "[1, 0, 2]"), &["interaction 1", "variable 0 to itself"]);
    refused(with("0.125]", "NaN]"), &["line 1, column"]);
    refused(with("0.125]", "1e999]"), &["line 1, column", "range"]);
    refused(with("[0, 1, 2, 3]", "[0, 1, 2, 1]"), &["variable_labels[3]", "already"]);
    refused(with("[0, 1, 2, 3]", "[0, 1, 2, null]"), &["line 1, column"]);
    refused(bqm::read("[".repeat(100_000).as_bytes()), &["line 1"]);
    refused(with("[0, 1, 2, 3]", &"[".repeat(100_000)), &["line 1"]);
    assert!(with("3.0.0", "2.0.0").is_ok());
    let model = Model::from(random_ising(0, 2));
    let twice = [Label::Integer(1), Label::Integer(1)];
    assert!(bqm::write(&model, Some(&twice), Vec::new()).unwrap_err().is_syntax());
    assert!(bqm::write(&model, Some(&twice[1..]), Vec::new()).is_err());
}

/// A reader or writer that fails half-way.
struct Broken(usize);

impl std::io::Read for Broken {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let text = b"3 1\n1 2 1\n# vartype=SPIN\n";
        if self.0 == text.len() {
            return Err(std::io::Error::other("the disk is gone"));
        }
        buffer[0] = text[self.0];
        self.0 += 1;
        Ok(1)
    }
}

impl std::io::Write for Broken {
    fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
        Err(std::io::Error::other("the disk is gone"))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn failures_of_the_medium_are_not_called_syntax() {
    let graph = MaxCut::new(2, [(0, 1, 1.0)]).unwrap();
    let model = Model::from(graph.to_ising());
    let buffered = || std::io::BufReader::new(Broken(10));
    let errors = [
        coo::read(buffered(), None).unwrap_err(),
        bqm::read(std::io::BufReader::new(Broken(25))).unwrap_err(),
        gset::write(&graph, Broken(0)).unwrap_err(),
        coo::write(&model, Broken(0)).unwrap_err(),
        bqm::write(&model, None, Broken(0)).unwrap_err(),
    ];
    for error in errors {
        let message = error.to_string();
        assert!(message.contains("the disk is gone"), "{message}");
        assert!(error.is_io() && !error.is_syntax(), "{message}");
    }
}

/// Random edits of good files: no reader may panic, and what it takes must survive a round trip.
#[test]
fn mutated_files_are_read_or_refused() {
    let graph = MaxCut::new(6, entries(&mut rng(5), 6)).unwrap();
    let (qubo, ising) = (random_qubo(6, 6, 1.0), Model::from(random_ising(7, 6)));
    let seeds = [
        written(|w| gset::write(&graph, w)),
        written(|w| qbsolv::write(&qubo, w)),
        written(|w| coo::write(&ising, w)),
        written(|w| beasley::write(&[random_qubo(8, 4, 0.0)], w)),
        written(|w| bqm::write(&ising, None, w)),
    ];
    let words: [&[u8]; 12] = [
        b"-",
        b"0",
        b"999999999999",
        b" ",
        b"\n",
        b"nan",
        b"1e308",
        b"\xff",
        b"p qubo 0 9 9 9\n",
        b"# vartype=BINARY\n",
        b"{\"a\":[",
        b".5",
    ];
    let mut rng = rng(2026);
    let mut n_taken = 0;
    for round in 0..20_000 {
        let mut text = seeds[round % seeds.len()].clone();
        for _ in 0..rng.random_range(1..4) {
            let at = rng.random_range(0..=text.len());
            let word = words[rng.random_range(0..words.len())];
            match rng.random_range(0..5) {
                0 => text.truncate(at),
                1 => drop(text.splice(at..at, word.iter().copied())),
                2 => {
                    let end = (at + rng.random_range(0..4)).min(text.len());
                    text.drain(at..end);
                }
                3 => text.iter_mut().skip(at).take(1).for_each(|byte| *byte = rng.random()),
                _ => text.iter_mut().skip(at).take(1).for_each(|byte| *byte = b'0' + *byte % 10),
            }
        }
        if let Ok(graph) = gset::read(&text[..]) {
            assert_eq!(gset::read(&written(|w| gset::write(&graph, w))[..]).unwrap(), graph);
            n_taken += 1;
        }
        if let Ok(qubo) = qbsolv::read(&text[..]) {
            assert_eq!(qbsolv::read(&written(|w| qbsolv::write(&qubo, w))[..]).unwrap(), qubo);
            n_taken += 1;
        }
        if let Ok(model) = coo::read(&text[..], None) {
            let text = written(|w| coo::write(&model, w));
            assert_eq!(coo::read(&text[..], None).unwrap(), model);
            n_taken += 1;
        }
        if let Ok(problems) = beasley::read(&text[..]) {
            let text = written(|w| beasley::write(&problems, w));
            assert_eq!(beasley::read(&text[..]).unwrap(), problems);
            n_taken += 1;
        }
        if let Ok(read) = bqm::read(&text[..]) {
            let text = written(|w| bqm::write(&read.model, Some(&read.labels), w));
            assert_eq!(bqm::read(&text[..]).unwrap(), read);
            n_taken += 1;
        }
    }
    assert!(n_taken > 1000, "{n_taken} edits left a good file");
}
