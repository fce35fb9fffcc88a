#!/usr/bin/env python3
"""Minimal D-Wave SAPI (Solver API v3, media type version 3.0.0) mock solver server, python stdlib only.

The REAL dwave-cloud-client / dwave-system clients can be pointed at it:
    python3 sapi_mock.py --port 8745 --topology pegasus:2 --latency 0.3 --log wire.log
    DWAVE_API_ENDPOINT=http://127.0.0.1:8745/sapi/v2/ DWAVE_API_TOKEN=test  python -c "..."
Endpoints implemented (relative to the endpoint path, default /sapi/v2/):
    GET    solvers/remote/                      list of solver definitions  (ETag / If-None-Match supported)
    GET    solvers/remote/{name}                one definition
    POST   problems/                            JSON *list* of jobs  (Content-Encoding: deflate = zlib stream)
                                                or one JSON *object*: blocking form, answered with its status(+answer)
    GET    problems/?id=a,b,c[&timeout=sec]     list of statuses; with timeout: LONG POLL (integer seconds)
    GET    problems/{id}/  | problems/{id}      status + "answer" when COMPLETED
    GET    problems/{id}/info | /answer | /messages
    DELETE problems/   body ["id",...]          cancel many;   DELETE problems/{id}  cancel one
Auth: X-Auth-Token header (401 if it does not match --token, when given).
"""

import argparse, base64, hashlib, json, math, random, struct, sys, threading, time, uuid, zlib
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit, parse_qs

MT = "application/vnd.dwave.sapi."
V = "3.0.0"


def now():
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def b64d(v):
    return base64.b64encode(struct.pack("<%dd" % len(v), *v)).decode()


def b64i(v):
    return base64.b64encode(struct.pack("<%di" % len(v), *v)).decode()


