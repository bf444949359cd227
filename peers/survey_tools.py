"""Surveys under tools that others made: Snakemake runs one, kubernetes-validate reads its manifest, PostgreSQL takes its state.

usage: survey_tools.py SKYLOOP WORK_FOLDER

Snakemake, with `scenarios/examples/Snakefile` and its local executor, makes a run whose first attempts are interrupted; every file is compared
by SHA-256 with the run of one process. A PostgreSQL of its own (no network, a socket in a folder) is filled in pieces while the run grows; its
tables are compared row by row with SQLite's. Exit code 3: there is no PostgreSQL here, the rest is good.
"""

import json
import os
import pwd
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

from survey_run import Judge, said, sums, survey_of

EXPOSURES, CHUNKS = 12, 4
NO_POSTGRES = 3
EXAMPLES = Path(__file__).resolve().parent.parent / "scenarios" / "examples"


class Postgres:
    """A server without network; as root it is that of the user `postgres`, because it refuses root."""

    def __init__(self):
        places = [p.parent for p in sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))]
        self.programs = places[-1] if places else None
        self.folder = Path(tempfile.mkdtemp(prefix="pg.", dir="/tmp"))
        self.user = "postgres" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name

    def do(self, program, *words):
        as_user = ["runuser", "-u", self.user, "--"] if os.getuid() == 0 else []
        return subprocess.run([*as_user, self.programs / program, *words], cwd="/tmp", check=True, stdout=subprocess.DEVNULL)

    def __enter__(self):
        if self.programs is None or not shutil.which("psql"):
            return None
        if os.getuid() == 0:
            shutil.chown(self.folder, self.user)
        self.do("initdb", "-A", "trust", "-D", self.folder / "data", "--no-sync", "--locale=C", "--encoding=UTF8")
        self.do("pg_ctl", "-D", self.folder / "data", "-w", "-l", self.folder / "log", "-o", f"-c listen_addresses='' -k {self.folder}", "start")
        return self

    def __exit__(self, *_):
        if (self.folder / "data" / "postmaster.pid").exists():
            self.do("pg_ctl", "-D", self.folder / "data", "-w", "-m", "fast", "stop")
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, options=""):
        return f"postgresql://{self.user}@/postgres?host={self.folder}{options}"

    def ask(self, statement, options=""):
        return said("psql", "--no-psqlrc", "-At", "-F", "\t", "-c", statement, self.url(options))


def manifests(judge, skyloop, work, run):
    manifest, wrong = work / "job.yaml", work / "wrong.yaml"
    words = ["--engine", "k8s", "--image", "registry.example/skyloop:0.1", "--volume-claim", "sky/run"]
    manifest.write_text(said(skyloop, "submit", run, *words))
    wrong.write_text(manifest.read_text().replace("backoffLimitPerIndex", "backoffLimitPerIndx"))
    validate = Path(sys.executable).parent / "kubernetes-validate"
    codes = [subprocess.run([validate, "--strict", file], capture_output=True).returncode for file in (manifest, wrong)]
    judge("kubernetes-validate --strict takes the manifest, and not one with a typo", codes[0] == 0 and codes[1] != 0)


def snakemake(judge, skyloop, work, plan, expected):
    run = work / "snakemake run"
    said(skyloop, "plan", plan, "--out", run, "--chunks", CHUNKS)
    # A program whose first attempt at every chunk ends as if interrupted after some units.
    flaky = work / "flaky"
    flaky.write_text(
        f"""#!/bin/bash
case " $* " in *" run "*)
  mark="{work}/$(echo "$*" | tr -dc 0-9)"
  [ -e "$mark" ] || {{ touch "$mark"; timeout --signal=USR1 0.3 {skyloop} "$@"; exit 75; }}
esac
exec {skyloop} "$@"
"""
    )
    flaky.chmod(0o755)
    program = Path(sys.executable).parent / "snakemake"
    command = [program, "--snakefile", EXAMPLES / "Snakefile", "--cores", "2", "--quiet", "--directory", work]
    out = subprocess.run([*command, "--config", f"run={run}", f"program={flaky}", "threads=1", "memory_mb=500"], capture_output=True, text=True)
    if out.returncode:
        print(out.stdout + out.stderr)
    judge("Snakemake: every chunk interrupted once; complete, bit for bit", out.returncode == 0 and sums(run) == expected)
    judge("its last rule has collected", (run / "run.sqlite").is_file())


