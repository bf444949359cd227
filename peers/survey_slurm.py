"""A survey made by a real Slurm, through everything that happens to jobs, against the same survey made by one process.

usage: survey_slurm.py SKYLOOP WORK_FOLDER

`slurm_node.sh` starts a Slurm of one node with ports and folders of its own. A run of 90 small units in 6 chunks is made by `skyloop run`; then runs of the
same plan are handed to Slurm with `skyloop submit`, and disturbed:

* more chunks than the site's MaxArraySize: elements make several each; `--then collect` fills the database after them;
* a program killed (SIGKILL): its element fails and is not begun again; `retry` and `submit --retry` complete it;
* USR1 as before the time limit, where the site has no RequeueExit: the element begins itself again; `scontrol requeue`; preemption by a partition of
  higher priority;
* the controller ended and started again with RequeueExit=75: USR1 again;
* the node killed and back: its elements begin again by themselves;
* `skyloop cancel`: nothing is begun again;
* units that are reduced in the same element (`[reduce]`), level 1 alone kept: a killed program, `retry`, `submit --retry`, `--then collect`.

After each, every file of the run is compared by SHA-256.
Exit code 3: no Slurm could be started here.
"""

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path

from survey_run import Judge, said, sums, survey_of

HERE = Path(__file__).resolve().parent
EXPOSURES, CHUNKS, MOST = 90, 6, 4
NO_SLURM = 3


class Node:
    """The Slurm of one node."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="slurm.", dir="/tmp"))

    def do(self, action, *words):
        subprocess.run([HERE / "slurm_node.sh", action, self.folder, *words], check=True, stdout=subprocess.DEVNULL)

    def __enter__(self):
        port = 20_000 + os.getpid() % 20_000
        try:
            self.do("start", str(port), f"MaxArraySize={MOST}")
        except (subprocess.CalledProcessError, OSError) as error:
            print(f"no Slurm: {error}")
            self.__exit__()
            sys.exit(NO_SLURM)
        os.environ["SLURM_CONF"] = str(self.folder / "slurm.conf")
        return self

    def __exit__(self, *_):
        subprocess.run([HERE / "slurm_node.sh", "stop", self.folder], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)


def wait(what, until, seconds=90):
    end = time.monotonic() + seconds
    while not until():
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s for {what}\n" + said("squeue", codes=(0, 1)))
        time.sleep(0.2)


def tell(programs, what):
    """Sends a signal to processes; those that ended meanwhile do not hear it."""
    for program in programs:
        with suppress(ProcessLookupError):
            os.kill(program, what)


class Survey:
    """A run, and how it is looked at."""

    def __init__(self, skyloop, folder, plan):
        self.skyloop, self.folder = skyloop, folder
        said(skyloop, "plan", plan, "--out", folder, "--chunks", CHUNKS)

    def status(self):
        return json.loads(said(self.skyloop, "status", self.folder, "--json", "--queue", codes=(0, 1, 4)))

    def submit(self, *words):
        out = said(self.skyloop, "submit", self.folder, "--engine", "slurm", "--cpus", "1", "--sbatch=--nice=0", *words)
        return re.search(r"slurm job (\d+)", out).group(1), out

    def programs(self):
        """Processes that make units of this run, by the chunk they were asked for."""
        found = {}
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = path.read_bytes().decode().split("\0")
            except OSError:
                continue
            if str(self.folder) in words and "run" in words and "--chunk" in words and not words[0].endswith("bash"):
                found[int(words[words.index("--chunk") + 1])] = int(path.parent.name)
        return found

    def midst(self, chunk):
        """Whether a chunk's program is making a unit, with others before and after it. To be asked of a program that stands still."""
        attempts = sorted((self.folder / "journal").glob(f"{chunk:05}.*.jsonl"))
        lines = [json.loads(line) for line in attempts[-1].read_text().splitlines(True) if line.endswith("\n")] if attempts else []
        ended = sum(line["outcome"] != "begun" for line in lines)
        if ended < 1 or ended > EXPOSURES // CHUNKS - 3 or lines[-1]["outcome"] != "begun":
            return False
        # Its record is the last thing of a unit, before the line that says so.
        return not any(lines[-1]["key"] in record.read_text() for record in self.folder.glob("L0/**/*.manifest.json"))

    @contextmanager
    def held(self, least=1):
        """Programs in the midst of a unit, by chunk, held there until the end of the block: however fast the machine, what befalls them befalls them at work."""
        held = {}

        def caught():
            programs = self.programs()
            tell(programs.values(), signal.SIGSTOP)
            found = {chunk: program for chunk, program in programs.items() if self.midst(chunk)}
            if len(found) >= least:
                held.update(found)
            tell([program for program in programs.values() if program not in held.values()], signal.SIGCONT)
            return held

        wait("elements in the midst of units", caught)
        try:
            yield held
        finally:
            tell(held.values(), signal.SIGCONT)

    def over(self):
        wait("the end of all elements", lambda: self.status()["queue"] == {"queued": 0, "running": 0}, 150)

    def complete(self, expected):
        status = self.status()
        return status["done"] == status["units"] and sums(self.folder) == expected

    def collected(self):
        """Waits for the job after the elements; whether it found all units done."""
        wait("the end of the array and of collect", lambda: said("squeue", "--noheader") == "", 150)
        with sqlite3.connect(self.folder / "run.sqlite") as database:
            (done,) = database.execute("SELECT count(*) FROM unit WHERE state = 'done'").fetchone()
        return done == EXPOSURES

    def restarts(self, job):
        """How often each element was begun again."""
        text = said("scontrol", "show", "job", job)
        return [int(n) for n in re.findall(r"Restarts=(\d+)", text)]


