"""Services of gate-model vendors on loopback, which the vendors' own clients accept.

`gate_peer.py ionq|ibm|braket|iqm` starts one, runs the vendor's client against it, prints
`endpoint URL`, and serves until its standard input ends. What is submitted is run: programs are read
by the vendor's packages where they read them, and simulated.
"""

import json
import math
import os
import sys
import threading
import time
import uuid
import warnings
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

import numpy as np

warnings.simplefilter("ignore")
TOKEN = "token-of-the-test"
SHOTS = 2000
RNG = np.random.default_rng(7)


class Refusal(Exception):
    def __init__(self, status, message):
        super().__init__(message)
        self.status, self.body = status, {"message": message, "detail": message}


class Server:
    """Answers `route(method, path, headers, body)`, which returns a JSON value, or a status with it."""

    def __init__(self, route):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                try:
                    said = route(self.command, self.path, self.headers, body)
                    status, said = said if isinstance(said, tuple) else (200, said)
                except Refusal as refusal:
                    status, said = refusal.status, refusal.body
                except Exception as error:
                    print(f"{self.command} {self.path}: {error!r}", file=sys.stderr, flush=True)
                    status, said = 500, {"message": repr(error)}
                said = said if isinstance(said, bytes) else json.dumps(said).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            do_GET = do_POST = do_PUT = do_DELETE = answer

            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{server.server_port}"


def apply(state, matrix, qubits):
    """A matrix on qubits, the first the least significant bit of its index and of the state's."""
    n, k = state.ndim, len(qubits)
    axes = [n - 1 - q for q in reversed(qubits)]
    moved = np.tensordot(np.reshape(matrix, (2,) * 2 * k), state, axes=(range(k, 2 * k), axes))
    return np.moveaxis(moved, range(k), axes)


def outcomes(state, shots):
    p = np.abs(state.reshape(-1)) ** 2
    return RNG.choice(len(p), size=shots, p=p / p.sum())


def zero(n):
    state = np.zeros((2,) * n, complex)
    state[(0,) * n] = 1
    return state


X, Y, Z = np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]]), np.diag([1, -1])


def rotation(pauli, angle):
    return math.cos(angle / 2) * np.eye(len(pauli)) - 1j * math.sin(angle / 2) * pauli


def phase(angle):
    return np.diag([1, np.exp(1j * angle)])


def is_bell(counts):
    """Both outcomes about equally often, and no other."""
    assert set(counts) == {"00", "11"} and sum(counts.values()) == SHOTS, counts
    assert abs(counts["00"] / SHOTS - 0.5) < 0.06, counts


# --- IonQ


