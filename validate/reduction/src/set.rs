//! Calibration products on disk, and what they say about a frame.

use crate::error::ReductionError;
use crate::group::{Key, groups};
use crate::masters::{self, CalibrationOptions, Made, hot_and_warm};
use crate::shutter_fit::ShutterMap;
use instruments::product::level0::Level0Info;
use instruments::product::names::ProductName;
use instruments::product::sections;
use nalgebra::DMatrix;
use ndarray::Array2;
use sim_core::detector::ReadoutLayout;
use sim_core::exposure::ExposureKind;
use sim_core::fits::{self, Data, Hdu, Header};
use sim_core::knowledge::{Knowledge, Measured, Reference};
use sim_core::table::{Column, ColumnData, Table};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Masters of windows up to this many pixels stay in memory; larger ones are read for the step that needs them.
const KEPT_PIXELS: usize = 1 << 24;

/// Charge counts as saturated from this fraction of the nominal full well: clipped pixels scatter below it by read noise and
/// by the error of the measured gain, both under a third of a per cent.
const SATURATION_MARGIN: f64 = 0.99;

/// Kinds of master products.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Master {
    /// Bias \[ADU\], with gain and read noise of the amplifiers.
    Bias,
    /// Dark \[electron / s\].
    Dark,
    /// Flat \[1\].
    Flat,
    /// Excess time of the shutter \[s\].
    Shutter,
}

impl Master {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Bias, Self::Dark, Self::Flat, Self::Shutter];
    /// Type in the file name.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Bias => "MBIAS",
            Self::Dark => "MDARK",
            Self::Flat => "MFLAT",
            Self::Shutter => "MSHUT",
        }
    }
    fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|m| m.code() == code)
    }
    /// The master that a step of the reduction needs, by the name of the effect it undoes.
    fn of_step(step: &str) -> Option<Self> {
        match step {
            "bias" => Some(Self::Bias),
            "dark" => Some(Self::Dark),
            "flat" => Some(Self::Flat),
            "shutter" => Some(Self::Shutter),
            _ => None,
        }
    }
}

/// The calibration of one detector and window.
#[derive(Debug)]
pub struct DetectorCalibration {
    /// What it is for.
    pub key: Key,
    /// Raw layout.
    pub layout: ReadoutLayout,
    /// Gain by amplifier \[electron / ADU\].
    pub gain: Vec<Measured>,
    /// Read noise by amplifier \[electron\].
    pub read_noise: Vec<Measured>,
    /// Variance of the master bias by amplifier \[ADU^2\].
    pub bias_variance: Vec<f64>,
    /// Largest chi-square per degree of freedom of the photon transfer curves.
    pub transfer_chi2: f64,
    /// Mean of 1 / t of the dark frames \[1 / s\], if there is a dark.
    pub dark_inverse_time_s: Option<f64>,
    /// Files of the masters.
    pub files: BTreeMap<Master, PathBuf>,
    kept: BTreeMap<Master, Arc<Reference>>,
}

