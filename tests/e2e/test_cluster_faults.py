"""Three nodes over three brokers (each record on all of them, two must have it) while everything that can be killed,
stopped or restarted is, under clients that send each batch until it is acknowledged. After each kind of fault the books
close: nothing acknowledged is lost or stored twice, rollups equal a recount, no position went back.

By name only: `scripts/test faults`. Two cores are full with three brokers, so this judges what is stored, not how fast: a
term of ten seconds. What each kind cost is printed, as the time from receipt to storing.

PULSE_FAULT_TIMES: how often each fault is done (1).
"""

import random
import signal
import time

import pytest
import requests
from cluster import ALL, OWNED, leader, owned_among, started, under_load
from support import poll


@pytest.fixture(scope="module")
def _cluster():
    with started(3, brokers=3) as made:
        yield made


@pytest.fixture
def cluster(_cluster, request):
    request.node.pulse_nodes = [_cluster]
    _cluster.bring_back((1, 2, 3))
    owned_among(_cluster, ALL, 90)
    return _cluster


def killed(cluster, victim):
    cluster.run("kill", str(victim))
    left = ALL - {f"node-{victim}"}
    owned = owned_among(cluster, left, OWNED)
    cluster.run("restart", str(victim))
    cluster.refresh()
    owned_among(cluster, ALL, OWNED)
    return f"owned by the others after {owned:.1f} s;"


@pytest.mark.feature("11.1", "11.2")
def test_a_follower_is_killed(cluster):
    under_load(cluster, "kill -9 of a follower",
               lambda load: killed(cluster, random.choice([n for n in (1, 2, 3) if n != leader(cluster)])))


@pytest.mark.feature("11.1", "11.2")
def test_the_leader_is_killed(cluster):
    under_load(cluster, "kill -9 of the leader", lambda load: killed(cluster, leader(cluster)))


@pytest.mark.feature("2.5")
def test_a_broker_is_killed(cluster):
    def fault(load):
        victim = random.choice((1, 2, 3))
        cluster.kafka("kill", str(victim))
        done = load.acknowledged()
        poll("two brokers go on", 60, lambda: load.acknowledged() > done + 100)
        cluster.kafka("start", "--nodes", "3")

    under_load(cluster, "kill -9 of a broker", fault)


@pytest.mark.feature("11.5", "11.6")
def test_a_node_is_stopped_and_goes_on(cluster):
    def fault(load):
        victim, seconds = random.choice((1, 2, 3)), random.uniform(1, 20)
        cluster.signal(victim, signal.SIGSTOP)
        stopped = cluster.nodes.pop(victim)
        try:
            time.sleep(seconds)
        finally:
            cluster.nodes[victim] = stopped
            cluster.signal(victim, signal.SIGCONT)
        owned_among(cluster, ALL, OWNED)
        return f"for {seconds:.1f} s;"

    under_load(cluster, "SIGSTOP of a node", fault)


@pytest.mark.feature("11.2")
def test_postgres_is_restarted(cluster):
    under_load(cluster, "Postgres restarted", lambda load: cluster.restart_postgres())


@pytest.mark.feature("2.5", "1.8")
def test_kafka_is_away_for_half_a_minute(cluster):
    def fault(load):
        for broker in (1, 2, 3):
            cluster.kafka("kill", str(broker))
        since = time.monotonic()
        key = load.tenants[0].key
        try:
            poll("a refusal", 40, lambda: refused(cluster, key))
            told = time.monotonic() - since
            time.sleep(max(0.0, 30 - (time.monotonic() - since)))
        finally:
            cluster.kafka("start", "--nodes", "3")
        back, done = time.monotonic(), load.acknowledged()
        poll("taken again", 60, lambda: load.acknowledged() > done)
        return f"503 after {told:.1f} s, taken again {time.monotonic() - back:.1f} s after its return;"

    under_load(cluster, "Kafka away", fault)


def refused(cluster, key):
    answer = requests.post(cluster.url + "/v1/events", timeout=30, headers={"Authorization": "Bearer " + key},
                           json={"type": "track", "event": "A", "userId": "u"})
    if answer.status_code != 503:
        return None
    assert int(answer.headers["Retry-After"]) >= 1
    return True


@pytest.mark.feature("11.1")
def test_nodes_are_restarted_one_after_the_other(cluster):
    def fault(load):
        for number in (1, 2, 3):
            cluster.run("restart", str(number))
            cluster.refresh()
            owned_among(cluster, ALL, OWNED)

    under_load(cluster, "rolling restart", fault)


@pytest.mark.feature("11.1")
def test_nodes_join_and_are_drained(cluster):
    def fault(load):
        # Where it was before, its place is there still.
        cluster.run(*(("restart", "4") if 4 in cluster.nodes else ("add",)))
        cluster.refresh()
        joined = owned_among(cluster, ALL | {"node-4"}, OWNED)
        drained = []
        for number in (4, 3):
            at = time.monotonic()
            assert cluster.cli("cluster", "drain", f"node-{number}", on=1)["state"] == "left"
            drained.append(time.monotonic() - at)
            poll("it has ended", 30, lambda n=number: not any(r["id"] == n for r in cluster.running()))
        owned_among(cluster, {"node-1", "node-2"}, OWNED)
        cluster.run("restart", "3")
        cluster.refresh()
        owned_among(cluster, ALL, OWNED)
        return f"joined: slots after {joined:.1f} s; drained in {drained[0]:.1f} and {drained[1]:.1f} s;"

    under_load(cluster, "join 3 to 4, drain 4 to 2", fault)
