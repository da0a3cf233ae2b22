"""Nodes that come and go over one real broker and one Postgres, under load whose clients retry until acknowledged:
nothing acknowledged is lost or stored twice, rollups equal a recount, and every slot has an owner again in time.

PULSE_E2E_TERM_MS: the lease's term (3000, the default). A leader's successor waits for a term of its own before it takes
anybody's lease: with a longer term two of them are the limit, and not a term and five seconds. PULSE_E2E_SLACK (1): times
as long counts as in time, for machines that do other things as well.
"""

import os
import signal
import time

import pytest
from cluster import SLOTS, TERM_MS, Load, started, until_owned
from support import poll

TERM = TERM_MS / 1000
SLACK = float(os.environ.get("PULSE_E2E_SLACK", "1"))
REPLACED = max(TERM + 5, 2 * TERM + 2) * SLACK
# Released slots are taken within a term.
HANDED_OVER = TERM * SLACK


@pytest.fixture(scope="module")
def _cluster():
    with started(2) as made:
        yield made


@pytest.fixture
def cluster(_cluster, request):
    """Two nodes that share the slots, as each test finds them and leaves them."""
    request.node.pulse_nodes = [_cluster]
    _cluster.bring_back((1, 2))
    poll("two nodes share the slots", 60, lambda: _cluster.all_owned({"node-1", "node-2"}))
    return _cluster


@pytest.mark.feature("11.2")
def test_two_nodes_share_the_slots_and_either_takes_any_tenants_events(cluster):
    with Load(cluster) as load:
        start = load.now()
        poll("events through both gateways", 30, lambda: load.acknowledged() > 1500)
        print("stored after (ms, median p99 most):", load.stalls(start, load.now()))

    def answers():
        """What both say, once no slot is on its way: it is nobody's for a moment, and placement goes by load."""
        said = [cluster.cli("cluster", "status", on=n) for n in (1, 2)]
        held = [[n["slots"] for n in s["data"]] for s in said]
        still = all(s["slots_unowned"] == 0 and s["slots_moving"] == 0 for s in said)
        return said if still and held[0] == held[1] else None

    seen = poll("every node says the same of all", 15 * SLACK, answers)[0]
    assert [n["state"] for n in seen["data"]] == ["live", "live"]
    assert sum(n["leads"] for n in seen["data"]) == 1
    shares = [len(n["slots"]) for n in seen["data"]]
    assert seen["slots"] == SLOTS and sum(shares) == SLOTS and min(shares) >= 1, shares


@pytest.mark.feature("11.1", "11.2")
def test_a_node_that_is_killed_under_load_is_replaced_within_a_term_and_five_seconds(cluster):
    with Load(cluster) as load:
        for victim, other in ((1, 2), (2, 1)):
            leads = next(n["id"] for n in cluster.cli("cluster", "status", on=other)["data"] if n["leads"])
            start = load.now()
            cluster.run("kill", str(victim))
            owned = until_owned(cluster, {f"node-{other}"}, REPLACED)
            print(f"kill -9 of node-{victim} ({'leader' if leads == f'node-{victim}' else 'follower'}): every slot owned "
                  f"after {owned:.1f} s (term {TERM:.0f} s)")
            done = load.acknowledged()
            poll("acknowledged by the one that is left", 20, lambda: load.acknowledged() > done + 50)
            print("stored after (ms, median p99 most):", load.stalls(start, load.now()))
            load.no_position_went_back()
            cluster.run("restart", str(victim))
            cluster.refresh()
            print(f"it came back: both share after {until_owned(cluster, {'node-1', 'node-2'}, 30):.1f} s")


