//! The level-1 product as a user finds it: rate, weight, flags and header; and the truth table beside it.

use crate::error::ValidateError;
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use sim_core::fits::{self, Data, Header};
use sim_core::level1::{Level1Files, weight_of_error};
use sim_core::table::{ColumnData, Table};
use sim_core::wcs::Wcs;
use std::path::Path;

/// What is known of a detector's noise, per pixel. From the calibration, or published values.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoiseKnowledge {
    /// Read noise \[electron\], mean of the amplifiers.
    pub read_noise_electron: f64,
    /// Dark current \[electron / s / pixel\].
    pub dark_electron_s: f64,
    /// Gain \[electron / ADU\], for the quantisation step; 0 leaves it out.
    pub gain_electron_per_adu: f64,
    /// Bias frames in the master bias; 0 for a noiseless one.
    pub bias_frames: u32,
    /// Dark frames in the master dark; 0 for a noiseless one.
    pub dark_frames: u32,
    /// Exposure time of each dark frame \[s\].
    pub dark_frame_s: f64,
}

/// A level-1 frame.
#[derive(Debug, Clone)]
pub struct L1Frame {
    /// Rate `[y, x]` \[electron / s\].
    pub rate: Array2<f32>,
    /// Inverse variance of the rate \[(electron / s)^-2\]; 0 where a pixel must not be used.
    pub weight: Array2<f32>,
    /// Official flag bits.
    pub flags: Array2<u16>,
    /// Exposure time \[s\].
    pub exposure_s: f64,
    /// Band.
    pub filter: String,
    /// Detector, as the header names it.
    pub detector: String,
    /// First column and row of the image on the full detector, 0-based.
    pub window: (usize, usize),
    /// World coordinates of the image pixels, when the header has them.
    pub wcs: Option<Wcs>,
    /// Pixel scale at the centre \[arcsec / pixel\].
    pub pixel_scale_arcsec: f64,
    /// All keywords, primary header first.
    pub header: Header,
}

/// The first image of a file and all its keywords (primary, then the image's own).
fn image(path: &Path) -> Result<(Data, Header), ValidateError> {
    let mut header = Header::default();
    for (index, hdu) in fits::read(path)?.into_iter().enumerate() {
        let is_image = matches!(hdu.data, Data::F32(_) | Data::F64(_) | Data::U16(_) | Data::I32(_));
        if index == 0 || is_image {
            for (key, value, comment) in hdu.header.cards {
                header.set(&key, value, &comment);
            }
        }
        if is_image {
            return Ok((hdu.data, header));
        }
    }
    Err(ValidateError::content(path, "holds no two-dimensional image"))
}

/// The first image of a file as 32-bit floats, with its keywords.
///
/// # Errors
/// When the file cannot be read or has no image.
pub fn read_image(path: &Path) -> Result<(Array2<f32>, Header), ValidateError> {
    let (data, header) = image(path)?;
    let pixels = match data {
        Data::F32(v) => v,
        Data::F64(v) => v.mapv(|x| x as f32),
        Data::U16(v) => v.mapv(f32::from),
        Data::I32(v) => v.mapv(|x| x as f32),
        _ => return Err(ValidateError::content(path, "holds no two-dimensional image")),
    };
    Ok((pixels, header))
}

fn first_text<'a>(header: &'a Header, keys: &[&str]) -> Option<&'a str> {
    keys.iter().find_map(|k| header.text(k)).filter(|v| !v.is_empty())
}

fn same_shape<A, B>(path: &Path, got: &Array2<A>, like: &Path, need: &Array2<B>) -> Result<(), ValidateError> {
    if got.dim() == need.dim() {
        return Ok(());
    }
    Err(ValidateError::Shape { path: path.display().to_string(), got: got.dim(), need: need.dim(), like: like.display().to_string() })
}

