"""The other side of tests/suite/qasm_peer.rs: `qasm_peer.py FOLDER` reads ours.json, writes theirs.json.

Qiskit reads and writes OpenQASM, Braket's local simulator runs the programs for Braket, and PyQIR
parses QIR, whose calls a few lines of NumPy run.
"""

import json
import pathlib
import sys

import numpy as np
import pyqir
from braket.default_simulator import StateVectorSimulator
from braket.ir.openqasm import Program
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


def pairs(amplitudes):
    return [(z.real, z.imag) for z in amplitudes]


def braket_run(program, observables):
    """The state, whose most significant qubit is Braket's qubit 0, and expectation values."""
    results = ["state_vector", *(f"expectation {observable}" for observable in observables)]
    program += "".join(f"#pragma braket result {result}\n" for result in results)
    answer = StateVectorSimulator().run(Program(source=program), shots=0)
    amplitudes, *values = [result.value for result in answer.resultTypes]
    n = int(np.log2(len(amplitudes)))
    return pairs(np.reshape(amplitudes, [2] * n).transpose().reshape(-1)), values


def braket_outcome(program):
    """The outcome of qubits 0, 1, ..., the same in every shot."""
    answer = StateVectorSimulator().run(Program(source=program), shots=20)
    assert answer.measuredQubits == list(range(len(answer.measuredQubits)))
    (outcome,) = {"".join(shot) for shot in answer.measurements}
    return outcome


H = np.array([[1, 1], [1, -1]]) / np.sqrt(2)
PAULIS = {"x": [[0, 1], [1, 0]], "y": [[0, -1j], [1j, 0]], "z": [[1, 0], [0, -1]]}
PHASES = {"s__body": 1j, "s__adj": -1j, "t__body": np.exp(0.25j * np.pi), "t__adj": np.exp(-0.25j * np.pi)}


def matrix(name, angles):
    """Of a gate on one qubit."""
    if name in PHASES:
        return np.diag([1, PHASES[name]])
    name = name.removesuffix("__body")
    if name.startswith("r"):
        return np.cos(angles[0] / 2) * np.eye(2) - 1j * np.sin(angles[0] / 2) * np.array(PAULIS[name[1]])
    return H if name == "h" else np.array(PAULIS[name])


def qir_state(text):
    """Runs what PyQIR parses. The axes of the state are qubits n - 1, ..., 0."""
    module = pyqir.Module.from_ir(pyqir.Context(), text)
    assert module.verify() is None
    (entry,) = filter(pyqir.is_entry_point, module.functions)
    assert entry.attributes.func["qir_profiles"].string_value == "base_profile"
    n = pyqir.required_num_qubits(entry)
    assert pyqir.required_num_results(entry) == n
    state = np.zeros([2] * n, complex)
    state.flat[0] = 1
    measured, recorded = {}, []
    for call in (i for block in entry.basic_blocks for i in block.instructions if isinstance(i, pyqir.Call)):
        name = call.callee.name.removeprefix("__quantum__")
        if name == "rt__result_record_output":
            recorded.append(pyqir.ptr_id(call.args[0]))
        elif name == "rt__array_record_output":
            assert call.args[0].value == n
        elif name == "qis__mz__body":
            measured[pyqir.ptr_id(call.args[1])] = pyqir.ptr_id(call.args[0])
        elif name.startswith("qis__"):
            assert not measured
            angles = [a.value for a in call.args if isinstance(a, pyqir.FloatConstant)]
            qubits = [pyqir.ptr_id(a) for a in call.args[len(angles) :]]
            state = qir_apply(state, name.removeprefix("qis__"), angles, [n - 1 - q for q in qubits])
    assert [measured[r] for r in recorded] == list(range(n))
    return pairs(state.reshape(-1))


def qir_apply(state, name, angles, axes):
    if name == "cnot__body":
        state = np.moveaxis(state, axes, [0, 1]).copy()
        state[1] = state[1, ::-1].copy()
        return np.moveaxis(state, [0, 1], axes)
    (axis,) = axes
    return np.moveaxis(np.tensordot(matrix(name, angles), state, [[1], [axis]]), 0, axis)


folder = pathlib.Path(sys.argv[1])
ours = json.loads((folder / "ours.json").read_text())
theirs = {
    "states": [run(case) for case in ours["cases"]],
    "programs": list(programs()),
    "braket": [braket_run(case["braket"], ours["observables"]) for case in ours["devices"]],
    "outcomes": [braket_outcome(program) for program in ours["outcomes"]],
    "qir": [qir_state(case["qir"]) for case in ours["devices"]],
}
(folder / "theirs.json").write_text(json.dumps(theirs))