@pytest.mark.feature("11.1")
def test_a_node_that_is_told_to_end_hands_its_slots_over_and_one_that_joins_takes_its_share(cluster):
    with Load(cluster) as load:
        # It has answered for what runs on all nodes: with its actors, from a thread of its handlers.
        seen = cluster.cli("cluster", "status", on=2)["data"]
        assert all(n["runs"]["ingestion"] > 0 and n["runs"]["links"] == 1 for n in seen), seen
        start, at, told = load.now(), time.monotonic(), len(cluster.log_of(2))
        cluster.signal(2, signal.SIGTERM)
        poll("node-2 has ended", 30, lambda: not any(n["id"] == 2 for n in cluster.running()))
        print(f"SIGTERM: ended after {time.monotonic() - at:.1f} s")
        print(f"every slot owned {until_owned(cluster, {'node-1'}, HANDED_OVER):.1f} s later")
        assert '"slot_dropped"' not in cluster.log_of(2)[told:], "a slot was dropped, not handed over"
        print("stored after (ms, median p99 most):", load.stalls(start, load.now()))
        start, at = load.now(), time.monotonic()
        cluster.run("restart", "2")
        cluster.refresh()
        joined = time.monotonic()
        until_owned(cluster, {"node-1", "node-2"}, 30)
        print(f"joined: serves after {joined - at:.1f} s, holds slots {time.monotonic() - joined:.1f} s later")
        print("stored after (ms, median p99 most):", load.stalls(start, load.now()))
        moves = cluster.cli("cluster", "moves", "--limit", "20")["data"]
        assert moves[0]["to"] == "node-2" and moves[0]["reason"], moves[0]
        start, at = load.now(), time.monotonic()
        cluster.run("add")
        cluster.refresh()
        joined = time.monotonic()
        until_owned(cluster, {"node-1", "node-2", "node-3"}, 30)
        print(f"a third one: serves after {joined - at:.1f} s, holds slots {time.monotonic() - joined:.1f} s later")
        at = time.monotonic()
        assert cluster.cli("cluster", "drain", "node-3", on=1)["state"] == "left"
        print(f"drained again within {time.monotonic() - at:.1f} s")
        print(f"every slot owned {until_owned(cluster, {'node-1', 'node-2'}, HANDED_OVER):.1f} s later")
        poll("node-3 has ended", 10, lambda: not any(n["id"] == 3 for n in cluster.running()))
        print("stored after (ms, median p99 most):", load.stalls(start, load.now()))


@pytest.mark.feature("11.6", "11.5")
def test_a_node_that_was_stopped_for_longer_than_its_term_changes_nothing_when_it_goes_on(cluster):
    with Load(cluster) as load:
        epochs = dict(cluster.db().execute("SELECT slot, epoch FROM log_position").fetchall())
        run = cluster.db().execute("SELECT incarnation FROM node WHERE node = 'node-1'").fetchone()[0]
        mine = {slot for slot, node in cluster.holders().items() if node == "node-1"}
        assert mine
        told = len(cluster.log_of(1))
        cluster.signal(1, signal.SIGSTOP)
        # Its gateway does not answer either: clients go to the other one.
        stopped = cluster.nodes.pop(1)
        try:
            print(f"SIGSTOP: every slot owned after {until_owned(cluster, {'node-2'}, REPLACED):.1f} s")
            after = dict(cluster.db().execute("SELECT slot, epoch FROM log_position").fetchall())
            assert all(after[slot] > epochs[slot] for slot in mine)
            taken_at = load.now()
            # Its sessions for these slots were ended with their locks.
            left = cluster.db().execute("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE %s "
                                        "AND state LIKE 'idle in transaction%%'", (f"pulse-writer {run}%",)).fetchone()
            assert left == (0,)
        finally:
            cluster.nodes[1] = stopped
            cluster.signal(1, signal.SIGCONT)
        # It goes on as the same run, finds its slots gone, drops them, and is given its share anew.
        poll("node-1 drops what it held", 30, lambda: cluster.log_of(1)[told:].count('"slot_dropped"') >= len(mine))
        print(f"SIGCONT: both share after {until_owned(cluster, {'node-1', 'node-2'}, 30):.1f} s")
        assert cluster.db().execute("SELECT incarnation FROM node WHERE node = 'node-1'").fetchone()[0] == run
        # Between the take-over and when it was given slots again it wrote nothing.
        changed = cluster.db().execute(
            "SELECT count(*) FROM event WHERE node = %s AND stored_at > %s AND stored_at < (SELECT min(at) FROM "
            "move_history WHERE to_node = 'node-1' AND at > %s)", (run, taken_at, taken_at)).fetchone()[0]
        print(f"rows that it changed as a former owner: {changed}")
        assert changed == 0
        load.no_position_went_back()


