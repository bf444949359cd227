"""The page and the service of `skyloop serve`, seen by a real browser and by others' readers of OpenAPI and Prometheus.

serve_browser.py SKYLOOP WORK: SKYLOOP is the program. Plans the survey `cutout` twice, watches the page while one run proceeds and while the other fails
(its survey was changed after the plan), and compares what the page shows with `skyloop status --json`. CHROMIUM names the browser when it is not on the path.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from openapi_spec_validator import validate
from playwright.sync_api import sync_playwright
from prometheus_client.parser import text_string_to_metric_families

PATIENCE_S = 60
SKYLOOP, WORK = Path(sys.argv[1]).resolve(), Path(sys.argv[2])


def skyloop(*args, allowed=(0,)):
    done = subprocess.run([SKYLOOP, *map(str, args)], capture_output=True, text=True)
    assert done.returncode in allowed, f"{args}: {done.returncode} {done.stdout} {done.stderr}"
    return done.stdout


def status(run):
    return json.loads(skyloop("status", run, "--json", allowed=(0, 1, 4)))


class Service:
    """The program as a service, on a free port."""

    def __init__(self, *args):
        self.process = subprocess.Popen([SKYLOOP, "serve", *map(str, args), "--address", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
        self.address = re.search(r"http://[^ /]+", self.process.stdout.readline()).group()

    def get(self, path, token=None):
        request = urllib.request.Request(self.address + path, headers={"Authorization": f"Bearer {token}"} if token else {})
        with urllib.request.urlopen(request) as answer:
            return answer.read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


def until(what, true):
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end, f"waited {PATIENCE_S} s in vain for: {what}"
        time.sleep(0.2)


def shown(page):
    """Units by state as the page says."""
    text = {b.get_attribute("data-state"): b.query_selector("b").inner_text() for b in page.query_selector_all("#states button")}
    return {state: int(re.sub(r"\D", "", number)) for state, number in text.items()}


def documents(service):
    document = json.loads(service.get("/api/v1/openapi.json"))
    validate(document)
    for path, item in document["paths"].items():
        real = path.replace("{run}", "good").replace("{unit}", "0").replace("{chunk}", "0")
        assert set(item) == {"get"} and service.get(real), real
    families = {f.name: f for f in text_string_to_metric_families(service.get("/metrics").decode())}
    units = {(s.labels["run"], s.labels["state"]): s.value for s in families["skyloop_units"].samples}
    assert units["good", "done"] == 3 and units["bad", "failed"] == 3, units
    assert sum(s.value for s in families["skyloop_units_failed"].samples) == 3
    print(f"OpenAPI: {len(document['paths'])} paths valid and answered; Prometheus: {len(families)} families parsed")


def living(page, service, good, bad):
    page.goto(service.address + "/#run=good")
    page.wait_for_selector("#main:not([hidden])")
    until("a run of which nothing is made", lambda: shown(page) == {"done": 0, "open": 0, "failed": 0, "stale": 0, "missing": 3})
    assert page.inner_text("#activity") == "waiting to begin" and "None" in page.inner_text("#failures")

    run = subprocess.Popen([SKYLOOP, "-j", "1", "run", str(good)], stdout=subprocess.DEVNULL)
    seen = set()
    until("the run's end on the page", lambda: seen.add(shown(page)["done"]) or 3 in seen)
    assert run.wait() == 0
    until("the run is shown as complete", lambda: page.inner_text("#activity") == "complete")
    assert page.inner_text("#percent") == "100" and page.title().startswith("100 % · good")
    until("three pictures", lambda: len(page.query_selector_all("#frames img")) == 3)
    loaded = "() => [...document.querySelectorAll('#frames img')].every((i) => i.complete && i.naturalWidth > 100)"
    page.wait_for_function(loaded)
    bands = page.inner_text("#frames")
    assert all(f"{band} · detector" in bands for band in ("i", "g", "NUV")), bands
    painted = "() => { const c = document.getElementById('sky'); const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; return new Set(new Uint32Array(d.buffer)).size; }"
    assert page.evaluate(painted) > 4, "the sky is empty"
    print(f"a run living: {sorted(seen)} units done were shown on the way, 3 pictures loaded")

    page.click("#frames button")
    page.wait_for_selector("dialog[open] .unit img")
    assert "RA 192.86000°" in page.inner_text("#more-body")
    page.click("#more-close")

    # What was planned is not what the folder says any more: every unit fails alike.
    survey = bad / "survey.toml"
    survey.write_text(survey.read_text().replace("seed = 20261122", "seed = 20261123"))
    skyloop("--quiet", "run", bad, allowed=(3,))
    page.select_option("#runs", "bad")
    until("failures by reason", lambda: shown(page)["failed"] == 3)
    until("one group of failures", lambda: len(page.query_selector_all(".failure")) == 1)
    said, truth = page.inner_text(".failure summary"), status(bad)
    assert truth["failed"] == 3 and len(truth["reasons"]) == 1
    assert said.split()[0] == "3" and "plan again" in said and truth["reasons"][0]["text"] in said, said
    page.click(".failure summary")
    page.click(".failure .names button")
    page.wait_for_selector("dialog[open] .unit")
    assert "plan again" in page.inner_text("#more-body") and "failed" in page.inner_text("#more-body")
    page.click("#more-close")
    counts = {k: truth[k] for k in ("done", "failed", "stale", "missing")}
    until("counts as `status` has them", lambda: {k: v for k, v in shown(page).items() if k in counts} == counts)
    print("failures: one reason with its three units")


def narrow(browser, service):
    """On a telephone nothing sticks out sideways."""
    context = browser.new_context(viewport={"width": 390, "height": 844}, device_scale_factor=2, color_scheme="dark")
    page = context.new_page()
    page.goto(service.address + "/#run=good")
    page.wait_for_function("() => document.querySelectorAll('#frames img').length === 3")
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
    page.screenshot(path=WORK / "telephone.png", full_page=True)
    context.close()


def guarded(browser, root):
    """With a token the page asks for it, and shows nothing before."""
    (WORK / "token").write_text("a-token-of-some-length\n")
    with Service(root, "--token-file", WORK / "token") as service:
        try:
            service.get("/api/v1/runs")
            raise AssertionError("data without the token")
        except urllib.error.HTTPError as refusal:
            assert refusal.code == 401
        assert json.loads(service.get("/api/v1/runs", "a-token-of-some-length"))["runs"]
        page = browser.new_page()
        page.goto(service.address + "/#run=good")
        page.wait_for_selector("#ask[open]")
        assert page.is_hidden("#main")
        page.fill("#token", "a-token-of-some-length")
        page.click("#ask button")
        page.wait_for_selector("#main:not([hidden])")
        page.wait_for_function("() => [...document.querySelectorAll('#frames img')].some((i) => i.naturalWidth > 100)")
        page.close()
    print("token: asked for, and pictures come with it")


def report(browser, good):
    skyloop("report", good, "--verify")
    page = browser.new_page()
    asked = []
    page.on("request", lambda r: asked.append(r.url))
    page.goto((good / "report/report.html").resolve().as_uri())
    assert "3 units whole" in page.inner_text("main") and len(page.query_selector_all("figure svg")) >= 4
    assert len(asked) == 1, f"the report asks for more than itself: {asked}"
    page.screenshot(path=WORK / "report.png", full_page=True)
    page.close()
    print("report: one file, verified")


def main():
    shutil.rmtree(WORK, ignore_errors=True)
    root = WORK / "runs"
    good, bad = root / "good", root / "bad"
    for run in (good, bad):
        run.mkdir(parents=True)
        skyloop("plan", "cutout", "--out", run)
    browser_path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    faults = []
    with Service(root) as service, sync_playwright() as play:
        browser = play.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.on("console", lambda m: faults.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda e: faults.append(str(e)))
        page.on("request", lambda r: None if r.url.startswith((service.address, "blob:")) else faults.append(f"asked elsewhere: {r.url}"))
        living(page, service, good, bad)
        page.screenshot(path=WORK / "page.png", full_page=True)
        documents(service)
        narrow(browser, service)
        guarded(browser, root)
        report(browser, good)
        browser.close()
    assert not faults, faults
    print("no errors in the browser's console, and nothing was asked for elsewhere")


main()
