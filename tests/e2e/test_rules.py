"""Rules from outside: published, they decide; in shadow, they change nothing; broken, they are refused with their place."""

import datetime
import json

import pytest

from support import poll

UTC = datetime.timezone.utc


def order(number, card, revenue=20, **more):
    return {"type": "track", "event": "Order Completed", "userId": f"u{number}", "messageId": f"r-{number}",
            "timestamp": (datetime.datetime.now(UTC) - datetime.timedelta(minutes=5)).isoformat(),
            "properties": {"order_id": f"o{number}", "revenue": revenue, "currency": "EUR", "card_fingerprint": card,
                           **more}}


def put(shop, path, document):
    return shop.request("PUT", path, data=json.dumps(document), headers={"Content-Type": "application/json"})


def post(shop, path, document):
    return shop.request("POST", path, data=json.dumps(document), headers={"Content-Type": "application/json"})


def in_force(shop, path):
    def check():
        rows = shop.get(path).json()["data"]
        return rows and rows[0]["state"] == "live"
    poll(f"{path} in force", 20, check)


def risk(node, shop, events):
    assert shop.send(events).status_code == 200
    node.settle()
    got = {e["message_id"]: e["risk"] for e in shop.get("/v1/events", limit=100).json()["data"]}
    return [got[e["messageId"]] for e in events]


def parts(risk, source):
    return {p["name"]: p for p in risk["parts"] if p["source"] == source}


@pytest.mark.feature("4.1", "4.2", "4.3", "4.4", "4.10")
def test_a_published_rule_declines_with_its_reason_and_a_shadow_rule_changes_nothing(node, shop):
    rules = {"rules": [
        {"name": "blocked", "when": 'card in list("blocked_cards")', "outcome": "decline", "points": 12.5},
        {"name": "fast", "when": "velocity(card, 1h) > 2", "outcome": "review", "points": 5},
        {"name": "try", "state": "shadow", "when": "amount > 500", "outcome": "decline", "points": 90}]}
    assert put(shop, "/v1/lists", {"lists": {"blocked_cards": ["bad"]}}).status_code == 201
    done = put(shop, "/v1/rules", rules)
    assert done.status_code == 201, done.text
    in_force(shop, "/v1/rules")
    in_force(shop, "/v1/lists")
    blocked, large, one, two, three = risk(node, shop, [
        order(1, "bad"), order(2, "k0", 900), order(3, "k3"), order(4, "k3"), order(5, "k3")])
    assert blocked["outcome"] == "decline"
    assert parts(blocked, "rule")["blocked"]["points"] == 12.5
    assert '"bad"' in parts(blocked, "rule")["blocked"]["detail"]
    for r in (blocked, large, one, two, three):
        assert sum(p["points"] for p in r["parts"]) == r["score"]
    assert parts(large, "shadow")["try"]["points"] == 0
    assert "amount 900 EUR" in parts(large, "shadow")["try"]["detail"]
    assert not parts(large, "rule")
    assert large["score"] == sum(p["points"] for p in large["parts"] if p["source"] in ("model", "range", "local"))
    assert large["outcome"] == ("decline" if large["score"] >= 95 else "review" if large["score"] >= 75 else "approve")
    assert not parts(one, "rule") and not parts(two, "rule")
    assert three["outcome"] in ("review", "decline")
    assert parts(three, "rule")["fast"]["detail"] == "review: velocity(card, 1h) 3"
    # Back to what was before: an empty rule set comes first, so that there is one.
    assert put(shop, "/v1/rules", {"rules": []}).status_code == 201
    in_force(shop, "/v1/rules")
    [free] = risk(node, shop, [order(6, "bad")])
    assert not parts(free, "rule")
    assert post(shop, "/v1/rules/rollback", {}).status_code == 200
    in_force(shop, "/v1/rules")
    [again] = risk(node, shop, [order(7, "bad")])
    assert again["outcome"] == "decline"
    assert {a[0] for a in shop.sql("SELECT action FROM audit WHERE tenant_id = %s")} >= {"publish rules", "publish lists"}