class IonQ:
    FIXED = {
        "x": X, "not": X, "y": Y, "z": Z, "h": (X + Z) / math.sqrt(2), "s": phase(math.pi / 2),
        "si": phase(-math.pi / 2), "t": phase(math.pi / 4), "ti": phase(-math.pi / 4),
        "v": np.array([[1 + 1j, 1 - 1j], [1 - 1j, 1 + 1j]]) / 2,
        "vi": np.array([[1 - 1j, 1 + 1j], [1 + 1j, 1 - 1j]]) / 2,
        "swap": np.eye(4)[[0, 2, 1, 3]],
    }
    TURNS = {"rx": X, "ry": Y, "rz": Z, "xx": np.kron(X, X), "yy": np.kron(Y, Y), "zz": np.kron(Z, Z)}

    def __init__(self):
        self.jobs = {}
        self.server = Server(self.route)
        self.endpoint = self.server.url + "/v0.4"

    def run(self, gates, n, shots):
        state = zero(n)
        for gate in gates:
            name, targets, controls = gate["gate"], gate["targets"], gate.get("controls", [])
            matrix = self.FIXED[name] if name in self.FIXED else rotation(self.TURNS[name], gate["rotation"])
            for _ in controls:
                # The last qubit listed is the most significant.
                matrix = np.kron(np.diag([1, 0]), np.eye(len(matrix))) + np.kron(np.diag([0, 1]), matrix)
            state = apply(state, matrix, targets + controls)
        return [int(index) for index in outcomes(state, shots)]

    def submit(self, job):
        key = str(uuid.uuid4())
        n, shots = job["input"]["qubits"], int(job["shots"])
        assert job["backend"] == "simulator" and job["input"]["gateset"] == "qis", job
        if job["type"] == "ionq.circuit.v1":
            self.jobs[key] = {"shots": self.run(job["input"]["circuit"], n, shots)}
        else:
            assert job["type"] == "ionq.multi-circuit.v1", job["type"]
            children = []
            for circuit in job["input"]["circuits"]:
                child = str(uuid.uuid4())
                self.jobs[child] = {"shots": self.run(circuit["circuit"], n, shots), "job": {}}
                children.append(child)
            self.jobs[key] = {"children": children}
        self.jobs[key].update(job=job, polls=0)
        return {"id": key, "status": "ready", "session_id": None}

    def status(self, key):
        known = self.jobs[key]
        known["polls"] = known.get("polls", 1) + 1
        said = {"id": key, "type": known["job"].get("type"), "backend": "simulator",
                "status": "completed" if known["polls"] > 1 else "started"}
        if known["polls"] > 1:
            names = ["probabilities"] if "children" in known else ["probabilities", "shots"]
            said["results"] = {name: {"url": f"/v0.4/jobs/{key}/results/{name}"} for name in names}
            said["stats"] = {"qubits": known["job"].get("input", {}).get("qubits"),
                             "circuits": len(known.get("children", [0]))}
            said["metadata"] = known["job"].get("metadata")
            said["execution_duration_ms"] = 5
        if "children" in known:
            said["child_job_ids"] = known["children"]
        return said

    def probabilities(self, key):
        known = self.jobs[key]
        if "children" in known:
            return {child: self.probabilities(child) for child in known["children"]}
        values, counts = np.unique(known["shots"], return_counts=True)
        return {str(v): int(c) / len(known["shots"]) for v, c in zip(values, counts)}

    def route(self, method, path, headers, body):
        if headers["Authorization"] != f"apiKey {TOKEN}":
            raise Refusal(401, "Invalid key")
        match method, path.removeprefix("/v0.4/").split("/"):
            case "GET", ["backends", "simulator"]:
                return {"backend": "simulator", "status": "available", "qubits": 8}
            case "POST", ["jobs"]:
                return self.submit(json.loads(body))
            case "GET", ["jobs", key]:
                return self.status(key)
            case "GET", ["jobs", key, "results", "shots"]:
                return [str(index) for index in self.jobs[key]["shots"]]
            case "GET", ["jobs", key, "results", "probabilities"]:
                return self.probabilities(key)
        raise Refusal(404, f"no {path}")

    def vendor(self):
        from qiskit import QuantumCircuit
        from qiskit_ionq import IonQProvider

        backend = IonQProvider(TOKEN, url=self.endpoint).get_backend("ionq_simulator")
        bell = QuantumCircuit(2)
        bell.h(0)
        bell.cx(0, 1)
        bell.measure_all()
        flip = QuantumCircuit(2)
        flip.rx(math.pi, 0)
        flip.rzz(0.3, 0, 1)
        flip.measure_all()
        is_bell(backend.run(bell, shots=SHOTS).result(wait=0.05).get_counts())
        two = backend.run([flip, bell], shots=SHOTS).result(wait=0.05).get_counts()
        assert two[0] == {"01": SHOTS}, two
        is_bell(two[1])
        # Only a simulator with noise keeps its shots.
        backend.set_options(noise_model="aria-1")
        job = backend.run(bell, shots=SHOTS, memory=True)
        memory = job.result(wait=0.05).get_memory()
        assert len(memory) == SHOTS and set(memory) == {"00", "11"}
        found = backend.run([flip, bell], shots=SHOTS, memory=True).result(wait=0.05)
        assert found.get_memory(0) == ["01"] * SHOTS and set(found.get_memory(1)) == {"00", "11"}


