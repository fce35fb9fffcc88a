"""Qiskit's side of tests/suite/qasm_peer.rs: `qasm_peer.py FOLDER` reads ours.json, writes theirs.json."""

import json
import pathlib
import sys

from qiskit import QuantumCircuit, qasm2, qasm3
from qiskit.circuit import Parameter
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.circuit.random import random_circuit
from qiskit.quantum_info import Statevector


def state(circuit):
    return [(z.real, z.imag) for z in Statevector(circuit).data]


def run(case):
    load = qasm2.loads if case["program"].startswith("OPENQASM 2") else qasm3.loads
    circuit = load(case["program"])
    values = dict(case["parameters"])
    return state(circuit.assign_parameters({p: values[p.name] for p in circuit.parameters}))


def each_gate():
    """Every gate of Qiskit's library, on a state in which every amplitude counts."""
    for name, gate in get_standard_gate_name_mapping().items():
        if name in ("measure", "reset", "delay", "global_phase"):
            continue
        circuit = QuantumCircuit(5)
        for q in range(5):
            circuit.ry(0.3 + q, q)
            circuit.rz(1.1 * q - 0.4, q)
        circuit.append(gate.base_class(*[0.7, -1.3, 2.1, 0.4][: len(gate.params)]), range(gate.num_qubits))
        yield circuit


def parametrised():
    circuit = QuantumCircuit(2)
    circuit.ry(Parameter("x_0"), 0)
    circuit.crx(Parameter("w_0"), 0, 1)
    circuit.rzz(Parameter("x_1"), 0, 1)
    values = {"x_0": 0.4, "w_0": -1.2, "x_1": 0.9}
    bound = circuit.assign_parameters(values)
    return {"program": qasm3.dumps(circuit), "parameters": list(values.items()), "state": state(bound)}


def programs():
    yield parametrised()
    random = [random_circuit(1 + seed % 5, 8, max_operands=4, seed=seed) for seed in range(60)]
    for circuit in [*each_gate(), *random]:
        measured = circuit.copy()
        measured.measure_all()
        for dumps in (qasm2.dumps, qasm3.dumps):
            yield {"program": dumps(measured), "state": state(circuit)}


folder = pathlib.Path(sys.argv[1])
ours = json.loads((folder / "ours.json").read_text())
theirs = {"states": [run(case) for case in ours], "programs": list(programs())}
(folder / "theirs.json").write_text(json.dumps(theirs))