@pytest.mark.feature("4.2", "4.3")
def test_a_broken_rule_is_refused_with_every_place(node, shop):
    got = post(shop, "/v1/rules/check", {"rules": [{"name": "a", "when": "amout > 5 and\n cuntry == 1"}]})
    assert got.status_code == 422
    errors = got.json()["errors"]
    assert [e["pointer"] for e in errors] == ["/rules/0/when"] * 2
    assert errors[0]["detail"].startswith("line 1, column 1: ")
    assert errors[1]["detail"].startswith("line 2, column 2: ")
    assert put(shop, "/v1/rules", {"rules": [{"name": "a", "when": "amout > 5"}]}).status_code == 422
    assert post(shop, "/v1/rules/check", {"rules": [{"name": "a", "when": "amount > 5"}]}).json() == {"ok": True}
    assert post(shop, "/v1/lists/check", {"lists": {"a b": [5]}}).status_code == 422
    reader = shop.make_key("read")["key"]
    assert shop.request("PUT", "/v1/rules", reader, data='{"rules":[]}',
                        headers={"Content-Type": "application/json"}).status_code == 403


@pytest.mark.feature("1.3", "4.3")
@pytest.mark.parametrize("kind, body", [("rules", '{"rules":[]}'), ("lists", '{"lists":{}}'), ("mappings", '{"rules":[]}'),
                                        ("detectors", '{"per_week":2}')])
def test_a_document_that_is_no_json_is_malformed_and_one_with_a_key_twice_is_refused(node, shop, kind, body):
    def send(method, path, text):
        return shop.request(method, path, data=text, headers={"Content-Type": "application/json"})

    broken, twice = body[:-1], body[:-1] + "," + body[1:]
    routes = [("PUT", f"/v1/{kind}"), ("PUT", f"/v1/{kind}/1"), ("POST", f"/v1/{kind}/check"),
              ("POST", f"/v1/{kind}/publish")]
    if kind != "lists":
        routes.append(("POST", f"/v1/{kind}/dry-run"))
    for method, path in routes:
        got = send(method, path, broken)
        assert (got.status_code, got.json()["code"]) == (400, "malformed"), (method, path, got.text)
        assert got.json()["errors"][0]["code"] == "not_json"
        got = send(method, path, twice)
        assert got.status_code == 422, (method, path, got.text)
        assert "duplicate_key" in [e["code"] for e in got.json()["errors"]]
    assert shop.get(f"/v1/{kind}").json()["data"] == []


@pytest.mark.feature("4.2", "4.3")
def test_the_command_line_shows_every_place_of_a_broken_document(node, shop, tmp_path):
    rules = tmp_path / "rules.json"
    rules.write_text(json.dumps({"rules": [{"name": "a", "when": "amout > 5 and\n cuntry == 1"}]}))
    for verb in ("check", "publish", "dry-run"):
        told = node.say("rules", verb, "--tenant", shop.name, str(rules))
        assert told.returncode == 1 and told.stdout == ""
        first, *places = told.stderr.splitlines()
        assert first.startswith("error: 422 ") and first.endswith("rules: 2 problem(s)")
        assert [p.split(": ")[:2] for p in places] == [["  /rules/0/when", "unknown_name"]] * 2
        assert "line 1, column 1: " in places[0] and "line 2, column 2: " in places[1]
    problem = node.cli("rules", "check", "--tenant", shop.name, str(rules), status=1)
    assert problem["status"] == 422 and problem["code"] == "invalid"
    assert [e["pointer"] for e in problem["errors"]] == ["/rules/0/when"] * 2
    # Whoever is no tenant is told so in one line.
    told = node.say("rules", "list", "--tenant", "nobody")
    assert told.returncode == 1 and len(told.stderr.splitlines()) == 1 and told.stderr.startswith("error: 404 ")


@pytest.mark.feature("4.2", "4.3")
def test_what_is_most_likely_a_slip_is_warned_of_and_taken(node, shop, tmp_path):
    document = {"rules": [{"name": "a", "when": 'card in list("blocked") or amount / 0 > 1'},
                          {"name": "b", "when": "hour == 24"}, {"name": "c", "when": "hour >= 22 or weekday in (6, 7)"}]}

    def warned(answer):
        return [(w["pointer"], w["code"]) for w in answer.json()["warnings"]]

    slips = [("/rules/0/when", "unknown_list"), ("/rules/0/when", "division_by_zero"), ("/rules/1/when", "never_true")]
    got = post(shop, "/v1/rules/check", document)
    assert got.status_code == 200 and got.json()["ok"] is True and warned(got) == slips
    assert "`blocked`" in got.json()["warnings"][0]["detail"]
    for got in (put(shop, "/v1/rules", document), post(shop, "/v1/rules/publish", document)):
        assert got.status_code == 201 and got.json()["version"] and warned(got) == slips
    # A list that was published counts at once, in force or about to be.
    assert put(shop, "/v1/lists", {"lists": {"blocked": ["x"]}}).status_code == 201
    assert warned(post(shop, "/v1/rules/check", document)) == slips[1:]
    rules = tmp_path / "rules.json"
    rules.write_text(json.dumps(document))
    told = node.say("rules", "check", "--tenant", shop.name, str(rules))
    assert told.returncode == 0 and told.stdout == f"{rules} can be published\n"
    assert [line.split(": ")[:3] for line in told.stderr.splitlines()] == [
        ["warning", pointer, code] for pointer, code in slips[1:]]
    assert post(shop, "/v1/rules/check", {"rules": document["rules"][2:]}).json() == {"ok": True}


