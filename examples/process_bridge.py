#!/usr/bin/env python3
"""A device for burn-quantum's `hardware::ProcessDevice`, whose documentation has the protocol.

It anneals in plain Python. To reach a machine that only has a closed SDK, replace `sample` by a call
of that; for QBoson's, start with --int8 and give the optimiser `numpy.array(request["int8"])`.
"""
import argparse, itertools, json, math, random, sys

parser = argparse.ArgumentParser(description="Anneals problems that it reads from standard input.")
parser.add_argument("--int8", action="store_true", help="take matrices of 8-bit integers")
parser.add_argument("--beta", type=float, default=1.0, help="the last inverse temperature")
parser.add_argument("--sweeps", type=int, default=20, help="sweeps of each read")
args = parser.parse_args()


def sample(h, couplings, n_reads):
    neighbours = [[] for _ in h]
    for i, j, value in couplings:
        neighbours[i].append((j, value))
        neighbours[j].append((i, value))
    for _ in range(n_reads):
        spins = [random.choice((-1, 1)) for _ in h]
        for sweep, i in itertools.product(range(1, args.sweeps + 1), range(len(h))):
            field = h[i] + sum(value * spins[j] for j, value in neighbours[i])
            mean = -math.tanh(args.beta * sweep / args.sweeps * field)
            spins[i] = 1 if 2 * random.random() - 1 < mean else -1
        yield spins


def answer(request):
    if "int8" in request:  # minimise -s^T M s
        m, h, offset = request["int8"], [0] * request["n_spins"], 0
        couplings = [(i, j, -2 * m[i][j]) for i in range(len(m)) for j in range(i)]
    else:
        h, offset = request["h"], request["offset"]
        couplings = list(zip(request["i"], request["j"], request["J"]))
    spins = list(sample(h, couplings, request["num_reads"]))
    bonds = lambda s: sum(value * s[i] * s[j] for i, j, value in couplings)
    energies = [offset + sum(map(lambda a, b: a * b, h, s)) + bonds(s) for s in spins]
    return {"spins": spins, "energies": energies}


def say(message, to=sys.stdout):
    print(json.dumps(message), file=to, flush=True)


sys.stdout = sys.stderr  # what an SDK prints must not get between the answers
for line in sys.stdin:
    request = json.loads(line)
    if "protocol" in request:
        form = "int8" if args.int8 else "ising"
        say({"protocol": "burn-quantum/1", "name": "annealing in Python", "takes": form})
        continue
    try:
        say({"id": request["id"]} | answer(request))
    except Exception as error:  # of an SDK: no licence, no network, ...
        say({"id": request["id"], "error": f"{type(error).__name__}: {error}"})