def unb64d(s):
    b = base64.b64decode(s)
    return struct.unpack("<%dd" % (len(b) // 8), b)


def topology(spec):
    kind, _, arg = spec.partition(":")
    if kind == "clique":
        n = int(arg)
        q = list(range(n))
        c = [[i, j] for i in q for j in q if i < j]
        shape = [n]
    elif kind == "chimera":  # pure python chimera C(m,m,4), D-Wave linear labels
        m = int(arg)
        t = 4
        c = []
        lab = lambda r, k, u, x: ((r * m + k) * 2 + u) * t + x
        for r in range(m):
            for k in range(m):
                c += [[lab(r, k, 0, a), lab(r, k, 1, b)] for a in range(t) for b in range(t)]
                if r + 1 < m:
                    c += [[lab(r, k, 0, a), lab(r + 1, k, 0, a)] for a in range(t)]
                if k + 1 < m:
                    c += [[lab(r, k, 1, a), lab(r, k + 1, 1, a)] for a in range(t)]
        q = list(range(m * m * 2 * t))
        c = sorted(map(sorted, c))
        shape = [m, m, t]
    else:  # pegasus:m / zephyr:m via dwave_networkx (test machine only)
        import dwave_networkx as dnx

        g = getattr(dnx, kind + "_graph")(int(arg))
        q = sorted(g.nodes)
        c = sorted(map(sorted, g.edges))
        shape = [int(arg)] + ([4] if kind == "zephyr" else [])
    return kind, shape, q, c


def solver_def(spec, name, missing=()):
    kind, shape, q, c = topology(spec)
    q = [x for x in q if x not in missing]
    c = [e for e in c if e[0] not in missing and e[1] not in missing]
    nq = (max(q) + 1) if kind != "pegasus" else 24 * shape[0] * (shape[0] - 1)
    return {
        "identity": {
            "name": name,
            "version": {"graph_id": hashlib.sha1(repr((q, c)).encode()).hexdigest()[:10]},
        },
        "status": "ONLINE",
        "description": "SAPI mock, %s %s" % (kind, shape),
        "avg_load": 0.01,
        "properties": {
            "category": "qpu",
            "chip_id": name,
            "tags": [],
            "topology": {"type": kind, "shape": shape},
            "num_qubits": nq,
            "qubits": q,
            "couplers": c,
            "supported_problem_types": ["ising", "qubo"],
            "h_range": [-4.0, 4.0],
            "j_range": [-1.0, 1.0],
            "extended_j_range": [-2.0, 1.0],
            "per_qubit_coupling_range": [-18.0, 15.0],
            "h_gain_schedule_range": [-4.0, 4.0],
            "num_reads_range": [1, 10000],
            "max_anneal_schedule_points": 12,
            "annealing_time_range": [0.5, 2000.0],
            "default_annealing_time": 20.0,
            "programming_thermalization_range": [0.0, 10000.0],
            "readout_thermalization_range": [0.0, 10000.0],
            "default_programming_thermalization": 1000.0,
            "default_readout_thermalization": 0.0,
            "problem_run_duration_range": [0.0, 1000000.0],
            "quota_conversion_rate": 1,
            "parameters": {
                k: ""
                for k in (
                    "answer_mode",
                    "anneal_offsets",
                    "anneal_schedule",
                    "annealing_time",
                    "auto_scale",
                    "flux_biases",
                    "h_gain_schedule",
                    "initial_state",
                    "label",
                    "max_answers",
                    "num_reads",
                    "num_spin_reversal_transforms",
                    "programming_thermalization",
                    "readout_thermalization",
                    "reinitialize_state",
                    "reduce_intersample_correlation",
                )
            },
        },
    }


def anneal(h, J, reads, rng, sweeps=200):
    """tiny Metropolis SA. h: {q:bias}; J: {(a,b):v}. yields list of spin dicts"""
    nb = {q: [] for q in h}
    for (a, b), v in J.items():
        if v:
            nb[a].append((b, v))
            nb[b].append((a, v))
    scale = max([abs(x) for x in h.values()] + [abs(v) for v in J.values()] + [1e-9])
    out = []
    for _ in range(reads):
        s = {q: rng.choice((-1, 1)) for q in h}
        for k in range(sweeps):
            beta = 0.1 * (50.0 ** (k / (sweeps - 1))) / scale
            for q in s:
                d = -2 * s[q] * (h[q] + sum(v * s[p] for p, v in nb[q]))
                if d <= 0 or rng.random() < math.exp(-beta * d):
                    s[q] = -s[q]
        out.append(s)
    return out


class Store:
    def __init__(self, args):
        self.args = args
        self.cv = threading.Condition()
        self.jobs = {}
        self.solvers = [solver_def(args.topology, args.name)]
        self.rng = random.Random(args.seed)

    def find(self, name):
        return next((s for s in self.solvers if s["identity"]["name"] == name), None)

    def submit(self, job):
        try:
            name = job["solver"]["name"] if isinstance(job["solver"], dict) else job["solver"]
            s = self.find(name)
            if s is None:
                return {
                    "error_code": 404,
                    "error_msg": "Solver does not exist or apitoken does not have access",
                }
            if job["data"]["format"] != "qp":
                return {"error_code": 400, "error_msg": "unsupported problem format"}
            lo, hi = s["properties"]["num_reads_range"]
            r = int(job.get("params", {}).get("num_reads", 1))
            if not lo <= r <= hi:
                return {"error_code": 400, "error_msg": "num_reads must be between %d and %d" % (lo, hi)}
        except Exception as e:
            return {"error_code": 400, "error_msg": "Malformed job: %r" % e}
        j = {
            "id": str(uuid.uuid4()),
            "job": job,
            "solver": s,
            "status": "PENDING",
            "submitted_on": now(),
            "solved_on": None,
            "answer": None,
            "reads": r,
        }
        with self.cv:
            self.jobs[j["id"]] = j
        threading.Thread(target=self.work, args=(j,), daemon=True).start()
        return self.status(j)

    def work(self, j):
        try:
            time.sleep(self.args.latency / 2)
            with self.cv:
                if j["status"] != "PENDING":
                    return
                j["status"] = "IN_PROGRESS"
                self.cv.notify_all()
            t0 = time.time()
            ans = self.solve(j)
            time.sleep(max(0, self.args.latency / 2 - (time.time() - t0)))
            with self.cv:
                j.update(answer=ans, status="COMPLETED", solved_on=now())
                self.cv.notify_all()
        except Exception as e:
            with self.cv:
                j.update(status="FAILED", error_message=repr(e), solved_on=now())
                self.cv.notify_all()

    def solve(self, j):
        p = j["solver"]["properties"]
        d = j["job"]["data"]
        prm = j["job"].get("params", {})
        typ = j["job"]["type"]
        lin = unb64d(d["lin"])
        quad = unb64d(d["quad"])
        if len(lin) != len(p["qubits"]):
            raise ValueError("lin has %d doubles, expected %d" % (len(lin), len(p["qubits"])))
        active = [q for q, x in zip(p["qubits"], lin) if not math.isnan(x)]
        aset = set(active)
        edges = [tuple(e) for e in p["couplers"] if e[0] in aset and e[1] in aset]
        if len(quad) != len(edges):
            raise ValueError("quad has %d doubles, expected %d" % (len(quad), len(edges)))
        a = {q: x for q, x in zip(p["qubits"], lin) if q in aset}
        B = dict(zip(edges, quad))
        if typ == "ising":
            h, J = a, B
        else:  # qubo -> ising
            h = {q: x / 2 for q, x in a.items()}
            J = {}
            for (u, v), x in B.items():
                J[u, v] = x / 4
                h[u] += x / 4
                h[v] += x / 4
        sols = {}
        for s in anneal(h, J, j["reads"], self.rng):
            key = tuple(1 if s[q] > 0 else 0 for q in active)
            sols[key] = sols.get(key, 0) + 1

        def energy(bits):
            v = dict(zip(active, bits if typ == "qubo" else [2 * b - 1 for b in bits]))
            return sum(x * v[q] for q, x in a.items()) + sum(x * v[u] * v[w] for (u, w), x in B.items())

        raw = prm.get("answer_mode", "histogram") == "raw"
        items = (
            [(k, 1) for k, c in sols.items() for _ in range(c)]
            if raw
            else sorted(sols.items(), key=lambda kv: energy(kv[0]))
        )
        packed = b"".join(
            bytes(int("".join(map(str, k[i : i + 8])).ljust(8, "0"), 2) for i in range(0, len(k), 8))
            for k, _ in items
        )
        at = float(prm.get("annealing_time", 20.0))
        n = j["reads"]
        return {
            "format": "qp",
            "num_variables": p["num_qubits"],
            "active_variables": b64i(active),
            "energies": b64d([energy(k) for k, _ in items]),
            "solutions": base64.b64encode(packed).decode(),
            "num_occurrences": b64i([c for _, c in items]),
            "timing": {
                "qpu_sampling_time": n * (at + 100),
                "qpu_anneal_time_per_sample": at,
                "qpu_readout_time_per_sample": 80.0,
                "qpu_delay_time_per_sample": 20.0,
                "qpu_programming_time": 14000.0,
                "qpu_access_time": 14000.0 + n * (at + 100),
                "qpu_access_overhead_time": 1000.0,
                "total_post_processing_time": 1.0,
                "post_processing_overhead_time": 1.0,
            },
        }

    def status(self, j, answer=False):
        r = {
            "id": j["id"],
            "type": j["job"]["type"],
            "solver": j["solver"]["identity"],
            "status": j["status"],
            "submitted_on": j["submitted_on"],
        }
        if j["job"].get("label"):
            r["label"] = j["job"]["label"]
        if j["solved_on"]:
            r["solved_on"] = j["solved_on"]
        if j.get("error_message"):
            r["error_message"] = j["error_message"]
        if answer and j["answer"]:
            r["answer"] = j["answer"]
        return r

    def cancel(self, i):
        with self.cv:
            j = self.jobs.get(i)
            if j is None:
                return {
                    "error_code": 404,
                    "error_msg": "Problem does not exist or apitoken does not have access",
                }
            if j["status"] in ("PENDING", "IN_PROGRESS"):
                j.update(status="CANCELLED", solved_on=now())
                self.cv.notify_all()
            elif j["status"] != "CANCELLED":
                return {"error_code": 409, "error_msg": "Problem has been finished."}
            return self.status(j)

    def wait(self, ids, timeout):
        DONE = ("COMPLETED", "FAILED", "CANCELLED")
        with self.cv:
            js = [self.jobs[i] for i in ids if i in self.jobs]
            if timeout and js:
                self.cv.wait_for(lambda: any(j["status"] in DONE for j in js), timeout)
            return [self.status(j) for j in js]


def downgrade(o):
    """SAPI 3 -> SAPI 2 bodies: solver identity object becomes the plain name string, definitions carry "id" """
    if isinstance(o, list):
        return [downgrade(x) for x in o]
    if isinstance(o, dict):
        o = dict(o)
        if "identity" in o:
            o["id"] = o.pop("identity")["name"]
        if isinstance(o.get("solver"), dict):
            o["solver"] = o["solver"]["name"]
        if isinstance(o.get("metadata"), dict):
            o["metadata"] = downgrade(o["metadata"])
    return o


class H(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "sapi-mock/1"

    def log_message(self, *a):
        pass

    def reply(self, code, obj, media=None, extra=()):
        v3 = "version=3" in self.headers.get(
            "Accept", ""
        )  # dwave-cloud-client >= 0.14 asks 3.0.0; <= 0.13 asks nothing and wants 2.x
        ver = V if v3 else "2.2.0"
        if obj is not None and not v3:
            obj = downgrade(obj)
        body = b"" if obj is None else json.dumps(obj).encode()
        self.send_response(code)
        if body:
            self.send_header(
                "Content-Type", (MT + media + "+json; version=" + ver) if media else "application/json"
            )
        self.send_header("Content-Length", str(len(body)))
        for k, v in extra:
            self.send_header(k, v)
        self.end_headers()
        self.wfile.write(body)
        if self.server.log:
            with self.server.loglock:
                f = self.server.log
                f.write("=" * 100 + "\n> %s %s\n" % (self.command, self.path))
                for k, v in self.headers.items():
                    f.write("> %s: %s\n" % (k, v))
                if self.body:
                    f.write(
                        ">\n> [%d bytes on the wire, decoded:] %s\n"
                        % (self.wire, self.body[:3000].decode("utf8", "replace"))
                    )
                f.write("< %d\n" % code)
                if body:
                    f.write(
                        "< Content-Type: %s\n"
                        % ((MT + media + "+json; version=" + ver) if media else "application/json")
                    )
                for k, v in extra:
                    f.write("< %s: %s\n" % (k, v))
                f.write("<\n< %s\n" % body[:3000].decode())
                f.flush()

    def go(self):
        # body: Content-Length or chunked, optional deflate (zlib stream)
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            b = b""
            while True:
                n = int(self.rfile.readline().split(b";")[0], 16)
                b += self.rfile.read(n)
                self.rfile.readline()
                if n == 0:
                    break
        else:
            b = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.wire = len(b)
        if self.headers.get("Content-Encoding") == "deflate":
            b = zlib.decompress(b)
        self.body = b
        st = self.server.store
        tok = self.server.args.token
        if tok and self.headers.get("X-Auth-Token") != tok:
            return self.reply(401, {"error_code": 401, "error_msg": "Invalid token"})
        u = urlsplit(self.path)
        q = parse_qs(u.query)
        base = self.server.args.base
        if not u.path.startswith(base):
            return self.reply(404, {"error_code": 404, "error_msg": "not found"})
        path = [x for x in u.path[len(base) :].split("/") if x]
        m = self.command
        try:
            if m == "GET" and path[:2] == ["solvers", "remote"]:
                if len(path) == 2:
                    tag = 'W/"%s"' % hashlib.sha1(json.dumps(st.solvers).encode()).hexdigest()[:16]
                    if self.headers.get("If-None-Match") == tag:
                        return self.reply(304, None, extra=[("ETag", tag)])
                    return self.reply(
                        200,
                        st.solvers,
                        "solver-definition-list",
                        [("ETag", tag), ("Cache-Control", "private, max-age=60")],
                    )
                s = st.find(path[2])
                return (
                    self.reply(200, s, "solver-definition")
                    if s
                    else self.reply(404, {"error_code": 404, "error_msg": "Solver not found"})
                )
            if path[:1] == ["problems"]:
                if m == "POST":
                    jobs = json.loads(b)
                    if isinstance(jobs, list):
                        return self.reply(202, [st.submit(j) for j in jobs], "problems")
                    r = st.submit(jobs)
                    if "id" not in r:
                        return self.reply(r["error_code"], r)
                    st.wait([r["id"]], 1.0)
                    return self.reply(200, st.status(st.jobs[r["id"]], True), "problems")
                if m == "DELETE":
                    ids = json.loads(b) if len(path) == 1 else [path[1]]
                    r = [st.cancel(i) for i in ids]
                    return (
                        self.reply(202, r, "problems")
                        if len(path) == 1
                        else self.reply(202 if "id" in r[0] else r[0]["error_code"], r[0], "problem")
                    )
                if m == "GET" and len(path) == 1:
                    ids = [i for i in ",".join(q.get("id", [])).split(",") if i] or list(st.jobs)
                    return self.reply(200, st.wait(ids, int(q.get("timeout", ["0"])[0])), "problems")
                j = st.jobs.get(path[1])
                if j is None:
                    return self.reply(
                        404,
                        {
                            "error_code": 404,
                            "error_msg": "Problem does not exist or apitoken does not have access",
                        },
                    )
                if len(path) == 2:
                    return self.reply(200, st.status(j, True), "problem")
                if path[2] == "answer":
                    return self.reply(200, {"answer": j["answer"]}, "problem-answer")
                if path[2] == "messages":
                    return self.reply(200, [], "problem-message")
                if path[2] == "info":
                    md = dict(
                        solver=j["solver"]["identity"],
                        type=j["job"]["type"],
                        label=j["job"].get("label"),
                        status=j["status"],
                        submitted_by="mock",
                        submitted_on=j["submitted_on"],
                        solved_on=j["solved_on"],
                        messages=[],
                    )
                    return self.reply(
                        200,
                        dict(
                            id=j["id"],
                            data=j["job"]["data"],
                            params=j["job"]["params"],
                            metadata=md,
                            answer=j["answer"],
                        ),
                        "problem-data",
                    )
            self.reply(404, {"error_code": 404, "error_msg": "not found"})
        except (BrokenPipeError, ConnectionResetError):
            pass
        except Exception as e:
            self.reply(500, {"error_code": 500, "error_msg": repr(e)})

    do_GET = do_POST = do_DELETE = go


def serve(argv=None):
    ap = argparse.ArgumentParser()
    ap.add_argument("--port", type=int, default=0)
    ap.add_argument("--host", default="127.0.0.1")
    ap.add_argument(
        "--topology",
        default="chimera:2",
        help="clique:N | chimera:M | pegasus:M | zephyr:M (last two need dwave_networkx)",
    )
    ap.add_argument("--name", default="Mock_system1")
    ap.add_argument("--base", default="/sapi/v2/")
    ap.add_argument("--token", default="")
    ap.add_argument("--latency", type=float, default=0.3)
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--log", default="")
    a = ap.parse_args(argv)
    srv = ThreadingHTTPServer((a.host, a.port), H)
    srv.daemon_threads = True
    srv.args = a
    srv.store = Store(a)
    srv.log = open(a.log, "a") if a.log else None
    srv.loglock = threading.Lock()
    return srv


if __name__ == "__main__":
    s = serve()
    print("endpoint http://%s:%d%s" % (*s.server_address, s.args.base), flush=True)
    try:
        s.serve_forever()
    except KeyboardInterrupt:
        pass