impl DetectorCalibration {
    /// File name of a master without `.fits`.
    #[must_use]
    pub fn name(&self, master: Master) -> Option<String> {
        self.files.get(&master).and_then(|p| p.file_stem()).map(|s| s.to_string_lossy().into_owned())
    }
    /// Image and variance of a master; `None` when it was not made.
    ///
    /// # Errors
    /// When its file cannot be read or does not fit the window.
    pub fn reference(&self, master: Master) -> Result<Option<Arc<Reference>>, ReductionError> {
        if let Some(kept) = self.kept.get(&master) {
            return Ok(Some(Arc::clone(kept)));
        }
        let Some(path) = self.files.get(&master) else { return Ok(None) };
        let (_, _, columns, rows) = self.key.window;
        Units::open(path)?.reference((rows, columns)).map(Some)
    }
    /// The fit of the shutter map, if there is one.
    ///
    /// # Errors
    /// When its file cannot be read.
    pub fn shutter_map(&self) -> Result<Option<ShutterMap>, ReductionError> {
        self.files.get(&Master::Shutter).map(|path| read_map(&mut Units::open(path)?)).transpose()
    }
    /// All that the reduction knows of a frame.
    ///
    /// # Errors
    /// When a master cannot be read.
    pub fn knowledge(&self, info: &Level0Info) -> Result<Knowledge, ReductionError> {
        let mut knowledge = self.numbers(info);
        knowledge.bias = self.bias_for(info)?;
        knowledge.dark = self.reference(Master::Dark)?;
        knowledge.flat = self.reference(Master::Flat)?;
        knowledge.shutter = self.reference(Master::Shutter)?;
        knowledge.defects = knowledge.dark.as_ref().map(|dark| Arc::new(self.defects(dark, info.observation.time_s)));
        Ok(knowledge)
    }
    /// What one step of the reduction needs to know, so that no more than one master is in memory.
    ///
    /// # Errors
    /// When its master cannot be read.
    pub fn knowledge_for(&self, step: &str, info: &Level0Info) -> Result<Knowledge, ReductionError> {
        let mut knowledge = self.numbers(info);
        match Master::of_step(step) {
            Some(Master::Bias) => knowledge.bias = self.bias_for(info)?,
            Some(Master::Dark) => {
                knowledge.dark = self.reference(Master::Dark)?;
                knowledge.defects = knowledge.dark.as_ref().map(|dark| Arc::new(self.defects(dark, info.observation.time_s)));
            }
            Some(Master::Flat) => knowledge.flat = self.reference(Master::Flat)?,
            Some(Master::Shutter) => knowledge.shutter = self.reference(Master::Shutter)?,
            None => {}
        }
        Ok(knowledge)
    }
    fn numbers(&self, info: &Level0Info) -> Knowledge {
        let mut knowledge = Knowledge::of_layout(self.layout.clone(), info.window, info.observation.time_s);
        knowledge.gain = Some(self.gain.clone());
        knowledge.read_noise = Some(self.read_noise.clone());
        knowledge.saturation_electron = info.header.f64("FULLWELL").map(|full_well| SATURATION_MARGIN * full_well);
        knowledge
    }
    /// The master bias for a frame.
    ///
    /// Its error enters a frame twice: directly, and through the dark, from which it was subtracted. The two cancel in part:
    /// with darks of mean inverse time <1/t_d> the net factor is 1 - t <1/t_d>. The bias handed on carries that net variance,
    /// the dark only its own.
    fn bias_for(&self, info: &Level0Info) -> Result<Option<Arc<Reference>>, ReductionError> {
        let Some(bias) = self.reference(Master::Bias)? else { return Ok(None) };
        let factor = match (self.dark_inverse_time_s, info.observation.kind) {
            (Some(inverse_time_s), kind) if kind != ExposureKind::Bias => (1.0 - info.observation.time_s * inverse_time_s).powi(2) as f32,
            _ => return Ok(Some(bias)),
        };
        let mut own = Arc::try_unwrap(bias).unwrap_or_else(|shared| (*shared).clone());
        own.variance.par_mapv_inplace(|v| v * factor);
        Ok(Some(Arc::new(own)))
    }
    /// Hot and warm pixels for an exposure time. (Bad pixels are flagged by the flat step.)
    fn defects(&self, dark: &Reference, time_s: f64) -> Array2<u32> {
        let inverse_time_s = self.dark_inverse_time_s.unwrap_or(0.0);
        let of_bias = |amplifier: usize| (self.gain[amplifier].value * inverse_time_s).powi(2) * self.bias_variance[amplifier];
        let variance = |amplifier: usize, y: usize, x: usize, _: f64| f64::from(dark.variance[(y, x)]) + of_bias(amplifier);
        hot_and_warm(&self.layout, &dark.image, variance, &self.read_noise, time_s)
    }
}

/// The calibrations of a folder. Masters are read when first needed; those of the last detector stay in memory when small.
#[derive(Debug)]
pub struct CalibrationSet {
    files: BTreeMap<Key, BTreeMap<Master, PathBuf>>,
    last: Mutex<Option<Arc<DetectorCalibration>>>,
}

/// Makes masters from calibration level-0 files, writes them into `out` and returns the set.
///
/// # Errors
/// When a file is no valid calibration frame, there are too few, a measurement fails, or a product cannot be written.
pub fn calibrate(level0: &[PathBuf], out: &Path, options: CalibrationOptions) -> Result<CalibrationSet, ReductionError> {
    std::fs::create_dir_all(out).map_err(|source| ReductionError::Io { path: out.into(), source })?;
    let mut files = BTreeMap::new();
    for (key, group) in groups(level0)? {
        let masters = masters::make(&group, options)?;
        let mut paths = BTreeMap::new();
        let masters = &masters;
        for (kind, frames) in
            [(Master::Bias, &group.bias), (Master::Dark, &group.dark), (Master::Flat, &group.flat), (Master::Shutter, &group.flat)]
        {
            let (Some(first), Some(last)) = (frames.first(), frames.last()) else { continue };
            let Some(units) = product(kind, masters) else { continue };
            let name = ProductName { kind: kind.code().into(), stop: last.name.stop.max(first.name.stop), level: 1, ..first.name.clone() };
            let path = out.join(name.file_name());
            let mut hdus = vec![Hdu::primary(primary(&name, first, frames, masters))];
            for mut unit in units {
                sections::write_layout(&mut unit.header, &first.geometry, first.window, &first.layout);
                hdus.push(unit);
            }
            fits::write(&path, &hdus)?;
            paths.insert(kind, path);
        }
        files.insert(key, paths);
    }
    Ok(CalibrationSet { files, last: Mutex::new(None) })
}

