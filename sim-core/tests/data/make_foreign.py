"""Makes foreign.fits: what others write and we only read. Needs astropy (8.0.2 made the stored file).

usage: make_foreign.py foreign.fits
"""

import sys

import numpy as np
from astropy.io import fits

y, x = np.mgrid[:6, :8]
scaled = fits.ImageHDU((y * 10 + x).astype(np.int16), name="SCALED")
scaled.header["BZERO"], scaled.header["BSCALE"], scaled.header["BLANK"] = 100.0, 0.5, 0
reals = ((y - x) / 3).astype(np.float32)
reals[2, 3] = np.nan
rows = np.arange(3)
ragged = np.array([np.arange(n, dtype=np.int32) for n in (1, 3, 0)], dtype=object)
columns = [
    fits.Column("LOGICAL", "L", array=np.array([True, False, True])),
    fits.Column("BYTE", "B", array=(rows + 253).astype(np.uint8)),
    fits.Column("SHORT", "I", array=(rows - 1).astype(np.int16)),
    fits.Column("USHORT", "I", bzero=32768, array=(rows + 65533).astype(np.uint16)),
    fits.Column("ULONG", "J", bzero=2**31, array=(rows + 2**32 - 3).astype(np.uint32)),
    fits.Column("VECTOR", "3E", array=np.ones((3, 3), np.float32)),
    fits.Column("RAGGED", "PJ()", array=ragged),
    fits.Column("BITS", "12X", array=np.zeros((3, 12), bool)),
    fits.Column("COMPLEX", "C", array=np.ones(3, np.complex64)),
    fits.Column("TEXT", "6A", array=["a", "", "  c"]),
    fits.Column("LAST", "D", unit="deg", array=rows / 3),
]
ascii_columns = [fits.Column("N", "I6", array=rows), fits.Column("NAME", "A5", array=["x", "yy", "zzz"]), fits.Column("V", "E15.7", array=rows / 4)]
fits.HDUList([
    fits.PrimaryHDU((y + x).astype(np.uint8)),
    fits.CompImageHDU((y * 1000 + x - 7).astype(np.int16), name="RICE", compression_type="RICE_1", tile_shape=(2, 8)),
    fits.CompImageHDU((y * 9000 + x).astype(np.uint16), name="URICE", compression_type="RICE_1"),
    fits.CompImageHDU(reals, name="GZIP", compression_type="GZIP_2", quantize_level=0),
    scaled,
    fits.ImageHDU((y.astype(np.int64) << 40) + x, name="LONG"),
    fits.ImageHDU(np.arange(4, dtype=np.int16), name="ROW"),
    fits.ImageHDU(np.arange(24.0).reshape(2, 3, 4), name="CUBE"),
    fits.BinTableHDU.from_columns(columns, name="KINDS"),
    fits.TableHDU.from_columns(ascii_columns, name="ASCII"),
]).writeto(sys.argv[1], overwrite=True, checksum=True)
