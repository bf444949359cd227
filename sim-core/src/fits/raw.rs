//! The calls into cfitsio, and nothing else: all `unsafe` of reading is here.
//!
//! A [`Reader`] owns one handle from opening to closing and never leaves its thread (a raw pointer is not `Send`).
//! cfitsio is built reentrant: handles of different threads do not disturb each other.

use super::FitsError;
use fitsio_sys as c;
use std::ffi::CString;
use std::os::raw::{c_char, c_int, c_void};
use std::path::Path;

/// cfitsio's limit on file names is 1024 characters, the final zero included.
const LONGEST_NAME: usize = 1000;
/// No single image or column may need more memory than this [byte]: a broken size, not a frame.
const LARGEST: u64 = 4 * super::scan::LARGEST_IMAGE;
const END_OF_FILE: c_int = 107;

/// What a unit is to cfitsio.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Image or bare header; compressed images too.
    Image,
    /// ASCII or binary table.
    Table,
}

/// A number type cfitsio can fill.
pub(super) trait Number: Copy + Default {
    /// cfitsio's type code.
    const CODE: c_int;
}
impl Number for u16 {
    const CODE: c_int = c::TUSHORT as c_int;
}
impl Number for i32 {
    const CODE: c_int = c::TINT as c_int;
}
impl Number for i64 {
    const CODE: c_int = c::TLONGLONG as c_int;
}
impl Number for f32 {
    const CODE: c_int = c::TFLOAT as c_int;
}
impl Number for f64 {
    const CODE: c_int = c::TDOUBLE as c_int;
}

/// Type, repeat count and width of a column.
#[derive(Debug, Clone, Copy)]
pub(super) struct ColumnType {
    /// cfitsio's code of the stored type; negative for variable length.
    pub stored: c_int,
    /// The code after TSCAL and TZERO.
    pub scaled: c_int,
    /// Values per row.
    pub repeat: i64,
    /// Characters of one text.
    pub width: i64,
}

/// A file open for reading.
pub(super) struct Reader {
    handle: *mut c::fitsfile,
    path: String,
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut status = 0;
        // SAFETY: `handle` came from ffdkopn, is closed here only, and not used after.
        unsafe { c::ffclos(self.handle, &mut status) };
    }
}

impl Reader {
    /// Opens a file by its plain name (cfitsio's bracket syntax is off).
    pub(super) fn open(path: &Path) -> Result<Self, FitsError> {
        let shown = path.display().to_string();
        let refuse = |reason: &str| FitsError::Content { path: shown.clone(), reason: reason.into() };
        let absolute = std::path::absolute(path).map_err(|source| FitsError::Io { path: shown.clone(), source })?;
        let name = absolute.to_str().ok_or_else(|| refuse("the path is not UTF-8"))?;
        if name.len() > LONGEST_NAME {
            return Err(refuse("the path is longer than the 1000 characters cfitsio can open"));
        }
        let name = CString::new(name).map_err(|_| refuse("the path holds a zero character"))?;
        let mut handle = std::ptr::null_mut();
        let mut status = 0;
        // SAFETY: `name` is zero-terminated, shorter than cfitsio's buffer, and outlives the call; cfitsio writes one
        // pointer and one integer, both ours.
        unsafe { c::ffdkopn(&mut handle, name.as_ptr(), c::READONLY as c_int, &mut status) };
        if status != 0 || handle.is_null() {
            return Err(error(&shown, "opening", status));
        }
        Ok(Self { handle, path: shown })
    }

    fn check(&self, status: c_int, doing: &str) -> Result<(), FitsError> {
        if status == 0 { Ok(()) } else { Err(error(&self.path, doing, status)) }
    }

    /// Moves to unit `number` (from 1); `None` after the last.
    pub(super) fn go_to(&self, number: c_int) -> Result<Option<Kind>, FitsError> {
        let (mut kind, mut status) = (0, 0);
        // SAFETY: the handle is open; two integers of ours are written.
        unsafe { c::ffmahd(self.handle, number, &mut kind, &mut status) };
        if status == END_OF_FILE {
            return Ok(None);
        }
        self.check(status, &format!("reading the header of unit {number}"))?;
        Ok(Some(if kind == c::IMAGE_HDU as c_int { Kind::Image } else { Kind::Table }))
    }

    /// Whether the unit is a tile-compressed image.
    pub(super) fn is_compressed(&self) -> Result<bool, FitsError> {
        let mut status = 0;
        // SAFETY: the handle is open; one integer of ours is written.
        let answer = unsafe { c::fits_is_compressed_image(self.handle, &mut status) };
        self.check(status, "reading the header")?;
        Ok(answer != 0)
    }