/// The planes of a level-1 product, whatever its files, and the keywords of its rate.
#[derive(Debug, Clone)]
pub struct Planes {
    /// Rate.
    pub rate: Array2<f32>,
    /// Inverse variance; 0 where a pixel must not be used.
    pub weight: Array2<f32>,
    /// Official flag bits.
    pub flags: Array2<u16>,
    /// All keywords, primary header first.
    pub header: Header,
}

/// Flags as 16 bits.
fn bits(path: &Path, data: Data) -> Result<Array2<u16>, ValidateError> {
    match data {
        Data::U16(v) => Ok(v),
        // A signed integer's bits are the flags.
        Data::I32(v) => Ok(v.mapv(|x| (x & 0xFFFF) as u16)),
        _ => Err(ValidateError::content(path, "flags must be integers of 16 or 32 bits")),
    }
}

impl Planes {
    /// Reads the planes of a level-1 product.
    ///
    /// # Errors
    /// When a file cannot be read, has no such plane, or shapes differ.
    pub fn read(files: &Level1Files) -> Result<Self, ValidateError> {
        match files {
            Level1Files::Imaging { image: img, weight: wht, flags: flg } => {
                let (rate, header) = read_image(img)?;
                let (weight, _) = read_image(wht)?;
                let flags = bits(flg, image(flg)?.0)?;
                same_shape(wht, &weight, img, &rate)?;
                same_shape(flg, &flags, img, &rate)?;
                Ok(Self { rate, weight, flags, header })
            }
            Level1Files::Slitless(path) => Self::of_one(path),
        }
    }
    /// SCI, ERR and DQ of one file.
    fn of_one(path: &Path) -> Result<Self, ValidateError> {
        let mut units = fits::read(path)?;
        let mut take = |name: &str| {
            let place = units.iter().position(|u| u.name == name);
            place.map(|k| units.swap_remove(k)).ok_or_else(|| ValidateError::content(path, format!("has no unit {name}")))
        };
        let (science, error, quality, first) = (take("SCI")?, take("ERR")?, take("DQ")?, take("")?);
        let (Data::F32(rate), Data::F32(mut weight)) = (science.data, error.data) else {
            return Err(ValidateError::content(path, "SCI and ERR must be images of 32-bit floats"));
        };
        weight.par_mapv_inplace(weight_of_error);
        let flags = bits(path, quality.data)?;
        same_shape(path, &weight, path, &rate)?;
        same_shape(path, &flags, path, &rate)?;
        let mut header = first.header;
        for (key, value, comment) in science.header.cards {
            header.set(&key, value, &comment);
        }
        Ok(Self { rate, weight, flags, header })
    }
}

impl L1Frame {
    /// Reads a level-1 product.
    ///
    /// # Errors
    /// When a file cannot be read, shapes differ, or EXPTIME, FILTER or the pixel scale cannot be found.
    pub fn read(files: &Level1Files) -> Result<Self, ValidateError> {
        let Planes { rate, weight, flags, header } = Planes::read(files)?;
        let img = files.main();
        let keyword = |key: &str, problem: String| ValidateError::Keyword { path: img.display().to_string(), key: key.into(), problem };
        let exposure_s = header.f64("EXPTIME").ok_or_else(|| keyword("EXPTIME", "is missing (exposure time in s)".into()))?;
        if !(exposure_s.is_finite() && exposure_s > 0.0) {
            return Err(keyword("EXPTIME", format!("= {exposure_s} s is not positive")));
        }
        let filter = first_text(&header, &["FILTER", "FILTERS", "FILT"])
            .ok_or_else(|| keyword("FILTER", "is missing (name of the band)".into()))?
            .to_string();
        let detector = match first_text(&header, &["CHIPLAB", "DETECTOR", "DETNAM", "CHIPID", "CCDNO"]) {
            Some(text) => text.to_string(),
            None => ["CHIPID", "CCDNO", "DETECTOR"].iter().find_map(|k| header.i64(k)).map_or_else(String::new, |n| format!("{n:02}")),
        };
        let corner = |key: &str| -> Result<usize, ValidateError> {
            match header.i64(key) {
                None => Ok(0),
                Some(v) => usize::try_from(v).map_err(|_| keyword(key, format!("= {v} is negative"))),
            }
        };
        let window = (corner("WINX0")?, corner("WINY0")?);
        let wcs = if header.get("CRPIX1").is_some() { Some(Wcs::read(&header)?) } else { None };
        let (ny, nx) = rate.dim();
        let pixel_scale_arcsec = match (&wcs, header.f64("PIXSCALE").or_else(|| header.f64("PIXSCAL1"))) {
            (Some(w), _) => {
                let j = w.jacobian(nx as f64 / 2.0, ny as f64 / 2.0);
                (j[0][0] * j[1][1] - j[0][1] * j[1][0]).abs().sqrt()
            }
            (None, Some(scale)) if scale > 0.0 => scale,
            _ => return Err(keyword("CRPIX1", "is missing, and so is PIXSCALE: the pixel scale is unknown".into())),
        };
        Ok(Self { rate, weight, flags, exposure_s, filter, detector, window, wcs, pixel_scale_arcsec, header })
    }
}

