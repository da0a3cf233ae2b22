"""A whole PulseEcom for a test: the built program, its private Postgres, its own data directory.

Nothing here sleeps blindly: what is awaited is polled with a deadline, and a deadline that passes says what it saw.
"""

import json
import os
import pathlib
import select
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psycopg
import requests

ROOT = pathlib.Path(__file__).resolve().parents[2]
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "pulse"
PULSE = ROOT / ".build" / "release" / "pulse"
SHARED_DATA = ROOT.parent / "shared" / "data"


def poll(what, seconds, check, every=0.05):
    """Calls `check` until it returns something true, and returns that; fails after `seconds` with what it last saw."""
    end = time.monotonic() + seconds
    seen = None
    while True:
        try:
            seen = check()
            if seen:
                return seen
        except (requests.ConnectionError, requests.Timeout, psycopg.OperationalError) as problem:
            seen = problem
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {seconds} s; last seen: {seen!r}")
        time.sleep(every)


def rows_of(connection, query, *args):
    return connection.execute(query, args).fetchall()


def children_of(pid):
    """Every process below `pid`."""
    out, todo = [], [pid]
    while todo:
        here = todo.pop()
        for task in pathlib.Path(f"/proc/{here}/task").glob("*/children"):
            try:
                found = [int(p) for p in task.read_text().split()]
            except OSError:
                continue
            out += found
            todo += found
    return out


def is_pulse(pid):
    try:
        return os.readlink(f"/proc/{pid}/exe") == str(PULSE)
    except OSError:
        return False


