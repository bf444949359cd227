"""A survey run whose products go to an object store: moto's S3 server takes them, boto3 reads them.

The same run is made in a folder and into a bucket, with a kill on the way. Objects must be those of the folder, byte for byte, with the
sums that the store itself worked out (an object's ETag is its MD5); `status` and `verify` must know of them, and `verify` of one that is changed.

Use: survey_store.py SKYLOOP WORK
"""

import hashlib
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import boto3
from moto.server import ThreadedMotoServer

from survey_run import Judge, said, sums, survey_of

EXPOSURES = 6
BUCKET, PREFIX = "skyloop", "wide/1"

skyloop, work = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
shutil.rmtree(work, ignore_errors=True)
plan = survey_of(work, EXPOSURES)
logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
server.start()
host, port = server.get_host_and_port()
endpoint = f"http://{host}:{port}"
client = boto3.client("s3", endpoint_url=endpoint, aws_access_key_id="k", aws_secret_access_key="s", region_name="us-east-1")
client.create_bucket(Bucket=BUCKET)
os.environ.update(S3_ENDPOINT_URL=endpoint, S3_KEY="k", S3_SECRET="s")
judge = Judge()

folder, stored = work / "folder", work / "stored"
said(skyloop, "plan", plan, "--out", folder)
said(skyloop, "-q", "run", folder)
wanted = sums(folder)

said(skyloop, "plan", plan, "--out", stored, "--store", f"s3://{BUCKET}/{PREFIX}")


def count():
    """Objects of the run."""
    return client.list_objects_v2(Bucket=BUCKET, Prefix=PREFIX + "/").get("KeyCount", 0)


# Killed when the store has some objects more than before, on the way through a unit.
kills = 0
for more in (1, 2, 3, 4):
    before = count()
    child = subprocess.Popen([str(skyloop), "-q", "-j", "1", "run", str(stored)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while child.poll() is None and count() < before + more:
        time.sleep(0.005)
    kills += child.poll() is None
    child.send_signal(signal.SIGKILL)
    child.wait()
judge(f"{kills} of 4 kills came while it was at work, at {count()} objects", kills == 4)
said(skyloop, "-q", "run", stored)


def objects():
    """SHA-256 of all objects, by their names in the run, and those of which the store has another MD5."""
    found, wrong = {}, []
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=PREFIX + "/"):
        for entry in page.get("Contents", []):
            content = client.get_object(Bucket=BUCKET, Key=entry["Key"])["Body"].read()
            name = entry["Key"][len(PREFIX) + 1 :]
            found[name] = hashlib.sha256(content).hexdigest()
            if entry["ETag"].strip('"') != hashlib.md5(content).hexdigest():
                wrong.append(name)
    return found, wrong


found, wrong = objects()
judge(f"{len(found)} objects are the files of the run in a folder", found == wanted and found)
judge("the store worked out the same sums of them", not wrong)
left = [p for sub in ("L0", "truth") for p in (stored / sub).rglob("*") if p.is_file() and p.suffix == ".fits"]
judge("nothing of them stays in the folder", not left)
judge("status knows them", json.loads(said(skyloop, "status", stored, "--json"))["done"] == EXPOSURES)
judge("verify reads them", f"{EXPOSURES} units whole" in said(skyloop, "verify", stored))
said(skyloop, "-q", "run", stored)
judge("a second run changes nothing", objects()[0] == wanted)
name = next(n for n in sorted(found) if n.endswith(".fits"))
client.put_object(Bucket=BUCKET, Key=f"{PREFIX}/{name}", Body=b"half")
judge("verify finds the one that was changed", name in said(skyloop, "verify", stored, codes=(1,)))
client.delete_object(Bucket=BUCKET, Key=f"{PREFIX}/{name}")
said(skyloop, "-q", "run", stored)
judge("and what was lost is made again", objects()[0] == wanted)
server.stop()
sys.exit(0 if judge.good else 1)
