"""QHON in torch with PennyLane's TorchLayer, trained beside this crate's.

    pip install pennylane torch
    python tests/benches/qhon_pennylane.py --example digits
    python tests/benches/qhon_pennylane.py --example mnist --data-dir DIR

First the example trains its network. Then the same network is built here, in torch, with one TorchLayer
for the encoding circuit and one for the annealing. It must have as many parameters, and with those that
the example saved, its loss on held-out images must be the one that the example printed. At last it is
trained from parameters of its own, with the example's optimiser, batches and loss, and must learn. Both
rates, in images a second, and their ratio are printed.

`--circuit gates` is the circuit as on paper: RZ for a field, IsingZZ for a coupling, an expectation value
for each mean. `--circuit fused`, the default, is the fastest way to write it for PennyLane that we know:
gates that do not depend on the image become one QubitUnitary for all images and qubits, the product
state is prepared as such, in single precision, and the means are one product with qml.probs.
lightning.qubit (`--device`), which loops over the patches, is far slower.

What favours PennyLane: it gets its batches ready made, moved images included, and computes no metrics;
the attention's mix of all scales, which the network does not use, is left out.
"""

import argparse
import copy
import dataclasses
import functools
import gzip
import math
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pennylane as qml
import torch
from torch import nn
from torch.nn import functional as F

ROOT = Path(__file__).resolve().parents[2]
CLASSES, D_MODEL, HEADS, SLOTS, SCALES = 10, 64, 4, 16, (1, 2, 4)
LAYERS, STEPS, TIME, STATES = 2, 6, 2.0, 8
LEARNING_RATE, WEIGHT_DECAY, EPSILON = 3e-3, 1e-4, 1e-5