@pytest.mark.feature("11.2")
def test_postgres_restarted_under_load_costs_nothing_but_time(cluster):
    with Load(cluster) as load:
        at = time.monotonic()
        cluster.restart_postgres()
        back = time.monotonic()
        poll("every slot owned", 30, cluster.all_owned)
        print(f"Postgres was away for {back - at:.1f} s; every slot owned {time.monotonic() - back:.1f} s after")
        done = load.acknowledged()
        poll("acknowledged", 20, lambda: load.acknowledged() > done + 200)
        load.no_position_went_back()


@pytest.mark.feature("11.1", "11.9")
def test_the_command_line_drains_a_node_and_tells_why_slots_moved(cluster):
    # From one node about another; the one that is drained ends with status 0.
    seen = cluster.cli("cluster", "drain", "node-2", on=1)
    assert seen == {"id": "node-2", "state": "left"}
    poll("node-2 has ended", 10, lambda: not any(n["id"] == 2 for n in cluster.running()))
    until_owned(cluster, {"node-1"}, HANDED_OVER)
    planned = cluster.cli("cluster", "moves", "--dry-run")
    assert planned == {"data": [], "dry_run": True}
    made = cluster.cli("cluster", "moves")["data"]
    assert made[0]["from"] == "node-2" and made[0]["to"] == "node-1" and all(m["reason"] for m in made)
    cluster.cli("cluster", "drain", "node-9", status=1)
    slots = cluster.admin(cluster.nodes[1], "/admin/v1/slots")["data"]
    assert [s["slot"] for s in slots] == list(range(SLOTS))
    assert all(s["node"] == "node-1" and s["lag"] is not None for s in slots)


@pytest.mark.feature("2.14", "11.1")
def test_a_tenants_own_topic_is_read_on_where_its_slot_goes(cluster):
    kafka_source = pytest.importorskip("test_kafka_source")
    shop = cluster.tenant()
    cluster.cli("endpoint", "allow", "--tenant", shop.name, "127.0.0.1/32")
    broker = kafka_source.Topics(cluster.bootstrap())
    topic = broker.make("own-orders")
    source = kafka_source.make_source(shop, broker, topic)
    slot = cluster.db().execute("SELECT slot FROM tenant WHERE tenant_id = %s", (shop.id,)).fetchone()[0]
    put = 0

    def more():
        nonlocal put
        broker.put(topic, [kafka_source.order(n) for n in range(put, put + 300)])
        put += 300

    def stored():
        return len(set(kafka_source.orders_of(shop))) == put

    more()
    poll("the first records are stored", 60, stored)
    # Politely the claim is let go; after a death it has to run out, which takes 20 s.
    for how, within in (("ends", 10), ("dies", 30)):
        holder = poll("its slot has an owner", 30 * SLACK, lambda: cluster.holders().get(slot))
        number = int(holder.split("-")[1])
        if how == "dies":
            cluster.run("kill", str(number))
        else:
            cluster.signal(number, signal.SIGTERM)
            poll("it has ended", 30, lambda n=number: not any(r["id"] == n for r in cluster.running()))
        at = time.monotonic()
        more()
        poll(f"the node that is left reads on after one that {how}", (within + TERM) * SLACK, stored)
        print(f"a node {how}: its topic is read on, all stored {time.monotonic() - at:.1f} s later")
        cluster.bring_back((1, 2))
        poll("two nodes again", 60, lambda: cluster.all_owned({"node-1", "node-2"}, idle_allowed=True))
    poll("nothing is left", 60, lambda: kafka_source.state_of(shop, source)["lag"] == 0)
    names = kafka_source.orders_of(shop)
    assert len(names) == len(set(names)) == put, "an order is stored twice"
    shop.assert_accounts_close()
    shown = [cluster.metrics(n) for n in cluster.running()]
    assert sum("pulse_source_lag_records{" in text for text in shown) == 1, "one node reads it, and tells its lag"
    shop.request("DELETE", f"/v1/sources/{source['id']}")
