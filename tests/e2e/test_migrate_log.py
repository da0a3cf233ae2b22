"""`pulse migrate log`: from the embedded log to Kafka, with every tenant's history, scores and deduplication."""

import json
import subprocess
import time

import psycopg
import pytest
from support import PULSE, poll
from test_kafka import an_event, kafka  # noqa: F401 (a fixture)


def migrate(node, *more, status=0):
    done = subprocess.run([str(PULSE), "migrate", "log", *more], env=node.env, capture_output=True, text=True,
                          timeout=120, stdin=subprocess.DEVNULL)
    assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
    return json.loads(done.stdout) if status == 0 else done.stderr


def batch(name, n):
    out = [an_event(f"{name}-{i}") for i in range(n)]
    for i, event in enumerate(out):
        event["userId"] = f"u{i % 7}"
        event["properties"]["total"] = 10 + i
    return out


def without_time(name):
    event = an_event(name)
    del event["timestamp"]
    return event


def stored(shop):
    return [m for (m,) in shop.events("message_id")]


@pytest.mark.feature("2.4", "9.2")
def test_the_embedded_log_is_left_for_kafka_with_everything_it_led_to(kafka, own_node):  # noqa: F811
    node = own_node(by_script=False, **{**kafka.settings(), "PULSE_EVENT_LOG": "embedded"})
    node.start()
    shops = [node.tenant() for _ in range(5)]
    first = batch("first", 60)
    for shop in shops:
        assert shop.send(first + [without_time("untimed")]).status_code == 200
    node.settle()
    assert "in use by another pulse" in migrate(node, status=1)

    # What is acknowledged and not stored: the positions can't move, then the node is killed.
    with psycopg.connect(f"host={node.socket()} user=postgres dbname=pulse") as lock:
        lock.execute("LOCK TABLE log_position IN ACCESS EXCLUSIVE MODE")
        for shop in shops:
            assert shop.send(batch("late", 20)).status_code == 200
        node.kill()
        lock.rollback()
    refusal = migrate(node, status=1)
    assert "is not drained" in refusal and "not stored yet" in refusal and "--drain" in refusal, refusal
    assert sum(int(line.split(":")[1].split()[0]) for line in refusal.splitlines() if "not stored yet" in line) == 100
    assert node.db().execute("SELECT count(*) FROM log_migration").fetchone() == (0,)

    done = migrate(node, "--drain", "--json")
    assert done["migrated"] and done["tenants"] == 5 and done["images"] >= 5, done
    again = migrate(node, "--json")
    assert not again["migrated"] and again["to"] == done["to"] and again["at"] == done["at"]
    for shop in shops:
        assert len(stored(shop)) == 81
        shop.assert_accounts_close()
    slots = [s for (s,) in node.db().execute("SELECT slot FROM tenant ORDER BY tenant_id")]
    assert set(slots) == {0, 1, 2, 3}, "the tenants are spread over Kafka's slots"
    refused = subprocess.run([str(PULSE), "serve"], env=node.env, capture_output=True, text=True, timeout=60)
    assert refused.returncode == 1 and "was migrated to Kafka" in refused.stderr, refused.stderr

    node.env["PULSE_EVENT_LOG"] = "kafka"
    node.start()
    poll("the new log is taken over", 30, lambda: shops[0].send(an_event("hello")).status_code == 200)
    again_later = dict(first[3], timestamp=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 500)))
    for shop in shops:
        # The same message, the same under another time (known by the tenant's window alone), and one without a time.
        assert shop.send([first[0], again_later, without_time("untimed")] + batch("new", 30)).status_code == 200
    node.settle()
    for shop in shops:
        names = stored(shop)
        assert len(names) == len(set(names)), "a message is stored twice"
        assert len(names) == 81 + 30 + (shop is shops[0]), len(names)
        shop.assert_accounts_close()
        assert shop.ledger()["duplicates"] == 3
    # Scores go on out of the history: the tenants were not taken for new ones.
    assert node.terminate() == 0
    behind = node.db().execute("SELECT count(*) FROM ledger WHERE generation = %s AND last_offset > image_as_of",
                               (done["to"],)).fetchone()
    assert behind == (0,)
