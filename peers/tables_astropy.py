"""Tables: astropy, pyarrow, h5py and ebfpy write one table in every format, we read it; we write it, they read it.

usage: tables_astropy.py SKYLOOP WORK_FOLDER

1. A table with awkward content (19-digit numbers, masked cells of every type, NaN, infinities, quotes, commas, blanks,
   letters beyond ASCII, tiny and huge numbers, right ascensions at 0 and 360 deg, both poles) is written as FITS, ECSV
   (blanks and commas), VOTable (TABLEDATA, BINARY, BINARY2), Parquet (astropy's own, VOParquet, pyarrow's with its types), HDF5 and EBF
   (Galaxia's format, in both byte orders).
   `skyloop catalog inspect` has to find rows, units and the number of missing cells; `skyloop catalog convert` to Parquet
   has to give every value to the bit.
2. A partition made by `skyloop catalog convert` from 20,000 stars is read with pyarrow as the layout of HATS says, and
   its base cells compared with those of the positions by the formulae of Gorski et al. 2005.
"""

import json
import pathlib
import shutil
import subprocess
import sys

import ebf
import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from astropy import units as u
from astropy.table import MaskedColumn, Table

FAILED = []


def expect(truth, words):
    if not truth:
        FAILED.append(words)
        print("DIFFERS:", words)


def run(*command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stderr.strip()}")
    return done.stdout


def awkward():
    """Every kind of column, with what goes wrong."""
    table = Table()
    n = 9
    table["id"] = np.array([1, 2**62 + 1, 9007199254740993, 4295806720123456789, 0, 2**63 - 1, 7, 8, 9], dtype="i8")
    table["ra"] = np.array([0.0, 360.0, 359.9999999999, 1e-300, 180.0, 0.1 + 0.2, 45.0, 270.0, 12.5]) * u.deg
    table["dec"] = np.array([90.0, -90.0, 0.0, -0.0, 5e-324, 1 / 3, -45.0, 45.0, 1e-9]) * u.deg
    table["mag"] = np.array([15.1, np.nan, 1e-38, 3.4e38, -1.5, 22.25, 0.1, 99.0, 17.0], dtype="f4") * u.mag
    table["pm"] = MaskedColumn(np.arange(n) * 0.1 - 0.3, mask=[False, True] * 4 + [False], unit=u.mas / u.yr)
    table["small"] = MaskedColumn(np.arange(n, dtype="i2") * 1000 - 3000, mask=[True] + [False] * 8)
    table["whole"] = MaskedColumn(np.arange(n, dtype="i4") * 100000, mask=[False] * 8 + [True])
    table["flag"] = np.array([True, False] * 4 + [True])
    table["word"] = ["plain", "two words", 'quote " here', "comma, here", "apostrophe '", "tail", "a<b & c>d", "#hash", "x"]
    return table


def columns_of(path):
    return pq.read_table(path)


def same(ours, table, what, skip=()):
    """Every value of a Parquet file of ours against the table, to the bit."""
    for name in table.colnames:
        if name in skip:
            continue
        expect(name in ours.column_names, f"{what}: no column {name}")
        if name not in ours.column_names:
            continue
        values = ours.column(name).to_pylist()
        column = table[name]
        mask = np.ma.getmaskarray(np.ma.asarray(column)) if hasattr(column, "mask") else np.zeros(len(table), bool)
        for row, value in enumerate(values):
            if mask[row]:
                missing = value is None or (isinstance(value, float) and np.isnan(value)) or value == ""
                expect(missing, f"{what}: row {row + 1} of {name} is {value!r}, masked in the table")
                continue
            truth = column[row]
            truth = truth.item() if hasattr(truth, "item") else truth
            if isinstance(truth, bytes):
                truth = truth.decode()
            if isinstance(truth, float) and np.isnan(truth):
                expect(value is None or np.isnan(value), f"{what}: row {row + 1} of {name} is {value!r}, NaN in the table")
            elif isinstance(truth, bool):
                expect(bool(value) == truth, f"{what}: row {row + 1} of {name} is {value!r}, not {truth!r}")
            else:
                equal = value == truth and np.signbit(value) == np.signbit(truth) if isinstance(truth, float) else value == truth
                expect(equal, f"{what}: row {row + 1} of {name} is {value!r}, not {truth!r}")


