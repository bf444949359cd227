"""World coordinates: astropy (wcslib) against ours.

usage: wcs_astropy.py DEMO_FOLDER

1. The grid of `cargo run --release -p sim-core --example wcs_grid`: TAN and TPV of third and seventh order with all
   terms, the terms in r, both parities, three pointings, over whole chips of both corners of the mosaic.
   Criterion: 0.1 mas, in both directions.
2. Every raw and reduced frame of the demo: the positions that astropy gives for the true pixels, against the truth
   table. Criterion: 0.1 mas.
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


def system_of(path):
    """World coordinates of a frame: of its image, or of the window without scans (alternate system T) in a raw frame."""
    with fits.open(path) as hdus:
        for hdu in hdus:
            for key in (" ", "T"):
                if str(hdu.header.get(("CTYPE1" + key).strip(), "")).startswith("RA---"):
                    return WCS(hdu.header, key=key)
    return None


def frames(demo):
    """Positions of every truth table through the raw and the reduced frame it belongs to."""
    compared, worst = 0, 0.0
    for path in sorted((demo / "truth").glob("*_truth.fits")):
        with fits.open(path) as hdus:
            if "OBJECTS" not in hdus:
                continue
            table, header = hdus["OBJECTS"].data, hdus[0].header
            raw = demo / "L0" / header["L0FILE"]
            x, y = table["X"] - header["WINX0"], table["Y"] - header["WINY0"]
            ra, dec = table["RA"], table["DEC"]
        reduced = sorted((demo / "L1").glob(raw.stem.split("_L0_")[0] + "*_img*.fits"))
        for frame in [raw, *reduced]:
            system = system_of(frame)
            if system is None or not len(x):
                continue
            ra_of_pixel, dec_of_pixel = system.all_pix2world(x, y, 0)
            gap = separation_mas(ra, dec, ra_of_pixel, dec_of_pixel).max()
            print(f"{frame.name}: {len(x)} objects, largest difference {gap:.3g} mas")
            worst, compared = max(worst, gap), compared + 1
    print(f"frames: {compared} compared with their truth tables, largest difference {worst:.3g} mas")
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
