"""Starting, ending and the bad days in between: what a person who runs PulseEcom sees."""

import json
import os
import random
import signal
import subprocess
import threading
import time
import uuid

import pytest
from support import PULSE, is_alive, poll, rows_of


def event(message):
    return {"type": "track", "event": "Order Completed", "userId": "u1", "messageId": message,
            "properties": {"order_id": message, "revenue": 12.5, "currency": "EUR"}}


def messages(tenant):
    return sorted(m for (m,) in tenant.events("message_id"))


@pytest.mark.feature("2.8", "10.2")
def test_without_postgres_acknowledging_goes_on_and_all_of_it_arrives_later(own_node):
    node = own_node(by_script=False)
    node.start()
    shop = node.tenant()
    assert shop.send(event("before")).status_code == 200
    node.settle()
    assert node.request("GET", "/readyz").status_code == 200
    node.close_db()
    node.postgres("down")
    sent = ["before"]
    for i in range(40):
        answer = shop.send([event(f"away-{i}-{k}") for k in range(5)])
        assert answer.status_code == 200, (i, answer.status_code, answer.text)
        sent += [f"away-{i}-{k}" for k in range(5)]
        # Longer than a key is fresh, so that its check fails too.
        time.sleep(0.2)
    assert node.request("GET", "/healthz").status_code == 200
    assert node.request("GET", "/readyz").status_code in (200, 503)
    away = shop.get("/v1/metrics/events")
    assert away.status_code == 503 and "Retry-After" in away.headers, away.text
    assert away.headers["Content-Type"] == "application/problem+json"
    # A key that nobody has seen cannot be judged: that is no 401.
    stranger = shop.send(event("stranger"), "pe_live_" + "a" * 44)
    assert stranger.status_code == 503 and "Retry-After" in stranger.headers, stranger.text
    assert stranger.headers["Content-Type"] == "application/problem+json"
    node.postgres("up")
    node.settle(60)
    assert messages(shop) == sorted(sent)
    poll("queries again", 20, lambda: shop.get("/v1/metrics/events").status_code == 200)
    poll("ready", 20, lambda: node.request("GET", "/readyz").status_code == 200)
    assert shop.send(event("after")).status_code == 200
    node.settle()
    shop.assert_accounts_close()


@pytest.mark.feature("11.3", "2.8")
def test_a_tenant_that_sleeps_wakes_while_postgres_is_away(own_node):
    node = own_node(by_script=False, PULSE_TENANT_IDLE_MS="500")
    node.start()
    shop = node.tenant()
    assert shop.send(event("before")).status_code == 200
    node.settle()
    poll("asleep", 30, lambda: all(s["tenants_awake"] == 0 for s in node.slots()))
    # Its supervisor, too: it goes after the children, when nothing came for as long again.
    time.sleep(3)
    node.close_db()
    node.postgres("down")
    answer = shop.send(event("awoken"))
    assert answer.status_code == 200, answer.text
    node.postgres("up")
    node.settle(60)
    assert messages(shop) == ["awoken", "before"]


@pytest.mark.feature("1.6", "2.8")
def test_with_too_little_room_events_are_refused_before_the_log_is_hurt(own_node):
    node = own_node(by_script=False)
    node.start()
    shop = node.tenant()
    assert shop.send(event("before")).status_code == 200
    node.settle()
    assert node.terminate() == 0
    # More than any disk has free.
    node.env["PULSE_LOG_DISK_FREE_MIN_MIB"] = str(1 << 20)
    node.start()
    refused = shop.send(event("refused"))
    assert refused.status_code == 503 and "Retry-After" in refused.headers, refused.text
    assert refused.json()["code"] == "no_space" and "MiB" in refused.json()["detail"], refused.text
    assert node.request("GET", "/readyz").status_code == 503
    assert node.request("GET", "/healthz").status_code == 200
    assert shop.get("/v1/events").json()["data"][0]["message_id"] == "before"
    assert node.terminate() == 0
    del node.env["PULSE_LOG_DISK_FREE_MIN_MIB"]
    node.start()
    assert shop.send(event("after")).status_code == 200
    node.settle()
    assert messages(shop) == ["after", "before"]
    shop.assert_accounts_close()


