"""D-Wave's own programs against ours.

`sapi_peer.py server BINARY` runs the example `sapi_server` under dwave-cloud-client and dwave-system.
`sapi_peer.py embeddings FILE` checks embeddings of complete graphs, by dwave.embedding.
"""

import itertools
import json
import os
import random
import subprocess
import sys
import time
import warnings

warnings.simplefilter("ignore", DeprecationWarning)

import dimod
import dwave.graphs
import dwave.embedding
from dwave.cloud import Client
from dwave.cloud.api import Problems, Solvers, models
from dwave.cloud.coders import encode_problem_as_qp
from dwave.cloud.exceptions import CanceledFutureError, SolverAuthenticationError, SolverFailureError
from dwave.cloud.solver import StructuredSolver
from dwave.system import DWaveCliqueSampler, DWaveSampler, EmbeddingComposite

for name in [name for name in os.environ if name.startswith("DWAVE_")]:
    del os.environ[name]

GENERATORS = {
    "chimera": lambda shape: dwave.graphs.chimera_graph(*shape),
    "pegasus": lambda shape: dwave.graphs.pegasus_graph(*shape),
    "zephyr": lambda shape: dwave.graphs.zephyr_graph(*shape),
}
TOKEN = "token-of-the-test"


class Server:
    """The example, on a port of its own."""

    def __init__(self, binary, *arguments):
        environment = dict(os.environ, SAPI_SERVER_TOKEN=TOKEN)
        command = [binary, "--port", "0", *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        word, self.endpoint = self.process.stdout.readline().split()
        assert word == "endpoint"

    def __enter__(self):
        return {"endpoint": self.endpoint, "token": TOKEN, "config_file": False}

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def lowest(bqm):
    return dimod.ExactSolver().sample(bqm).first.energy


def check(sampleset, bqm, reads):
    """Energies are those of the model, no read is lost, and the optimum is found."""
    assert sampleset.record.num_occurrences.sum() == reads, sampleset
    for datum in sampleset.data(["sample", "energy"]):
        assert abs(bqm.energy(datum.sample) - datum.energy) < 1e-9, datum
    assert abs(sampleset.first.energy - lowest(bqm)) < 1e-9, (sampleset.first, lowest(bqm))


def cloud_client(connection, strategy):
    rng = random.Random(0)
    with Client(**connection, poll_strategy=strategy) as client:
        solver = client.get_solver(topology__type="chimera")
        h = {q: rng.uniform(-1, 1) for q in (0, 1, 4, 5)}
        j = {(u, v): rng.uniform(-1, 1) for u in (0, 1) for v in (4, 5)}
        for mode in ("histogram", "raw"):
            future = solver.sample_ising(h, j, num_reads=50, label="ours", answer_mode=mode)
            check(future.sampleset, dimod.BQM.from_ising(h, j), 50)
            assert future.label == "ours" and future.timing["qpu_access_time"] > 0
            assert mode == "histogram" or len(future.sampleset) == 50
        q = {(0, 0): -1, (4, 4): -1, (0, 4): 2.0}
        check(solver.sample_qubo(q, num_reads=20).sampleset, dimod.BQM.from_qubo(q), 20)
        many = [solver.sample_ising({0: 1.0}, {}, num_reads=1 + k) for k in range(50)]
        for k, future in enumerate(many):
            assert future.sampleset.record.num_occurrences.sum() == 1 + k
        try:
            solver.sample_ising({0: 1.0}, {}, num_reads=100000).result()
            raise SystemExit("too many reads were not refused")
        except SolverFailureError as error:
            assert "num_reads must be between 1 and 10000" in str(error), error


def cancel(connection):
    with Client(**connection) as client:
        solver = client.get_solver()
        slow = solver.sample_ising({q: 0.1 for q in solver.nodes}, {}, num_reads=10000)
        futures = [solver.sample_ising({0: 1.0}, {}, num_reads=1) for _ in range(3)]
        while any(future.id is None for future in futures):
            time.sleep(0.01)
        futures[2].cancel()
        try:
            futures[2].result()
            raise SystemExit("the job was not cancelled")
        except CanceledFutureError:
            pass
        for future in [slow, *futures[:2]]:
            assert future.sampleset is not None


def authentication(connection):
    try:
        with Client(**{**connection, "token": "wrong"}) as client:
            client.get_solver()
        raise SystemExit("a wrong token was taken")
    except SolverAuthenticationError:
        pass


def typed(connection):
    """The models of the client's low-level interface check every field."""
    connection = {key: connection[key] for key in ("endpoint", "token")}
    with Problems(**connection) as problems, Solvers(**connection) as solvers:
        definition = solvers.list_solvers()[0]
        assert solvers.get_solver(definition.identity.name).identity == definition.identity
        solver = StructuredSolver(client=None, data=definition)
        data = encode_problem_as_qp(solver, {0: 1.0, 4: -1.0}, {(0, 4): 1.0})
        job = models.ProblemJob(data=data, params={"num_reads": 5}, solver=definition.identity, type="ising")
        assert problems.submit_problem(job).status == "COMPLETED"
        ids = [status.id for status in problems.submit_problems([job, job])]
        deadline = time.time() + 10
        while {s.status for s in problems.get_problem_statuses(ids, timeout=5)} != {"COMPLETED"}:
            assert time.time() < deadline
        assert problems.get_problem_info(ids[0]).metadata.status == "COMPLETED"
        assert problems.get_problem_answer(ids[0]).format == "qp"
        assert problems.get_problem_messages(ids[0]) == []
        assert problems.get_problem(ids[1]).answer.format == "qp"


def system(connection, topology):
    sampler = DWaveSampler(**connection)
    assert sampler.properties["topology"]["type"] == topology
    ideal = GENERATORS[topology](sampler.properties["topology"]["shape"])
    edges = {tuple(sorted(edge)) for edge in ideal.edges}
    assert set(map(tuple, sampler.properties["couplers"])) == edges, topology
    assert sampler.properties["qubits"] == sorted(ideal.nodes)
    for seed in range(3):
        bqm = dimod.generators.ran_r(1, 7, seed=seed)
        check(EmbeddingComposite(sampler).sample(bqm, num_reads=40), bqm, 40)
        binary = bqm.change_vartype("BINARY", inplace=False)
        check(EmbeddingComposite(sampler).sample(binary, num_reads=40), binary, 40)
    if topology != "chimera":
        bqm = dimod.generators.ran_r(1, 8, seed=9)
        check(DWaveCliqueSampler(**connection).sample(bqm, num_reads=40), bqm, 40)


def server(binary):
    with Server(binary, "--topology", "chimera", "--size", "2") as connection:
        for strategy in ("backoff", "long-polling"):
            cloud_client(connection, strategy)
        authentication(connection)
        typed(connection)
        cancel(connection)
    for topology, size in (("chimera", 4), ("pegasus", 3), ("zephyr", 2)):
        with Server(binary, "--topology", topology, "--size", str(size)) as connection:
            system(connection, topology)
    with Server(binary) as connection:
        check_full(connection)
    print("all passed")


def check_full(connection):
    """Pegasus 16, as large as it gets: a problem on every qubit and coupler."""
    with Client(**connection) as client:
        solver = client.get_solver(topology__type="pegasus")
        assert (len(solver.nodes), len(solver.undirected_edges)) == (5640, 40484)
        h, j = {q: 0.1 for q in solver.nodes}, {edge: -1.0 for edge in solver.undirected_edges}
        first = solver.sample_ising(h, j, num_reads=2).sampleset.first
        assert abs(dimod.BQM.from_ising(h, j).energy(first.sample) - first.energy) < 1e-6


def embeddings(path):
    with open(path) as file:
        cases = json.load(file)
    for case in cases:
        topology = case["topology"]
        graph = GENERATORS[topology["type"]](topology["shape"])
        graph.remove_nodes_from([q for q in list(graph) if q not in set(case["qubits"])])
        kept = {tuple(edge) for edge in case["couplers"]}
        graph.remove_edges_from([edge for edge in list(graph.edges) if tuple(sorted(edge)) not in kept])
        chains = case["chains"]
        source = itertools.combinations(range(len(chains)), 2)
        assert dwave.embedding.verify_embedding(dict(enumerate(chains)), list(source), graph)
    print(f"{len(cases)} embeddings verified")


{"server": server, "embeddings": embeddings}[sys.argv[1]](sys.argv[2])
