//! Units, and how a value in one becomes ours.

/// How a value becomes ours.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Scale {
    /// Times a factor.
    Linear(f64),
    /// Ten to the power of it.
    Log10,
    /// A Vega magnitude: the band's offset is added.
    Vega,
    /// A mass fraction of metals Z: \[Fe/H\] = lg(Z / Z_sun).
    MassFraction,
}

/// Mass fraction of metals of the Sun, that of the PARSEC tracks which TRILEGAL uses: Bressan et al. 2012 (MNRAS 427, 127), section 2.
const SOLAR_Z: f64 = 0.015_2;

impl Scale {
    /// Whether values stay as they are.
    pub(crate) fn is_one(self) -> bool {
        self == Self::Linear(1.0)
    }
    pub(crate) fn of(self, raw: f64) -> f64 {
        match self {
            Self::Linear(factor) => raw * factor,
            Self::Log10 => 10.0_f64.powf(raw),
            Self::Vega => raw,
            Self::MassFraction => (raw / SOLAR_Z).log10(),
        }
    }
}

/// Units of a quantity, ours first.
pub(crate) type Units = &'static [(&'static str, Scale)];

pub(crate) const NUMBER: Units = &[("1", Scale::Linear(1.0)), ("", Scale::Linear(1.0))];
pub(crate) const ANGLE: Units =
    &[("deg", Scale::Linear(1.0)), ("rad", Scale::Linear(180.0 / std::f64::consts::PI)), ("hour", Scale::Linear(15.0))];
pub(crate) const SIZE: Units = &[("arcsec", Scale::Linear(1.0)), ("mas", Scale::Linear(1e-3)), ("deg", Scale::Linear(3600.0))];
pub(crate) const MOTION: Units = &[("mas/yr", Scale::Linear(1.0)), ("arcsec/yr", Scale::Linear(1e3)), ("deg/yr", Scale::Linear(3.6e6))];
pub(crate) const MAGNITUDE: Units = &[("mag", Scale::Linear(1.0)), ("mag(AB)", Scale::Linear(1.0)), ("mag(Vega)", Scale::Vega)];
pub(crate) const COLOUR: Units = &[("mag", Scale::Linear(1.0))];
pub(crate) const TEMPERATURE: Units = &[("K", Scale::Linear(1.0)), ("log10(K)", Scale::Log10)];
pub(crate) const GRAVITY: Units = &[("dex", Scale::Linear(1.0)), ("log(cm.s**-2)", Scale::Linear(1.0)), ("1", Scale::Linear(1.0))];
pub(crate) const METALLICITY: Units = &[("dex", Scale::Linear(1.0)), ("1", Scale::Linear(1.0)), ("Z", Scale::MassFraction)];
pub(crate) const PARALLAX: Units = &[("mas", Scale::Linear(1.0)), ("arcsec", Scale::Linear(1e3))];
pub(crate) const VELOCITY: Units = &[("km/s", Scale::Linear(1.0)), ("m/s", Scale::Linear(1e-3))];
pub(crate) const YEAR: Units = &[("yr", Scale::Linear(1.0))];
pub(crate) const DISTANCE: Units = &[("kpc", Scale::Linear(1.0)), ("pc", Scale::Linear(1e-3)), ("Mpc", Scale::Linear(1e3))];
pub(crate) const MASS: Units = &[("Msun", Scale::Linear(1.0)), ("1", Scale::Linear(1.0))];

/// One spelling for each unit: `mas.yr**-1`, `mas yr-1` and `mas/yr` are the same.
pub(crate) fn plain(unit: &str) -> String {
    let squeezed: String = unit.chars().filter(|c| !c.is_whitespace() && *c != '\'').collect();
    let short = squeezed.replace(".yr**-1", "/yr").replace("yr-1", "/yr").replace(".s**-1", "/s").replace("s-1", "/s");
    let short = short.replace("yr^-1", "/yr").replace("s^-1", "/s").replace("//", "/").replace("./", "/").replace("*/", "/");
    match short.to_ascii_lowercase().as_str() {
        "degree" | "degrees" | "deg" => "deg".into(),
        "radian" | "radians" | "rad" => "rad".into(),
        "arcsecond" | "arcseconds" | "arcsec" | "\"" | "as" => "arcsec".into(),
        "milliarcsec" | "marcsec" | "mas" => "mas".into(),
        "hourangle" | "h" | "hour" | "hours" => "hour".into(),
        "julianyear" | "a" | "year" | "yr" | "time[julianyear]" => "yr".into(),
        "kelvin" | "k" => "K".into(),
        "logk" | "log(k)" | "log10k" | "log10(k)" | "dex(k)" => "log10(K)".into(),
        "dex(cm/s2)" | "log(cms**-2)" | "log(cm.s**-2)" | "[cm/s2]" => "log(cm.s**-2)".into(),
        "mag(ab)" | "abmag" => "mag(AB)".into(),
        "mag(vega)" | "vegamag" => "mag(Vega)".into(),
        "magnitude" | "mag" => "mag".into(),
        "solmass" | "msun" | "m_sun" => "Msun".into(),
        _ => short,
    }
}

/// Whether a unit is known to any quantity.
#[cfg(test)]
pub(crate) fn scale_in(units: Units, unit: &str) -> Option<Scale> {
    units.iter().find(|(name, _)| *name == plain(unit)).map(|(_, scale)| *scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_a_unit_are_one() {
        for spelling in ["mas/yr", "mas.yr**-1", "mas yr-1", "mas.yr^-1", "mas yr^-1", "mas / yr"] {
            assert_eq!(plain(spelling), "mas/yr", "{spelling}");
        }
        assert_eq!(scale_in(MOTION, "arcsec yr-1"), Some(Scale::Linear(1e3)));
        assert_eq!((plain("km s-1"), plain("'Degrees'")), ("km/s".into(), "deg".into()));
    }

    #[test]
    fn a_tenth_of_the_solar_metals_is_minus_one_dex() {
        assert!((Scale::MassFraction.of(0.001_52) + 1.0).abs() < 1e-12);
        assert!((Scale::Log10.of(3.0) - 1000.0).abs() < 1e-9);
    }
}