def formats(skyloop, work):
    table = awkward()
    files = {}

    def path(name):
        files[name] = work / name
        return files[name]

    table.write(path("t.fits"), overwrite=True)
    table.write(path("blank.ecsv"), format="ascii.ecsv", overwrite=True)
    table.write(path("comma.ecsv"), format="ascii.ecsv", delimiter=",", overwrite=True)
    for form in ("tabledata", "binary", "binary2"):
        # astropy refuses masked whole numbers in BINARY, which has no way to say so without a null value.
        part = table[[n for n in table.colnames if n not in ("small", "whole")]] if form == "binary" else table
        part.write(path(f"{form}.vot"), format="votable", tabledata_format=form, overwrite=True)
    table.write(path("astropy.parquet"), format="parquet", overwrite=True)
    # VOParquet has no masks.
    part = table[[n for n in table.colnames if n not in ("small", "whole", "pm")]]
    units = {n: {"unit": str(part[n].unit or ""), "ucd": "", "utype": ""} for n in part.colnames}
    part.write(path("vo.parquet"), format="parquet.votable", metadata=units, overwrite=True)
    # pyarrow's own types: dictionaries, large strings, unsigned and short numbers, nulls.
    arrow = {}
    for name in table.colnames:
        column = table[name]
        mask = np.ma.getmaskarray(np.ma.asarray(column)) if hasattr(column, "mask") else None
        kind = {"word": pa.large_string(), "small": pa.int16(), "whole": pa.uint32(), "id": pa.uint64()}.get(name)
        arrow[name] = pa.array(np.asarray(column).tolist(), type=kind or pa.from_numpy_dtype(column.dtype), mask=mask)
    arrow["word"] = arrow["word"].cast(pa.string()).dictionary_encode()
    arrow["list"] = pa.array([[1.0, 2.0]] * len(table))
    for codec in ("snappy", "zstd", "lz4", "none"):
        pq.write_table(pa.table(arrow), path(f"{codec}.parquet"), compression=codec, row_group_size=4)
    with h5py.File(path("t.h5"), "w") as file:
        for k in (10, 9):
            group = file.create_group(f"star_catalog/{k}")
            rows = slice(0, 5) if k == 9 else slice(5, 9)
            for name in ("id", "ra", "dec", "mag", "small", "whole"):
                group.create_dataset(name, data=np.asarray(table[name])[rows], chunks=(2,) if k == 9 else None, compression="gzip" if k == 9 else None)
    plain = Table({n: np.asarray(table[n]) for n in ("id", "ra", "dec", "mag", "small", "whole")})
    for name, order in (("t.ebf", "="), ("swapped.ebf", ">")):
        for k, column in enumerate(plain.colnames):
            values = np.asarray(plain[column])
            ebf.write(str(path(name)), f"/{column}", values.astype(values.dtype.newbyteorder(order)), "a" if k else "w", str(table[column].unit or ""))
        # What Galaxia writes beside its columns.
        ebf.write(str(path(name)), "/center", np.zeros(6, "f4"), "a")
        ebf.write(str(path(name)), "/log", np.array("# a run"), "a")
    for name, file in files.items():
        found = json.loads(run(skyloop, "catalog", "inspect", file, "--json"))
        expect(found["rows"] == len(table), f"{name}: {found['rows']} rows")
        by_name = {c["name"]: c for c in found["columns"]}
        out = work / f"{name}.out.parquet"
        try:
            run(skyloop, "catalog", "convert", file, "--out", out)
        except RuntimeError as error:
            expect(False, str(error))
            continue
        ours = pq.read_table(out)
        if name == "t.h5" or name.endswith(".ebf"):
            same(ours, plain, name)
            expect(name == "t.h5" or by_name["mag"]["unit"] == "mag", f"{name}: unit of mag is `{by_name['mag']['unit']}`")
            continue
        # In FITS and Parquet from pyarrow a 32-bit number may be held in another width; values are what counts.
        skip = {"binary.vot": ("small", "whole"), "vo.parquet": ("small", "whole", "pm")}.get(name, ())
        same(ours, table, name, skip=skip)
        stated = name not in ("snappy.parquet", "zstd.parquet", "lz4.parquet", "none.parquet")
        for column in [c for c in ("ra", "mag", "pm") if stated and c not in skip]:
            # A unit in the spelling of the format.
            unit = by_name[column]["unit"]
            expect(unit and u.Unit(unit.replace(".", " ").replace("**", "")) == table[column].unit, f"{name}: unit of {column} is `{unit}`")
        if "pm" not in skip:
            expect(by_name["pm"]["missing"] == 4, f"{name}: {by_name['pm']['missing']} missing in pm, not 4")
    print(f"{len(files)} files of {len(table)} rows and {len(table.colnames)} columns")


