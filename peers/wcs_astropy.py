"""World coordinates: astropy (wcslib) against ours.

usage: wcs_astropy.py DEMO_FOLDER

1. The grid of `cargo run --release -p sim-core --example wcs_grid`: TAN and TPV of third and seventh order with all
   terms, the terms in r, both parities, three pointings, over whole chips of both corners of the mosaic.
   Criterion: 0.1 mas, in both directions.
2. Every frame of the demo with a truth table (columns `ra`, `dec` in deg and `x`, `y` or `x_pixel`, `y_pixel`, from 0):
   astropy's pixels of the true positions against the table's. Criterion: 0.1 mas.
"""

import pathlib
import subprocess
import sys
import warnings

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS, FITSFixedWarning

LIMIT_MAS = 0.1
ROOT = pathlib.Path(__file__).resolve().parent.parent


def separation_mas(ra_a, dec_a, ra_b, dec_b):
    """Small separations, in milliarcseconds."""
    east = ((ra_a - ra_b + 180.0) % 360.0 - 180.0) * np.cos(np.radians(dec_a))
    return np.hypot(east, dec_a - dec_b) * 3.6e6


def grid(folder):
    """Largest difference over the grid file, of positions and of pixels [mas]."""
    path = folder / "wcs_grid.fits"
    folder.mkdir(parents=True, exist_ok=True)
    command = ["cargo", "run", "--release", "--quiet", "--locked", "-p", "sim-core", "--example", "wcs_grid", "--", str(path)]
    subprocess.run(command, check=True, cwd=ROOT)
    worst_sky, worst_pixel, count = 0.0, 0.0, 0
    with fits.open(path, checksum=True) as hdus:
        for n in range((len(hdus) - 1) // 2):
            header, table = hdus[f"WCS_{n}"].header, hdus[f"GRID_{n}"].data
            system = WCS(header)
            ra, dec = system.all_pix2world(table["X"], table["Y"], 0)
            sky = separation_mas(ra, dec, table["RA"], table["DEC"]).max()
            x, y = system.all_world2pix(table["RA"], table["DEC"], 0)
            pixel = np.hypot(x - table["X"], y - table["Y"]).max() * 74.0
            if not (sky < LIMIT_MAS and pixel < LIMIT_MAS):
                print(f"WCS_{n} {header['CTYPE1']}: positions {sky:.3g} mas, pixels {pixel:.3g} mas")
            worst_sky, worst_pixel = max(worst_sky, sky), max(worst_pixel, pixel)
            count += len(table)
    print(f"grid: {count} positions, largest difference {worst_sky:.3g} mas on the sky, {worst_pixel:.3g} mas in pixels")
    return worst_sky < LIMIT_MAS and worst_pixel < LIMIT_MAS


def column(table, *names):
    """The first column of these names (any case), or None."""
    known = {name.lower(): name for name in table.names}
    for name in names:
        if name in known:
            return np.asarray(table[known[name]], float)
    return None


def truth_of(hdus):
    """Positions and pixels of a truth table, or None."""
    for hdu in hdus:
        if isinstance(hdu, fits.BinTableHDU):
            found = [
                column(hdu.data, "ra", "ra_deg"),
                column(hdu.data, "dec", "dec_deg"),
                column(hdu.data, "x", "x_pixel", "x_image"),
                column(hdu.data, "y", "y_pixel", "y_image"),
            ]
            if all(c is not None for c in found) and found[0].size:
                return found
    return None


def celestial(hdus):
    """Header of the first image with celestial coordinates, or None."""
    for hdu in hdus:
        if str(hdu.header.get("CTYPE1", "")).startswith("RA---"):
            return hdu.header
    return None


def stem(path):
    """What a frame and its truth have in common: chip and observation, the parts of the name made of digits."""
    parts = path.name.split(".")[0].split("_")
    return tuple(p for p in parts if p.isdigit())


def frames(demo):
    """Every truth table of the demo against the frame of the same name."""
    frames, truths = {}, {}
    for path in sorted(demo.rglob("*.fits")):
        with fits.open(path) as hdus:
            truth, header = truth_of(hdus), celestial(hdus)
            if truth is not None and "truth" in str(path.relative_to(demo)).lower():
                truths[path] = truth
            elif header is not None:
                frames.setdefault(stem(path), (path, WCS(header)))
    compared, worst = 0, 0.0
    for path, (ra, dec, x, y) in truths.items():
        if stem(path) not in frames:
            continue
        ra_of_pixel, dec_of_pixel = frames[stem(path)][1].all_pix2world(x, y, 0)
        gap = separation_mas(ra, dec, ra_of_pixel, dec_of_pixel).max()
        print(f"{path.name}: {ra.size} objects, largest difference {gap:.3g} mas")
        worst, compared = max(worst, gap), compared + 1
    print(f"frames: {compared} truth tables compared, largest difference {worst:.3g} mas")
    return compared > 0 and worst < LIMIT_MAS


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    warnings.simplefilter("ignore", FITSFixedWarning)
    demo = pathlib.Path(sys.argv[1])
    good = [grid(ROOT / "target" / "peers"), frames(demo)]
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