# --- IBM


class Ibm:
    CRN = "crn:v1:bluemix:public:quantum-computing:us-east:a/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:11111111-2222-3333-4444-555555555555::"
    # What the vendor's client takes as an address to be used as it is.
    PATH = "/experimental/api/v1"

    def __init__(self):
        import qiskit_ibm_runtime

        folder = os.path.join(os.path.dirname(qiskit_ibm_runtime.__file__), "fake_provider/backends/manila")
        with open(os.path.join(folder, "conf_manila.json")) as file:
            self.configuration = json.load(file)
        with open(os.path.join(folder, "props_manila.json")) as file:
            self.properties = json.load(file)
        self.configuration.update(backend_name="toy", simulator=False)
        self.jobs = {}
        self.server = Server(self.route)
        self.endpoint = self.server.url + self.PATH

    def circuit(self, block):
        """The circuit of a block: an object of Qiskit, or OpenQASM 3, which Qiskit reads."""
        if not isinstance(block[0], str):
            return block[0]
        from qiskit import qasm3

        return qasm3.loads(block[0])

    def run(self, circuit, shots):
        """Samples of the classical bits, after the check that the processor has these gates."""
        from qiskit.quantum_info import Statevector

        places = {}
        for instruction in circuit.data:
            qubits = [circuit.find_bit(q).index for q in instruction.qubits]
            name = instruction.operation.name
            if name == "measure":
                places[circuit.find_bit(instruction.clbits[0]).index] = qubits[0]
            elif name != "barrier":
                assert name in self.configuration["basis_gates"], name
                assert len(qubits) == 1 or qubits in self.configuration["coupling_map"], qubits
        state = Statevector(circuit.remove_final_measurements(inplace=False))
        width = circuit.num_clbits
        # Qubits that are not measured are dropped from the end by Qiskit, never from between.
        found = outcomes(state.data.reshape((2,) * state.num_qubits), shots)
        return [sum((int(index) >> places[bit] & 1) << bit for bit in places) for index in found], width

    def results(self, job):
        from qiskit_ibm_runtime.json import RuntimeDecoder, RuntimeEncoder

        params = json.loads(job, cls=RuntimeDecoder)["params"]
        assert params["version"] == 2
        found = []
        for block in params["pubs"]:
            circuit = self.circuit(block)
            samples, width = self.run(circuit, block[2])
            found.append((circuit.cregs[0].name, [hex(sample) for sample in samples], width))
        if not params["support_qiskit"]:
            return {"results": [{"data": {name: {"samples": samples, "num_bits": width}}, "metadata": {}}
                                for name, samples, width in found], "metadata": {"version": 2}}
        from qiskit.primitives import BitArray, DataBin, PrimitiveResult, SamplerPubResult

        blocks = [SamplerPubResult(DataBin(**{name: BitArray.from_samples(samples, width)}, shape=()), metadata={})
                  for name, samples, width in found]
        return json.dumps(PrimitiveResult(blocks, metadata={"version": 2}), cls=RuntimeEncoder).encode()

    def route(self, method, path, headers, body):
        if path == "/identity/token":
            form = body.decode()
            assert "grant_type=urn%3Aibm%3Aparams%3Aoauth%3Agrant-type%3Aapikey" in form, form
            if f"apikey={TOKEN}" not in form.split("&"):
                raise Refusal(400, "no such key")
            # A JWT without a signature that is valid until 2100.
            token = "eyJhbGciOiJub25lIn0.eyJleHAiOjQxMDI0NDQ4MDAsImlhdCI6MTcwMDAwMDAwMH0.c2ln"
            return {"access_token": token, "refresh_token": "r", "token_type": "Bearer",
                    "expires_in": 3600, "expiration": int(time.time()) + 3600}
        if not (headers["Authorization"] or "").startswith("Bearer eyJ") or headers["Service-CRN"] != self.CRN:
            raise Refusal(401, "unauthorized")
        if headers["IBM-API-Version"] != "2026-04-15":
            raise Refusal(400, "unknown version")
        match method, urlsplit(path).path.removeprefix(self.PATH + "/").split("/"):
            case "GET", ["backends"]:
                return {"devices": [{"name": "toy", "status": {"name": "online"}, "queue_length": 0,
                                     "processor_type": {"family": "Falcon", "revision": "5.11"}}]}
            case "GET", ["instances", "usage"]:
                return {"instance_id": "x", "plan_id": "p", "usage_consumed_seconds": 0,
                        "usage_period": {}, "usage_limit_reached": False}
            case "GET", ["backends", "toy", "configuration"]:
                return self.configuration
            case "GET", ["backends", "toy", "properties"]:
                return self.properties
            case "GET", ["backends", "toy", "status"]:
                return {"backend_version": "1", "state": True, "status": "active", "message": "", "length_queue": 0}
            case "POST", ["jobs"]:
                key = f"job{len(self.jobs)}"
                self.jobs[key] = [body.decode(), 0]
                return {"id": key, "backend": "toy"}
            case "GET", ["jobs", key]:
                self.jobs[key][1] += 1
                status = "Completed" if self.jobs[key][1] > 1 else "Running"
                return {"id": key, "backend": "toy", "state": {"status": status}, "status": status,
                        "program": {"id": "sampler"}, "created": "2026-11-20T00:00:00Z", "params": {}}
            case "GET", ["jobs", key, "results"]:
                return self.results(self.jobs[key][0])
        raise Refusal(404, f"no {path}")

    def vendor(self):
        os.environ.update(IAM_URL=self.server.url, QISKIT_FUNCTIONS_EXPERIMENTAL="1")
        from qiskit import QuantumCircuit, transpile
        from qiskit_ibm_runtime import QiskitRuntimeService, SamplerV2

        service = QiskitRuntimeService(channel="ibm_quantum_platform", token=TOKEN, url=self.endpoint, instance=self.CRN)
        backend = service.backend("toy")
        bell = QuantumCircuit(2)
        bell.h(0)
        bell.cx(0, 1)
        bell.measure_all()
        job = SamplerV2(backend).run([transpile(bell, backend, seed_transpiler=1)], shots=SHOTS)
        is_bell(job.result()[0].data.meas.get_counts())


