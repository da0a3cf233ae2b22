"""Links between nodes: mutual TLS by the cluster's own authority, and limits that are exact over all gateways."""

import collections
import json
import os
import pathlib
import subprocess
import threading
import time

import pytest
import requests
from cluster import TERM_MS, started, until_owned
from support import PULSE, poll

RATE, BURST = 300, 600


@pytest.fixture(scope="module")
def _cluster():
    with started(2) as made:
        yield made


@pytest.fixture
def cluster(_cluster, request):
    request.node.pulse_nodes = [_cluster]
    return _cluster


class Flood(threading.Thread):
    """Sends batches as fast as it may through one gateway, and notes when each was admitted or refused."""

    def __init__(self, cluster, tenant, number, stop):
        super().__init__(daemon=True)
        self.cluster, self.tenant, self.number, self.stop = cluster, tenant, number, stop
        # (when it was sent, when it was answered, how many) of what was admitted.
        self.admitted, self.said = [], collections.Counter()

    def run(self):
        with requests.Session() as http:
            for batch in range(1_000_000):
                if self.stop.is_set():
                    return
                size = 1 + (batch * 7 + self.number) % 20
                body = "\n".join(json.dumps({"type": "track", "event": "View", "userId": "u",
                                             "messageId": f"{self.number}-{batch}-{i}"}) for i in range(size))
                sent = time.monotonic()
                try:
                    answer = http.post(self.cluster.url + "/v1/events", data=body, timeout=10,
                                       headers={"Authorization": "Bearer " + self.tenant.key,
                                                "Content-Type": "application/x-ndjson"})
                except requests.RequestException:
                    # The outcome is unknown: counted as admitted by the events that are stored.
                    self.said["cut"] += 1
                    continue
                self.said[answer.status_code] += 1
                if answer.status_code == 200:
                    self.admitted.append((sent, time.monotonic(), size))
                else:
                    assert answer.status_code in (429, 503), answer.text
                    assert int(answer.headers["Retry-After"]) >= 1
                    time.sleep(0.02)


def flood(cluster, tenant, seconds, clients=4, meanwhile=None):
    stop = threading.Event()
    threads = [Flood(cluster, tenant, i, stop) for i in range(clients)]
    for t in threads:
        t.start()
    if meanwhile:
        meanwhile()
    stop.wait(seconds)
    stop.set()
    for t in threads:
        t.join(20)
        assert not t.is_alive()
    return sorted(a for t in threads for a in t.admitted), sum((t.said for t in threads), collections.Counter())


def most_over_any_interval(admitted):
    """By how much any interval exceeds burst + rate * t at most. An event was admitted somewhere between its sending and
    its answer: the interval is counted from the first sending to the last answer, which makes it only longer."""
    worst, sums = float("-inf"), [0]
    for _, _, size in admitted:
        sums.append(sums[-1] + size)
    for i in range(0, len(admitted), 5):
        latest = 0
        for j in range(i, len(admitted)):
            latest = max(latest, admitted[j][1])
            worst = max(worst, sums[j + 1] - sums[i] - BURST - RATE * (latest - admitted[i][0]))
    return worst