/// One object of the truth table, in image pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TruthObject {
    /// Object number.
    pub id: i64,
    /// A point source.
    pub is_star: bool,
    /// Column in the image, 0-based.
    pub x: f64,
    /// Row in the image, 0-based.
    pub y: f64,
    /// Right ascension \[deg\].
    pub ra_deg: f64,
    /// Declination \[deg\].
    pub dec_deg: f64,
    /// AB magnitude.
    pub magnitude: f64,
    /// Expected rate \[electron / s\] of the whole object.
    pub rate: f64,
    /// Half-light radius \[pixel\]; 0 for a point.
    pub half_light_px: f64,
}

/// Reads an object table written by [`sim_core::truth::object_table`] and moves it to image pixels.
///
/// # Errors
/// When the file has no such table or a column is missing.
pub fn read_truth(path: &Path, frame: &L1Frame) -> Result<Vec<TruthObject>, ValidateError> {
    let table = fits::read(path)?
        .into_iter()
        .find_map(|hdu| match hdu.data {
            Data::Table(t) if t.column("ELECTRONS").is_some() => Some(t),
            _ => None,
        })
        .ok_or_else(|| ValidateError::content(path, "holds no table with a column ELECTRONS"))?;
    truth_objects(&table, frame)
        .map_err(|column| ValidateError::content(path, format!("column {column} is missing or not of the right type")))
}

/// Truth objects of a table; the error is the name of a missing column.
pub(crate) fn truth_objects(table: &Table, frame: &L1Frame) -> Result<Vec<TruthObject>, &'static str> {
    let get = |name: &'static str| table.f64s(name).ok_or(name);
    let (id, ra, dec, x, y) = (get("OBJ_ID")?, get("RA")?, get("DEC")?, get("X")?, get("Y")?);
    let (magnitude, electrons, hlr) = (get("MAG")?, get("ELECTRONS")?, get("HLR")?);
    let ColumnData::Text(kind) = &table.column("OBJ_TYPE").ok_or("OBJ_TYPE")?.data else { return Err("OBJ_TYPE") };
    Ok((0..table.rows())
        .map(|i| TruthObject {
            id: id[i] as i64,
            is_star: kind[i].trim() == "star",
            x: x[i] - frame.window.0 as f64,
            y: y[i] - frame.window.1 as f64,
            ra_deg: ra[i],
            dec_deg: dec[i],
            magnitude: magnitude[i],
            rate: electrons[i] / frame.exposure_s,
            half_light_px: hlr[i] / frame.pixel_scale_arcsec,
        })
        .filter(|o| o.x.is_finite() && o.y.is_finite() && o.rate.is_finite())
        .collect())
}