def rows_of(database, postgres, table, options=""):
    """Rows of a table from both databases, as texts."""
    order = {"unit": "unit", "event": "file, line", "product": "path, key", "journal": "file"}[table]
    theirs = json.loads(postgres.ask(f"SELECT coalesce(json_agg(t), '[]') FROM (SELECT * FROM {table} ORDER BY {order}) t", options))
    with sqlite3.connect(database) as connection:
        connection.row_factory = sqlite3.Row
        ours = [dict(row) for row in connection.execute(f"SELECT * FROM {table} ORDER BY {order}")]
    return ours, theirs


def postgres_of(judge, skyloop, work, plan, postgres):
    run, database = work / "collected", work / "collected.sqlite"
    said(skyloop, "plan", plan, "--out", run, "--chunks", CHUNKS)
    collect = lambda options="": said(skyloop, "collect", run, "--database", postgres.url(options))
    collect()
    judge("PostgreSQL: units that are planned", postgres.ask("SELECT count(*) FROM unit WHERE state = 'missing'").strip() == str(EXPOSURES))
    said(skyloop, "run", run, "--chunk", "1")
    collect()
    # Words that have to be escaped on their way.
    journal = next((run / "journal").glob("00001.*.jsonl"))
    last = json.loads(journal.read_text().splitlines()[-1]) | {"outcome": "failed", "class": "unit", "products": [], "error": "tab\t, line\n, \\N, 'quotes'\r, 星"}
    with journal.open("a") as file:
        file.write(json.dumps(last) + "\n")
    said(skyloop, "run", run)
    both = [subprocess.Popen([skyloop, "collect", run, "--database", postgres.url()], stdout=subprocess.DEVNULL) for _ in range(2)]
    judge("two collectors at once", [p.wait() for p in both] == [0, 0])
    judge("the same again finds nothing new", "and 0 new lines" in collect())
    said(skyloop, "collect", run, "--database", database)
    for table in ("unit", "event", "product", "journal"):
        ours, theirs = rows_of(database, postgres, table)
        judge(f"table {table}: {len(ours)} rows as SQLite has them", len(ours) > 0 and ours == theirs)
    postgres.ask("CREATE SCHEMA other")
    collect("&options=-csearch_path%3Dother")
    judge("another schema", postgres.ask("SELECT count(*) FROM other.product").strip() == str(3 * EXPOSURES))
    # Killed between transactions, as it were: what was reached stands, the next call adds the rest.
    postgres.ask("DELETE FROM event WHERE file > '00001'; DELETE FROM journal WHERE file > '00001'")
    judge("a call completes what another left", "and 0 new lines" not in collect() and rows_of(database, postgres, "event")[1] == rows_of(database, postgres, "event")[0])
    refused = subprocess.run([skyloop, "collect", run, "--database", "postgres://nobody@/none?host=/nowhere"], capture_output=True, text=True)
    judge("a server that is not there is said", refused.returncode == 1 and "psql" in refused.stderr)


def main(skyloop, work):
    skyloop, work = str(Path(skyloop).resolve()), Path(work).resolve()
    shutil.rmtree(work, ignore_errors=True)
    plan = survey_of(work, EXPOSURES)
    alone = work / "alone"
    said(skyloop, "plan", plan, "--out", alone, "--chunks", CHUNKS)
    said(skyloop, "-j", "2", "run", alone)
    judge = Judge()
    manifests(judge, skyloop, work, alone)
    snakemake(judge, skyloop, work, plan, sums(alone))
    with Postgres() as postgres:
        if postgres is None:
            print("no PostgreSQL here")
        else:
            postgres_of(judge, skyloop, work, plan, postgres)
    if not judge.good:
        return 1
    return 0 if postgres else NO_POSTGRES


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
