//! The image that an effect is put on: found in its file, kept with its headers, written with what came out.

use super::act::{Arrays, Done};
use super::place::Place;
use anyhow::{Context as _, bail, ensure};
use instruments::chain::counts_to_u16;
use instruments::description::DetectorSpec;
use instruments::product::level0::wcs_keys;
use instruments::product::sections;
use ndarray::Array2;
use sim_core::detector::Scans;
use sim_core::fits::{self, Data, Hdu, Header};
use sim_core::frame::Frame;
use sim_core::plane::Counts;
use std::path::{Path, PathBuf};

/// Names of the units that hold what goes with an image.
const VARIANCE: &str = "VARIANCE";
const FLAGS: &str = "FLAGS";
/// Keywords of the raw layout, by their beginnings: rewritten or left out when the layout changes.
const LAYOUT: [&str; 5] = ["CSEC", "DSEC", "PSEC", "BSEC", "YSEC"];

/// An image read from a file.
pub struct Input {
    path: PathBuf,
    /// Header of the primary unit, when the image is in an extension.
    primary: Option<Header>,
    name: String,
    header: Header,
    arrays: Arrays,
    shape: (usize, usize),
    had_variance: bool,
    had_flags: bool,
    /// Units that will not be in the output.
    left_out: Vec<String>,
}

/// An image of any type as f32.
pub fn pixels(data: &Data) -> Option<Array2<f32>> {
    match data {
        Data::F32(p) => Some(p.clone()),
        Data::F64(p) => Some(p.mapv(|v| v as f32)),
        Data::U16(p) => Some(p.mapv(f32::from)),
        Data::I32(p) => Some(p.mapv(|v| v as f32)),
        _ => None,
    }
}

fn form(hdu: &Hdu) -> &'static str {
    match hdu.data {
        Data::None => "header",
        Data::Cube(_) => "cube",
        Data::Table(_) => "table",
        _ => "image",
    }
}

impl Input {
    /// Reads the image of a file: of the extension asked for, else the first.
    pub fn read(path: &Path, ext: Option<&str>) -> anyhow::Result<Self> {
        let mut units = fits::read(path)?;
        let shown = path.display();
        let list = units.iter().enumerate().map(|(i, u)| format!("{i} {} ({})", u.name, form(u)).replace("  ", " "));
        let list = list.collect::<Vec<_>>().join(", ");
        let at = match ext {
            Some(ext) => units
                .iter()
                .position(|u| !u.name.is_empty() && u.name.eq_ignore_ascii_case(ext))
                .or_else(|| ext.parse().ok().filter(|i| *i < units.len()))
                .with_context(|| format!("--ext {ext}: {shown} has {list}"))?,
            None => units
                .iter()
                .position(|u| form(u) == "image")
                .with_context(|| format!("{shown}: no image of two axes in it; it has {list}"))?,
        };
        let found =
            pixels(&units[at].data).with_context(|| format!("{shown}: unit {at} is a {}, not an image of two axes", form(&units[at])))?;
        let shape = found.dim();
        ensure!(shape.0 > 0 && shape.1 > 0, "{shown}: unit {at} is an image without pixels");
        let Hdu { name, header, .. } = std::mem::replace(&mut units[at], Hdu::primary(Header::default()));
        let companion = |wanted: &str| units.iter().position(|u| u.name == wanted && pixels(&u.data).is_some_and(|p| p.dim() == shape));
        let (variance, flags) = (companion(VARIANCE), companion(FLAGS));
        let arrays = Arrays {
            pixels: found,
            variance: variance.and_then(|i| pixels(&units[i].data)),
            flags: flags.and_then(|i| match &units[i].data {
                Data::I32(bits) => Some(bits.mapv(|b| b as u32)),
                Data::U16(bits) => Some(bits.mapv(u32::from)),
                _ => None,
            }),
        };
        let rest = (1..units.len()).filter(|i| *i != at && Some(*i) != variance && Some(*i) != flags);
        let left_out = rest.map(|i| if units[i].name.is_empty() { i.to_string() } else { units[i].name.clone() }).collect();
        let primary = (at > 0).then(|| std::mem::take(&mut units[0].header));
        Ok(Self {
            path: path.into(),
            primary,
            name,
            header,
            shape,
            had_variance: arrays.variance.is_some(),
            had_flags: arrays.flags.is_some(),
            arrays,
            left_out,
        })
    }
    /// Rows and columns.
    pub fn shape(&self) -> (usize, usize) {
        self.shape
    }
    fn headers(&self) -> impl Iterator<Item = &Header> {
        std::iter::once(&self.header).chain(&self.primary)
    }
    /// A keyword of the image's header, else of the primary one.
    pub fn header_f64(&self, key: &str) -> Option<f64> {
        self.headers().find_map(|h| h.f64(key))
    }
    pub fn header_i64(&self, key: &str) -> Option<i64> {
        self.headers().find_map(|h| h.i64(key))
    }
    pub fn header_text(&self, key: &str) -> Option<&str> {
        self.headers().find_map(|h| h.text(key))
    }
    /// BUNIT of the image.
    pub fn unit(&self) -> Option<String> {
        self.header.text("BUNIT").map(str::to_string).filter(|u| !u.is_empty())
    }
    /// Refuses an image in another unit; one without a unit is taken as it is.
    pub fn need_unit(&self, need: &str, effect: &str) -> anyhow::Result<()> {
        let Some(unit) = self.unit() else { return Ok(()) };
        let plain = match unit.to_lowercase().trim_end_matches('s') {
            "electron" | "e" | "e-" => "electron",
            "adu" | "count" | "ct" | "dn" => "adu",
            _ => "",
        };
        if plain != need {
            bail!(
                "{}: BUNIT = '{unit}', and {effect} needs an image in {need} here; convert it, or take BUNIT out if it is wrong",
                self.path.display()
            );
        }
        Ok(())
    }
    /// Says on the terminal what was taken from where, and what the output will lack.
    pub fn remark(&self, quiet: bool, summary: &str) {
        let bad = self.arrays.pixels.iter().filter(|v| !v.is_finite()).count();
        if bad > 0 {
            eprintln!("skyloop: {}: {bad} pixels are not finite; sums that hold them are not numbers", self.path.display());
        }
        if !quiet {
            eprintln!("{summary}");
            if !self.left_out.is_empty() {
                eprintln!("not copied to the output: {}", self.left_out.join(", "));
            }
        }
    }
    /// The arrays, to be worked on.
    pub fn take_arrays(&mut self) -> Arrays {
        let empty = Arrays { pixels: Array2::zeros((0, 0)), variance: None, flags: None };
        std::mem::replace(&mut self.arrays, empty)
    }

