//! What can go wrong in a calibration.

/// Why a calibration cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CalibrationError {
    /// The frame is of another detector than the configuration.
    #[error("frame {frame}: detector {got}; the configuration is for detector {expected}")]
    WrongDetector {
        /// Frame.
        frame: String,
        /// Its detector.
        got: String,
        /// The configuration's detector.
        expected: String,
    },
    /// The planes of a frame differ in shape.
    #[error("frame {frame}: rate {rate:?}, error {error:?} and flags {flags:?} differ in shape [rows, columns]")]
    Shapes {
        /// Frame.
        frame: String,
        /// Shape of the rate.
        rate: (usize, usize),
        /// Shape of the error.
        error: (usize, usize),
        /// Shape of the flags.
        flags: (usize, usize),
    },
    /// No order of the calibrator falls on the frame.
    #[error(
        "frame {frame}: no order of a calibrator at ({x:.1}, {y:.1}) falls on columns {columns:?} and rows {rows:?}; its position must be on the detector"
    )]
    OffFrame {
        /// Frame.
        frame: String,
        /// Column of the undispersed image.
        x: f64,
        /// Row of the undispersed image.
        y: f64,
        /// First column and column after the last.
        columns: (usize, usize),
        /// First row and row after the last.
        rows: (usize, usize),
    },
    /// The main order has no ridge.
    #[error("frame {frame}, order {order}: {found} points of the ridge; needs at least {needed}")]
    TraceNotFound {
        /// Frame.
        frame: String,
        /// Order.
        order: i32,
        /// Points found.
        found: usize,
        /// Points needed.
        needed: usize,
    },
    /// Too few lines are found.
    #[error("frame {frame}, order {order}: {found} emission lines found; needs at least {needed}")]
    LinesNotFound {
        /// Frame.
        frame: String,
        /// Order.
        order: i32,
        /// Lines found.
        found: usize,
        /// Lines needed.
        needed: usize,
    },
    /// Two identifications are equally good.
    #[error(
        "frame {frame}, order {order}: lines fit as well shifted by {shift_px:.1} pixel as by {other_px:.1}; identify one by hand or bring a better guess"
    )]
    Ambiguous {
        /// Frame.
        frame: String,
        /// Order.
        order: i32,
        /// Best shift.
        shift_px: f64,
        /// Another.
        other_px: f64,
    },
    /// Too few positions for the polynomial of the field.
    #[error("{what} of order {order}: {have} positions; a field polynomial of degree {degree} needs at least {need}")]
    TooFewPositions {
        /// Trace or dispersion.
        what: &'static str,
        /// Order.
        order: i32,
        /// Positions with this measurement.
        have: usize,
        /// Positions needed.
        need: usize,
        /// Degree asked for.
        degree: usize,
    },
    /// The data do not determine the parameters.
    #[error("{what}: the data do not determine all {parameters} parameters")]
    Degenerate {
        /// Which fit.
        what: String,
        /// Its parameters.
        parameters: usize,
    },
    /// The nominal configuration lacks an order.
    #[error("configuration of detector {detector}: no order {order}")]
    NoOrder {
        /// Detector.
        detector: String,
        /// Order.
        order: i32,
    },
    /// The model spectrum ends too early.
    #[error("model spectrum {name}: {low:.1} to {high:.1} nm; order {order} needs {from:.1} to {to:.1} nm")]
    ModelRange {
        /// Spectrum.
        name: String,
        /// First wavelength.
        low: f64,
        /// Last wavelength.
        high: f64,
        /// Order.
        order: i32,
        /// First wavelength needed.
        from: f64,
        /// Last wavelength needed.
        to: f64,
    },
    /// Too few usable columns for a sensitivity.
    #[error("sensitivity of order {order}: {have} usable columns; needs at least {need}")]
    TooFewColumns {
        /// Order.
        order: i32,
        /// Usable columns.
        have: usize,
        /// Columns needed.
        need: usize,
    },
    /// A setting is out of its range.
    #[error("setting {key} = {value}: allowed {allowed}")]
    Setting {
        /// Name.
        key: &'static str,
        /// Value.
        value: String,
        /// Range.
        allowed: &'static str,
    },
    /// An edit names what is not there.
    #[error("edits: {what}")]
    Edit {
        /// What is wrong.
        what: String,
    },
    /// A file of edits is not right.
    #[error("edits {path}: {reason}")]
    EditsFile {
        /// File.
        path: String,
        /// Why.
        reason: String,
    },
    /// The page cannot be served.
    #[error("page at {address}: {reason}")]
    Page {
        /// Address.
        address: String,
        /// Why.
        reason: String,
    },
}
