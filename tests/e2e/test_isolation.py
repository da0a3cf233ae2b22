"""Two tenants and an attacker with valid keys: no byte of the other's on any route, and none by SQL either."""

import datetime
import json
import uuid

import psycopg
import pytest
import requests

UTC = datetime.timezone.utc
METHODS = ("get", "post", "put", "patch", "delete")


class Victim:
    """A tenant with something of everything; each of its texts carries `secret`."""

    def __init__(self, node):
        self.secret = "secret" + uuid.uuid4().hex
        # Ids are no secrets: an attacker may have guessed them.
        message = "message-" + uuid.uuid4().hex
        self.tenant = node.tenant()
        moment = (datetime.datetime.now(UTC) - datetime.timedelta(hours=1)).isoformat()
        word = self.secret
        events = [{"type": "track", "event": "Order Completed", "userId": f"{word}-customer", "messageId": f"{message}-{i}",
                   "timestamp": moment, "context": {"campaign": {"name": f"{word}-campaign"}},
                   "properties": {"order_id": f"{word}-order", "revenue": 987654.32 if i == 7 else 10, "currency": "EUR",
                                  "shipping_address": {"country": f"{word}-land"},
                                  "products": [{"product_id": f"{word}-product", "price": 1, "quantity": 1}]}}
                  for i in range(20)]
        assert self.tenant.send([*events, {"type": "track", "userId": word, "messageId": f"{message}-failed"}]).status_code == 200
        node.settle()
        id_ = self.tenant.id
        db = node.db()
        self.ids = [str(e) for (e,) in self.tenant.events("event_id")][:3]
        self.ids += [str(i) for (i,) in self.tenant.sql("SELECT failed_id FROM failed_event WHERE tenant_id = %s")]
        # What other routes make, put there by hand, so that each has something to leak.
        endpoint, incident, alert, delivery = (uuid.uuid4() for _ in range(4))
        db.execute("INSERT INTO endpoint (tenant_id, endpoint_id, kind, url, description, secret, state, disabled_reason) "
                   "VALUES (%s, %s, 'webhook', %s, %s, %s, 'disabled', %s)",
                   (id_, endpoint, f"https://{word}.example/hook", word, f"whsec_{word}", word))
        db.execute("INSERT INTO incident (tenant_id, incident_id, dedup_key, title, severity, opened_at, updated_at) "
                   "VALUES (%s, %s, %s, %s, 'critical', now(), now())", (id_, incident, word, word))
        db.execute("INSERT INTO alert (tenant_id, alert_id, type, incident_id, severity, title, summary, data, state) "
                   "VALUES (%s, %s, 'event.flagged', %s, 'critical', %s, %s, %s, 'held')",
                   (id_, alert, incident, word, word, json.dumps({"title": word})))
        db.execute("INSERT INTO alert_feedback (tenant_id, alert_id, verdict, note, judged_by) VALUES (%s, %s, 'useful', %s, %s)",
                   (id_, alert, word, word))
        db.execute("INSERT INTO delivery (tenant_id, delivery_id, alert_id, endpoint_id, state, attempt, next_at) "
                   "VALUES (%s, %s, %s, %s, 'failed', 1, now())", (id_, delivery, alert, endpoint))
        db.execute("INSERT INTO attempt (tenant_id, delivery_id, attempt, endpoint_id, alert_id, error, seconds, reply_head) "
                   "VALUES (%s, %s, 1, %s, %s, %s, 1, %s)", (id_, delivery, endpoint, alert, word, word))
        db.execute("INSERT INTO artifact (tenant_id, kind, hash, bytes) VALUES (%s, 'mapping', %s, %s)",
                   (id_, word, json.dumps({"note": word}).encode()))
        db.execute("INSERT INTO artifact_version (tenant_id, kind, version, hash, created_by) "
                   "VALUES (%s, 'mapping', 1, %s, %s)", (id_, word, word))
        db.execute("INSERT INTO audit (tenant_id, actor, action) VALUES (%s, %s, %s)", (id_, word, word))
        self.ids += [str(i) for i in (endpoint, incident, alert, delivery)] + [f"{message}-0", f"{message}-failed", "1"]


@pytest.fixture(scope="module")
def case(_shared_node):
    return Victim(_shared_node), _shared_node.tenant()


def paths(node, method):
    document = node.request("GET", "/openapi.json").json()
    found = [p for p, methods in document["paths"].items() if method in methods]
    assert found, document
    return found


def filled(path, ids):
    """The path with each id in the place of its last parameter."""
    if "{" not in path:
        return [path]
    return [path[:path.index("{")] + i + path[path.index("}") + 1:] for i in ids]


@pytest.mark.feature("9.1")
def test_no_get_route_tells_a_byte_of_another_tenant(node, case):
    victim, attacker = case
    now = datetime.datetime.now(UTC)
    span = {"from": (now - datetime.timedelta(days=1)).isoformat(), "to": now.isoformat()}
    word, asked = victim.secret, 0
    tries = [{}, {"limit": 1000}, {"tenant": victim.tenant.id}, {"tenant_id": victim.tenant.id, "mode": "live"},
             span, {**span, "group_by": "product"}, {**span, "group_by": "country"}, {**span, "group_by": "campaign"},
             {**span, "customer": f"{word}-customer"}, {"campaign": f"{word}-campaign"}, {"product": f"{word}-product"},
             {"mode": "test"}, {"timezone": "UTC'; SET app.tenant = '1"}, {"name": "x' OR tenant_id = 1 --"}]
    metrics = ["revenue", "orders", "customers", "events", "sessions", "aov"]
    for path in paths(node, "get"):
        for one in filled(path, metrics if "{metric}" in path else victim.ids):
            for params in tries:
                got = attacker.get(one, **params)
                asked += 1
                assert got.status_code < 500, (one, params, got.text)
                # What the attacker asked with may come back as the question's own words.
                told = got.text
                for own in params.values():
                    told = told.replace(str(own), "")
                assert word not in told, (one, params, got.text)
                if "{" in path and "{metric}" not in path and not params:
                    assert got.status_code == 404 or not got.json().get("data", [1]), (one, got.status_code, got.text)
                if "/v1/metrics/" in one and got.status_code == 200:
                    assert float(got.json()["total"]) == 0, (one, params, got.text)
    print(f"{asked} questions")
    # The same questions by the victim do find it: the attack was not blind.
    mine = "".join(victim.tenant.get(p).text for p in ("/v1/events", "/v1/failed-events"))
    assert word in mine and float(victim.tenant.get("/v1/metrics/revenue", **span).json()["total"]) > 0