fn primary(name: &ProductName, first: &Level0Info, frames: &[Level0Info], masters: &Made) -> Header {
    let mut header = Header::default();
    for key in ["TELESCOP", "INSTRUME", "DETECTOR", "FILTER"] {
        if let Some(value) = first.primary.get(key) {
            header.set(key, value.clone(), "");
        }
    }
    header.set("FILENAME", name.stem(), "name of this file, without .fits");
    header.set("FILETYPE", name.kind.as_str(), "type of the file");
    header.set("DATE-OBS", name.start.iso(), "start of the first exposure");
    header.set("DATE-END", name.stop.iso(), "end of the last exposure");
    header.set("NCOMBINE", frames.len() as i64, "exposures used");
    header.set("CREATOR", format!("Skyloop {}", env!("CARGO_PKG_VERSION")), "software");
    header.history = masters.notes.clone();
    header.history.extend(frames.iter().map(|f| format!("input {}", f.name.stem())));
    header
}

fn image(name: &str, unit: &str, data: Array2<f32>) -> Hdu {
    let mut header = Header::default();
    if !unit.is_empty() {
        header.set("BUNIT", unit, "unit of the pixels");
    }
    Hdu::new(name, header, Data::F32(data))
}

/// The extensions of a master; `None` when it was not made.
fn product(kind: Master, made: &Made) -> Option<Vec<Hdu>> {
    Some(match kind {
        Master::Bias => {
            let mut table = Hdu::new("AMPLIFIERS", Header::default(), Data::Table(amplifier_table(made)));
            table.header.set("PTCCHI2", made.transfer_chi2, "worst chi2/dof of the photon transfer");
            vec![image("IMAGE", "adu", made.bias.clone()), image("VARIANCE", "adu2", made.bias_variance_image()), table]
        }
        Master::Dark => {
            let dark = made.dark.as_ref()?;
            let mut rate = image("IMAGE", "electron/s", dark.rate.clone());
            rate.header.set("BIASCOEF", dark.inverse_time_s, "[1/s] the master bias's error enters times -gain*this");
            let reference_s = 1.0 / dark.inverse_time_s;
            let mut header = Header::default();
            header.set("DQTIME", reference_s, "[s] exposure time the hot and warm flags hold for");
            header.set("DQTYPE", "1 bad, 2 hot, 4 warm", "official bits");
            let bits = made.defects(reference_s).mapv(sim_core::flags::official);
            vec![rate, image("VARIANCE", "electron2/s2", made.dark_variance(dark)), Hdu::new("DEFECTS", header, Data::U16(bits))]
        }
        Master::Flat => vec![image("IMAGE", "", made.flat.response.clone()), image("VARIANCE", "", made.flat_variance())],
        Master::Shutter => {
            let map = made.shutter.as_ref()?;
            let (rows, columns) = made.bias.dim();
            let Reference { image: excess, variance } = map.over(rows, columns);
            let mut table = Hdu::new("POLYNOMIAL", Header::default(), Data::Table(polynomial_table(map)));
            table.header.set("CHI2DOF", map.reduced_chi2, "chi2/dof of the blocks");
            vec![image("IMAGE", "s", excess), image("VARIANCE", "s2", variance), table]
        }
    })
}

fn amplifier_table(masters: &Made) -> Table {
    let f64s = |f: &dyn Fn(usize) -> f64| ColumnData::F64((0..masters.gain.len()).map(f).collect());
    Table {
        name: "AMPLIFIERS".into(),
        columns: vec![
            Column::new("AMPLIFIER", "", "amplifier, from 1", ColumnData::I32((1..=masters.gain.len() as i32).collect())),
            Column::new("GAIN", "electron/adu", "gain from photon transfer", f64s(&|i| masters.gain[i].value)),
            Column::new("GAIN_ERR", "electron/adu", "standard error; -9999: not measured", f64s(&|i| finite(masters.gain[i].error))),
            Column::new("RDNOISE", "electron", "read noise from bias pairs", f64s(&|i| masters.read_noise[i].value)),
            Column::new("RDNOISE_ERR", "electron", "standard error; -9999: not measured", f64s(&|i| finite(masters.read_noise[i].error))),
            Column::new("BIAS_VAR", "adu2", "variance of the master bias", f64s(&|i| masters.bias_variance[i])),
        ],
    }
}

