"""Brighter-fatter: GalSim's silicon sensor as a device not made by us, calibrated and corrected by our code.

usage: brighter_fatter_galsim.py EXAMPLE_BRIGHTER_FATTER_FLATS WORK_FOLDER

GalSim's e2v sensor of the Rubin camera (vertices from a Poisson solver, 100 um of silicon) fills pairs of flats step by step and
stars photon by photon. Criteria:
1. covariances: ours against numpy without clipping, below a third of their errors;
2. areas fitted to GalSim's flats against the areas GalSim itself gives around one charged pixel: below 5 errors, lags to 2 pixels (the errors
   take levels for independent; those of one exposure are not, and errors are up to 1.6 times too small);
3. stars of 2 pixels FWHM and some 47,000 electrons at the peak, which grow by more than 1 %: corrected with the shifts fitted to the flats, sizes by
   GalSim's adaptive moments return to those without the effect within 0.3 %.
"""

import json
import pathlib
import subprocess
import sys
import time

import galsim
import numpy as np
from astropy.io import fits

SIDE = 300
STEPS = 6
FULL = 60000.0
PAIRS = 12
READ_NOISE = 5.0
CAPACITY = 90000.0
STAMP = 41
STARS = 16
PEAK = 6e4


def sensor(seed, strength=1.0, nrecalc=10000):
    """The sensor, without diffusion, which would blur stars but not flats."""
    return galsim.SiliconSensor(name="lsst_e2v_50_8", strength=strength, rng=galsim.BaseDeviate(seed), diffusion_factor=0.0, nrecalc=nrecalc)


def areas(silicon, charge):
    """Areas of pixels that hold a charge, relative to the mean."""
    image = galsim.ImageF(charge.astype(np.float32), wcs=galsim.PixelScale(1.0))
    return np.asarray(silicon.calculate_pixel_areas(image).array, dtype=float)


def flat(silicon, rng):
    """Charge after every step; what a step's own electrons did to its second half is added to first order."""
    charge, now, snapshots, step = np.zeros((SIDE, SIDE)), np.ones((SIDE, SIDE)), [], FULL / STEPS
    for _ in range(STEPS):
        charge = charge + rng.poisson(step * now)
        then, now = now, areas(silicon, charge)
        charge = charge + 0.5 * step * (now - then)
        snapshots.append(charge.copy())
    return snapshots


def covariances(a, b, lags, edge=8):
    """The same covariances in numpy: no clip, the mean of both signs of the lag."""
    a, b = (image[edge:-edge, edge:-edge].astype(np.float64) for image in (a, b))
    level = 0.5 * (a.mean() + b.mean())
    d = level * (a / a.mean() - b / b.mean())
    d -= d.mean()
    out = np.zeros((lags, lags))
    for j in range(lags):
        for i in range(lags):
            high = d[j:, i:] * d[: len(d) - j, : d.shape[1] - i]
            other = d[j:, : d.shape[1] - i] * d[: len(d) - j, i:]
            out[j, i] = 0.25 * (high.mean() + other.mean())
    return out


def star(silicon, seed):
    """A star off the centre of its pixel, photon by photon; the same photons for every sensor."""
    rng = galsim.BaseDeviate(seed)
    profile = galsim.Gaussian(fwhm=2.0)
    flux = PEAK * 2 * np.pi * profile.sigma**2
    photons = profile.makePhot(n_photons=int(flux), rng=rng)
    where = np.random.default_rng(seed).uniform(-0.5, 0.5, 2)
    photons.flux = 1.0
    photons.x += STAMP // 2 + 1 + where[0]
    photons.y += STAMP // 2 + 1 + where[1]
    image = galsim.ImageF(STAMP, STAMP, wcs=galsim.PixelScale(1.0))
    silicon.accumulate(photons, image)
    return image.array.copy()


def size(stamp):
    """Adaptive size, and both ellipticity components."""
    found = galsim.hsm.FindAdaptiveMom(galsim.ImageF(np.ascontiguousarray(stamp, dtype=np.float32)))
    return np.array([found.moments_sigma, found.observed_shape.e1, found.observed_shape.e2])


