"""`pulse model fit|score` from outside: tables in, tables out, the same bytes for the same seed, reasons that hold."""

import csv
import io
import random
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
