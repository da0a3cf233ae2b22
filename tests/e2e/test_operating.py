"""runtime/OPERATING.md: each command in it works, in the order in which it stands there."""

import os
import pathlib
import re
import shlex
import subprocess
import tempfile

import pytest
from cluster import TERM_MS
from support import ROOT

PAGE = ROOT / "runtime" / "OPERATING.md"


def commands():
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.S)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def test_the_page_has_commands_for_each_part():
    text = " ".join(commands())
    for part in ("cluster start", "cluster add", "cluster drain", "cluster moves --dry-run", "cluster kill", "cluster stop"):
        assert part in text, part


@pytest.mark.feature("11.1")
def test_each_command_of_the_operators_page_works():
    here = pathlib.Path(tempfile.mkdtemp(prefix="pulse-operating-"))
    here.chmod(0o711)
    env = dict(os.environ, PULSE_CLUSTER_DIR=str(here / "cluster"), PULSE_DATA_DIR=str(here / "cluster" / "n1" / "data"),
               PULSE_CLUSTER_TERM_MS=str(TERM_MS))
    env.pop("PULSE_POSTGRES_URL", None)
    try:
        for command in commands():
            words = shlex.split(command)
            done = subprocess.run([str(ROOT / words[0]), *words[1:]], env=env, cwd=here, stdin=subprocess.DEVNULL, capture_output=True,
                                  text=True, timeout=180)
            if done.returncode == 3:
                pytest.skip("no Kafka: Java, Maven or the jars cannot be had here")
            assert done.returncode == 0, (command, done.stdout, done.stderr)
            print(f"$ {command}\n{done.stdout}")
    finally:
        subprocess.run([str(ROOT / "scripts" / "cluster"), "stop", "--wipe"], env=env, stdin=subprocess.DEVNULL,
                       capture_output=True, timeout=180)