    /// The header cards of the unit.
    pub(super) fn cards(&self) -> Result<Vec<String>, FitsError> {
        let (mut count, mut free, mut status) = (0, 0, 0);
        // SAFETY: the handle is open; three integers of ours are written.
        unsafe { c::ffghsp(self.handle, &mut count, &mut free, &mut status) };
        self.check(status, "reading the header")?;
        let mut cards = Vec::new();
        for number in 1..=count {
            let mut card: [c_char; c::FLEN_CARD as usize] = [0; c::FLEN_CARD as usize];
            // SAFETY: cfitsio writes at most FLEN_CARD characters, the size of `card`, the final zero included.
            unsafe { c::ffgrec(self.handle, number, card.as_mut_ptr(), &mut status) };
            self.check(status, "reading the header")?;
            cards.push(card.iter().take_while(|b| **b != 0).map(|b| char::from(*b as u8)).collect());
        }
        Ok(cards)
    }

    /// Checks DATASUM and CHECKSUM: 1 right, 0 not there, -1 wrong.
    pub(super) fn checksums(&self) -> Result<(c_int, c_int), FitsError> {
        let (mut data, mut whole, mut status) = (0, 0, 0);
        // SAFETY: the handle is open; three integers of ours are written.
        unsafe { c::ffvcks(self.handle, &mut data, &mut whole, &mut status) };
        self.check(status, "checking the checksums")?;
        Ok((data, whole))
    }

    /// Equivalent BITPIX (after BSCALE and BZERO) and axes, NAXIS1 first.
    pub(super) fn image(&self) -> Result<(c_int, Vec<i64>), FitsError> {
        let (mut kind, mut count, mut status) = (0, 0, 0);
        // SAFETY: the handle is open; integers of ours are written.
        unsafe {
            c::ffgiet(self.handle, &mut kind, &mut status);
            c::ffgidm(self.handle, &mut count, &mut status);
        }
        self.check(status, "reading the shape of the image")?;
        let mut axes = vec![0; usize::try_from(count).unwrap_or(0)];
        // SAFETY: cfitsio writes at most `count` integers, the length of `axes`.
        unsafe { c::ffgiszll(self.handle, count, axes.as_mut_ptr(), &mut status) };
        self.check(status, "reading the shape of the image")?;
        Ok((kind, axes))
    }

    /// The first `count` pixels. With `null`, blank pixels get that value.
    pub(super) fn pixels<T: Number>(&self, count: usize, null: Option<T>) -> Result<Vec<T>, FitsError> {
        let mut out = self.zeros::<T>(count)?;
        if count == 0 {
            return Ok(out);
        }
        let mut null = null;
        let null = null.as_mut().map_or(std::ptr::null_mut(), |n| std::ptr::from_mut(n).cast::<c_void>());
        let (mut any, mut status) = (0, 0);
        // SAFETY: `out` has room for `count` values of the type that CODE names; `null` is a null pointer or points to
        // one such value that lives until the end of this function.
        unsafe { c::ffgpv(self.handle, T::CODE, 1, count as i64, null, out.as_mut_ptr().cast(), &mut any, &mut status) };
        self.check(status, "reading the pixels")?;
        Ok(out)
    }

    /// Rows and columns of a table.
    pub(super) fn table_size(&self) -> Result<(usize, c_int), FitsError> {
        let (mut rows, mut columns, mut status) = (0, 0, 0);
        // SAFETY: the handle is open; integers of ours are written.
        unsafe {
            c::ffgnrwll(self.handle, &mut rows, &mut status);
            c::ffgncl(self.handle, &mut columns, &mut status);
        }
        self.check(status, "reading the size of the table")?;
        Ok((usize::try_from(rows).map_err(|_| self.content("the number of rows is negative"))?, columns))
    }

    /// Type of column `number` (from 1).
    pub(super) fn column_type(&self, number: c_int) -> Result<ColumnType, FitsError> {
        let (mut stored, mut scaled, mut repeat, mut width, mut status) = (0, 0, 0, 0, 0);
        let (mut repeat_again, mut width_again) = (0, 0);
        // SAFETY: the handle is open; integers of ours are written.
        unsafe {
            c::ffgtclll(self.handle, number, &mut stored, &mut repeat, &mut width, &mut status);
            c::ffeqtyll(self.handle, number, &mut scaled, &mut repeat_again, &mut width_again, &mut status);
        }
        self.check(status, &format!("reading the type of column {number}"))?;
        Ok(ColumnType { stored, scaled, repeat, width })
    }

