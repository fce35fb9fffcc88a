"""QHON's quantum part written with PennyLane's TorchLayer, beside this crate's whole network.

    pip install pennylane torch
    python tests/benches/qhon_pennylane.py

One step is the forward and backward pass for a batch of 32 images of 16 patches on 6 qubits, the
settings of the example `digits`: the encoding circuit of two layers, and six steps of annealing with
learned fields, couplings and schedule, read out by all <Z_i> and <Z_i Z_j>. PennyLane runs only this,
with a linear map to 10 classes behind it; attention, refinement and memories are left out, which
favours it. Then the example trains its whole network, and the ratio of both rates is printed.
"""

import re
import subprocess
import sys
import time

import pennylane as qml
import torch

BATCH, TOKENS, QUBITS, LAYERS, STEPS = 32, 16, 6, 2, 6
PAIRS = [(i, j) for i in range(QUBITS) for j in range(i + 1, QUBITS)]
DEVICE = qml.device("default.qubit", wires=QUBITS)


@qml.qnode(DEVICE, interface="torch", diff_method="backprop")
def encode(inputs, weights):
    for layer in range(LAYERS):
        for q in range(QUBITS):
            qml.RY(inputs[..., q], wires=q)
        for q in range(QUBITS):
            qml.Hadamard(q)
            qml.RY(weights[layer, q], wires=q)
        for q in range(QUBITS - 1):
            qml.CNOT([q, q + 1])
    return [qml.expval(qml.PauliZ(q)) for q in range(QUBITS)]


def phase(area, fields, couplings):
    for q in range(QUBITS):
        qml.RZ(2 * area * fields[q], wires=q)
    for k, pair in enumerate(PAIRS):
        qml.IsingZZ(2 * area * couplings[k], wires=pair)


@qml.qnode(DEVICE, interface="torch", diff_method="backprop")
def anneal(inputs, fields, couplings, schedule):
    for q in range(QUBITS):
        qml.RY(inputs[..., q], wires=q)
    # Neighbouring half pulses of Strang's splitting are one phase.
    phase(schedule[0, 1] / 2, fields, couplings)
    for k in range(STEPS):
        for q in range(QUBITS):
            qml.RX(-2 * schedule[k, 0], wires=q)
        after = schedule[k + 1, 1] if k + 1 < STEPS else 0.0
        phase((schedule[k, 1] + after) / 2, fields, couplings)
    spins = [qml.expval(qml.PauliZ(q)) for q in range(QUBITS)]
    return spins + [qml.expval(qml.PauliZ(i) @ qml.PauliZ(j)) for i, j in PAIRS]


def pennylane_rate(repeats):
    """Images in a second, forward and backward, the first step left out."""
    shapes = {"fields": (QUBITS,), "couplings": (len(PAIRS),), "schedule": (STEPS, 2)}
    encoding = qml.qnn.TorchLayer(encode, {"weights": (LAYERS, QUBITS)})
    annealing = qml.qnn.TorchLayer(anneal, shapes)
    head = torch.nn.Linear(TOKENS * (2 * QUBITS + len(PAIRS)), 10)
    images = torch.rand(BATCH * TOKENS, QUBITS)
    labels = torch.randint(0, 10, (BATCH,))
    seconds = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        features = torch.cat([encoding(images), annealing(images)], dim=1)
        logits = head(features.reshape(BATCH, -1))
        torch.nn.functional.cross_entropy(logits, labels).backward()
        seconds.append(time.perf_counter() - start)
    return BATCH / sorted(seconds[1:])[repeats // 2]


def our_rate(epochs):
    """Images in a second as the example prints them, training steps with their optimiser included."""
    example = ["cargo", "run", "--release", "--quiet", "--example", "digits", "--", "--epochs", str(epochs)]
    printed = subprocess.run(example, check=True, capture_output=True, text=True).stdout
    rates = [float(rate) for rate in re.findall(r"(\d+) images/s", printed)]
    if len(rates) != epochs:
        sys.exit(f"expected {epochs} rates in:\n{printed}")
    return sorted(rates)[epochs // 2]


def main():
    torch.manual_seed(0)
    peer = pennylane_rate(9)
    ours = our_rate(3)
    print(f"PennyLane {qml.__version__}, quantum part alone: {peer:.1f} images/s")
    print(f"burn-quantum, whole network: {ours:.0f} images/s, {ours / peer:.1f} times as many")


if __name__ == "__main__":
    main()