@dataclasses.dataclass
class Setting:
    """An example's network and training, and how much of both trainings is measured."""

    side: int
    patch: int
    qubits: int
    dropout: float
    batch: int
    max_shift: int
    epochs: int
    limit: int
    steps: int

    @property
    def tokens(self):
        return (self.side // self.patch) ** 2


SETTINGS = {
    "digits": Setting(8, 2, 6, 0.0, 32, 1, epochs=10, limit=1438, steps=200),
    "mnist": Setting(28, 7, 8, 0.1, 64, 0, epochs=2, limit=6400, steps=40),
}


class Circuits:
    """The two quantum nodes, functions of a batch of inputs that PennyLane broadcasts."""

    def __init__(self, qubits, device, fused):
        self.n, self.fused = qubits, fused
        self.pairs = [(i, j) for i in range(qubits) for j in range(i + 1, qubits)]
        bits = torch.arange(2**qubits)[:, None] >> torch.arange(qubits - 1, -1, -1) & 1
        self.spins = 1.0 - 2.0 * bits
        self.products = torch.stack([self.spins[:, i] * self.spins[:, j] for i, j in self.pairs], 1)
        self.encoding, self.annealing = self.encoding_layer(device), self.annealing_layer(device)

    def node(self, circuit, device):
        method = "adjoint" if device == "lightning.qubit" else "backprop"
        return qml.QNode(circuit, qml.device(device, wires=self.n), "torch", method)

    def encoding_layer(self, device):
        start = functools.partial(nn.init.uniform_, a=-math.pi, b=math.pi)
        return qml.qnn.TorchLayer(self.node(self.encode, device), {"weights": LAYERS * self.n}, start)

    def annealing_layer(self, device):
        normal = functools.partial(nn.init.normal_, std=0.3)
        time = functools.partial(nn.init.constant_, val=math.log(TIME))
        parameters = {
            "fields": (self.n, normal),
            "field_weights": ((self.n, self.n), normal),
            "couplings": (len(self.pairs), normal),
            "logits": (STEPS, nn.init.zeros_),
            "log_time": (1, time),
        }
        shapes = {name: shape for name, (shape, _) in parameters.items()}
        starts = {name: start for name, (_, start) in parameters.items()}
        return qml.qnn.TorchLayer(self.node(self.anneal, device), shapes, starts)

    def encode(self, inputs, weights):
        self.start(inputs)
        for layer in range(LAYERS):
            for q in range(self.n if layer > 0 else 0):
                qml.RY(inputs[..., q], wires=q)
            self.mix(weights[layer * self.n : (layer + 1) * self.n])
        return self.read_out(pairs=False)

    def start(self, angles):
        """RY on every qubit."""
        if self.fused:
            state = torch.ones_like(angles[..., :1])
            for angle in angles.split(1, -1):
                single = torch.cat([torch.cos(angle / 2), torch.sin(angle / 2)], -1)
                state = (state[..., None] * single[..., None, :]).flatten(-2)
            qml.StatePrep(state.to(torch.complex64), wires=range(self.n), validate_norm=False)
            return
        for q in range(self.n):
            qml.RY(angles[..., q], wires=q)

    def mix(self, weights):
        """H and RY on every qubit, and a chain of CNOTs."""
        if self.fused:
            c, s = torch.cos(weights / 2), torch.sin(weights / 2)
            singles = torch.stack([c - s, c + s, c + s, s - c], 1).reshape(-1, 2, 2) / math.sqrt(2)
            unitary = functools.reduce(torch.kron, singles)
            states = torch.arange(2**self.n)
            for shift in range(self.n - 2, -1, -1):
                # The inverse chain begins at the last target.
                control = states >> (self.n - 1 - shift) & 1
                states = states ^ control << (self.n - 2 - shift)
            qml.QubitUnitary(unitary[states].to(torch.complex64), wires=range(self.n))
            return
        for q in range(self.n):
            qml.Hadamard(q)
            qml.RY(weights[q], wires=q)
        for q in range(self.n - 1):
            qml.CNOT([q, q + 1])

    def anneal(self, inputs, fields, field_weights, couplings, logits, log_time):
        """Strang's splitting: neighbouring half pulses of the phase are one, and the last is left out,
        since it does not change what is measured."""
        angles, remembered = inputs[..., : self.n], inputs[..., self.n :]
        fields = fields + angles @ field_weights.T + remembered
        pace = torch.softmax(logits, 0)
        progress = torch.cumsum(pace, 0) - pace / 2
        dt = torch.exp(log_time) / STEPS
        fall, rise = (1 - progress) * dt, progress * dt / 2
        self.start(angles)
        for k in range(STEPS):
            area = rise[max(k - 1, 0) : k + 1].sum()
            for q in range(self.n):
                qml.RZ(2 * area * fields[..., q], wires=q)
            self.couple(area * couplings, fall[k])
        return self.read_out(pairs=True)

    def couple(self, areas, fall):
        """The couplings' phase, and the transverse field's pulse."""
        if self.fused:
            c, s = torch.cos(fall), 1j * torch.sin(fall)
            single = torch.stack([c, s, s, c]).reshape(2, 2)
            phase = torch.exp(-1j * (self.products @ areas))
            unitary = functools.reduce(torch.kron, [single] * self.n)
            qml.QubitUnitary(unitary * phase, wires=range(self.n))
            return
        for k, pair in enumerate(self.pairs):
            qml.IsingZZ(2 * areas[k], wires=pair)
        for q in range(self.n):
            qml.RX(-2 * fall, wires=q)

    def read_out(self, pairs):
        if self.fused:
            return qml.probs(wires=range(self.n))
        products = [qml.PauliZ(i) @ qml.PauliZ(j) for i, j in self.pairs] if pairs else []
        return [qml.expval(z) for z in [*map(qml.PauliZ, range(self.n)), *products]]

    def means(self, measured, signs):
        """Expectation values of probabilities; the circuit by gates gives the former."""
        return measured @ signs if self.fused else measured


class QuantumMemory(nn.Module):
    def __init__(self, qubits):
        super().__init__()
        self.angles = nn.Parameter(torch.empty(STATES, qubits).uniform_(-math.pi, math.pi))
        self.bias_fields = nn.Parameter(0.1 * torch.randn(STATES, qubits))
        self.log_inverse_temperature = nn.Parameter(torch.tensor([math.log(8.0)]))

    def forward(self, angles):
        overlaps = ((torch.cos(angles[:, None] - self.angles) + 1) / 2).prod(2)
        weights = torch.softmax(overlaps * self.log_inverse_temperature.exp(), 1)
        return weights @ self.bias_fields


class QuantumFeatures(nn.Module):
    def __init__(self, circuits):
        super().__init__()
        self.circuits = circuits
        self.encoding, self.annealing = circuits.encoding, circuits.annealing
        self.memory = QuantumMemory(circuits.n)
        self.n_features = 2 * circuits.n + len(circuits.pairs)

    def forward(self, angles):
        circuits = self.circuits
        encoded = circuits.means(self.encoding(angles), circuits.spins)
        annealed = self.annealing(torch.cat([angles, self.memory(angles)], 1))
        signs = torch.cat([circuits.spins, circuits.products], 1)
        return torch.cat([encoded, circuits.means(annealed, signs)], 1)


def heads(x):
    """`[.., L, d_model]` to `[.., heads, L, d_k]`."""
    return x.unflatten(-1, (HEADS, D_MODEL // HEADS)).transpose(-3, -2)


def merged(x):
    return x.transpose(-3, -2).flatten(-2)


class ClassicalMemory(nn.Module):
    def __init__(self, dropout):
        super().__init__()
        self.norm, self.dropout = nn.LayerNorm(D_MODEL), nn.Dropout(dropout)
        self.query, self.output = nn.Linear(D_MODEL, D_MODEL), nn.Linear(D_MODEL, D_MODEL)
        self.keys = nn.Parameter(0.5 * torch.randn(SLOTS, D_MODEL))
        self.values = nn.Parameter(0.5 * torch.randn(SLOTS, D_MODEL))

    def forward(self, x):
        scores = heads(self.query(self.norm(x))) @ heads(self.keys).transpose(-1, -2)
        weights = self.dropout(torch.softmax(scores / math.sqrt(D_MODEL // HEADS), -1))
        return self.output(merged(weights @ heads(self.values)))


class Block(nn.Module):
    def __init__(self, dropout):
        super().__init__()
        self.norm, self.dropout = nn.LayerNorm(D_MODEL), nn.Dropout(dropout)
        self.linear_inner = nn.Linear(D_MODEL, 2 * D_MODEL)
        self.linear_outer = nn.Linear(2 * D_MODEL, D_MODEL)

    def forward(self, x):
        return x + self.linear_outer(self.dropout(F.gelu(self.linear_inner(self.norm(x)))))


class Refinement(nn.Module):
    def __init__(self, dropout, memory):
        super().__init__()
        self.memory = ClassicalMemory(dropout) if memory else None
        self.blocks = nn.ModuleList(Block(dropout) for _ in range(2))

    def forward(self, x):
        x = x + self.memory(x) if self.memory else x
        for block in self.blocks:
            x = block(x)
        return x


class Attention(nn.Module):
    """What each scale attends to. `scale_logits` would mix them; QHON's fusion does that instead."""

    def __init__(self, dropout):
        super().__init__()
        self.query, self.key = nn.Linear(D_MODEL, D_MODEL), nn.Linear(D_MODEL, D_MODEL)
        self.value, self.output = nn.Linear(D_MODEL, D_MODEL), nn.Linear(D_MODEL, D_MODEL)
        self.scale_logits = nn.Parameter(torch.zeros(len(SCALES)))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        query, key, value = heads(self.query(x)), heads(self.key(x)), heads(self.value(x))
        contexts = []
        for scale in SCALES:
            # Pooled values are what pooled weights, spread over their tokens, would sum up.
            k, v = (t.unflatten(2, (-1, scale)).mean(3) for t in (key, value))
            scores = query @ k.transpose(-1, -2) / math.sqrt(D_MODEL // HEADS)
            contexts.append(self.output(merged(self.dropout(torch.softmax(scores, -1)) @ v)))
        return contexts


class Fusion(nn.Module):
    def __init__(self):
        super().__init__()
        self.gate = nn.Linear(D_MODEL * (len(SCALES) + 1), len(SCALES) + 1)

    def forward(self, summaries):
        gate = torch.softmax(self.gate(summaries.flatten(1)), 1)
        return (gate[:, None] @ summaries).squeeze(1)


class ScaleLoss(nn.Module):
    def __init__(self):
        super().__init__()
        self.log_variances = nn.Parameter(torch.zeros(len(SCALES) + 1))

    def forward(self, losses):
        return (torch.exp(-self.log_variances) * losses + self.log_variances / 2).sum()


class ScaleHeads(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.loss = nn.LayerNorm(D_MODEL), ScaleLoss()
        self.heads = nn.ModuleList(nn.Linear(D_MODEL, CLASSES) for _ in SCALES)

    def forward(self, summaries):
        return [head(self.norm(summaries[:, k])) for k, head in enumerate(self.heads)]


class Qhon(nn.Module):
    def __init__(self, setting, circuits):
        super().__init__()
        self.patch, tokens, dropout = setting.patch, setting.tokens, setting.dropout
        self.to_angles = nn.Linear(setting.patch**2, setting.qubits)
        self.features = QuantumFeatures(circuits)
        self.lift = nn.Linear(self.features.n_features, D_MODEL)
        for parameter in self.lift.parameters():
            nn.init.normal_(parameter, 0.0, self.features.n_features**-0.5)
        self.position = nn.Parameter(0.1 * torch.randn(tokens, D_MODEL))
        self.refinement = Refinement(dropout, memory=True)
        self.pooling = nn.Parameter(tokens**-0.5 * torch.randn(tokens, D_MODEL))
        self.norm_attention, self.attention = nn.LayerNorm(D_MODEL), Attention(dropout)
        self.fusion = Fusion()
        self.refinement_head = Refinement(dropout, memory=False)
        self.norm_head, self.head = nn.LayerNorm(D_MODEL), nn.Linear(D_MODEL, CLASSES)
        self.scale_heads = ScaleHeads()

    def forward(self, images):
        """The logits of the network, and of each scale's head."""
        p = self.patch
        patches = images.unfold(1, p, p).unfold(2, p, p).flatten(3).flatten(0, 2)
        angles = math.pi * torch.tanh(self.to_angles(patches))
        tokens = self.lift(self.features(angles)).unflatten(0, (len(images), -1)) + self.position
        tokens = self.refinement(tokens)
        levels = torch.stack([tokens, *self.attention(self.norm_attention(tokens))], 1)
        summaries = (levels * self.pooling).sum(2)
        logits = self.head(self.norm_head(self.refinement_head(self.fusion(summaries))))
        return logits, self.scale_heads(summaries[:, 1:])

    def loss(self, images, labels):
        """The loss to descend on, and that of the network alone."""
        logits, scales = self(images)
        losses = torch.stack([F.cross_entropy(l, labels) for l in [logits, *scales]])
        return self.scale_heads.loss(losses), losses[0].item()


def digits():
    """The example's training images, with values in [-1, 1], and their labels."""
    file = ROOT / "datasets" / "data" / "digits.csv.gz"
    with gzip.open(file, "rt") as lines:
        rows = torch.tensor([[int(v) for v in line.split(",")] for line in lines])
    rows = rows[torch.arange(len(rows)) % 5 != 4]
    return rows[:, :64].reshape(-1, 8, 8) / 8.0 - 1.0, rows[:, 64]


def mnist(folder):
    def idx(name, header):
        plain = Path(folder) / name
        data = plain.read_bytes() if plain.is_file() else gzip.open(f"{plain}.gz").read()
        return torch.frombuffer(bytearray(data[header:]), dtype=torch.uint8)

    images = idx("train-images-idx3-ubyte", 16).reshape(-1, 28, 28)
    return images / 127.5 - 1.0, idx("train-labels-idx1-ubyte", 8).long()


def split(images, labels, limit):
    """Those to train on, and those that the example holds out."""
    images, labels = images[:limit], labels[:limit]
    held_out = torch.arange(len(images)) % 12 == 11
    return (images[~held_out], labels[~held_out]), (images[held_out], labels[held_out])


def moved(images, most):
    """Each image moved by up to `most` pixels, black coming in."""
    side = images.shape[1]
    padded = F.pad(images, [most] * 4, value=-1.0)
    corners = torch.randint(0, 2 * most + 1, (len(images), 2)).tolist()
    return torch.stack([p[y : y + side, x : x + side] for p, (y, x) in zip(padded, corners)])


def cbor(data, at):
    """The value of CBOR's numbers, texts, lists and maps that begins at `at`, and where it ends."""
    kind, length = data[at] >> 5, data[at] & 31
    at += 1
    if length > 23:
        width = 1 << (length - 24)
        length, at = int.from_bytes(data[at : at + width], "big"), at + width
    if kind == 0:
        return length, at
    if kind == 3:
        return data[at : at + length].decode(), at + length
    if kind not in (4, 5):
        sys.exit(f"the example's parameters hold CBOR of kind {kind}, which this script does not read")
    items = []
    for _ in range(length * (kind - 3)):
        item, at = cbor(data, at)
        items.append(item)
    return (items if kind == 4 else dict(zip(items[::2], items[1::2]))), at


def burnpack(file):
    """The tensors of a file of Burn's, by name."""
    data = file.read_bytes()
    end = 10 + int.from_bytes(data[6:10], "little")
    start = -(-end // 256) * 256
    tensors = {}
    for name, entry in cbor(data, 10)[0]["tensors"].items():
        first, last = (start + offset for offset in entry["data_offsets"])
        values = torch.frombuffer(bytearray(data[first:last]), dtype=torch.float32)
        tensors[name] = values.reshape(entry["shape"])
    return tensors


def load(model, tensors):
    """Gives `model` Burn's parameters: names are the same but for a few, linear layers transposed."""
    renamed = {"Quantum.": "", "circuit.": "", "learned.": "", "gamma": "weight", "beta": "bias"}
    state = {}
    for name, tensor in tensors.items():
        linear = name.endswith(".weight")
        for old, new in renamed.items():
            name = name.replace(old, new)
        state[name] = tensor.T if linear else tensor
    model.load_state_dict(state)


@dataclasses.dataclass
class Ours:
    rate: float
    parameters: int
    loss: float
    tensors: dict


def train_ours(name, setting, data_dir, threads):
    """Trains the example; its rate is the median over epochs, optimiser and batching included."""
    with tempfile.TemporaryDirectory() as folder:
        flags = ["--epochs", str(setting.epochs), "--limit", str(setting.limit), "--run-dir", folder]
        flags += ["--data-dir", os.path.abspath(data_dir)] if data_dir else []
        command = ["cargo", "run", "--release", "--quiet", "--example", name, "--", *flags]
        environment = os.environ | {"RAYON_NUM_THREADS": str(threads)}
        run = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT)
        rates = sorted(float(rate) for rate in re.findall(r"(\d+) images/s", run.stdout))
        losses = re.findall(r"held out loss ([\d.]+)", run.stdout)
        table = re.search(r"^qhon +[\d.]+ % +(\d+)", run.stdout, re.MULTILINE)
        if run.returncode != 0 or not table or not len(rates) == len(losses) == setting.epochs:
            sys.exit(f"{' '.join(command)} failed or printed no table:\n{run.stdout}")
        tensors = burnpack(Path(folder) / "model.bpk")
    return Ours(rates[len(rates) // 2], int(table[1]), float(losses[-1]), tensors)


def held_out_loss(model, setting, images, labels):
    """The mean over batches of the network's loss, as the example prints it."""
    model.eval()
    with torch.no_grad():
        batches = zip(images.split(setting.batch), labels.split(setting.batch))
        losses = [F.cross_entropy(model(i)[0], l).item() for i, l in batches]
    return sum(losses) / len(losses)


def train_peer(model, setting, images, labels):
    """The median rate, the first step left out, and the network's loss of each step."""
    model.train()
    steps = setting.steps
    optimizer = torch.optim.AdamW(
        model.parameters(), LEARNING_RATE, eps=EPSILON, weight_decay=WEIGHT_DECAY
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps, LEARNING_RATE / 100)
    epochs = -(-steps * setting.batch // len(images))
    order = torch.cat([torch.randperm(len(images)) for _ in range(epochs)]).split(setting.batch)
    batches = [(moved(images[i], setting.max_shift), labels[i]) for i in order[:steps]]
    seconds, losses = [], []
    for batch in batches:
        start = time.perf_counter()
        optimizer.zero_grad()
        total, loss = model.loss(*batch)
        total.backward()
        optimizer.step()
        schedule.step()
        seconds.append(time.perf_counter() - start)
        losses.append(loss)
    return setting.batch / sorted(seconds[1:])[(steps - 1) // 2], losses


def parsed():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--example", choices=SETTINGS, default="digits")
    parser.add_argument("--data-dir", help="the folder of MNIST's four files, for --example mnist")
    parser.add_argument("--circuit", choices=["fused", "gates"], default="fused")
    parser.add_argument("--device", choices=["default.qubit", "lightning.qubit"], default="default.qubit")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--steps", type=int, help="training steps in torch; with few it need not learn")
    parser.add_argument("--limit", type=int, help="training images of the example")
    args = parser.parse_args()
    if (args.example == "mnist") != (args.data_dir is not None):
        parser.error("give --data-dir with --example mnist, and only then")
    if args.device == "lightning.qubit" and args.circuit == "fused":
        parser.error("lightning.qubit's adjoint method knows no trained unitaries: use --circuit gates")
    if args.threads < 1:
        parser.error(f"--threads is {args.threads}: use at least 1")
    changes = {name: value for name in ("steps", "limit") if (value := getattr(args, name)) is not None}
    args.setting = dataclasses.replace(SETTINGS[args.example], **changes)
    if args.setting.steps < 2 or args.setting.limit < args.setting.batch:
        parser.error(f"use at least 2 steps and {args.setting.batch} images")
    return args


def main():
    args = parsed()
    setting = args.setting
    torch.manual_seed(1)
    torch.set_num_threads(args.threads)
    data = digits() if args.example == "digits" else mnist(args.data_dir)
    train, held_out = split(*data, setting.limit)
    circuits = Circuits(setting.qubits, args.device, args.circuit == "fused")
    model = Qhon(setting, circuits)

    ours = train_ours(args.example, setting, args.data_dir, args.threads)
    parameters = sum(p.numel() for p in model.parameters())
    print(f"parameters: {parameters} in torch, {ours.parameters} in burn-quantum")
    if parameters != ours.parameters:
        sys.exit("the networks differ")
    start = copy.deepcopy(model.state_dict())
    load(model, ours.tensors)
    same = held_out_loss(model, setting, *held_out)
    print(f"held-out loss with burn-quantum's parameters: {same:.4f} in torch, {ours.loss:.4f} there")
    if not abs(same - ours.loss) < 1e-4:
        sys.exit("the networks compute different functions")

    model.load_state_dict(start)
    rate, losses = train_peer(model, setting, *train)
    tenth = max(1, len(losses) // 10)
    first, last = (sum(part) / tenth for part in (losses[:tenth], losses[-tenth:]))
    after = held_out_loss(model, setting, *held_out)
    steps = f"{len(losses)} steps of {setting.batch} images"
    print(f"torch's training: loss {first:.3f} to {last:.3f} in {steps}, held out {after:.3f}")
    if len(losses) >= SETTINGS[args.example].steps and last > 0.9 * first:
        sys.exit("it does not learn")
    node = circuits.annealing.qnode
    how = f"{node.device.name}, {node.diff_method}, --circuit {args.circuit}"
    print(f"PennyLane {qml.__version__} ({how}), {args.threads} threads: {rate:.1f} images/s")
    print(f"burn-quantum: {ours.rate:.0f} images/s, {ours.rate / rate:.1f} times as many")


if __name__ == "__main__":
    main()