fn finite(error: f64) -> f64 {
    if error.is_finite() { error } else { -9999.0 }
}

fn polynomial_table(map: &ShutterMap) -> Table {
    let int = |f: &dyn Fn(&(usize, usize)) -> usize| ColumnData::I32(map.terms.iter().map(|t| f(t) as i32).collect());
    let mut columns = vec![
        Column::new("I", "", "order of the Legendre polynomial along x", int(&|t| t.0)),
        Column::new("J", "", "order along y", int(&|t| t.1)),
        Column::new("COEFFICIENT", "s", "coefficient", ColumnData::F64(map.coefficients.clone())),
    ];
    for (k, column) in map.covariance.column_iter().enumerate() {
        columns.push(Column::new(
            &format!("COV_{}", k + 1),
            "s2",
            "covariance with coefficient of this row",
            ColumnData::F64(column.iter().copied().collect()),
        ));
    }
    Table { name: "POLYNOMIAL".into(), columns }
}

impl CalibrationSet {
    /// Lists the masters of a folder.
    ///
    /// # Errors
    /// When the folder or a master's header cannot be read.
    pub fn open(folder: &Path) -> Result<Self, ReductionError> {
        let failed = |source| ReductionError::Io { path: folder.into(), source };
        let mut paths =
            std::fs::read_dir(folder).map_err(failed)?.map(|e| e.map(|e| e.path())).collect::<Result<Vec<_>, _>>().map_err(failed)?;
        paths.sort();
        let mut files: BTreeMap<Key, BTreeMap<Master, PathBuf>> = BTreeMap::new();
        for path in paths {
            let Some(Ok(name)) = path.file_name().and_then(|n| n.to_str()).map(ProductName::parse) else { continue };
            let Some(kind) = Master::from_code(&name.kind) else { continue };
            let headers = fits::read_headers(&path)?;
            let [(_, first), (_, second), ..] = headers.as_slice() else {
                return Err(ReductionError::Master { path, what: "HDU1".into(), expected: "an image" });
            };
            let (_, _, window, layout) = sections::read_layout(&path, second)?;
            let instrument = first.text("INSTRUME").unwrap_or_default().to_lowercase();
            // Later masters of the same kind replace earlier ones: names sort by their start.
            files.entry(Key::new(&instrument, name.detector, window, layout.scans)).or_default().insert(kind, path);
        }
        Ok(Self { files, last: Mutex::new(None) })
    }
    /// What there is calibration for.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.files.keys()
    }
    /// The master files of a detector and window, by kind.
    #[must_use]
    pub fn files(&self, key: &Key) -> Option<&BTreeMap<Master, PathBuf>> {
        self.files.get(key)
    }
    /// The calibration for a frame.
    ///
    /// # Errors
    /// When the set has none for its detector, window and layout, or a master cannot be read.
    pub fn of(&self, info: &Level0Info) -> Result<Arc<DetectorCalibration>, ReductionError> {
        let key = Key::of(info);
        let Some(files) = self.files.get(&key) else {
            let have: Vec<String> = self.files.keys().map(Key::describe).collect();
            let have = if have.is_empty() { "none".into() } else { have.join("; ") };
            return Err(ReductionError::NoCalibration { path: info.path.clone(), detector: key.detector, have });
        };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(calibration) = last.as_ref().filter(|c| c.key == key) {
            return Ok(Arc::clone(calibration));
        }
        *last = None;
        let calibration = Arc::new(read(key, files, info)?);
        *last = Some(Arc::clone(&calibration));
        Ok(calibration)
    }
}

/// A master's units by name, each taken out once.
struct Units {
    path: PathBuf,
    units: Vec<Hdu>,
}

