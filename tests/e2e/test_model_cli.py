"""`pulse model fit|score` from outside: tables in, tables out, the same bytes for the same seed, reasons that hold."""

import csv
import io
import json
import math
import random
import re
import subprocess

import pytest

from support import PULSE


def pulse(*args, ok=True):
    done = subprocess.run([PULSE, *map(str, args)], capture_output=True, text=True, timeout=120)
    assert (done.returncode == 0) == ok, done.stderr
    return done


def related(path, rows, seed, odd=()):
    """Two columns that go together, one of its own, a label; `odd` rows are appended."""
    source = random.Random(seed)
    with open(path, "w") as out:
        out.write("a,b,c,label\n")
        for _ in range(rows):
            a = source.gauss(0, 1)
            out.write(f"{a:.6f},{a + source.gauss(0, 0.1):.6f},{source.gauss(0, 1):.6f},0\n")
        for row in odd:
            out.write(",".join(str(x) for x in (*row, 1)) + "\n")
    return path


def scored(model, table, *more):
    return list(csv.DictReader(io.StringIO(pulse("model", "score", "--model", model, "--input", table, *more).stdout)))


@pytest.fixture
def fitted(tmp_path):
    train = related(tmp_path / "train.csv", 2000, 1)
    pulse("model", "fit", "--input", train, "--output", tmp_path / "m.model", "--label-column", "label")
    return tmp_path / "m.model"


@pytest.mark.feature("5.2")
def test_the_same_seed_gives_the_same_file_and_another_seed_another(tmp_path, fitted):
    train = related(tmp_path / "again.csv", 2000, 1)
    for seed, same in ((0, True), (5, False)):
        out = tmp_path / f"{seed}.model"
        pulse("model", "fit", "--input", train, "--output", out, "--label-column", "label", "--random-state", seed)
        assert (out.read_bytes() == fitted.read_bytes()) == same


@pytest.mark.feature("5.5")
def test_odd_rows_come_first_with_their_column_as_reason_in_the_inputs_order(tmp_path, fitted):
    far, torn = (0.2, 0.2, 9), (1.2, -1.2, 0)
    rows = scored(fitted, related(tmp_path / "new.csv", 500, 2, [far, torn]), "--reasons", 3)
    assert [int(r["row"]) for r in rows] == list(range(502))
    assert all(0 < float(r["score"]) < 1 and 0 <= float(r["risk"]) <= 100 for r in rows)
    assert rows[500]["reason_1"] == "c" and float(rows[500]["risk"]) > 99
    # Each value is ordinary by itself: only the distance from the inner part of training sees it.
    assert rows[501]["reason_1"] in "ab" and float(rows[501]["risk"]) > 99
    assert sum(float(r["risk"]) >= 99 for r in rows[:500]) <= 15


