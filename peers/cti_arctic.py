"""Charge transfer inefficiency: arCTIc (arcticpy) against ours, forward and backward, in both directions of transfer.

usage: cti_arctic.py SKYLOOP WORK_FOLDER

The same columns (4616 rows) and rows (1152 columns behind 27 pixels of prescan), the same three species, instant capture,
every transfer of both codes (arCTIc: express 0, empty traps at the first transfer). Criteria:
1. forward: sum of absolute differences below 1 % of that of the trails, columns and rows;
2. our blocks against arCTIc exact: below 2 %;
3. across: our trails removed by arCTIc and arCTIc's by us, more than 95 % of the change undone (sum of absolute values);
4. the same species with capture times, every transfer: a grid of heights with the same rates (here) within 1e-3 of the trails; arCTIc's slow traps
   within 3 %: where a packet rises above all its watermarks, arCTIc leaves out the capture in the new volume if the two heights round to the same
   number (a packet of 3000 electrons in a column of 100 keeps 3.2 of them more than it and the grid say).
"""

import pathlib
import subprocess
import sys

import numpy as np
from arcticpy import CCD, ROE, CCDPhase, TrapInstantCapture, TrapSlowCapture, add_cti, remove_cti
from astropy.io import fits

SPECIES = [(0.6, 0.74), (1.6, 7.7), (1.4, 37.0)]
WELL = dict(full_well_depth=84700.0, well_notch_depth=0.0, well_fill_power=0.478)
REMOVAL = 4
# Capture times of the species in transfers, one after the other.
CAPTURE = [(0.3, 0.3, 0.3), (0.2, 1.0, 5.0), (3.0, 10.0, 40.0)]