def base_cell(ra, dec):
    """Base cell of HEALPix (order 0, NESTED) after Gorski et al. 2005, section 5, by hand."""
    z, phi = np.sin(np.radians(dec)), np.radians(ra % 360.0)
    t = phi / (np.pi / 2)
    if abs(z) <= 2 / 3:
        up, down = 0.5 + t - 0.75 * z, 0.5 + t + 0.75 * z
        a, b = int(np.floor(up)), int(np.floor(down))
        return a % 4 + 4 if a == b else (a % 4 if a < b else b % 4 + 8)
    return int(t) % 4 + (0 if z > 0 else 8)


def partition(skyloop, work):
    random = np.random.default_rng(5)
    n = 20_000
    table = Table()
    table["source_id"] = random.permutation(n).astype("i8")
    table["ra"] = random.uniform(0, 360, n) * u.deg
    table["dec"] = np.degrees(np.arcsin(random.uniform(-1, 1, n))) * u.deg
    table["phot_g_mean_mag"] = random.uniform(12, 20, n) * u.mag
    table["bp_rp"] = random.uniform(0, 2, n) * u.mag
    source, out = work / "stars.fits", work / "stars"
    table.write(source, overwrite=True)
    shutil.rmtree(out, ignore_errors=True)
    run(skyloop, "catalog", "convert", source, "--out", out, "--cell-rows", 900)
    properties = dict(line.split("=", 1) for line in (out / "hats.properties").read_text().splitlines() if "=" in line)
    expect(int(properties["hats_nrows"]) == n, "hats_nrows")
    seen = {}
    cells = [tuple(map(int, line.split(","))) for line in (out / "partition_info.csv").read_text().split()[1:]]
    for order, pixel in cells:
        file = out / "dataset" / f"Norder={order}" / f"Dir={pixel // 10000 * 10000}" / f"Npix={pixel}.parquet"
        # Without guessing columns from folder names.
        rows = pq.ParquetFile(file).read().to_pydict()
        numbers = np.array(rows["_healpix_29"])
        expect(np.all(np.diff(numbers) >= 0), f"{file}: not in order")
        expect(np.all(numbers >> (2 * (29 - order)) == pixel), f"{file}: rows of another cell")
        for k, identity in enumerate(rows["source_id"]):
            expect(base_cell(rows["ra"][k], rows["dec"][k]) == int(numbers[k]) >> 58, f"row {identity} is in the wrong base cell")
            seen[identity] = (rows["ra"][k], rows["dec"][k], rows["phot_g_mean_mag"][k])
    expect(len(seen) == n, f"{len(seen)} rows of {n}")
    for row in table:
        expect(seen.get(int(row["source_id"])) == (row["ra"], row["dec"], row["phot_g_mean_mag"]), f"row {row['source_id']} differs")
    print(f"partition: {n} rows in {len(cells)} cells of orders {min(c[0] for c in cells)} to {max(c[0] for c in cells)}")


def main():
    skyloop, work = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    formats(skyloop, work)
    partition(skyloop, work)
    print("tables: every value agrees" if not FAILED else f"tables: {len(FAILED)} differences")
    sys.exit(1 if FAILED else 0)


if __name__ == "__main__":
    main()