@pytest.mark.feature("5.1", "5.2")
def test_a_young_shops_busy_hour_is_not_odd_and_its_model_comes_by_itself(node):
    """Many events a customer and minute, as the shared model never saw them; nobody asks for a training."""
    shop = node.tenant()
    r = random.Random(3)

    def busy(first, last):
        for i in range(first, last, 50):
            batch = [{"type": "track", "event": r.choice(["Product Viewed", "Product Added", "Order Completed"]),
                      "userId": f"c{r.randrange(8)}", "messageId": f"busy-{i + k}",
                      "properties": {"order_id": f"o{i + k}", "revenue": round(r.uniform(20, 60), 2), "currency": "EUR"}}
                     for k in range(50)]
            assert shop.send(batch).status_code == 200
        node.settle()
        return shop.sql("SELECT count(*) FILTER (WHERE flagged)::int, count(*)::int FROM event "
                        "WHERE tenant_id = %s AND message_id LIKE 'busy-%%' AND raw_offset > "
                        "coalesce((SELECT raw_offset FROM event WHERE tenant_id = %s AND message_id = 'after-training'), -1)",
                        shop.id)[0]

    flagged = busy(0, 700)
    assert flagged[1] == 700 and flagged[0] <= 35, flagged
    models = poll("its own model in force", 30, lambda: [
        m for m in node.cli("model", "list", "--tenant", shop.name)["data"] if m["live_from"]])
    assert len(models) == 1, models
    assert shop.send(event("after-training")).status_code == 200
    node.settle()
    [(model, parts)] = poll("scored by it", 10, lambda: shop.events("model, risk_parts", "message_id = %s", "after-training"))
    assert model == models[0]["id"] and "young_model" in str(parts)
    # Its counts over a day go on growing past all that the model has seen.
    flagged = busy(700, 1400)
    assert flagged[1] == 700 and flagged[0] <= 35, flagged


@pytest.mark.feature("2.8")
def test_a_tenant_wakes_though_the_log_begins_above_its_last_image(own_node):
    """What lies between its image and the log's beginning was its neighbour's: nothing of its own is missing there."""
    node = own_node(by_script=False, PULSE_TENANT_IDLE_MS="3000")
    node.start()
    shop, neighbour = node.tenant(), node.tenant()
    node.db().execute("UPDATE tenant SET slot = 0 WHERE tenant_id = ANY(%s)", ([shop.id, neighbour.id],))
    assert shop.send(event("before")).status_code == 200
    node.settle()
    for tenant, events in ((shop, []), (neighbour, [event(f"n{i}") for i in range(50)])):
        assert not events or tenant.send(events).status_code == 200
        node.settle()
        poll("its state is imaged", 20, lambda t=tenant: t.sql("SELECT FROM ledger WHERE tenant_id = %s AND "
                                                               "image_as_of >= last_offset"))
    # Trimmed every five seconds; where the log begins is seen by nobody outside.
    imaged = time.monotonic()
    poll("the log is trimmed", 15, lambda: time.monotonic() - imaged > 7)
    assert shop.send(event("above")).status_code == 200
    node.settle()
    node.kill()
    assert shop.sql("SELECT FROM ledger WHERE tenant_id = %s AND image_as_of < last_offset"), "imaged before the kill"
    node.start()
    assert shop.send(event("after")).status_code == 200
    node.settle()
    assert messages(shop) == ["above", "after", "before"]
    shop.assert_accounts_close()


@pytest.mark.feature("1.6", "2.8")
def test_what_a_deleted_tenant_still_has_in_the_log_is_counted_and_dropped(own_node):
    node = own_node(by_script=False)
    node.start()
    shop, neighbour = node.tenant(), node.tenant()
    assert shop.send(event("stored")).status_code == 200
    node.settle()
    node.close_db()
    node.postgres("down")
    # Its neighbour's event makes the slot's first batch wait for Postgres; what follows is split after the deletion.
    assert shop.send(event("waits")).status_code == 200
    node.postgres("up")
    node.settle()
    node.cli("tenant", "delete", shop.name)
    poll("its slot knows", 15, lambda: not rows_of(
        node.db(), "SELECT FROM due WHERE tenant_id = %s AND kind = 'forget'", shop.id))
    assert shop.send(event("too-late")).status_code in (200, 401, 503)
    poll("its key is dead", 10, lambda: shop.send(event("dead")).status_code == 401)
    assert neighbour.send(event("neighbour")).status_code == 200
    node.settle()
    books = shop.ledger()
    assert books["stored"] == 2 and books["raw"] == 2 + books["dropped"], books
    assert messages(neighbour) == ["neighbour"]


