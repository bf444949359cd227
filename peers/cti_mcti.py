"""Charge transfer inefficiency: the mean of MCTI's single traps and electrons (ZunLuo/MCTI) against our expected electrons.

usage: cti_mcti.py SKYLOOP WORK_FOLDER MCTI_FOLDER

MCTI_FOLDER is a clone of https://github.com/ZunLuo/MCTI (commit 5878a7d); it is compiled in WORK_FOLDER, with one loop repaired: as
published, `for(sp=0;i<nsp;i++)f[i] = ...` starts from an index that was never set. Its example set: three species of 0.6, 1.6, 1.4 traps
per pixel and 0.74, 7.7, 37 transfers, beta 0.478, w 84,700 electrons, c 0. Every trap and electron is split in 50 (`oversample`), and equal
columns are averaged, so that its mean is seen.

Columns: a flat block with its extended edge behind it, and stars on a sky. Criterion: sum of absolute differences from ours, every
transfer, below 3 % of that of the change in excess of its own scatter, and what a trail holds within 1 %. MCTI takes the height of a
packet before traps release to it, we after; that is the difference that remains.
"""

import contextlib
import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
from astropy.io import fits

SPECIES = [(0.6, 0.74), (1.6, 7.7), (1.4, 37.0)]
BETA, FULL_WELL = 0.478, 84700.0
COPIES, SPLIT = 48, 50


def compiled(source, work):
    """MCTI as a Python module."""
    here = work / "mcti"
    if not here.exists():
        shutil.copytree(source, here, ignore=shutil.ignore_patterns(".git"))
        kernel = here / "src" / "add_CTI1_frac_no_output.c"
        text = kernel.read_text()
        broken = "for(sp=0;i<nsp;i++)f[i]"
        assert broken in text or "for(i=0;i<nsp;i++)f[i]" in text, "another version of MCTI"
        kernel.write_text(text.replace(broken, "for(i=0;i<nsp;i++)f[i]"))
        subprocess.run(["make"], cwd=here, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    sys.path.insert(0, str(here))
    from CTI_modeling_frac import CTI_sim

    return CTI_sim


@contextlib.contextmanager
def silence():
    """MCTI talks from C."""
    sys.stdout.flush()
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    yield
    sys.stdout.flush()
    os.dup2(kept, 1)
    os.close(nowhere)
    os.close(kept)


def theirs(simulate, column):
    """Mean and its standard error over equal columns."""
    rows = len(column)
    image = np.repeat(column[:, None], COPIES, axis=1)
    density, release = (np.array(v, dtype=np.float64) for v in zip(*SPECIES))
    seeds = np.array([1, 100, 1000], dtype=np.int32)
    with silence():
        out = simulate(image, COPIES, rows, 0, 3, density, release, BETA, FULL_WELL, 0.0, 20, SPLIT, seeds, 10000)
    return out.mean(axis=1), out.std(axis=1, ddof=1) / np.sqrt(COPIES)


def ours(skyloop, work, column):
    source, target = work / "in.fits", work / "out.fits"
    fits.writeto(source, np.repeat(column[:, None], 16, axis=1).astype(np.float32), overwrite=True)
    given = {f"serial_density_{k}": 0 for k in (1, 2, 3)} | {"growth": 0, "blocks": 0}
    for k, (density, release) in enumerate(SPECIES, 1):
        given |= {f"parallel_density_{k}": density, f"parallel_release_{k}": release}
    given |= {"parallel_exponent": BETA, "parallel_full_well": FULL_WELL, "parallel_notch": 0}
    command = [skyloop, "apply", "cti", str(source), "--out", str(target), "--detector", "8", "--origin", "0,0"]
    for key, value in given.items():
        command += ["--set", f"{key}={value}"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return fits.getdata(target).astype(float)[:, 0]


def columns():
    """Name, column, rows of the trail."""
    rows = 400
    for level in (100.0, 1000.0, 10000.0):
        column = np.zeros(rows)
        column[:300] = level
        yield f"edge of a flat of {level:.0f}", column, slice(300, 384)
    for peak in (1000.0, 20000.0):
        y = np.arange(rows)
        yield f"star of peak {peak:.0f} on 50", 50.0 + peak * np.exp(-0.5 * (y - 250.0) ** 2), slice(256, 340)


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    skyloop, work, source = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    work.mkdir(parents=True, exist_ok=True)
    simulate = compiled(source, work)
    good = True
    for name, column, trail in columns():
        column = np.round(column)
        mean, error = theirs(simulate, column)
        expected = ours(skyloop, work, column)
        change = np.abs(expected - column).sum()
        # The mean of |d| of a scatter of s is 0.8 s.
        apart = np.abs(mean - expected).sum() - 0.8 * error.sum()
        held, of_theirs = (expected - column)[trail].sum(), (mean - column)[trail].sum()
        print(f"{name}: apart {apart / change:+.4f} of the change; trail {held:.2f} ours, {of_theirs:.2f} MCTI ({of_theirs / held - 1:+.4f}), scatter {0.8 * error.sum() / change:.4f}")
        good &= apart < 0.03 * change and abs(of_theirs / held - 1) < 0.01
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