def field(rng, rows, columns, sky):
    """Sky and stars with shot noise, whole electrons."""
    image = np.full((rows, columns), float(sky))
    y, x = np.mgrid[:rows, :columns]
    for _ in range(max(3, rows * columns // 1500)):
        x0, y0 = rng.uniform(0, columns), rng.uniform(0, rows)
        flux = 10 ** rng.uniform(2.0, 5.0)
        image += flux / (2 * np.pi) * np.exp(-0.5 * ((x - x0) ** 2 + (y - y0) ** 2))
    return np.minimum(rng.poisson(image), 84000).astype(np.float32)


def apart(image):
    """Every second row empty: our register remembers the row before, arCTIc's columns are independent."""
    image[1::2] = 0
    return image


def arctic(direction, offset, capture=None):
    """Arguments of arCTIc for one direction."""
    if capture is None:
        traps = [TrapInstantCapture(density=d, release_timescale=t) for d, t in SPECIES]
    else:
        traps = [TrapSlowCapture(density=d, release_timescale=t, capture_timescale=c) for (d, t), c in zip(SPECIES, capture)]
    roe = ROE(dwell_times=[1.0], empty_traps_between_columns=True, empty_traps_for_first_transfers=True)
    return {f"{direction}_traps": traps, f"{direction}_roe": roe, f"{direction}_ccd": CCD(phases=[CCDPhase(**WELL)]), f"{direction}_window_offset": offset}


def ours(skyloop, work, verb, direction, image, origin, **numbers):
    """Our effect or correction with these species in one direction and no traps in the other."""
    other = "serial" if direction == "parallel" else "parallel"
    given = {f"{other}_density_{k}": 0 for k in (1, 2, 3)}
    for k, (density, release) in enumerate(SPECIES, 1):
        given |= {f"{direction}_density_{k}": density, f"{direction}_release_{k}": release}
    given |= {f"{direction}_exponent": WELL["well_fill_power"], f"{direction}_full_well": WELL["full_well_depth"]}
    given |= {f"{direction}_notch": 0, "growth": 0, **numbers}
    source, target = work / "in.fits", work / "out.fits"
    fits.writeto(source, image.astype(np.float32), overwrite=True)
    command = [skyloop, verb, "cti", str(source), "--out", str(target), "--detector", "8", "--origin", origin]
    for key, value in given.items():
        command += ["--set", f"{key}={value}"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return fits.getdata(target).astype(float)


def size(image):
    return np.abs(image).sum()


def compare(skyloop, work, direction, image, origin, offset):
    """All criteria in one direction."""
    peer = arctic(direction, offset)
    express = {f"{direction}_express": 0}
    image = image.astype(float)
    theirs = add_cti(image.copy(), **peer, **express, verbosity=0)
    exact = ours(skyloop, work, "apply", direction, image, origin, blocks=0)
    blocks = ours(skyloop, work, "apply", direction, image, origin, blocks=3)
    rows = slice(None, None, 2 if direction == "serial" else 1)
    trails = size((theirs - image)[rows])
    forward, fast = size((exact - theirs)[rows]) / trails, size((blocks - theirs)[rows]) / trails
    print(f"{direction}: trails {trails / image[rows].size:.3f} electron per pixel; ours exact {forward:.2e}, 3 blocks {fast:.2e} of it apart")
    peer_fast = {f"{direction}_express": 20}
    by_arctic = remove_cti(exact.copy(), REMOVAL, **peer, **peer_fast, verbosity=0)
    own_arctic = remove_cti(theirs.copy(), REMOVAL, **peer, **peer_fast, verbosity=0)
    by_us = ours(skyloop, work, "correct", direction, theirs, origin, blocks=0, iterations=REMOVAL)
    rests = [size((removed - image)[rows]) / trails for removed in (by_arctic, by_us, own_arctic)]
    print(f"{direction}: left of our trails by arCTIc {rests[0]:.3f}, of arCTIc's by us {rests[1]:.3f} (arCTIc of its own {rests[2]:.3f})")
    return forward < 0.01 and fast < 0.02 and rests[1] < 0.05 and rests[0] < max(0.05, 1.2 * rests[2])


def grid(image, capture):
    """Occupancy of every species on a fine grid of heights, every transfer of every packet of the columns."""
    edges = np.concatenate([[0], np.geomspace(1e-3, 1, 6000)])
    width, out = np.diff(edges), image.copy()
    for column in out.T:
        for pixel in range(len(column) - 1, -1, -1):
            full = np.zeros((len(SPECIES), len(width)))
            for k in range(pixel, len(column)):
                decays = [np.exp(-1 / t) for _, t in SPECIES]
                released = sum(d * (f * width).sum() * (1 - keep) for f, (d, _), keep in zip(full, SPECIES, decays))
                height = (max(column[k] + released, 0) / WELL["full_well_depth"]) ** WELL["well_fill_power"]
                part = np.clip((height - edges[:-1]) / width, 0, 1)
                for s, ((density, release), c, keep) in enumerate(zip(SPECIES, capture, decays)):
                    stays = np.exp(-1 / c - 1 / release)
                    takes = (1 - stays) / (1 + c / release)
                    new = part * (takes + stays * full[s]) + (1 - part) * keep * full[s]
                    column[k] -= density * ((new - full[s]) * width).sum()
                    full[s] = new
    return out


def compare_slow(skyloop, work, rng):
    """Capture in a time, every transfer."""
    good = True
    for capture in CAPTURE:
        given = {f"parallel_capture_{k}": c for k, c in enumerate(capture, 1)}
        short, long = field(rng, 100, 1, 60).astype(float), field(rng, 600, 2, 60).astype(float)
        apart = []
        for image, other in [
            (short, grid(short, capture)),
            (long, add_cti(long.copy(), **arctic("parallel", 0, capture), parallel_express=0, verbosity=0)),
        ]:
            exact = ours(skyloop, work, "apply", "parallel", image, "0,0", blocks=0, **given)
            apart.append(size(exact - other) / size(other - image))
        print(f"capture times {capture}: {apart[0]:.2e} of the trails from the grid, {apart[1]:.2e} from arCTIc")
        good &= bool(apart[0] < 1e-3 and apart[1] < 0.03)
    return good


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    skyloop, work = sys.argv[1], pathlib.Path(sys.argv[2])
    work.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(7)
    good = [
        compare(skyloop, work, "parallel", field(rng, 4616, 8, 60), "0,0", 0),
        compare(skyloop, work, "serial", apart(field(rng, 32, 1152, 60)), "0,0", 27),
        compare_slow(skyloop, work, rng),
    ]
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
