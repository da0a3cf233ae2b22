"""PULSE_EVENT_LOG=kafka on a real broker: the whole way of an event, kill -9 of the broker and of pulse, Kafka away.

PULSE_E2E_KILLS: how many kills (8 here). PULSE_E2E_SEED: repeats the moments of a run, as far as a loaded machine allows.
"""

import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import tempfile
import threading
import time

import pytest
from support import PULSE, ROOT, poll
from test_accounting import SEED, Client

KILLS = int(os.environ.get("PULSE_E2E_KILLS", "8"))


class Kafka:
    """A broker of the test's own, by the project's script."""

    def __init__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="pulse-kafka-"))
        self.env = dict(os.environ, PULSE_KAFKA_DIR=str(self.dir / "kafka"))

    def run(self, *args, status=0):
        done = subprocess.run([str(ROOT / "scripts" / "kafka"), *args], env=self.env, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=300)
        if done.returncode == 3:
            pytest.skip("no Kafka: Java, Maven or the jars cannot be had here")
        assert done.returncode == status, (args, done.stdout, done.stderr)
        return done.stdout

    def start(self):
        self.run("start")
        return self

    def status(self):
        return json.loads(self.run("status", "--json"))

    def signal(self, which):
        os.kill(self.status()["nodes"][0]["pid"], which)

    def settings(self):
        return {"PULSE_EVENT_LOG": "kafka", "PULSE_KAFKA_BROKERS": self.status()["bootstrap"], "PULSE_KAFKA_SLOTS": "4",
                "PULSE_KAFKA_REPLICATION_FACTOR": "1", "PULSE_KAFKA_MIN_INSYNC_REPLICAS": "1"}

    def destroy(self):
        self.run("stop", "--wipe")
        shutil.rmtree(self.dir, ignore_errors=True)


@pytest.fixture
def kafka():
    made = Kafka()
    try:
        yield made.start()
    finally:
        made.destroy()


def an_event(name):
    return {"type": "track", "event": "Order Completed", "userId": "u", "messageId": name,
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "properties": {"order_id": name, "total": 10, "currency": "EUR"}}


@pytest.mark.feature("2.5", "11.6")
def test_each_event_is_stored_once_through_kill_9_of_the_broker_and_of_pulse(kafka, own_node):
    print(f"PULSE_E2E_SEED={SEED} PULSE_E2E_KILLS={KILLS}")
    moments = random.Random(SEED)
    node = own_node(by_script=False, **kafka.settings())
    node.start()
    tenants = [node.tenant() for _ in range(2)]
    stop = threading.Event()
    clients = [Client(node, tenants[i % len(tenants)], i, stop) for i in range(4)]
    for c in clients:
        c.start()
    positions, stalls = {}, []
    for kill in range(KILLS):
        time.sleep(0.5 + 2 * moments.random())
        at = time.monotonic()
        acknowledged = sum(len(c.acknowledged) for c in clients)
        if kill % 2:
            node.kill()
            node.start()
        else:
            kafka.run("kill", "1")
            kafka.start()
        poll("acknowledged again", 30, lambda: sum(len(c.acknowledged) for c in clients) > acknowledged)
        stalls.append(("pulse" if kill % 2 else "broker", round(time.monotonic() - at, 1)))
        for generation, slot, offset in node.db().execute("SELECT generation, slot, next_offset FROM log_position"):
            assert offset >= positions.get((generation, slot), 0), f"the position of slot {slot} went back"
            positions[generation, slot] = offset
        assert not [c.problem for c in clients if c.problem], [c.problem for c in clients]
    stop.set()
    for c in clients:
        c.join(60)
        assert not c.is_alive() and not c.problem, c.problem
    node.settle()
    print("seconds until acknowledged again:", stalls)
    assert len({generation for generation, _ in positions}) == 1, "one log, one generation"
    for tenant in tenants:
        acknowledged = {m for c in clients if c.tenant is tenant for m in c.acknowledged}
        stored = [m for (m,) in tenant.events("message_id")]
        assert len(stored) == len(set(stored)), "a message is stored twice"
        # What was never acknowledged may be there; nothing that was may be missing.
        assert acknowledged <= set(stored), acknowledged - set(stored)
        tenant.assert_accounts_close()
        print(tenant.name, tenant.ledger(), len(acknowledged), "acknowledged")
        assert len(acknowledged) > 20 * KILLS


@pytest.mark.feature("2.11")
@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_with_kafka_away_events_get_503_within_a_second_and_are_taken_within_five_of_its_return(kafka, own_node, how):
    node = own_node(by_script=False, **kafka.settings())
    node.start()
    shop = node.tenant()
    assert shop.send(an_event("before")).status_code == 200
    kafka.run("kill", "1") if how == "killed" else kafka.signal(signal.SIGSTOP)
    gone, slowest, told = time.monotonic(), 0, 0
    while time.monotonic() - gone < 13:
        at = time.monotonic()
        answer = shop.send(an_event(f"away-{told}"))
        slowest, told = max(slowest, time.monotonic() - at), told + 1
        assert answer.status_code == 503, answer.text
        assert int(answer.headers["Retry-After"]) >= 1
        assert answer.headers["Content-Type"].startswith("application/problem+json")
        time.sleep(0.05)
    assert node.request("GET", "/readyz").status_code == 503
    assert node.request("GET", "/healthz").status_code == 200
    kafka.start() if how == "killed" else kafka.signal(signal.SIGCONT)
    back = time.monotonic()
    poll("taken again", 5, lambda: shop.send(an_event("after")).status_code == 200)
    print(f"{how}: {told} answers, the slowest after {slowest:.2f} s; taken again after {time.monotonic() - back:.1f} s")
    assert slowest < 1.0
    poll("ready again", 5, lambda: node.request("GET", "/readyz").status_code == 200)
    node.settle()
    stored = [m for (m,) in shop.events("message_id")]
    assert {"before", "after"} <= set(stored) and len(stored) == len(set(stored))
    shop.assert_accounts_close()