@pytest.mark.feature("1.8")
def test_a_limit_is_exact_over_all_gateways_and_stays_so_when_its_owner_dies(cluster):
    shop = cluster.tenant()
    # The limit is set, and what the supervisors knew before is forgotten.
    shop.limits(RATE, BURST)
    poll("the limit is known everywhere", 20, lambda: time.sleep(0.5) or all(
        flood(cluster, shop, 0.3, 2)[1].get(429) for _ in range(2)))
    time_of_burst = BURST / RATE
    cluster_quiet = time.monotonic() + time_of_burst
    poll("the bucket is full again", 10, lambda: time.monotonic() > cluster_quiet)
    admitted, said = flood(cluster, shop, 8)
    total = sum(size for _, _, size in admitted)
    seconds = admitted[-1][1] - admitted[0][0]
    usable = total / (BURST + RATE * seconds)
    print(f"two gateways, 4 clients, {seconds:.1f} s: {total} admitted, {usable:.1%} of burst + rate * t; {dict(said)}")
    assert most_over_any_interval(admitted) <= 0
    assert usable > 0.9
    holder = cluster.holders()[shop.sql("SELECT slot FROM tenant WHERE tenant_id = %s")[0][0]]
    number = int(holder.removeprefix("node-"))
    admitted, said = flood(cluster, shop, TERM_MS / 1000 + 6, meanwhile=lambda: cluster.run("kill", str(number)))
    print(f"kill -9 of the owner: {sum(a[2] for a in admitted)} admitted; {dict(said)}")
    assert most_over_any_interval(admitted) <= 0
    assert admitted[-1][1] - admitted[0][0] > TERM_MS / 1000, "nothing was admitted after the owner was replaced"
    cluster.run("restart", str(number))
    cluster.refresh()
    until_owned(cluster, {"node-1", "node-2"}, 30)


def test_nodes_are_linked_over_mutual_tls_and_strangers_are_refused(cluster):
    poll("linked", 20, lambda: '"linked"' in cluster.log_of(1) + cluster.log_of(2))
    node = json.loads((pathlib.Path(cluster.nodes[1]["data_dir"]) / "addresses.json").read_text())["node"]
    tls = cluster.dir / "cluster" / "tls"

    def handshake(*more):
        """OpenSSL's own client: what the server said to our certificate shows when something is read."""
        return subprocess.run(["openssl", "s_client", "-connect", node, "-CAfile", str(tls / "ca.pem"),
                               "-verify_return_error", "-brief", *more], input="", capture_output=True, text=True, errors="replace",
                              timeout=20)

    ours = handshake("-cert", str(tls / "node-2.pem"), "-key", str(tls / "node-2.key"))
    assert "Verification: OK" in ours.stderr, ours.stderr
    assert "alert" not in ours.stderr, ours.stderr
    other = cluster.dir / "other"
    subprocess.run([str(PULSE), "cluster", "ca", "--dir", str(other)], check=True, capture_output=True)
    subprocess.run([str(PULSE), "cluster", "cert", "x", "--dir", str(other), "--host", "127.0.0.1"], check=True,
                   capture_output=True)
    theirs = handshake("-cert", str(other / "x.pem"), "-key", str(other / "x.key"), "-tls1_2")
    assert "alert" in theirs.stderr, theirs.stderr
    nobody = handshake("-tls1_2")
    assert "alert" in nobody.stderr, nobody.stderr


def test_serve_says_what_is_wrong_with_the_certificates(cluster):
    env = dict(os.environ, PULSE_DATA_DIR=str(cluster.dir / "wrong"), PULSE_EVENT_LOG="kafka", PULSE_HTTP_PORT="0",
               PULSE_ADMIN_PORT="0")
    for line in (cluster.dir / "cluster" / "settings").read_text().splitlines():
        name, _, value = line.partition("=")
        env[name] = value.strip("'")
    tls = cluster.dir / "cluster" / "tls"

    def serve(**settings):
        done = subprocess.run([str(PULSE), "serve"], env=dict(env, **settings), capture_output=True, text=True, timeout=60)
        assert done.returncode == 1, done.stderr
        return done.stderr

    assert "node.ca" in serve(PULSE_NODE_HOST="0.0.0.0")
    files = {"PULSE_NODE_CA": str(tls / "ca.pem"), "PULSE_NODE_CERT": str(tls / "node-1.pem"),
             "PULSE_NODE_KEY": str(tls / "node-1.key")}
    assert "is not the key of" in serve(**{**files, "PULSE_NODE_KEY": str(tls / "node-2.key")})
    assert "cannot be read" in serve(**{**files, "PULSE_NODE_CERT": str(tls / "node-77.pem")})
    assert "all three or none" in serve(PULSE_NODE_CA=str(tls / "ca.pem"))