    /// Writes what came out under the headers of the input.
    pub fn write(mut self, out: &Path, effect: &str, place: &Place, spec: &DetectorSpec, done: Done, what: &str) -> anyhow::Result<()> {
        let Done { arrays, unit, .. } = done;
        self.header.set("BUNIT", unit.as_str(), "unit of the pixels");
        self.lay_out(place, spec, arrays.pixels.dim());
        let stem = out.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        for header in std::iter::once(&mut self.header).chain(&mut self.primary) {
            if header.get("FILENAME").is_some() {
                header.set("FILENAME", stem.as_str(), "name of this file, without .fits");
            }
            header.cards.retain(|c| !["BLANK", "DATAMIN", "DATAMAX"].contains(&c.0.as_str()));
        }
        self.header.history.push(what.into());
        // What the converter gives is whole numbers of 16 bits, as a raw file holds them.
        let data = match effect {
            "adc" if arrays.variance.is_none() => Data::U16(counts_to_u16(&Frame::<Counts>::from_pixels(arrays.pixels, place.window))),
            _ => Data::F32(arrays.pixels),
        };
        let mut units: Vec<Hdu> = self.primary.into_iter().map(Hdu::primary).collect();
        units.push(Hdu::new(&self.name, self.header, data));
        if let Some(variance) = arrays.variance.filter(|v| self.had_variance || v.iter().any(|v| *v != 0.0)) {
            let mut header = Header::default();
            header.set("BUNIT", format!("({unit})**2"), "unit of the pixels");
            units.push(Hdu::new(VARIANCE, header, Data::F32(variance)));
        }
        if let Some(flags) = arrays.flags.filter(|f| self.had_flags || f.iter().any(|f| *f != 0)) {
            units.push(Hdu::new(FLAGS, Header::default(), Data::I32(flags.mapv(|f| f as i32))));
        }
        fits::write(out, &units)?;
        Ok(())
    }

    /// Brings the keywords of the raw layout up to date when the shape changed.
    fn lay_out(&mut self, place: &Place, spec: &DetectorSpec, shape: (usize, usize)) {
        if shape == self.shape {
            return;
        }
        let is_layout = |key: &str| LAYOUT.iter().any(|stem| key.strip_prefix(stem).is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit())));
        self.header.cards.retain(|c| !is_layout(&c.0));
        let scans = if shape == place.window.shape() { Scans::Trimmed } else { Scans::Full };
        let layout = sim_core::detector::ReadoutLayout::new(&spec.geometry, place.window, scans);
        sections::write_layout(&mut self.header, &spec.geometry, place.window, &layout);
        // The world coordinates are those of the window: the array's own without scans, an alternate system with them.
        let before = if scans == Scans::Trimmed { Scans::Full } else { Scans::Trimmed };
        if let Ok(wcs) = wcs_keys::read(&self.header, before) {
            wcs_keys::remove(&mut self.header, before);
            wcs_keys::write(&mut self.header, &wcs, scans);
        }
    }
}
