"""`pulse rebuild`: the log read again into a database restored without event data gives the same tables."""

import json
import subprocess
import time

import psycopg
import pytest
from support import PULSE
from test_kafka import an_event, kafka  # noqa: F401 (a fixture)

# Everything but when and by whom it was stored. Of alerts: who they are and what they say.
TABLES = {
    "event": ("occurred_at", "to_jsonb(t) - 'stored_at' - 'node'"),
    "rollup_minute": ("bucket", "to_jsonb(t)"),
    "rollup_quarter": ("bucket", "to_jsonb(t)"),
    "failed_event": ("received_at", "to_jsonb(t) - 'replayed_at'"),
    "alert": ("(SELECT occurred_at FROM event e WHERE e.tenant_id = t.tenant_id AND e.event_id = t.event_id)",
              "jsonb_build_array(t.alert_id, t.event_id, t.type, t.severity, t.title, t.data)"),
}
KEPT = ("tenant", "api_key", "artifact", "artifact_version", "endpoint", "audit")


def hashes(url):
    """By table, tenant and day."""
    with psycopg.connect(url) as db:
        out = {}
        for table, (day, row) in TABLES.items():
            for tenant, when, n, digest in db.execute(
                    f"SELECT tenant_id, date_trunc('day', {day}), count(*), "
                    f"md5(string_agg(md5(({row})::text), '' ORDER BY md5(({row})::text))) FROM {table} t GROUP BY 1, 2"):
                out[table, tenant, when] = (n, digest)
        return out


@pytest.mark.feature("9.5")
def test_the_log_read_again_gives_the_same_tables(kafka, own_node):  # noqa: F811
    settings = {**kafka.settings(), "PULSE_KAFKA_TRIM": "false", "PULSE_SLOT_IMAGE_EVENTS": "50"}
    node = own_node(by_script=False, **settings)
    node.start()
    shops = [node.tenant() for _ in range(3)]
    for shop in shops:
        for i in range(30):
            batch = [an_event(f"m{i}-{k}") for k in range(10)]
            for k, event in enumerate(batch):
                event["userId"] = f"u{k}"
                event["properties"]["total"] = 10 + 7 * k + (9_000_000 if (i, k) == (29, 9) else 0)
                if i % 10 == 3:
                    event["timestamp"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 86400 * 2))
            assert shop.send(batch).status_code == 200
        # Again, and somebody whom nobody knows: a duplicate and a failed event.
        assert shop.send([an_event("m0-0"), {"type": "track", "event": "A"}]).status_code == 200
    node.settle()
    assert node.terminate() == 0
    admin = f"host={node.socket()} user=postgres dbname=postgres"
    live, again = (f"host={node.socket()} user=postgres dbname={name}" for name in ("pulse", "pulse_again"))
    with psycopg.connect(admin, autocommit=True) as db:
        db.execute("CREATE DATABASE pulse_again OWNER pulse")
    env = dict(node.env, PULSE_POSTGRES_URL=f"host={node.socket()} user=pulse dbname=pulse_again")
    subprocess.run([str(PULSE), "migrate"], env=env, check=True, capture_output=True, timeout=60)
    dump = subprocess.run(["pg_dump", live.replace("  ", " "), "--data-only", *[f"--table={t}" for t in KEPT]],
                          capture_output=True, text=True, timeout=60)
    assert dump.returncode == 0, dump.stderr
    done = subprocess.run(["psql", again, "-qv", "ON_ERROR_STOP=1"], input=dump.stdout, capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 0, done.stderr
    refused = subprocess.run([str(PULSE), "rebuild"], env=node.env, capture_output=True, text=True, timeout=60)
    assert refused.returncode == 1 and "has event data" in refused.stderr, refused.stderr
    done = subprocess.run([str(PULSE), "rebuild", "--json"], env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["records"] == 3 * 302 and said["stored"] == 3 * 300 and said["failed"] == 3, said
    want, got = hashes(live), hashes(again)
    assert len(want) >= 3 * 5 and {t for t, _, _ in want} >= {"event", "rollup_quarter", "failed_event"}
    assert got == want, sorted(set(got.items()) ^ set(want.items()))[:6]
    with psycopg.connect(again) as db:
        assert db.execute("SELECT count(*) FROM alert WHERE state = 'new'").fetchone() == (0,)
        assert db.execute("SELECT count(*) FROM due WHERE kind = 'alert'").fetchone() == (0,)