def spilled(node):
    return node.request("GET", "/readyz").json()["spill"]["events"]


@pytest.mark.feature("2.11")
def test_with_room_on_its_disk_a_node_takes_events_in_while_kafka_is_away(kafka, own_node):
    node = own_node(by_script=False, **kafka.settings(), PULSE_KAFKA_SPILL_MIB="8")
    node.start()
    shop = node.tenant()
    assert shop.send(an_event("before")).status_code == 200
    assert spilled(node) == 0
    sent = ["before"]

    def send(count):
        for _ in range(count):
            sent.append(f"away-{len(sent)}")
            at = time.monotonic()
            answer = shop.send(an_event(sent[-1]))
            assert answer.status_code == 200, answer.text
            assert time.monotonic() - at < 1

    kafka.run("kill", "1")
    send(30)
    # It is ready, says what it lives on, and where: /readyz, the metrics, and the cluster's status by a heartbeat.
    assert 0 < spilled(node) <= 30
    assert f"pulse_spill_events {spilled(node)}" in node.admin_get("/metrics").text
    poll("the heartbeat says it", 5, lambda: node.cli("cluster", "status")["data"][0]["spilled"] == spilled(node))
    # Nothing of it is thrown away by a death or a drain, nor by a node that is given no room any more.
    node.kill()
    kafka.start()
    node.start()
    poll("all of it is in Kafka", 20, lambda: spilled(node) == 0)
    kafka.run("kill", "1")
    send(30)
    assert spilled(node) > 0
    assert node.terminate() == 0
    assert "spill_stays" in node.tail()
    kafka.start()
    node.env["PULSE_KAFKA_SPILL_MIB"] = "0"
    node.start()
    poll("all of it is in Kafka", 20, lambda: spilled(node) == 0)
    assert shop.send(an_event("after")).status_code == 200
    node.settle()
    # Once each, and from one client in the order in which it sent them: they are in one slot of the log.
    stored = shop.events("message_id, raw_offset")
    assert sorted(m for m, _ in stored) == sorted([*sent, "after"])
    in_order = [m for m, at in sorted(stored, key=lambda row: row[1])]
    assert in_order == [*sent, "after"]
    shop.assert_accounts_close()


@pytest.mark.feature("2.11")
def test_a_spill_that_is_full_gives_503_and_keeps_what_it_acknowledged(kafka, own_node):
    node = own_node(by_script=False, **kafka.settings(), PULSE_KAFKA_SPILL_MIB="1")
    node.start()
    shop = node.tenant()
    assert shop.send(an_event("before")).status_code == 200
    kafka.run("kill", "1")
    acked, answer = ["before"], None
    for n in range(100):
        event = an_event(f"away-{n}")
        event["properties"]["note"] = "x" * 30_000
        answer = shop.send(event)
        if answer.status_code != 200:
            break
        acked.append(event["messageId"])
    assert answer.status_code == 503 and "spill" in answer.json()["detail"], answer.text
    assert int(answer.headers["Retry-After"]) >= 1
    # A mebibyte holds some thirty of them.
    assert 20 < len(acked) < 40
    kafka.start()
    poll("all of it is in Kafka", 20, lambda: spilled(node) == 0)
    poll("taken again", 5, lambda: shop.send(an_event("after")).status_code == 200)
    node.settle()
    assert sorted(m for (m,) in shop.events("message_id")) == sorted([*acked, "after"])
    shop.assert_accounts_close()


def test_a_drain_with_kafka_loses_nothing_and_the_next_start_goes_on(kafka, own_node):
    node = own_node(by_script=False, **kafka.settings())
    node.start()
    shop = node.tenant()
    for i in range(20):
        assert shop.send([an_event(f"m{i}-{k}") for k in range(10)]).status_code == 200
    assert node.terminate() == 0
    # What was read is stored; what was not is in Kafka.
    assert len(shop.events("message_id")) <= 200
    node.start()
    assert shop.send(an_event("m0-0")).status_code == 200
    node.settle()
    assert len(shop.events("message_id")) == 200
    # The client's statistics come by themselves, every few seconds.
    poll("statistics of the client", 30, lambda: "pulse_kafka_brokers_up 1" in node.admin_get("/metrics").text)
    assert "pulse_slot_lag_records" in node.admin_get("/metrics").text


def test_serve_says_what_is_wrong_with_kafka(kafka, own_node):
    node = own_node(by_script=False, **{**kafka.settings(), "PULSE_KAFKA_REPLICATION_FACTOR": "3"})
    node.postgres("up")
    node.env["PULSE_POSTGRES_URL"] = f"host={node.socket()} user=pulse dbname=pulse"
    done = subprocess.run([str(PULSE), "serve"], env=node.env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "kafka.replication_factor" in done.stderr, done.stderr
    del node.env["PULSE_KAFKA_BROKERS"]
    done = subprocess.run([str(PULSE), "serve"], env=node.env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "kafka.brokers" in done.stderr, done.stderr