# --- Amazon Braket


class Braket:
    ARN = "arn:aws:braket:::device/quantum-simulator/amazon/sv1"
    BUCKET = "amazon-braket-test"

    def __init__(self):
        from braket.devices import LocalSimulator

        self.simulator = LocalSimulator()
        self.tasks = {}
        self.server = Server(self.route)
        self.endpoint = self.server.url

    def check_signature(self, method, path, headers, body, service):
        """That AWS's own library signs the same request in the same way."""
        from botocore.auth import S3SigV4Auth, SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials

        given = headers["Authorization"]
        names = given.split("SignedHeaders=")[1].split(",")[0].split(";")
        signed = {name: headers[name] for name in names if name != "host"}
        assert "host" in names and "x-amz-date" in names, names
        request = AWSRequest(method=method, url=self.server.url + path, data=body, headers=signed)
        request.context["timestamp"] = headers["X-Amz-Date"]
        request.context["payload_signing_enabled"] = True
        kind = S3SigV4Auth if service == "s3" else SigV4Auth
        auth = kind(Credentials("AKIDEXAMPLE", TOKEN), service, "us-east-1")
        text = auth.string_to_sign(request, auth.canonical_request(request))
        if given.split("Signature=")[1] != auth.signature(text, request):
            raise Refusal(403, "The request signature we calculated does not match")

    def arn(self, key):
        return f"arn:aws:braket:us-east-1:123456789012:quantum-task/{key}"

    def submit(self, job):
        for key, task in self.tasks.items():
            if task["job"]["clientToken"] == job["clientToken"]:
                return 201, {"quantumTaskArn": self.arn(key)}
        assert job["deviceArn"] == self.ARN and job["outputS3Bucket"] == self.BUCKET, job
        key = str(uuid.uuid4())
        self.tasks[key] = {"job": job, "polls": 0}
        return 201, {"quantumTaskArn": self.arn(key)}

    def status(self, key):
        task = self.tasks[key]
        task["polls"] += 1
        return {"quantumTaskArn": self.arn(key), "status": "COMPLETED" if task["polls"] > 1 else "QUEUED",
                "createdAt": "2026-11-20T00:00:00Z", "endedAt": "2026-11-20T00:00:01Z", "deviceArn": self.ARN,
                "deviceParameters": "{}", "shots": task["job"]["shots"], "tags": {},
                "outputS3Bucket": self.BUCKET, "outputS3Directory": f"{task['job']['outputS3KeyPrefix']}/{key}"}

    def results(self, key):
        """What Braket's simulator makes of the program."""
        from braket.ir.openqasm import Program

        job = self.tasks[key]["job"]
        action = json.loads(job["action"])
        found = self.simulator.run(Program(source=action["source"]), shots=job["shots"]).result()
        metadata = {"braketSchemaHeader": {"name": "braket.task_result.task_metadata", "version": "1"},
                    "id": self.arn(key), "shots": job["shots"], "deviceId": self.ARN}
        return {"braketSchemaHeader": {"name": "braket.task_result.gate_model_task_result", "version": "1"},
                "measurements": found.measurements.tolist(), "measuredQubits": found.measured_qubits,
                "resultTypes": [], "taskMetadata": metadata, "additionalMetadata": {"action": action}}

    def route(self, method, path, headers, body):
        is_file = path.startswith(f"/{self.BUCKET}/")
        self.check_signature(method, path, headers, body, "s3" if is_file else "braket")
        parts = unquote(urlsplit(path).path)
        if method == "GET" and parts == f"/device/{self.ARN}":
            return {"deviceArn": self.ARN, "deviceName": "toy", "deviceStatus": "ONLINE", "providerName": "test",
                    "deviceType": "SIMULATOR", "deviceCapabilities": self.simulator.properties.json()}
        if method == "POST" and parts == "/quantum-task":
            return self.submit(json.loads(body))
        if method == "GET" and parts.startswith("/quantum-task/"):
            return self.status(parts.rsplit("/", 1)[1])
        if method in ("GET", "HEAD") and is_file and parts.endswith("/results.json"):
            return self.results(parts.split("/")[-2])
        raise Refusal(404, f"no {path}")

    def vendor(self):
        os.environ.update(AWS_ENDPOINT_URL=self.endpoint, AWS_ACCESS_KEY_ID="AKIDEXAMPLE",
                          AWS_SECRET_ACCESS_KEY=TOKEN, AWS_DEFAULT_REGION="us-east-1")
        os.environ.pop("AWS_SESSION_TOKEN", None)
        import boto3
        from braket.aws import AwsQuantumTask, AwsSession
        from braket.ir.openqasm import Program

        source = ("OPENQASM 3.0;\nbit[2] b;\nqubit[2] q;\nh q[0];\ncnot q[0], q[1];\n"
                  "b[0] = measure q[0];\nb[1] = measure q[1];\n")
        session = AwsSession(boto3.Session())
        task = AwsQuantumTask.create(session, self.ARN, Program(source=source), (self.BUCKET, "tasks"), shots=SHOTS)
        is_bell(dict(task.result().measurement_counts))
        described = json.loads(session.get_device(self.ARN)["deviceCapabilities"])
        assert described["paradigm"]["qubitCount"] > 2