def main(skyloop, work):
    skyloop, work = str(Path(skyloop).resolve()), Path(work).resolve()
    shutil.rmtree(work, ignore_errors=True)
    plan = survey_of(work, EXPOSURES)

    alone = Survey(skyloop, work / "alone", plan)
    said(skyloop, "-j", "2", "run", alone.folder)
    expected = sums(alone.folder)
    judge = Judge()
    judge(f"one process: {len(expected)} files of {EXPOSURES} units", len(expected) == 4 * EXPOSURES)

    with Node() as node:
        # A folder with a space and a per cent sign: sbatch reads both in a way of its own.
        one = Survey(skyloop, work / "array 50%a", plan)
        script = said(skyloop, "submit", one.folder, "--engine", "slurm", "--dry-run")
        judge("a dry run writes nothing", script.startswith("#!/bin/bash\n#SBATCH") and not (one.folder / "submit").exists())
        job, out = one.submit("--then", "collect")
        judge(f"{CHUNKS} chunks in {MOST} elements, as the site's MaxArraySize has it", f"{MOST} elements, up to 2 chunks each" in out)
        judge("collect came after the last element", one.collected())
        judge("array: complete, bit for bit", one.complete(expected))
        judge("each element has a log", len(list((one.folder / "log").glob("0000[0-3].log"))) == MOST)

        two = Survey(skyloop, work / "disturbed", plan)
        job, _ = two.submit()
        with two.held() as programs:
            tell(list(programs.values())[:1], signal.SIGKILL)
        two.over()
        status = two.status()
        judge("a killed program: its element ended and was not begun again", 0 < status["missing"] <= 2 * EXPOSURES // CHUNKS and status["open"] == 1 and sum(two.restarts(job)) == 0)
        found = said(skyloop, "retry", two.folder, "--chunks", "2")
        judge("retry plans more memory for what was killed", "1 were begun without an end" in found)
        two.submit("--retry")
        two.over()
        judge("kill, retry, submit --retry: complete, bit for bit", two.complete(expected))

        three = Survey(skyloop, work / "requeued", plan)
        job, _ = three.submit("--then", "collect")
        with three.held(2) as programs:
            elements = sorted(programs)
            said("scancel", "--batch", "--signal=USR1", f"{job}_{elements[0]}")
            said("scontrol", "requeue", f"{job}_{elements[-1]}")
        wait("two restarts", lambda: sum(n > 0 for n in three.restarts(job)) == 2)
        judge("USR1 and scontrol requeue: both elements begin again, the others go on", True)
        with three.held():
            before = sum(three.restarts(job))
            urgent = said("sbatch", "--parsable", "--partition=high", "--cpus-per-task=4", "--output=/dev/null", "--wrap", "sleep 1").strip()
            wait("the urgent job", lambda: said("squeue", "--states=all", "--noheader", f"--jobs={urgent}", "--format=%T").strip() == "COMPLETED")
        judge("preemption: elements made room and begin again", sum(three.restarts(job)) > before)
        three.over()
        judge("USR1, requeue, preemption: complete, bit for bit", three.complete(expected))
        judge("collect waited for all that began again", three.collected())
        logs = [path.read_text() for path in (three.folder / "log").glob("*.log")]
        judge("logs hold every attempt", any(text.count('"event":"run"') >= 2 for text in logs))

        four = Survey(skyloop, work / "lost", plan)
        job, _ = four.submit()
        with four.held():
            node.do("controller", "RequeueExit=75")
        judge("controller ended and started again: it still knows the job", four.restarts(job) != [])
        four.over()
        judge("controller: complete, bit for bit", four.complete(expected))
        shutil.rmtree(four.folder)
        four = Survey(skyloop, work / "lost", plan)
        job, _ = four.submit()
        script = next((four.folder / "submit").glob("*.slurm.sh")).read_text()
        judge("where the site has RequeueExit=75 the script leaves it to that", "scontrol requeue" not in script)
        with four.held() as programs:
            said("scancel", "--batch", "--signal=USR1", f"{job}_{min(programs)}")
        wait("a restart", lambda: sum(four.restarts(job)) >= 1)
        judge("RequeueExit: the element begins again", True)
        with four.held():
            node.do("fail")
        wait("the end of all programs", lambda: not four.programs())
        incomplete = four.status()["done"] < EXPOSURES
        before = sum(four.restarts(job))
        wait("the controller to miss the node", lambda: "down" in said("sinfo", "--noheader", "--partition=low", "--format=%t"))
        node.do("back")
        four.over()
        judge("node lost: what it had begun is begun again", incomplete and sum(four.restarts(job)) > before)
        judge("RequeueExit, node lost: complete, bit for bit", four.complete(expected))

        five = Survey(skyloop, work / "cancelled", plan)
        job, _ = five.submit()
        with five.held():
            said(skyloop, "cancel", five.folder)
        five.over()
        time.sleep(2)
        judge("cancel: nothing is at work, nothing begins again", not five.programs() and sum(five.restarts(job)) == 0 and five.status()["done"] < EXPOSURES)
        said(skyloop, "-j", "2", "run", five.folder)
        judge("cancel, then run on one machine: complete, bit for bit", five.complete(expected))

        reduced = plan.with_name("reduced.toml")
        reduced.write_text(plan.read_text() + '[reduce]\nmasters = "cal"\nkeep = ["L1"]\n')
        for words in (("simulate", "smoke", "--out"), ("reduce",)):
            said(skyloop, "--quiet", *words, work / "cal")
        alone = Survey(skyloop, work / "reduced alone", reduced)
        said(skyloop, "-j", "2", "run", alone.folder)
        expected = sums(alone.folder)
        level1 = sum(name.startswith("L1/") and name.endswith(".fits") for name in expected)
        judge("reduced in the unit, one process: image, weight and flags of each, no level 0", level1 == 3 * EXPOSURES and not any(n.endswith("_L0_V01.fits") for n in expected))
        six = Survey(skyloop, work / "reduced", reduced)
        six.submit()
        wait("level 1 of some units", lambda: len(list((six.folder / "L1").rglob("*.manifest.json"))) > 3)
        tell(list(six.programs().values())[:1], signal.SIGKILL)
        six.over()
        judge("reduced: the killed element's units are missing", six.status()["missing"] > 0)
        said(skyloop, "retry", six.folder, "--chunks", "2")
        six.submit("--retry", "--then", "collect")
        judge("reduced: collect came after the last element", six.collected())
        judge("reduced: kill, retry: complete, bit for bit", six.complete(expected))
    return 0 if judge.good else 1


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