def write(path, image):
    fits.writeto(path, image.astype(np.float32), overwrite=True)
    return str(path)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    example, work = sys.argv[1], pathlib.Path(sys.argv[2])
    work.mkdir(parents=True, exist_ok=True)
    start = time.process_time()
    silicon = sensor(1)

    pairs, by_numpy = [], {}
    for pair in range(PAIRS):
        rng = np.random.default_rng(100 + pair)
        a, b = flat(silicon, rng), flat(silicon, rng)
        for step in range(STEPS):
            read = [image + READ_NOISE * rng.standard_normal(image.shape) for image in (a[step], b[step])]
            names = [write(work / f"flat_{pair}_{step}_{k}.fits", image) for k, image in enumerate(read)]
            pairs.append(",".join(names))
            by_numpy.setdefault(step, []).append(covariances(*read, 5))

    # A strength of 0 is no number for GalSim.
    without = sensor(2, 1e-9, 1e12)
    clean = np.array([star(without, k) for k in range(STARS)])
    grown = np.array([star(silicon, k) for k in range(STARS)])
    # All stars in one frame, as far apart as stamps are.
    sheet = grown.reshape(4, STARS // 4, STAMP, STAMP).transpose(0, 2, 1, 3).reshape(4 * STAMP, -1)
    command = [example, str(READ_NOISE), str(CAPACITY), *pairs, "--correct", write(work / "stars.fits", sheet), str(work / "stars_corrected.fits")]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    n, good = found["lags"], True
    worst = 0.0
    for step, level in enumerate(found["levels"]):
        ours, error = (np.array(level[key]).reshape(n, n) for key in ("covariance", "error"))
        worst = max(worst, np.abs((ours - np.mean(by_numpy[step], axis=0)) / error).max())
    good &= worst < 1 / 3
    print(f"covariances of {PAIRS} pairs at {STEPS} levels: at most {worst:.3f} of their errors from numpy's")

    charge = np.zeros((31, 31))
    charge[15, 15] = 1e4
    around = areas(silicon, charge)
    truth = (around / np.median(around) - 1)[15:20, 15:20] / 1e4
    area, error = (np.array(found[key]).reshape(n, n) for key in ("area", "area_error"))
    pulls = ((area - truth) / error)[:3, :3]
    good &= np.abs(pulls).max() < 5
    for name, at in (("a_00", (0, 0)), ("a_10", (0, 1)), ("a_01", (1, 0)), ("a_11", (1, 1))):
        print(f"{name}: fitted {area[at]:.3e} +- {error[at]:.1e}, GalSim's own {truth[at]:.3e} per electron")
    print(f"areas, lags to 2: pulls {np.round(pulls.ravel(), 1).tolist()}; gain {found['gain']:.4f} +- {found['gain_error']:.4f} (1)")

    sheet = fits.getdata(work / "stars_corrected.fits")
    corrected = sheet.reshape(4, STAMP, STARS // 4, STAMP).transpose(0, 2, 1, 3).reshape(STARS, STAMP, STAMP)
    before, raw, after = (np.array([size(s) for s in stack]) for stack in (clean, grown, corrected))
    growth, left = (np.mean(stack[:, 0] / before[:, 0]) - 1 for stack in (raw, after))
    spread = np.std(after[:, 0] / before[:, 0]) / np.sqrt(STARS)
    shape, shape_left = (np.mean((stack - before)[:, 1]) for stack in (raw, after))
    print(f"{STARS} stars, peak {grown.max(axis=(1, 2)).mean():.0f}: size {growth:+.4f}, corrected {left:+.4f} +- {spread:.4f}; e1 {shape:+.4f}, corrected {shape_left:+.4f}")
    good &= growth > 0.01 and abs(left) < 0.003
    for path in work.glob("*.fits"):
        path.unlink()
    print(f"{time.process_time() - start:.0f} CPU-s here")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