impl Units {
    fn open(path: &Path) -> Result<Self, ReductionError> {
        Ok(Self { path: path.into(), units: fits::read(path)? })
    }
    fn missing(&self, what: &str, expected: &'static str) -> ReductionError {
        ReductionError::Master { path: self.path.clone(), what: what.into(), expected }
    }
    fn take(&mut self, name: &str) -> Result<Hdu, ReductionError> {
        let at = self.units.iter().position(|u| u.name == name).ok_or_else(|| self.missing(name, "an extension of that name"))?;
        Ok(self.units.swap_remove(at))
    }
    fn image(&mut self, name: &str, shape: (usize, usize)) -> Result<Array2<f32>, ReductionError> {
        match self.take(name)?.data {
            Data::F32(image) if image.dim() == shape => {
                // A reference with a hole in it would spread silently.
                if image.iter().all(|v| v.is_finite()) { Ok(image) } else { Err(self.missing(name, "finite pixels")) }
            }
            _ => Err(self.missing(name, "a float32 image of the window's shape")),
        }
    }
    fn reference(&mut self, shape: (usize, usize)) -> Result<Arc<Reference>, ReductionError> {
        Ok(Arc::new(Reference { image: self.image("IMAGE", shape)?, variance: self.image("VARIANCE", shape)? }))
    }
    fn table(&mut self, name: &str) -> Result<(Header, Table), ReductionError> {
        let unit = self.take(name)?;
        match unit.data {
            Data::Table(table) => Ok((unit.header, table)),
            _ => Err(self.missing(name, "a table")),
        }
    }
}

fn read(key: Key, files: &BTreeMap<Master, PathBuf>, info: &Level0Info) -> Result<DetectorCalibration, ReductionError> {
    let need = |kind: Master| {
        let missing =
            || ReductionError::Master { path: PathBuf::from(key.describe()), what: kind.code().into(), expected: "a master of this type" };
        files.get(&kind).ok_or_else(missing)
    };
    need(Master::Flat)?;
    let mut bias = Units::open(need(Master::Bias)?)?;
    let (header, table) = bias.table("AMPLIFIERS")?;
    let column = |name: &str| {
        let values = table.f64s(name).filter(|v| v.len() == info.layout.amplifier_count);
        values.ok_or_else(|| bias.missing(name, "a column with one number per amplifier"))
    };
    let measured = |value: &str, error: &str| -> Result<Vec<Measured>, ReductionError> {
        let known = |e: f64| if e < 0.0 { f64::INFINITY } else { e };
        Ok(column(value)?.into_iter().zip(column(error)?).map(|(value, error)| Measured { value, error: known(error) }).collect())
    };
    let (gain, read_noise, bias_variance) = (measured("GAIN", "GAIN_ERR")?, measured("RDNOISE", "RDNOISE_ERR")?, column("BIAS_VAR")?);
    let values = gain.iter().chain(&read_noise).map(|m| m.value).chain(bias_variance.iter().copied());
    if values.into_iter().any(|v| !(v > 0.0 && v.is_finite())) {
        return Err(bias.missing("GAIN, RDNOISE or BIAS_VAR", "numbers above 0"));
    }
    let transfer_chi2 = header.f64("PTCCHI2").unwrap_or(-9999.0);
    drop(bias);
    let dark_inverse_time_s = match files.get(&Master::Dark) {
        None => None,
        Some(path) => {
            let headers = fits::read_headers(path)?;
            let found = headers.iter().find(|(name, _)| name == "IMAGE").and_then(|(_, h)| h.f64("BIASCOEF")).filter(|v| *v > 0.0);
            let wrong = || ReductionError::Master { path: path.clone(), what: "BIASCOEF".into(), expected: "a number above 0" };
            Some(found.ok_or_else(wrong)?)
        }
    };
    let (layout, files) = (info.layout.clone(), files.clone());
    let mut calibration = DetectorCalibration {
        key,
        layout,
        gain,
        read_noise,
        bias_variance,
        transfer_chi2,
        dark_inverse_time_s,
        files,
        kept: BTreeMap::new(),
    };
    if info.window.nx * info.window.ny <= KEPT_PIXELS {
        for master in Master::ALL {
            if let Some(reference) = calibration.reference(master)? {
                calibration.kept.insert(master, reference);
            }
        }
    }
    Ok(calibration)
}

fn read_map(units: &mut Units) -> Result<ShutterMap, ReductionError> {
    let (header, table) = units.table("POLYNOMIAL")?;
    let column = |name: &str| table.f64s(name).ok_or_else(|| units.missing(name, "a numeric column"));
    let order = |name: &str| column(name).map(|v| v.into_iter().map(|x| x as usize).collect::<Vec<_>>());
    let terms: Vec<(usize, usize)> = order("I")?.into_iter().zip(order("J")?).collect();
    let mut covariance = DMatrix::zeros(terms.len(), terms.len());
    for k in 0..terms.len() {
        for (row, value) in column(&format!("COV_{}", k + 1))?.into_iter().enumerate() {
            covariance[(row, k)] = value;
        }
    }
    Ok(ShutterMap { coefficients: column("COEFFICIENT")?, terms, covariance, reduced_chi2: header.f64("CHI2DOF").unwrap_or(0.0) })
}
