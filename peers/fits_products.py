"""FITS products: fitsverify without an error or a warning, astropy's checksums right, units readable by astropy.

usage: fits_products.py DEMO_FOLDER

Also checks files with every kind of unit we can write, as they are and packed (`cargo run --release -p sim-core --example fits_sampler`).
"""

import pathlib
import re
import subprocess
import sys
import warnings

import numpy as np
from astropy import units
from astropy.io import fits

ROOT = pathlib.Path(__file__).resolve().parent.parent


def verify(path):
    """fitsverify's counts of warnings and errors, with its words if there are any."""
    said = subprocess.run(["fitsverify", str(path)], capture_output=True, text=True, errors="replace").stdout
    found = re.findall(r"Verification found (\d+) warning\(s\) and (\d+) error\(s\)", said)
    if not found:
        return 0, 1, said[-500:]
    words = "\n".join(line for line in said.splitlines() if line.startswith("***") and "Verification" not in line)
    return int(found[-1][0]), int(found[-1][1]), words


def open_with_astropy(path):
    """What astropy dislikes: wrong checksums, missing checksums, units it does not know."""
    complaints = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        # Checksums are those of units as they are stored; the view of a packed image as an image has none.
        with fits.open(path, checksum=True, disable_image_compression=True) as hdus:
            for hdu in hdus:
                for key in ("CHECKSUM", "DATASUM"):
                    if key not in hdu.header:
                        complaints.append(f"{hdu.name}: no {key}")
        with fits.open(path) as hdus:
            hdus.verify("exception")
            for hdu in hdus:
                if isinstance(hdu, fits.BinTableHDU):
                    for col in hdu.columns:
                        try:
                            units.Unit(col.unit or "")
                        except ValueError as error:
                            complaints.append(f"{hdu.name}.{col.name}: {error}")
                _ = hdu.data
    return complaints + [str(w.message) for w in caught]


def sparse(rows, columns):
    """The sparse image of the file with every kind of unit."""
    image = np.zeros((rows, columns), dtype=np.int32)
    for n in range(rows):
        image.flat[n * (columns + 1)] = np.array(1 << (n % 31)).astype(np.int32)
    return image


def sampler(folder, packing):
    """Writes the file with every kind of unit, integers packed or as they are, and checks its values."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"sampler_{packing}.fits"
    command = ["cargo", "run", "--release", "--quiet", "--locked", "-p", "sim-core", "--example", "fits_sampler", "--", str(path), packing]
    subprocess.run(command, check=True, cwd=ROOT)
    with fits.open(path) as hdus:
        header = hdus[0].header
        y, x = np.mgrid[:40, :60]
        rows = hdus["TABLE"].data
        facts = {
            "real": header["THIRD"] == 1 / 3 and header["SMALL"] == -8.17455836176e-06,
            "logical": header["SHUTTER"] is True,
            "long text": header["LONG"] == ("0123456789 " * 30).rstrip(),
            "quote": header["QUOTED"] == "it's",
            "u16": np.array_equal(hdus["U16"].data, (y * 1638 + x).astype(np.uint16)),
            "f32": np.array_equal(hdus["F32"].data, (y - x).astype(np.float32) / np.float32(7)),
            "sparse": np.array_equal(hdus["SPARSE"].data, sparse(40, 60)) and isinstance(hdus["SPARSE"], fits.CompImageHDU),
            "counts": np.array_equal(hdus["COUNTS"].data, hdus["U16"].data),
            "cube": hdus["CUBE"].data[1, 2, 3] == 123,
            "table": rows["ID"][1000] == 999 and rows["RA"][1] == 1 / 3 and np.isnan(rows["FLUX"][-1]),
            "text": rows["NAME"][0] == "" and rows["NAME"][1] == "star 1",
            "no rows": len(hdus["ROWLESS"].data) == 0,
            "packing": isinstance(hdus["U16"], fits.CompImageHDU) == (packing == "rice"),
        }
    bad = [name for name, good in facts.items() if not good]
    if bad:
        print(f"{path.name}: astropy reads other values than we wrote: {', '.join(bad)}")
    return path, not bad


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    samples = [sampler(ROOT / "target" / "peers", packing) for packing in ("none", "rice")]
    paths, good = [path for path, _ in samples], all(good for _, good in samples)
    products = sorted(pathlib.Path(sys.argv[1]).rglob("*.fits"))
    if not products:
        print(f"no FITS products under {sys.argv[1]}")
        good = False
    total = [0, 0, 0]
    for product in [*paths, *products]:
        warned, failed, words = verify(product)
        complaints = open_with_astropy(product)
        if warned or failed or complaints:
            good = False
            print(f"{product.name}: {warned} warnings, {failed} errors, {len(complaints)} complaints of astropy")
            print(words)
            print("\n".join(complaints))
        total = [total[0] + warned, total[1] + failed, total[2] + len(complaints)]
    print(f"{len(paths) + len(products)} files: {total[0]} warnings, {total[1]} errors by fitsverify, {total[2]} complaints by astropy")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