@pytest.mark.feature("4.4", "4.9")
def test_a_dry_run_tells_what_rules_would_have_done(node, shop):
    risk(node, shop, [order(i, "k1", 10 * i) for i in range(1, 11)])
    document = {"rules": [{"name": "big", "when": "amount > 75", "outcome": "decline"},
                          {"name": "many", "state": "shadow", "when": "velocity(card, 1h) >= 10"}]}
    got = post(shop, "/v1/rules/dry-run", document)
    assert got.status_code == 200, got.text
    report = got.json()
    assert report["events"] == 10 and report["changed"] == 3
    assert report["outcomes"]["decline"]["events"] == 3
    assert report["outcomes"]["decline"]["money"] == [{"amount": "270.00", "currency": "EUR"}]
    big, many = report["rules"]
    assert big["hits"] == 3 and big["by_outcome"]["decline"] == 3
    assert many["state"] == "shadow" and many["hits"] == 1
    assert len(report["data"]) == 3 and report["data"][0]["after"]["outcome"] == "decline"
    # Nothing was kept.
    assert shop.get("/v1/rules").json()["data"] == []


@pytest.mark.feature("4.4", "4.9")
def test_a_dry_run_looks_into_the_lists_in_force(node, shop):
    risk(node, shop, [order(1, "good"), order(2, "bad"), order(3, "worse")])
    document = {"rules": [{"name": "blocked", "when": 'card in list("blocked_cards")', "outcome": "decline"}]}
    before = post(shop, "/v1/rules/dry-run", document).json()
    assert before["lists"] is None and before["changed"] == 0
    assert before["rules"][0]["hits"] == 0 and before["rules"][0]["not_known"] == 3
    for cards, hits in ((["bad", "worse"], 2), (["bad"], 1)):
        assert put(shop, "/v1/lists", {"lists": {"blocked_cards": cards}}).status_code == 201
        in_force(shop, "/v1/lists")
        after = post(shop, "/v1/rules/dry-run", document).json()
        assert after["lists"] == shop.get("/v1/lists").json()["data"][0]["id"]
        assert after["rules"][0]["hits"] == hits and after["rules"][0]["not_known"] == 0
        assert after["outcomes"]["decline"]["events"] == hits


@pytest.mark.feature("4.3", "4.9")
def test_the_command_line_checks_publishes_rolls_back_and_backtests(node, shop, tmp_path):
    rules = tmp_path / "rules.json"
    rules.write_text(json.dumps({"rules": [{"name": "big", "when": "amount > 75", "outcome": "decline"}]}))
    assert node.cli("rules", "check", "--tenant", shop.name, str(rules)) == {"ok": True}
    assert node.cli("rules", "publish", "--tenant", shop.name, str(rules))["version"] == 1
    assert [v["version"] for v in node.cli("rules", "list", "--tenant", shop.name)["data"]] == [1]
    lists = tmp_path / "lists.json"
    lists.write_text(json.dumps({"lists": {"vip": ["ada"]}}))
    assert node.cli("lists", "publish", "--tenant", shop.name, str(lists))["version"] == 1
    node.cli("rules", "rollback", "--tenant", shop.name, status=1)
    history = tmp_path / "events.ndjson"
    history.write_text("".join(json.dumps(order(i, "k", 10 * i, fraud=i > 8)) + "\n" for i in range(1, 11)))
    report = node.cli("backtest", "--rules", str(rules), "--input", str(history), "--label", "properties.fraud")
    assert report["events"] == 10 and report["refused"] == 0
    assert report["recall"] == 1 and report["precision"] == pytest.approx(2 / 3)
    assert report["rules"][0]["precision_interval"][0] < 2 / 3 < report["rules"][0]["precision_interval"][1]


