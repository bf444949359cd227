//! Where things lie in an output folder. One place, so that no other module spells a path.

use std::path::{Path, PathBuf};

/// An output folder.
///
/// ```text
/// OUT/scenario.toml              the resolved scenario
/// OUT/L0/*_L0_V01.fits           raw science frames, each with its .manifest.json
/// OUT/truth/*_truth.fits         object table and optional images
/// OUT/truth/*_ledger.json        what each effect added and lost
/// OUT/calibration/L0/*           raw calibration frames
/// OUT/calibration/masters/*      masters made from them, each with its .manifest.json
/// OUT/calibration/L1/*           calibration frames reduced with the masters (closure)
/// OUT/L1/*_img, *_wht, *_flg     reduced frames of imaging detectors, with a .manifest.json beside the image
/// OUT/L1/*_L1_V01.fits           reduced frames of slitless detectors: SCI, ERR and DQ in one file
/// (of a survey run that is reduced in its units, L1/* is in the record of the unit: beside the raw frame, or beside the image where L0 is not kept)
/// OUT/L1_without_X/*             the same without the correction of X, where the scenario asks for before and after
/// OUT/without_X/                 the science exposures simulated without X, for pairs
/// OUT/L2/*_cat                   measured catalogues
/// OUT/report/report.html, .json  the verdict
/// OUT/survey.toml                of a survey run: the survey as it was resolved, beside what the crate `survey` keeps
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder(PathBuf);

impl Folder {
    /// The folder at a path (created by [`Folder::create`]).
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self(path.to_path_buf())
    }
    /// Creates the folder and proves that it can be written.
    ///
    /// # Errors
    /// When it cannot be created or written; the message names it.
    pub fn create(path: &Path) -> std::io::Result<Self> {
        let named = |e: std::io::Error| std::io::Error::new(e.kind(), format!("{}: cannot write this folder: {e}", path.display()));
        std::fs::create_dir_all(path).map_err(named)?;
        let probe = path.join(".skyloop-probe");
        std::fs::write(&probe, b"").map_err(named)?;
        std::fs::remove_file(&probe).map_err(named)?;
        Ok(Self(path.to_path_buf()))
    }
    /// Removes what killed processes were writing, here and in the folders of products.
    pub fn sweep(&self) {
        let folders = [self.level0(), self.truth(), self.calibration_level0(), self.masters(), self.calibration_level1(), self.level1()];
        for folder in folders.iter().chain([&self.0, &self.level2(), &self.report()]) {
            let _ = sim_core::files::sweep(folder);
        }
    }
    /// The folder itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
    /// The resolved scenario.
    #[must_use]
    pub fn scenario(&self) -> PathBuf {
        self.0.join("scenario.toml")
    }
    /// The resolved survey.
    #[must_use]
    pub fn survey(&self) -> PathBuf {
        self.0.join("survey.toml")
    }
    /// Raw science frames.
    #[must_use]
    pub fn level0(&self) -> PathBuf {
        self.0.join("L0")
    }
    /// Truth products.
    #[must_use]
    pub fn truth(&self) -> PathBuf {
        self.0.join("truth")
    }
    /// Raw calibration frames.
    #[must_use]
    pub fn calibration_level0(&self) -> PathBuf {
        self.0.join("calibration/L0")
    }
    /// Masters.
    #[must_use]
    pub fn masters(&self) -> PathBuf {
        self.0.join("calibration/masters")
    }
    /// The masters that a path means: a folder of masters, or an output folder that has them.
    #[must_use]
    pub fn masters_in(given: &Path) -> PathBuf {
        let inner = Self::at(given).masters();
        if inner.is_dir() { inner } else { given.to_path_buf() }
    }
    /// Reduced calibration frames, for the closure tests.
    #[must_use]
    pub fn calibration_level1(&self) -> PathBuf {
        self.0.join("calibration/L1")
    }
    /// Reduced frames.
    #[must_use]
    pub fn level1(&self) -> PathBuf {
        self.0.join("L1")
    }
    /// Frames reduced without one correction, for comparison.
    #[must_use]
    pub fn level1_without(&self, step: &str) -> PathBuf {
        self.0.join(format!("L1_without_{step}"))
    }
    /// Measured catalogues.
    #[must_use]
    pub fn level2(&self) -> PathBuf {
        self.0.join("L2")
    }
    /// Report.
    #[must_use]
    pub fn report(&self) -> PathBuf {
        self.0.join("report")
    }
    /// FITS files of a folder in name order; empty when the folder is not there.
    #[must_use]
    pub fn fits_files(folder: &Path) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
            .map(|entries| entries.flatten().map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "fits")).collect())
            .unwrap_or_default();
        files.sort();
        files
    }
    /// The truth file that goes with a level-0 file.
    #[must_use]
    pub fn truth_of(&self, level0: &Path) -> PathBuf {
        self.truth().join(Self::companion(level0, "truth.fits"))
    }
    /// The manifest beside a product.
    #[must_use]
    pub fn manifest_of(product: &Path) -> PathBuf {
        survey::record::path_of(product)
    }
    /// The ledger of the effects that goes with a level-0 file.
    #[must_use]
    pub fn ledger_of(&self, level0: &Path) -> PathBuf {
        self.truth().join(Self::companion(level0, "ledger.json"))
    }
    /// The measured catalogue that goes with a level-0 file.
    #[must_use]
    pub fn catalogue_of(&self, level0: &Path) -> PathBuf {
        self.level2().join(Self::companion(level0, "cat.fits"))
    }
    fn companion(level0: &Path, what: &str) -> String {
        let stem = level0.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        format!("{}_{what}", stem.replace("_L0_", "_"))
    }
}