def is_alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class Tenant:
    """A tenant with one live key for everything; more keys on demand."""

    def __init__(self, node, name, currency="EUR", rate=0):
        self.node, self.name = node, name
        self.id = node.cli("tenant", "create", name, *(["--currency", currency] if currency else []))["id"]
        if rate is not None:
            self.limits(rate, 0)
        self.key = self.make_key("ingest,read,admin")["key"]

    def limits(self, rate, burst):
        return self.node.cli("tenant", "limits", self.name, "--rate", str(rate), "--burst", str(burst))

    def make_key(self, scopes, test=False):
        return self.node.cli("key", "create", "--tenant", self.name, "--scopes", scopes, *(["--test"] if test else []))

    def request(self, method, path, key=None, **more):
        headers = {"Authorization": "Bearer " + (self.key if key is None else key)}
        headers.update(more.pop("headers", {}))
        return self.node.request(method, path, headers=headers, **more)

    def get(self, path, **params):
        return self.request("GET", path, params=params)

    def send(self, events, key=None, path="/v1/events", **headers):
        body = events if isinstance(events, (bytes, str)) else json.dumps(events)
        headers = {"Content-Type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}}
        return self.request("POST", path, key, data=body.encode() if isinstance(body, str) else body, headers=headers)

    def sql(self, query, *args):
        """Rows of this tenant: the query's first parameter is its number."""
        return rows_of(self.node.db(), query, self.id, *args)

    def ledger(self):
        """Sums of the ledger over all generations of the log."""
        found = self.sql("SELECT coalesce(sum(raw),0)::int, coalesce(sum(stored),0)::int, "
                         "coalesce(sum(duplicates),0)::int, coalesce(sum(failed),0)::int, "
                         "coalesce(sum(control),0)::int, coalesce(sum(dropped),0)::int FROM ledger WHERE tenant_id = %s")
        return dict(zip(("raw", "stored", "duplicates", "failed", "control", "dropped"), found[0]))

    def events(self, columns="*", where="true", *args):
        return self.sql(f"SELECT {columns} FROM event WHERE tenant_id = %s AND {where} ORDER BY event_id", *args)

    def assert_accounts_close(self):
        """Promise 1, and promise 2 against every event that is stored."""
        books = self.ledger()
        assert books["raw"] == sum(books[k] for k in ("stored", "duplicates", "failed", "control", "dropped")), books
        assert self.sql("SELECT count(*)::int FROM event WHERE tenant_id = %s")[0][0] == books["stored"], books
        for table, width in (("rollup_minute", "1 minute"), ("rollup_quarter", "15 minutes")):
            for dim, value in (("total", "''"), ("name", "name"), ("country", "country"), ("device", "device"),
                               ("store", "store"), ("campaign", "campaign")):
                counted = self.sql(
                    f"SELECT date_bin('{width}', occurred_at, 'epoch') AS bucket, {value} AS value, "
                    "coalesce(currency, ''), count(*)::bigint, "
                    "count(*) FILTER (WHERE name = 'Order Completed')::bigint, "
                    "coalesce(sum(amount_minor) FILTER (WHERE name = 'Order Completed'), 0)::bigint, "
                    "coalesce(sum(amount_minor) FILTER (WHERE name = 'Order Refunded'), 0)::bigint, "
                    "count(*) FILTER (WHERE flagged)::bigint, sum(risk_milli)::bigint "
                    f"FROM event WHERE tenant_id = %s AND NOT test AND {value} IS NOT NULL "
                    "GROUP BY 1, 2, 3 ORDER BY 1, 2, 3")
                kept = self.sql(
                    "SELECT bucket, value, currency, events, orders, revenue_minor, refunds_minor, anomalies, "
                    f"risk_milli FROM {table} WHERE tenant_id = %s AND dim = %s ORDER BY 1, 2, 3", dim)
                assert kept == counted, f"{table} by {dim} differs from a recount"


def rss_mib(pid):
    """The resident set of a process."""
    return int((pathlib.Path("/proc") / str(pid) / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


class Node:
    """`by_script`: through scripts/run, as a user would; else the program alone over a Postgres that outlives it."""

    def __init__(self, by_script=True, **settings):
        self.by_script = by_script
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="pulse-e2e-"))
        self.dir.chmod(0o711)
        self.data_dir = self.dir / "data"
        self.log = self.dir / "log"
        self.process = None
        self.url = self.admin = None
        self.tenants = 0
        self._db = None
        self.env = dict(os.environ, PULSE_DATA_DIR=str(self.data_dir), PULSE_HTTP_PORT="0", PULSE_ADMIN_PORT="0",
                        PULSE_DEMO="0", PULSE_GEO_DIR=str(CACHE / "geo"), **settings)
        for name in ("PULSE_POSTGRES_URL", "PULSE_POSTGRES_URL_FILE", "PULSE_KEY"):
            self.env.pop(name, None)

    # --- starting and ending -------------------------------------------------------------------------------------

    def start(self, seconds=60):
        if self.by_script:
            command = [str(ROOT / "scripts" / "run")]
        else:
            self.postgres("up")
            self.env["PULSE_POSTGRES_URL"] = f"host={self.socket()} user=pulse dbname=pulse"
            command = [str(PULSE), "serve"]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, env=self.env, cwd=ROOT, stdin=subprocess.DEVNULL,
                                            stdout=subprocess.PIPE, stderr=log, start_new_session=True)
        line, end = b"", time.monotonic() + seconds
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))
            piece = os.read(self.process.stdout.fileno(), 4096) if ready else b""
            assert piece, f"no ready line ({line!r}) after {seconds} s; status {self.process.poll()}\n{self.tail()}"
            line += piece
        words = line.decode().split()
        assert words[0] == "ready", line
        self.url, self.admin = words[1].removeprefix("http="), words[2].removeprefix("admin=")
        return self

    def pulse_pid(self):
        if not self.by_script:
            return self.process.pid
        found = [p for p in children_of(self.process.pid) if is_pulse(p)]
        assert len(found) == 1, found
        return found[0]

    def kill(self):
        """kill -9 of pulse alone."""
        os.kill(self.pulse_pid(), signal.SIGKILL)
        if not self.by_script:
            self.process.wait(10)
            self.process.stdout.close()

    def terminate(self, seconds=30):
        """SIGTERM; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(seconds)
        self.process.stdout.close()
        return status

    def destroy(self):
        self.close_db()
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait(10)
        if (self.data_dir / "pg").exists():
            self.postgres("down")
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.destroy()
            raise

    def __exit__(self, *_):
        self.destroy()

    # --- Postgres ------------------------------------------------------------------------------------------------

    def postgres(self, verb):
        """`up` or `down`, by the project's own functions."""
        self.data_dir.mkdir(mode=0o711, exist_ok=True)
        subprocess.run(["bash", "-c", f'set -eu; . "{ROOT}/scripts/lib/common.sh"; . "{ROOT}/scripts/lib/postgres.sh"; '
                        f'pg_{verb} "{self.data_dir}"'], env=self.env, check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, timeout=90)

    def socket(self):
        return self.data_dir / "pg"

    def postgres_runs(self):
        return (self.data_dir / "pg" / "data" / "postmaster.pid").exists()

    def db(self):
        """As superuser: row-level security does not hide anything from the test."""
        if self._db is None or self._db.closed or self._db.broken:
            self._db = psycopg.connect(f"host={self.socket()} user=postgres dbname=pulse", autocommit=True)
        return self._db

    def close_db(self):
        if self._db is not None:
            self._db.close()
            self._db = None

    # --- from outside --------------------------------------------------------------------------------------------

    def say(self, *args):
        """A verb of the program as a person calls it: its status and what it prints."""
        return subprocess.run([str(ROOT / "scripts" / "pulse"), *args], env=self.env, capture_output=True, text=True,
                              timeout=60, stdin=subprocess.DEVNULL)

    def cli(self, *args, status=0):
        """A verb of the program with --json; its document."""
        done = self.say(*args, "--json")
        assert done.returncode == status, (args, done.returncode, done.stdout, done.stderr)
        return json.loads(done.stdout) if done.stdout.strip() else None

    def tenant(self, currency="EUR", rate=0):
        self.tenants += 1
        return Tenant(self, f"shop-{self.tenants}", currency, rate)

    def request(self, method, path, **more):
        return requests.request(method, self.url + path, timeout=more.pop("timeout", 30), **more)

    def admin_get(self, path):
        token = (self.data_dir / "admin-token").read_text().strip()
        return requests.get(self.admin + path, headers={"Authorization": "Bearer " + token}, timeout=10)

    def slots(self):
        return self.admin_get("/admin/v1/slots").json()["data"]

    def settle(self, seconds=60):
        """Until everything that was acknowledged is behind the positions."""
        poll("nothing in flight", seconds, lambda: all(s["lag"] == 0 for s in self.slots()))

    def tail(self, lines=60):
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return ""


class Receiver:
    """A local HTTP server that keeps what it got. `answer(request)` says the status, or (status, headers, body)."""

    def __init__(self, answer=lambda request: 200, host="127.0.0.1"):
        self.got, self.answer, lock = [], answer, threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                request = {"path": self.path, "headers": dict(self.headers), "body": body}
                with lock:
                    outer.got.append(request)
                reply = outer.answer(request)
                status, headers, text = reply if isinstance(reply, tuple) else (reply, {}, b"")
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer((host, 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.url = f"http://{host}:{self.port}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def flaky_proxy(upstream, failures):
    """Hands requests on to `upstream`, and answers the first ones with 500 although they were taken."""
    left = iter(range(failures))

    def answer(request):
        skipped = ("host", "content-length", "connection")
        headers = {k: v for k, v in request["headers"].items() if k.lower() not in skipped}
        got = requests.post(upstream + request["path"], data=request["body"], headers=headers, timeout=30)
        request["status"] = got.status_code
        if next(left, None) is not None:
            return 500
        return got.status_code, {"Content-Type": got.headers.get("Content-Type", "")}, got.content

    return Receiver(answer)