# --- IQM


class Iqm:
    PAIRS = [["QB1", "QB2"], ["QB3", "QB2"], ["QB3", "QB4"], ["QB5", "QB4"]]
    QUBITS = ["QB1", "QB2", "QB3", "QB4", "QB5"]

    def __init__(self):
        self.computer, self.calibration = str(uuid.uuid4()), str(uuid.uuid4())
        self.jobs = {}
        self.server = Server(self.route)
        self.endpoint = self.server.url

    def job(self, key):
        known = self.jobs[key]
        status = ["waiting", "processing", "completed"][min(known["polls"], 2)]
        known["polls"] += 1
        return {"id": key, "type": "circuit", "status": status, "messages": [], "errors": [], "compilation": None,
                "execution": None, "timeline": [], "queue_position": None,
                "quantum_computer": {"id": self.computer, "alias": "toy"}}

    def submit(self, body):
        from iqm.station_control.interface.models.circuit import CircuitJobDefinition

        definition = CircuitJobDefinition.model_validate_json(body)
        key = str(uuid.uuid4())
        self.jobs[key] = {"polls": 0, "results": [self.run(c, definition.shots) for c in definition.circuits]}
        return 201, self.job(key)

    def run(self, circuit, shots):
        state, keys = zero(len(self.QUBITS)), {}
        for gate in circuit.instructions:
            qubits, args = [self.QUBITS.index(name) for name in gate.locus], gate.args
            if gate.name == "prx":
                axis = math.cos(args["phase"]) * X + math.sin(args["phase"]) * Y
                state = apply(state, rotation(axis, args["angle"]), qubits)
            elif gate.name == "cz":
                assert list(gate.locus) in self.PAIRS, gate
                state = apply(state, np.diag([1, 1, 1, -1]), qubits)
            else:
                assert gate.name == "measure", gate
                keys[args["key"]] = qubits[0]
        found = outcomes(state, shots)
        return {key: [[int(index) >> qubit & 1] for index in found] for key, qubit in keys.items()}

    def route(self, method, path, headers, body):
        if headers["Authorization"] != f"Bearer {TOKEN}":
            raise Refusal(401, "not authorised")
        loci = lambda loci: {"implementations": {"x": {"loci": loci}}, "default_implementation": "x",
                             "override_default_implementation": {}}
        match method, urlsplit(path).path.removeprefix("/api/v1/").split("/"):
            case "GET", ["quantum-computers"]:
                return {"quantum_computers": [{"id": self.computer, "alias": "toy", "display_name": "Toy"}]}
            case "GET", ["calibration-sets", "toy", _, "dynamic-quantum-architecture"]:
                single = loci([[name] for name in self.QUBITS])
                return {"calibration_set_id": self.calibration, "qubits": self.QUBITS, "computational_resonators": [],
                        "gates": {"prx": single, "cz": loci(self.PAIRS), "measure": single}}
            case "POST", ["jobs", "toy", "circuit"]:
                return self.submit(body)
            case "GET", ["jobs", key]:
                return self.job(key)
            case "GET", ["jobs", key, "artifacts", "measurements"]:
                return self.jobs[key]["results"]
        raise Refusal(404, f"no {path}")

    def vendor(self):
        from iqm.iqm_client import IQMClient
        from iqm.pulse import Circuit, CircuitOperation as Operation

        client = IQMClient.from_url(self.endpoint, token=TOKEN)
        half = math.pi / 2
        prx = lambda qubit, angle, phase: Operation(name="prx", locus=(qubit,), args={"angle": angle, "phase": phase})
        measure = lambda qubit, key: Operation(name="measure", locus=(qubit,), args={"key": key})
        bell = Circuit(name="bell", instructions=(
            prx("QB1", half, half), prx("QB2", -half, half), Operation(name="cz", locus=("QB1", "QB2"), args={}),
            prx("QB2", half, half), measure("QB1", "a"), measure("QB2", "b")))
        job = client.submit_circuits([bell], shots=SHOTS)
        job.wait_for_completion()
        found = job.result()[0]
        texts = [f"{a[0]}{b[0]}" for a, b in zip(found["a"], found["b"])]
        is_bell({text: texts.count(text) for text in set(texts)})


def main():
    service = {"ionq": IonQ, "ibm": Ibm, "braket": Braket, "iqm": Iqm}[sys.argv[1]]()
    service.vendor()
    print(f"endpoint {service.endpoint}", flush=True)
    sys.stdin.read()


main()