@pytest.mark.feature("5.2")
def test_a_broken_model_file_is_refused_with_the_reason(tmp_path, fitted):
    broken = tmp_path / "broken.model"
    data = bytearray(fitted.read_bytes())
    data[len(data) // 2] ^= 1
    broken.write_bytes(data)
    done = pulse("model", "score", "--model", broken, "--input", related(tmp_path / "x.csv", 3, 3), ok=False)
    assert "checksum" in done.stderr


@pytest.mark.feature("5.1")
def test_missing_infinite_constant_and_single_rows_never_fail(tmp_path):
    tables = {
        "one": "a,b\n1,2\n",
        "hard": "a,b,c\n1,,3\ninf,2,3\n-inf,NA,3\nnan,1e308,3\n1,-1e308,3\n",
        "same": "a\n" + "5\n" * 300,
    }
    for name, text in tables.items():
        table = tmp_path / f"{name}.csv"
        table.write_text(text)
        pulse("model", "fit", "--input", table, "--output", tmp_path / "m.model")
        for row in scored(tmp_path / "m.model", table):
            assert 0 < float(row["score"]) < 1 and 0 <= float(row["risk"]) <= 100


@pytest.mark.feature("5.5")
def test_contributions_and_the_models_base_add_up_to_the_score(tmp_path, fitted):
    rows = related(tmp_path / "new.csv", 50, 2, [(0.2, 0.2, 9)])
    document = json.loads(pulse("model", "score", "--model", fitted, "--input", rows, "--reasons", 3, "--json").stdout)
    for row in document["rows"]:
        total = document["base"] + sum(r["contribution"] for r in row["reasons"])
        assert math.log2(row["score"]) == pytest.approx(total, abs=1e-9)
    done = pulse("model", "score", "--model", fitted, "--input", rows, "--reasons", 3)
    [base] = re.fullmatch(r"log2\(score\) = (\S+) \+ the contributions of all 3 features\n", done.stderr).groups()
    assert float(base) == document["base"]
    assert done.stdout.splitlines()[0] == "row,score,risk,reason_1,contribution_1,reason_2,contribution_2,reason_3,contribution_3"
    fit = json.loads(pulse("model", "fit", "--input", tmp_path / "train.csv", "--output", tmp_path / "again.model",
                           "--label-column", "label", "--json").stdout)
    assert fit["base"] == document["base"] and fit["model"] == document["model"]


def status(*args):
    return subprocess.run([PULSE, *map(str, args)], capture_output=True, text=True, timeout=120)


@pytest.mark.feature("5.3", "5.8")
def test_what_means_nothing_on_the_command_line_is_wrong_use(tmp_path):
    series = tmp_path / "s.csv"
    series.write_text("timestamp,value\n" + "".join(f"2026-03-01T{h:02}:00:00Z,{h % 7}\n" for h in range(24)))
    for wrong in ("nan", "inf", "-inf", "0", "-1", "11", "high"):
        assert status("series", "detect", "--input", series, "--sensitivity", wrong).returncode == 2, wrong
        assert status("series", "forecast", "--input", series, "--horizon", 2, "--level", wrong).returncode == 2, wrong
    assert status("series", "detect", "--input", series, "--sensitivity", "0.5").returncode == 0
    table = related(tmp_path / "t.csv", 50, 1)
    for wrong in ("-1", "1.5", "nan"):
        done = status("model", "fit", "--input", table, "--output", tmp_path / "m", "--random-state", wrong)
        assert done.returncode == 2 and not (tmp_path / "m").exists(), wrong


@pytest.mark.feature("5.8")
def test_a_forecast_takes_a_granularity_and_one_value_for_each_time(tmp_path):
    series = tmp_path / "s.csv"
    series.write_text("timestamp,value\n" + "".join(f"2026-03-01T{h:02}:00:00Z,{h % 7}\n" for h in range(24)))
    ask = ["series", "forecast", "--input", series, "--horizon", 2]
    assert [r[:20] for r in pulse(*ask).stdout.splitlines()[1:]] == ["2026-03-02T00:00:00Z", "2026-03-02T01:00:00Z"]
    assert [r[:20] for r in pulse(*ask, "--granularity", "30m").stdout.splitlines()[1:]] == [
        "2026-03-01T23:30:00Z", "2026-03-02T00:00:00Z"]
    assert "closer than the granularity" in pulse(*ask, "--granularity", "1d", ok=False).stderr
    assert status(*ask, "--granularity", "often").returncode == 2
    series.write_text(series.read_text() + "2026-03-01T23:00:00Z,5\n")
    assert "2026-03-01T23:00:00Z stands twice" in pulse(*ask, ok=False).stderr


@pytest.mark.feature("5.3")
def test_another_form_of_a_series_is_refused_with_the_form_that_is_wanted(tmp_path):
    series = tmp_path / "s.csv"
    for text, wanted in (("timestamp,value\n1772344800,1\n", "1772344800 is no timestamp but a number: 2026-03-01T"),
                         ("timestamp;value\n2026-03-01;1\n", "separated by commas")):
        series.write_text(text)
        assert wanted in pulse("series", "detect", "--input", series, ok=False).stderr
    series.write_text("a;b\n1;2\n")
    assert "separated by commas" in pulse("model", "fit", "--input", series, "--output", tmp_path / "m", ok=False).stderr


@pytest.mark.feature("5.1")
def test_columns_of_words_are_named_and_an_unknown_word_is_the_first_reason(tmp_path):
    source = random.Random(4)
    usual = {"DE": 10, "FR": 40, "NA": 80}
    def table(name, rows, odd=()):
        with open(tmp_path / name, "w") as out:
            out.write("country,amount,other\n")
            for _ in range(rows):
                word = source.choice(list(usual))
                out.write(f"{word},{source.gauss(usual[word], 2):.3f},{source.gauss(0, 1):.3f}\n")
            out.writelines(f"{','.join(map(str, row))}\n" for row in odd)
        return tmp_path / name
    train, model = table("train.csv", 2000), tmp_path / "m.model"
    refused = pulse("model", "fit", "--input", train, "--output", model, ok=False)
    assert "line 2" in refused.stderr and "--category-column" in refused.stderr
    missing = pulse("model", "fit", "--input", train, "--output", model, "--category-column", "city", ok=False)
    assert "there is no column city" in missing.stderr
    pulse("model", "fit", "--input", train, "--output", model, "--category-column", "country")
    rows = scored(model, table("new.csv", 300, [("XX", 40, 0), ("DE", 80, 0), ("", 40, 0)]), "--reasons", 3)
    risks = sorted((float(r["risk"]) for r in rows[:300]), reverse=True)
    unknown, torn, empty = rows[300:]
    assert float(unknown["risk"]) > 99 and unknown["reason_1"] == "country"
    assert float(torn["risk"]) >= risks[15]
    assert float(empty["risk"]) < 99
    said = json.loads(pulse("model", "fit", "--input", train, "--output", model, "--category-column", "country",
                            "--json").stdout)
    assert said["categories"] == ["country"]
