//! The client of the Solver API by itself.

use super::{annealer, client, server};
use burn_quantum::annealing::Cancellation;
use burn_quantum::hardware::sapi::{
    Client, Coefficients, JobId, Problem, ProblemData, ProblemKind, Server, Solver,
};
use burn_quantum::hardware::{Topology, Transport};
use std::sync::Arc;

fn on(transport: impl Transport + 'static) -> (Client, Solver) {
    let client = client("http://localhost/").with_transport(Arc::new(transport));
    let solver = client.find_solver(|_| true).unwrap();
    (client, solver)
}

fn queue() -> Server {
    server(Topology::chimera(1).unwrap(), annealer()).with_queue()
}

/// `-x_0 - x_4 + 2 x_0 x_4`, or the same coefficients over spins.
fn problem(solver: &Solver, kind: ProblemKind, n_reads: usize) -> Problem {
    let mut coefficients = Coefficients::inactive(&solver.graph);
    (coefficients.linear[0], coefficients.linear[4]) = (-1.0, -1.0);
    coefficients.quadratic[solver.graph.coupler(0, 4).unwrap()] = 2.0;
    Problem {
        solver: solver.identity.clone(),
        kind,
        label: Some("client".into()),
        params: [("num_reads".to_string(), n_reads.into())].into_iter().collect(),
        data: ProblemData::encode(&solver.graph, &coefficients),
    }
}

#[test]
fn qubo_and_ising_problems_have_their_own_ground_states() {
    let (client, solver) = on(server(Topology::chimera(1).unwrap(), annealer()));
    for (kind, ground, states) in [
        (ProblemKind::Qubo, -1.0, vec![[-1, 1], [1, -1]]),
        (ProblemKind::Ising, -2.0, vec![[-1, 1], [1, -1]]),
    ] {
        let jobs = client.submit(&[problem(&solver, kind, 30)]);
        let jobs: Vec<JobId> = jobs.into_iter().map(Result::unwrap).collect();
        let answer = client.wait(&solver, &jobs).remove(0).unwrap();
        assert_eq!((&answer.active[..], answer.energies[0]), (&[0, 4][..], ground));
        assert!(states.iter().any(|state| answer.spins[..2] == state[..]), "{answer:?}");
        assert_eq!(answer.counts.iter().sum::<usize>(), 30);
    }
}

#[test]
fn each_problem_of_many_gets_its_own_answer_or_error() {
    let (client, solver) = on(server(Topology::chimera(1).unwrap(), annealer()));
    // Every seventh asks for more reads than the server makes.
    let n_reads = |k: usize| if k % 7 == 6 { 10_001 } else { k + 1 };
    let problems: Vec<Problem> =
        (0..50).map(|k| problem(&solver, ProblemKind::Ising, n_reads(k))).collect();
    let jobs = client.submit(&problems);
    assert_eq!(jobs.len(), 50);
    let taken: Vec<(usize, JobId)> = jobs
        .into_iter()
        .enumerate()
        .filter_map(|(k, job)| match job {
            Ok(job) => Some((k, job)),
            Err(error) => {
                assert!(k % 7 == 6 && error.to_string().contains("between 1 and 10000"), "{error}");
                None
            }
        })
        .collect();
    assert_eq!(taken.len(), 43);
    let ids: Vec<JobId> = taken.iter().map(|(_, id)| id.clone()).collect();
    for ((k, _), answer) in taken.iter().zip(client.wait(&solver, &ids)) {
        assert_eq!(answer.unwrap().counts.iter().sum::<usize>(), n_reads(*k));
    }
}

#[test]
fn jobs_are_cancelled_once_and_finished_ones_are_not() {
    let server = Arc::new(queue());
    let client = client("http://localhost/").with_transport(server.clone());
    let solver = client.solver("local").unwrap();
    let problems = [(); 2].map(|()| problem(&solver, ProblemKind::Ising, 5));
    let jobs: Vec<JobId> = client.submit(&problems).into_iter().map(Result::unwrap).collect();
    client.cancel(&jobs[..1])[0].as_ref().unwrap();
    let error = client.wait(&solver, &jobs[..1]).remove(0).unwrap_err();
    assert!(error.to_string().contains("the job was cancelled"), "{error}");
    assert_eq!(error.job_id(), Some(jobs[0].0.as_str()));

    let stop = Cancellation::default();
    std::thread::scope(|scope| {
        scope.spawn(|| server.work(&stop));
        client.wait(&solver, &jobs[1..]).remove(0).unwrap();
        stop.cancel();
    });
    let error = client.cancel(&jobs[1..]).remove(0).unwrap_err();
    assert!(error.to_string().contains("status 409, Problem has been finished"), "{error}");
    let info = client.info(&jobs[1]).unwrap();
    assert_eq!(
        (&info["metadata"]["label"], &info["params"]["num_reads"]),
        (&"client".into(), &5.into())
    );
}

#[test]
fn solvers_that_do_not_fit_are_named() {
    let (client, _) = on(queue());
    let error = client.find_solver(|solver| solver.graph.qubits().len() > 8).unwrap_err();
    assert!(error.to_string().contains("of: local (ONLINE)"), "{error}");
    let error = client.solver("a b/c").unwrap_err();
    assert!(error.to_string().contains("solvers/remote/a%20b%2Fc: status 404"), "{error}");
}

#[test]
fn a_problem_for_another_graph_or_solver_is_refused() {
    let (client, solver) = on(queue());
    let right = problem(&solver, ProblemKind::Ising, 1);
    let mut other = right.clone();
    other.solver.name = "other".into();
    let mut unknown = right.clone();
    unknown.params.insert("annealing_time".into(), 1.into());
    let mut short = right.clone();
    short.data.quad.clear();
    for (problem, reason) in [
        (other, "Solver does not exist"),
        (unknown, "unknown parameter annealing_time"),
        (short, "quad has 0 values, expected 1"),
    ] {
        let error = client.submit(&[problem]).remove(0).unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
    }
}
