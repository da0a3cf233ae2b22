"""POST /v1/events and Segment's routes from outside: verdicts, refusals, limits, duplicates, keys."""

import base64
import datetime
import gzip
import json
import socket
import time
import uuid

import pytest
from support import poll

UTC = datetime.timezone.utc


def event(message=None, **more):
    return {"type": "track", "event": "Product Viewed", "userId": "u1", "messageId": message or str(uuid.uuid4()),
            "properties": {"product_id": "p1"}, **more}


def at(**ago):
    return (datetime.datetime.now(UTC) - datetime.timedelta(**ago)).isoformat()


def assert_problem(answer, status, code):
    assert answer.status_code == status, (answer.status_code, answer.text)
    assert answer.headers["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert {"type", "title", "status", "detail", "instance", "code", "request_id"} <= set(body), body
    assert body["status"] == status and body["code"] == code, body
    assert body["request_id"] == answer.headers["X-Request-Id"]
    return body


def counts(answer, status=200):
    assert answer.status_code == status, (answer.status_code, answer.text)
    said = answer.json()
    return said["accepted"], said["duplicates"], said["rejected"]


# --- verdicts ----------------------------------------------------------------------------------------------------


@pytest.mark.feature("2.1", "2.3")
@pytest.mark.parametrize("form", ["array", "ndjson", "gzip"])
def test_one_bad_event_among_good_ones_costs_only_itself(node, shop, form):
    events = [event("m0", timestamp=at(hours=1)), {"type": "track", "event": "X", "messageId": "m1"},
              event("m2", timestamp="yesterday"), event("m3", timestamp=at(hours=1))]
    lines = "\n".join(json.dumps(e) for e in events[:2]) + "\n{\"broken\n" + "\n".join(json.dumps(e) for e in events[2:])
    if form == "array":
        answer = shop.send(events)
    elif form == "ndjson":
        answer = shop.send(lines, Content_Type="application/x-ndjson")
    else:
        answer = shop.send(gzip.compress(lines.encode()), Content_Type="application/x-ndjson", Content_Encoding="gzip")
    broken = 0 if form == "array" else 1
    assert counts(answer) == (3, 0, 1 + broken)
    results = answer.json()["results"]
    assert [r["index"] for r in results] == list(range(len(events) + broken))
    by_message = {r["message_id"]: r for r in results if r["message_id"]}
    assert by_message["m0"]["result"] in ("ok", "warning") and by_message["m3"]["result"] in ("ok", "warning")
    assert by_message["m1"]["result"] == "rejected" and by_message["m1"]["code"] == "no_user"
    assert by_message["m1"]["pointer"] == "/userId"
    assert by_message["m2"]["result"] == "warning" and by_message["m2"]["code"] == "bad_timestamp"
    assert [r["code"] for r in results if r["result"] == "rejected"] == ["no_user"] + ["not_json"] * broken
    node.settle()
    assert {str(i): m for i, m in shop.events("event_id, message_id")} == {
        by_message[m]["id"]: m for m in ("m0", "m2", "m3")}
    failed = shop.sql("SELECT code, coalesce(message_id, '') FROM failed_event WHERE tenant_id = %s ORDER BY received_at, raw_offset")
    assert failed == [("no_user", "m1")] + [("not_json", "")] * broken
    shop.assert_accounts_close()


@pytest.mark.feature("2.3", "1.3")
def test_a_single_refused_event_is_422_with_a_pointer_and_is_kept_among_the_failed(node, shop):
    body = assert_problem(shop.send({"type": "track", "userId": "u1", "messageId": "m"}), 422, "no_event_name")
    assert body["errors"] == [{"pointer": "/event", "code": "no_event_name", "detail": body["errors"][0]["detail"]}]
    assert_problem(shop.send({"type": "dance", "userId": "u1"}), 422, "no_type")
    node.settle()
    assert shop.sql("SELECT code FROM failed_event WHERE tenant_id = %s ORDER BY code") == [("no_event_name",), ("no_type",)]
    assert shop.ledger()["failed"] == 2
    assert json.loads(bytes(shop.sql("SELECT body FROM failed_event WHERE tenant_id = %s AND code = 'no_type'")[0][0])) \
        == {"type": "dance", "userId": "u1"}


@pytest.mark.feature("2.1")
@pytest.mark.parametrize("word,kind,short", [("track", "track", "t"), ("identify", "identify", "i"), ("page", "page", "p"),
                                             ("screen", "screen", "s"), ("group", "group", "g"), ("alias", "alias", "a")])
def test_segments_routes_take_one_event_each(node, shop, word, kind, short):
    for route in (word, short):
        answer = shop.send({"event": "X", "userId": "u1", "messageId": route, "previousId": "a", "groupId": "g"},
                           path="/v1/" + route, Content_Type="text/plain")
        assert answer.status_code == 200 and answer.content == b'{"success":true}', answer.text
        assert answer.headers["Content-Type"].startswith("application/json")
    node.settle()
    assert sorted(shop.events("message_id, type")) == sorted([(word, kind), (short, kind)])


@pytest.mark.feature("2.1", "2.3")
def test_a_bad_event_never_fails_an_sdks_batch(node, shop):
    body = {"batch": [event("a"), {"type": "track"}, 17, event("b")], "context": {"locale": "de-DE"}, "sentAt": at()}
    answer = shop.send(body, path="/v1/batch", Content_Type="application/x-www-form-urlencoded")
    assert answer.status_code == 200 and answer.content == b'{"success":true}'
    node.settle()
    assert sorted(shop.events("message_id, context->>'locale'")) == [("a", "de-DE"), ("b", "de-DE")]
    assert shop.ledger()["failed"] == 2


@pytest.mark.feature("2.1", "1.1")
def test_a_browser_may_send_with_a_publishable_key_and_nothing_else(node, shop):
    key = shop.make_key("publishable")["key"]
    asked = node.request("OPTIONS", "/v1/t", headers={"Origin": "https://shop.example", "Access-Control-Request-Method": "POST",
                                                      "Access-Control-Request-Headers": "authorization,content-type"})
    assert asked.status_code in (200, 204)
    assert asked.headers["Access-Control-Allow-Origin"] in ("*", "https://shop.example")
    assert "authorization" in asked.headers["Access-Control-Allow-Headers"].lower()
    sent = shop.send(event("browser"), key, "/v1/t", Origin="https://shop.example", Content_Type="text/plain")
    assert sent.status_code == 200 and sent.headers["Access-Control-Allow-Origin"] in ("*", "https://shop.example")
    assert_problem(shop.send(event(), key), 403, "forbidden")


# --- duplicates --------------------------------------------------------------------------------------------------


@pytest.mark.feature("2.4")
@pytest.mark.parametrize("timed", [True, False], ids=["with a time", "without a time"])
def test_the_same_message_is_stored_once_however_often_it_comes(node, shop, timed):
    e = event("again", **({"timestamp": at(days=3)} if timed else {}))
    for _ in range(3):
        assert shop.send(e).status_code == 200
        assert shop.send([e, e]).status_code == 200
    node.settle()
    assert shop.ledger() == dict(raw=9, stored=1, duplicates=8, failed=0, control=0, dropped=0)
    assert shop.events("message_id") == [("again",)]
    shop.assert_accounts_close()


@pytest.mark.feature("2.4")
def test_the_same_message_id_of_two_tenants_is_two_events(node, shop):
    other = node.tenant()
    e = event("shared", timestamp=at(hours=1))
    mine, theirs = shop.send(e).json(), other.send(e).json()
    assert mine["results"][0]["id"] != theirs["results"][0]["id"]
    node.settle()
    assert len(shop.events("1")) == len(other.events("1")) == 1


@pytest.mark.feature("2.4")
def test_an_idempotency_key_stands_in_for_missing_message_ids(node, shop):
    body = [{"type": "track", "event": "A", "userId": "u"}, {"type": "track", "event": "B", "userId": "u"}]
    for _ in range(2):
        shop.send(body, Idempotency_Key="once")
    node.settle()
    assert sorted(shop.events("name")) == [("A",), ("B",)]


# --- acknowledgements --------------------------------------------------------------------------------------------


@pytest.mark.feature("2.5")
def test_queued_answers_202_and_durable_200(node, shop):
    assert counts(shop.send([event("q")], path="/v1/events?ack=queued"), 202) == (1, 0, 0)
    assert counts(shop.send([event("d")], path="/v1/events?ack=durable")) == (1, 0, 0)
    assert_problem(shop.send([event("x")], path="/v1/events?ack=perhaps"), 422, "invalid")
    poll("both stored", 20, lambda: sorted(shop.events("message_id")) == [("d",), ("q",)])


# --- odd content -------------------------------------------------------------------------------------------------


@pytest.mark.feature("2.3", "2.8")
def test_nul_surrogates_huge_numbers_and_far_times_are_kept_with_a_warning(node, shop):
    long_number = "9" * 400
    bodies = {
        "nul": '{"type":"track","event":"A\\u0000B","userId":"u","messageId":"nul","timestamp":"%s"}' % at(hours=1),
        "lone": '{"type":"track","event":"X","userId":"\\ud83d","messageId":"lone","properties":{"a":"\\udc00"}}',
        "digits": '{"type":"track","event":"Order Completed","userId":"u","messageId":"digits","properties":'
                  '{"revenue":%s,"currency":"EUR"}}' % long_number,
        "exponent": '{"type":"track","event":"X","userId":"u","messageId":"exponent","properties":{"n":1e999999}}',
        "past": '{"type":"track","event":"X","userId":"u","messageId":"past","timestamp":"1970-01-01T00:00:00Z"}',
        "future": '{"type":"track","event":"X","userId":"u","messageId":"future","timestamp":"2100-01-01T00:00:00Z"}',
        "types": '{"type":"track","event":"Order Completed","userId":17,"messageId":"types","context":[],'
                 '"properties":{"revenue":"12.50","currency":["EUR"],"products":{}}}',
    }
    codes = {}
    for name, body in bodies.items():
        said = shop.send(body.encode())
        assert counts(said) == (1, 0, 0), (name, said.text)
        result = said.json()["results"][0]
        assert result["result"] == "warning", (name, result)
        codes[name] = result["code"], result.get("pointer")
    assert codes["nul"] == ("replaced_characters", "/event")
    assert codes["digits"] == ("number_out_of_range", "/properties/revenue") or codes["digits"][0] == "missing_property", codes
    assert codes["exponent"] == ("number_out_of_range", "/properties/n")
    assert codes["past"] == codes["future"] == ("timestamp_out_of_range", "/timestamp")
    assert counts(shop.send([json.loads('{"type":"track","event":"X","userId":"good","messageId":"good"}')])) == (1, 0, 0)
    node.settle()
    stored = {row[0]: row[1:] for row in shop.events("message_id, name, customer, occurred_at, amount_minor")}
    assert set(stored) == {*bodies, "good"}, "something was lost around it"
    assert stored["nul"][0] == "A\ufffdB" and stored["lone"][1] == "\ufffd"
    assert stored["digits"][3] is None and stored["types"][3] == 1250
    now = datetime.datetime.now(UTC)
    assert all(abs(now - stored[m][2]) < datetime.timedelta(minutes=10) for m in ("past", "future"))
    assert shop.ledger()["failed"] == 0
    shop.assert_accounts_close()


@pytest.mark.feature("2.3", "9.1")
def test_another_tenants_ids_in_an_event_are_only_words(node, shop):
    victim = node.tenant()
    assert victim.send(event("secret", timestamp=at(hours=1))).status_code == 200
    node.settle()
    theirs = str(victim.events("event_id")[0][0])
    e = event("mine", timestamp=at(hours=1), tenant_id=victim.id, tenant=victim.name, id=theirs, event_id=theirs,
              context={"tenant_id": victim.id})
    assert counts(shop.send([e])) == (1, 0, 0)
    assert_problem(shop.send(event("k", writeKey=victim.key)), 401, "unauthorized")
    node.settle()
    assert shop.events("message_id") == [("mine",)] and str(shop.events("event_id")[0][0]) != theirs
    assert victim.events("message_id") == [("secret",)]
    assert victim.ledger()["raw"] == 1


# --- refusals ----------------------------------------------------------------------------------------------------


@pytest.mark.feature("1.3", "2.3")
@pytest.mark.parametrize("body", [b"", b"no json", b'"text"', b'{"type":"track",', b'{"a":1}}', b"\xff\xfe{}"],
                         ids=["empty", "words", "string", "cut", "too long", "no UTF-8"])
def test_what_is_no_json_is_400(shop, body):
    assert_problem(shop.send(body), 400, "malformed")


@pytest.mark.feature("1.3")
def test_a_broken_gzip_body_is_400(shop):
    assert_problem(shop.send(gzip.compress(b"[]" * 900)[:-9], Content_Encoding="gzip"), 400, "malformed")
    assert_problem(shop.send(b"plain", Content_Encoding="gzip"), 400, "malformed")


@pytest.mark.feature("1.1", "1.3")
def test_no_key_a_wrong_key_and_a_missing_scope(node, shop):
    no_key = node.request("POST", "/v1/events", json=event())
    assert_problem(no_key, 401, "unauthorized")
    assert "WWW-Authenticate" in no_key.headers
    for wrong in ("pe_live_nothing", shop.key[:-1] + ("a" if shop.key[-1] != "a" else "b"), shop.key.swapcase(), ""):
        assert_problem(shop.send(event(), wrong), 401, "unauthorized")
    assert_problem(shop.send(event(), shop.make_key("read")["key"]), 403, "forbidden")
    basic = base64.b64encode(f"{shop.key}:".encode()).decode()
    assert node.request("POST", "/v1/events", json=event(), headers={"Authorization": "Basic " + basic}).status_code == 200
    assert node.request("POST", "/v1/events", json=event(), headers={"X-API-Key": shop.key}).status_code == 200


@pytest.mark.feature("1.1")
def test_a_key_is_kept_as_a_hash_only(node, shop):
    assert shop.key.startswith("pe_live_") and shop.make_key("ingest", test=True)["key"].startswith("pe_test_")
    for row in shop.sql("SELECT k::text FROM api_key k WHERE tenant_id = %s"):
        assert shop.key not in row[0] and shop.key[20:] not in row[0]
    listed = node.cli("key", "list", "--tenant", shop.name)
    assert shop.key not in json.dumps(listed)


@pytest.mark.feature("1.6", "1.3")
def test_what_is_too_large_is_413(node, shop):
    assert_problem(shop.send(b"[" + b" " * (4 << 20) + b"]"), 413, "too_large")
    assert_problem(shop.send(gzip.compress(b"[" + b" " * (17 << 20) + b"]"), Content_Encoding="gzip"), 413, "too_large")
    assert_problem(shop.send([{"type": "track", "event": "X", "userId": "u"}] * 2501), 413, "too_large")
    large = event("large", properties={"text": "x" * 33_000})
    order = event("order", event="Order Completed", properties={"text": "x" * 33_000})
    said = shop.send([large, order]).json()
    assert [r["result"] for r in said["results"]] == ["rejected", "warning"] and said["results"][0]["code"] == "too_large"
    deep = json.dumps(event("deep", properties={"d": 1})).replace('{"d": 1}', '{"d":' * 40 + "1" + "}" * 40)
    wide = event("wide", properties={f"k{i}": i for i in range(300)})
    said = shop.send(f"[{deep},{json.dumps(wide)}]").json()
    assert [(r["result"], r["code"]) for r in said["results"]] == [("rejected", "too_deep"), ("rejected", "too_many_keys")]
    node.settle()
    assert shop.events("message_id") == [("order",)]


@pytest.mark.feature("1.6", "1.3")
def test_a_type_or_coding_that_is_not_taken_is_415(shop):
    assert_problem(shop.send(event(), Content_Type="image/png"), 415, "unsupported")
    assert_problem(shop.send(event(), Content_Encoding="br"), 415, "unsupported")


@pytest.mark.feature("1.3")
def test_an_unknown_route_is_404_and_a_wrong_method_405_with_allow(shop):
    assert_problem(shop.request("GET", "/v1/nothing"), 404, "not_found")
    wrong = shop.request("DELETE", "/v1/track")
    assert wrong.status_code == 405 and "POST" in wrong.headers["Allow"], wrong.text
    assert wrong.headers["Content-Type"] == "application/problem+json"


@pytest.mark.feature("1.3")
def test_two_lengths_in_one_request_are_refused_and_the_connection_ends(node, shop):
    host, port = node.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 5) as s:
        s.settimeout(5)
        s.sendall(b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n"
                  b"0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        got = b""
        while piece := s.recv(4096):
            got += piece
    assert got.startswith(b"HTTP/1.1 400") and got.count(b"HTTP/1.1") == 1, got


# --- limits and keys ---------------------------------------------------------------------------------------------


@pytest.mark.feature("1.4", "1.3")
def test_over_the_limit_is_429_with_the_headers_that_say_when(node):
    shop = node.tenant(rate=None)
    shop.limits(5, 10)
    poll("the limit holds", 10, lambda: shop.send([event()]).headers.get("X-RateLimit-Limit") == "10", every=0.3)
    refused = poll("over the limit", 10, lambda: [a for a in [shop.send([event() for _ in range(9)])] if a.status_code == 429])[0]
    assert_problem(refused, 429, "rate_limited")
    assert 1 <= int(refused.headers["Retry-After"]) <= 2
    for name in ("RateLimit", "RateLimit-Policy", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"):
        assert name in refused.headers, name
    poll("taken again when it was said", 10, lambda: shop.send([event()]).status_code == 200, every=0.2)


@pytest.mark.feature("1.7", "1.4")
def test_a_changed_limit_holds_within_10_s_without_a_restart(node):
    shop = node.tenant(rate=None)
    assert shop.send([event()]).headers["X-RateLimit-Limit"] == "5000"
    shop.limits(1, 2)
    poll("the new limit", 10, lambda: shop.send([event()]).headers.get("X-RateLimit-Limit") == "2", every=0.1)
    assert poll("429", 5, lambda: shop.send([event()]).status_code == 429)
    shop.limits(0, 0)
    poll("no limit", 10, lambda: shop.send([event() for _ in range(100)]).status_code == 200, every=0.1)


@pytest.mark.feature("1.1")
def test_a_revoked_key_stops_working_within_5_s(node, shop):
    key = shop.make_key("ingest")
    assert shop.send(event(), key["key"]).status_code == 200
    node.cli("key", "revoke", "--tenant", shop.name, str(key["id"]))
    started = time.monotonic()
    poll("401", 5, lambda: shop.send(event(), key["key"]).status_code == 401)
    assert time.monotonic() - started < 5.5
    assert shop.send(event()).status_code == 200


@pytest.mark.feature("1.1")
@pytest.mark.parametrize("timed", [True, False])
def test_events_of_a_test_key_are_stored_and_never_counted(node, shop, timed):
    key = shop.make_key("ingest", test=True)["key"]
    e = event("same", event="Order Completed", properties={"revenue": 5, "currency": "EUR"},
              **({"timestamp": at(hours=1)} if timed else {}))
    assert shop.send(e, key).status_code == 200
    said = shop.send(e).json()
    assert (said["accepted"], said["duplicates"]) == (1, 0)
    # Without a time of its own it goes by its name: then, too, by the id that it was stored under.
    again = shop.send(e).json()
    assert (again["accepted"], again["duplicates"]) == (0, 1)
    assert again["results"][0]["id"] == said["results"][0]["id"]
    node.settle()
    assert sorted(shop.events("message_id, test")) == [("same", False), ("same", True)]
    assert shop.sql("SELECT sum(events)::int, sum(revenue_minor)::int FROM rollup_minute WHERE tenant_id = %s "
                    "AND dim = 'total'") == [(1, 500)]
    shop.assert_accounts_close()


@pytest.mark.feature("2.8")
def test_the_program_sends_a_file_and_tells_its_verdicts(node, shop, tmp_path):
    file = tmp_path / "events.ndjson"
    file.write_text("".join(json.dumps(event(f"m{i}", timestamp=at(hours=1))) + "\n" for i in range(1200)) + "{}\n")
    said = node.cli("events", "send", "--key", shop.key, str(file))
    assert (said["accepted"], said["duplicates"], said["rejected"]) == (1200, 0, 1) and said["seconds"] >= 0
    node.settle()
    assert len(shop.events("1")) == 1200 and shop.ledger()["failed"] == 1
    node.cli("events", "send", "--key", "pe_live_wrong", str(file), status=1)
    node.cli("events", "send", status=2)