@pytest.mark.feature("4.9")
def test_a_backtest_names_what_it_could_not_read(node, tmp_path):
    rules, history = tmp_path / "rules.json", tmp_path / "events.ndjson"
    rules.write_text(json.dumps({"rules": [{"name": "big", "when": "amount > 75", "outcome": "decline"}]}))
    good = [json.dumps(order(i, "k", 10 * i)) for i in range(1, 4)]
    history.write_text("\n".join([good[0], "no json", *good, *['{"type": "track"}'] * 24, "[]"]) + "\n")
    told = node.say("backtest", "--rules", str(rules), "--input", str(history), "--label", "properties.nothing")
    assert told.returncode == 0, told.stderr
    assert told.stdout.startswith("3 events in ") and ", 1 duplicates, 26 refused" in told.stdout
    lines = told.stderr.splitlines()
    assert lines[0].startswith("line 2: refused: ") and lines[1].startswith("line 6: refused: no_event_name")
    assert len([line for line in lines if ": refused: " in line]) == 20
    assert lines[20:] == ["6 more lines were refused",
                          "1 events came again under the same message id and were counted once",
                          "--label properties.nothing: no event has it as true, false, 1 or 0"]
    report = node.cli("backtest", "--rules", str(rules), "--input", str(history))
    assert report["events"] == 3 and report["duplicates"] == 1 and report["refused"] == 26
    assert [line["line"] for line in report["refused_lines"]] == [2, *range(6, 25)]
    history.write_text("\n")
    told = node.say("backtest", "--rules", str(rules), "--input", str(history))
    assert told.returncode == 1 and told.stderr.endswith("there is no event in it\n")
    for wrong in (["--input", str(history), "--tenant", "shop"], [], ["--input", str(history), "--from", "2026-01-01"],
                  ["--tenant", "shop", "--from", "yesterday"]):
        node.cli("backtest", "--rules", str(rules), *wrong, status=2)


@pytest.mark.feature("4.5", "4.9")
def test_a_backtest_reads_what_is_stored_of_a_tenant(node, shop, tmp_path):
    assert put(shop, "/v1/lists", {"lists": {"blocked_cards": ["bad"]}}).status_code == 201
    in_force(shop, "/v1/lists")
    long_ago = (datetime.datetime.now(UTC) - datetime.timedelta(hours=3)).isoformat()
    # More than a page of others.
    old = [{**order(i, "k"), "timestamp": long_ago} for i in range(1100)]
    new = [order(i, "bad" if i % 2 else "k", 1100 + i) for i in range(1100, 1104)]
    assert shop.send(old).status_code == 200
    assert shop.send(new).status_code == 200
    node.settle()
    assert post(shop, "/v1/labels", [{"order_id": "o1101", "label": "fraud"},
                                     {"order_id": "o1102", "label": "legitimate"}]).json()["accepted"] == 2
    rules = tmp_path / "rules.json"
    rules.write_text(json.dumps({"rules": [
        {"name": "blocked", "when": 'card in list("blocked_cards")', "outcome": "decline"},
        {"name": "many", "state": "shadow", "when": "velocity(card, 6h) > 1100", "outcome": "review"}]}))
    ask = ["backtest", "--tenant", shop.name, "--rules", str(rules)]
    report = node.cli(*ask)
    assert report["events"] == 1104 and report["labelled"] == 2 and report["refused"] == 0
    assert report["lists"] == shop.get("/v1/lists").json()["data"][0]["id"]
    blocked, many = report["rules"]
    assert blocked["hits"] == 2 and blocked["fraud"] == 1 and blocked["legitimate"] == 0
    assert blocked["money"] == [{"amount": "4404.00", "currency": "EUR"}]
    assert many["state"] == "shadow" and many["hits"] == 2 and many["legitimate"] == 1
    assert report["recall"] == 1
    # A rule's window has seen what lies before the range; only the range is counted.
    since = (datetime.datetime.now(UTC) - datetime.timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    late = node.cli(*ask, "--from", since)
    assert late["events"] == 4 and [r["hits"] for r in late["rules"]] == [2, 2]
    # The model's part of each event stays what it was: what was decided without rules is decided again.
    rules.write_text('{"rules":[]}')
    got = shop.get("/v1/events", limit=10, **{"from": since}).json()["data"]
    again = node.cli(*ask, "--from", since)
    for outcome in ("approve", "review", "decline"):
        found = again["outcomes"][outcome]
        assert found["fraud"] + found["legitimate"] + found["unlabelled"] == sum(
            e["risk"]["outcome"] == outcome for e in got)
    told = node.say(*ask, "--to", "2020-01-01")
    assert told.returncode == 1 and "there is no event in this range" in told.stderr