@pytest.mark.feature("9.1")
def test_no_route_that_changes_something_reaches_another_tenants_things(node, case):
    victim, attacker = case
    tables = ("endpoint", "incident", "alert", "alert_feedback", "delivery", "attempt", "artifact_version", "api_key", "failed_event")

    def state():
        return {t: node.db().execute(f"SELECT t::text FROM {t} t WHERE tenant_id = %s ORDER BY 1",
                                     (victim.tenant.id,)).fetchall() for t in tables}

    before = state()
    bodies = [{}, {"url": "https://attacker.example/", "state": "enabled", "kind": "webhook", "tenant_id": victim.tenant.id},
              {"verdict": None}, {"verdict": "false_alarm"}]
    for method in METHODS[1:]:
        for path in paths(node, method) if method in json.dumps(node.request("GET", "/openapi.json").json()["paths"]) else []:
            if "{" not in path:
                continue
            for one in filled(path, victim.ids):
                for body in bodies:
                    got = attacker.request(method.upper(), one, json=body)
                    # `{}` is settings of detectors that change nothing: a version of the attacker's own.
                    own = (200, 201) if path == "/v1/detectors/{version}" and body == {} else ()
                    assert got.status_code in (400, 404, 405, 409, 415, 422, *own), (method, one, got.status_code, got.text)
                    assert victim.secret not in got.text, (method, one, got.text)
    assert state() == before


@pytest.mark.feature("1.1", "9.1")
def test_every_get_route_wants_a_key_with_the_right_scope(node, case):
    _, attacker = case
    ingest = attacker.make_key("ingest")["key"]
    for path in paths(node, "get"):
        if not path.startswith("/v1/"):
            continue
        one = filled(path, ["revenue" if "{metric}" in path else str(uuid.uuid4())])[0]
        assert node.request("GET", one).status_code == 401, one
        assert attacker.request("GET", one, ingest).status_code == 403, one


@pytest.mark.feature("1.1", "12.1")
def test_the_operators_door_takes_no_tenants_key(node, case):
    victim, attacker = case
    for path in ("/admin/v1/tenants", f"/admin/v1/tenants/{victim.tenant.id}/events", "/admin/v1/slots", "/metrics"):
        for headers in ({}, {"Authorization": "Bearer " + attacker.key}, {"Authorization": "Bearer "}):
            assert requests.get(node.admin + path, headers=headers, timeout=10).status_code == 401, path
        assert node.request("GET", path, headers={"Authorization": "Bearer " + attacker.key}).status_code == 404, path
    metrics_token = (node.data_dir / "metrics-token").read_text().strip()
    assert requests.get(node.admin + "/metrics", headers={"Authorization": "Bearer " + metrics_token}, timeout=10).status_code == 200
    assert requests.get(node.admin + "/admin/v1/tenants", headers={"Authorization": "Bearer " + metrics_token},
                        timeout=10).status_code in (401, 403)


@pytest.mark.feature("9.1")
def test_the_reader_role_sees_nothing_without_the_right_tenant(node, case):
    victim, attacker = case
    tables = [t for (t,) in node.db().execute(
        "SELECT DISTINCT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' "
        "WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace "
        "AND c.relpersistence = 'p' ORDER BY 1")]
    assert {"event", "alert", "endpoint", "api_key", "rollup_minute", "failed_event"} <= set(tables)
    forced = {t for (t,) in node.db().execute("SELECT relname FROM pg_class WHERE relrowsecurity AND relforcerowsecurity")}
    assert set(tables) - forced <= {"due"}, "a table with tenants' rows and no row-level security"
    with psycopg.connect(f"host={node.socket()} user=pulse dbname=pulse", autocommit=True) as db:
        db.execute("SET ROLE pulse_reader")
        for table in sorted(set(tables) - {"due"}):
            count = f"SELECT count(*) FROM {table} WHERE tenant_id = {victim.tenant.id}"
            db.execute("RESET app.tenant")
            for setting in (None, "", "x", f"{attacker.id},{victim.tenant.id}"):
                with pytest.raises(psycopg.Error):
                    with db.transaction():
                        if setting is not None:
                            db.execute("SELECT set_config('app.tenant', %s, true)", (setting,))
                        db.execute(count)
            with db.transaction():
                db.execute("SELECT set_config('app.tenant', %s, true)", (str(attacker.id),))
                assert db.execute(count).fetchone() == (0,), table
            # The pooled connection's next user starts with nothing again.
            with pytest.raises(psycopg.Error):
                db.execute(count)
            with pytest.raises(psycopg.Error):
                db.execute(f"UPDATE {table} SET tenant_id = tenant_id")
        for partition in ("event_" + (datetime.date.today() - datetime.timedelta(days=datetime.date.today().weekday())).strftime("%Y%m%d"),):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                db.execute(f"SELECT count(*) FROM {partition}")
