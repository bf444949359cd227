"""Stamps drawn by `skyloop stamp` against GalSim at high accuracy: analytic PSFs, a grid of profiles, shears and offsets.

usage: stamps_galsim.py SKYLOOP WORK_FOLDER

Criterion: largest difference below 1e-4 of the peak.
"""

import itertools
import pathlib
import subprocess
import sys

import galsim
import numpy as np
from astropy.io import fits

SCALE = 0.074
SIZE = 48
LIMIT = 1e-4
GSPARAMS = galsim.GSParams(
    folding_threshold=1e-4,
    stepk_minimum_hlr=20,
    maxk_threshold=1e-5,
    kvalue_accuracy=1e-8,
    xvalue_accuracy=1e-8,
    maximum_fft_size=16384,
)

PSFS = {
    "gaussian": ('kind = "gaussian"\nfwhm = 0.135\n', lambda: galsim.Gaussian(fwhm=0.135, gsparams=GSPARAMS)),
    "moffat": ('kind = "moffat"\nfwhm = 0.135\nbeta = 3.5\n', lambda: galsim.Moffat(fwhm=0.135, beta=3.5, gsparams=GSPARAMS)),
    "airy": (
        'kind = "airy"\nlam_over_diam = 0.0789\n',
        lambda: galsim.Airy(lam_over_diam=0.0789, gsparams=GSPARAMS),
    ),
}
PROFILES = [("point", 0.0), ("sersic", 0.5), ("sersic", 1.0), ("sersic", 2.5), ("sersic", 4.0), ("sersic", 6.0)]
SHEARS = [(0.0, 0.0), (0.25, -0.15)]
OFFSETS = [(0.0, 0.0), (0.31, -0.22)]
HLR = 0.35
FLUX = 1000.0
LENS = (0.02, -0.01)


def ours(skyloop, folder, name, psf, profile, index, shear, offset):
    spec = f"""nx = {SIZE}
ny = {SIZE}
pixel_scale_arcsec = {SCALE}
tolerance = 1e-6
offset_pixel = [{offset[0]}, {offset[1]}]
"""
    if profile == "sersic":
        spec += f"""[lensing]
kappa = 0.0
shear = {{ g1 = {LENS[0]}, g2 = {LENS[1]} }}
[[component]]
profile = "sersic"
electrons = {FLUX}
index = {index}
half_light_radius_arcsec = {HLR}
shear = {{ g1 = {shear[0]}, g2 = {shear[1]} }}
"""
    else:
        spec += f'[[component]]\nprofile = "point"\nelectrons = {FLUX}\n'
    spec += f"[psf]\n{psf}"
    toml, out = folder / f"{name}.toml", folder / f"{name}.fits"
    toml.write_text(spec)
    subprocess.run([skyloop, "stamp", toml, "--out", out], check=True, stdout=subprocess.DEVNULL)
    return fits.getdata(out).astype(float)


def theirs(psf, profile, index, shear, offset):
    light = psf()
    if profile == "sersic":
        galaxy = galsim.Sersic(n=index, half_light_radius=HLR, flux=FLUX, gsparams=GSPARAMS)
        galaxy = galaxy.shear(g1=shear[0], g2=shear[1])
        # Lensing shear with magnification 1 / (1 - g^2), kappa = 0: sizes and flux as Skyloop's convention.
        mu = 1.0 / (1.0 - LENS[0] ** 2 - LENS[1] ** 2)
        galaxy = galaxy.lens(g1=LENS[0], g2=LENS[1], mu=mu)
        light = galsim.Convolve(galaxy, light, gsparams=GSPARAMS)
    else:
        light = light * FLUX
    return light.drawImage(nx=SIZE, ny=SIZE, scale=SCALE, offset=offset, method="auto", dtype=float).array


def main():
    skyloop, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    worst = 0.0
    for (psf_name, (toml, psf)), (profile, index) in itertools.product(PSFS.items(), PROFILES):
        for i, (shear, offset) in enumerate(itertools.product(SHEARS if profile == "sersic" else SHEARS[:1], OFFSETS)):
            name = f"{psf_name}_{profile}_{index}_{i}"
            mine = ours(skyloop, folder, name, toml, profile, index, shear, offset)
            reference = theirs(psf, profile, index, shear, offset)
            difference = np.abs(mine - reference).max() / reference.max()
            worst = max(worst, difference)
            mark = "" if difference < LIMIT else "  <-- above the limit"
            print(f"{name:32s} {difference:.2e} of peak{mark}")
    print(f"worst {worst:.2e} of peak, limit {LIMIT:.0e}")
    return 0 if worst < LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