    /// A column of numbers, one per row, from row `first` (from 0).
    pub(super) fn numbers<T: Number>(&self, column: c_int, (first, rows): (usize, usize), null: Option<T>) -> Result<Vec<T>, FitsError> {
        let mut out = self.zeros::<T>(rows)?;
        if rows == 0 {
            return Ok(out);
        }
        let mut null = null;
        let null = null.as_mut().map_or(std::ptr::null_mut(), |n| std::ptr::from_mut(n).cast::<c_void>());
        let (mut any, mut status) = (0, 0);
        // SAFETY: `out` has room for `rows` values of the type that CODE names; `null` is a null pointer or points to
        // one such value that lives until the end of this function.
        unsafe {
            c::ffgcv(self.handle, T::CODE, column, first as i64 + 1, 1, rows as i64, null, out.as_mut_ptr().cast(), &mut any, &mut status)
        };
        self.check(status, &format!("reading column {column}"))?;
        Ok(out)
    }

    /// A column of logical values, one per row from row `first`; undefined ones are false.
    pub(super) fn logicals(&self, column: c_int, (first, rows): (usize, usize)) -> Result<Vec<bool>, FitsError> {
        let mut out = self.zeros::<i8>(rows)?;
        if rows == 0 {
            return Ok(vec![]);
        }
        let (mut any, mut status) = (0, 0);
        // SAFETY: `out` has room for `rows` characters; TLOGICAL takes one character per value; a null pointer as null
        // value means no replacement.
        unsafe {
            let null = std::ptr::null_mut();
            c::ffgcv(
                self.handle,
                c::TLOGICAL as c_int,
                column,
                first as i64 + 1,
                1,
                rows as i64,
                null,
                out.as_mut_ptr().cast(),
                &mut any,
                &mut status,
            )
        };
        self.check(status, &format!("reading column {column}"))?;
        // An undefined value (a zero byte) comes back as 2.
        Ok(out.into_iter().map(|v| v == 1).collect())
    }

    /// A column of texts of `width` characters, one per row from row `from`, trailing blanks removed.
    pub(super) fn texts(&self, column: c_int, (from, rows): (usize, usize), width: usize) -> Result<Vec<String>, FitsError> {
        const ROWS: usize = 4096;
        let stride = width + 1;
        let mut bytes = self.zeros::<u8>(ROWS.min(rows).checked_mul(stride).ok_or_else(|| self.content("a text column is too wide"))?)?;
        let mut out = Vec::new();
        let mut first = 0;
        while first < rows {
            let count = ROWS.min(rows - first);
            bytes.fill(0);
            let mut starts: Vec<*mut c_char> = bytes.chunks_exact_mut(stride).take(count).map(|s| s.as_mut_ptr().cast()).collect();
            let mut null: c_char = 0;
            let (mut any, mut status) = (0, 0);
            // SAFETY: `starts` holds `count` pointers to buffers of `width` + 1 characters, the column's width and a
            // final zero; `null` is an empty text: undefined ones come back empty.
            unsafe {
                c::ffgcvs(
                    self.handle,
                    column,
                    (from + first) as i64 + 1,
                    1,
                    count as i64,
                    &mut null,
                    starts.as_mut_ptr(),
                    &mut any,
                    &mut status,
                )
            };
            self.check(status, &format!("reading column {column}"))?;
            out.extend(bytes.chunks_exact(stride).take(count).map(|text| {
                let text: &[u8] = text.split(|b| *b == 0).next().unwrap_or(&[]);
                String::from_utf8_lossy(text).trim_end().to_string()
            }));
            first += count;
        }
        Ok(out)
    }

    fn content(&self, reason: &str) -> FitsError {
        FitsError::Content { path: self.path.clone(), reason: reason.into() }
    }

    /// Zeros, or an error where the memory is not there: sizes come from the file.
    fn zeros<T: Copy + Default>(&self, count: usize) -> Result<Vec<T>, FitsError> {
        let bytes = count as u64 * size_of::<T>() as u64;
        if count as u64 > LARGEST || bytes > LARGEST || Vec::<T>::new().try_reserve_exact(count).is_err() {
            return Err(self.content(&format!("{count} values do not fit into memory")));
        }
        Ok(vec![T::default(); count])
    }
}

fn error(path: &str, doing: &str, status: c_int) -> FitsError {
    let mut text: [c_char; c::FLEN_ERRMSG as usize] = [0; c::FLEN_ERRMSG as usize];
    // SAFETY: cfitsio writes at most FLEN_STATUS (31) characters, less than the size of `text`; the message stack is
    // emptied so that it does not grow.
    unsafe {
        c::ffgerr(status, text.as_mut_ptr());
        c::ffcmsg();
    }
    let reason = text.iter().take_while(|b| **b != 0).map(|b| char::from(*b as u8)).collect();
    FitsError::Cfitsio { path: path.into(), doing: doing.into(), reason, status }
}