@pytest.mark.feature("2.8", "2.4")
def test_sigterm_drains_within_10_s_and_the_next_start_goes_on_with_the_same_data(own_node):
    node = own_node()
    node.start()
    shop = node.tenant()
    acknowledged, stop = [], threading.Event()

    def send():
        while not stop.is_set():
            ids = [str(uuid.uuid4()) for _ in range(20)]
            try:
                answer = shop.send([event(i) for i in ids])
            except OSError:
                continue
            if answer.status_code == 200:
                acknowledged.extend(ids)

    senders = [threading.Thread(target=send, daemon=True) for _ in range(2)]
    for s in senders:
        s.start()
    poll("some events", 20, lambda: len(acknowledged) > 400)
    pulse = node.pulse_pid()
    started = time.monotonic()
    node.process.send_signal(signal.SIGTERM)
    poll("pulse ends", 12, lambda: not is_alive(pulse))
    drained = time.monotonic() - started
    assert node.process.wait(30) == 0
    stop.set()
    for s in senders:
        s.join(30)
    assert drained <= 10.5, drained
    assert not node.postgres_runs(), "Postgres was left behind"
    node.close_db()
    started = time.monotonic()
    node.start()
    print(f"drained in {drained:.1f} s, started again in {time.monotonic() - started:.1f} s")
    node.settle()
    found = messages(shop)
    assert len(found) == len(set(found)) and set(acknowledged) <= set(found)
    assert [t["name"] for t in node.cli("tenant", "list")["data"]] == [shop.name]
    # The same message again, by the same key: still a duplicate.
    assert shop.send([event(acknowledged[0])]).status_code == 200
    node.settle()
    assert len(messages(shop)) == len(found)
    shop.assert_accounts_close()
    assert node.terminate() == 0


@pytest.mark.feature("11.4")
def test_when_pulse_dies_the_script_ends_with_1_and_stops_postgres(own_node):
    node = own_node()
    node.start()
    shop = node.tenant()
    assert shop.send(event("kept")).status_code == 200
    node.close_db()
    node.kill()
    assert node.process.wait(30) == 1, node.tail()
    assert not node.postgres_runs()
    node.start()
    node.settle()
    assert messages(shop) == ["kept"]


@pytest.mark.feature("12.3")
def test_every_wrong_setting_is_told_at_once(own_node, tmp_path):
    node = own_node(by_script=False)
    node.data_dir.mkdir()
    file = tmp_path / "pulse.json"
    file.write_text(json.dumps({"http": {"port": "many"}, "nonsense": 1, "log": {"level": "loud"}}))
    done = subprocess.run([str(PULSE), "config", "check", str(file)], env=node.env, capture_output=True, text=True, timeout=20)
    assert done.returncode in (1, 2)
    for word in ("http.port", "nonsense", "log.level"):
        assert word in done.stderr, done.stderr


@pytest.mark.feature("2.8")
def test_a_second_node_on_the_same_data_directory_is_refused(own_node):
    node = own_node(by_script=False)
    node.start()
    second = subprocess.run([str(PULSE), "serve"], env=node.env, capture_output=True, text=True, timeout=30)
    assert second.returncode == 1 and "ready" not in second.stdout, (second.stdout, second.stderr)
    shop = node.tenant()
    assert shop.send(event("first still serves")).status_code == 200
    node.settle()
    assert rows_of(node.db(), "SELECT count(*) FROM log_position WHERE epoch > 1") == [(0,)]
    assert os.path.exists(node.data_dir / "admin-token")
    assert (node.data_dir / "admin-token").stat().st_mode & 0o777 == 0o600
    assert (node.data_dir / "metrics-token").stat().st_mode & 0o777 == 0o600
