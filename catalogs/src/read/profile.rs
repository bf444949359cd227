//! Ready mappings: the columns of catalogues that many have.
//!
//! # Source
//! - Gaia DR3: data model of `gaia_source` in the documentation of the Gaia archive (columns and units).
//! - TRILEGAL: header line of the tables of the web form, versions 1.5 and 1.6 (Girardi et al. 2005, A&A 436, 895): `logTe` is lg(K),
//!   magnitudes are apparent and have their extinction (`Av`) in them; SDSS ugriz are AB. There are no positions: `catalog.scatter`.
//! - Galaxia: the manual of version 0.8 (Sharma et al. 2011, ApJ 730, 3): `teff` is lg(K), `rad` kpc, magnitudes absolute; the
//!   apparent one is M + 5 lg(100 rad) + 3.793 `exbv_schlegel` in SDSS g (factor of the manual, after Schlegel et al. 1998, table 6).
//!   Its EBF files are read as they are, once `galaxia -r` has put `glon`, `glat` and `exbv_schlegel` into them.
//! - CSST Cycle 9 input: group layout of github.com/DUT-astro/make_c9_star_cat (stars: `teff` lg(K), `z_met` mass fraction) and of the
//!   published schema of the galaxy bundles. Assumed: sizes are half-light radii, `mag_csst_i` stands for SDSS i.
//! - cosmoDC2: schema of the GCR catalogues (github.com/LSSTDESC/gcr-catalogs, `SCHEMA.md`): sizes are half-light radii along the axes,
//!   ellipticities (1 - q) / (1 + q). skyCatalogs have the same names without a magnitude: join one. Assumed: LSST i stands for SDSS i.
//! - Skyloop: `catalog make` ([`crate::examine`]); positions hold at the epoch of the model ([`crate::milky_way::EPOCH_YEAR`]). Spectra of galaxies and unresolved companions do not come back.

use super::ObjectKind;
use super::columns::{ColumnSpec, Columns};
use serde::{Deserialize, Serialize};

/// A ready-made mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// Star table of the official Cycle 9 input as one table: RA, Dec, app_sdss_g, teff (linear), grav, feh, pmra, pmdec, parallax, RV.
    CsstC9Star,
    /// Star bundles of the official Cycle 9 input (HDF5, a group for each cell): teff as lg(K), z_met as a mass fraction.
    CsstC9StarBundle,
    /// Galaxy bundles of the official Cycle 9 input (HDF5, a group for each cell).
    CsstC9Galaxy,
    /// Columns as the Gaia archive writes them (DR3).
    GaiaDr3,
    /// TRILEGAL's table with SDSS magnitudes; positions come from `catalog.scatter`.
    Trilegal,
    /// Galaxia's columns with SDSS magnitudes.
    Galaxia,
    /// Galaxies as in cosmoDC2 and skyCatalogs.
    CosmoDc2,
    /// Stars as `skyloop catalog make` writes them.
    SkyloopStar,
    /// Galaxies as `skyloop catalog make` writes them.
    SkyloopGalaxy,
    /// Nothing ready: `columns` and `band` say all.
    #[default]
    Custom,
}

/// All of them but `custom`, with their names in scenarios.
pub const PROFILES: [(&str, Profile); 9] = [
    ("gaia_dr3", Profile::GaiaDr3),
    ("csst_c9_star", Profile::CsstC9Star),
    ("csst_c9_star_bundle", Profile::CsstC9StarBundle),
    ("csst_c9_galaxy", Profile::CsstC9Galaxy),
    ("trilegal", Profile::Trilegal),
    ("galaxia", Profile::Galaxia),
    ("cosmo_dc2", Profile::CosmoDc2),
    ("skyloop_star", Profile::SkyloopStar),
    ("skyloop_galaxy", Profile::SkyloopGalaxy),
];

/// Columns of magnitudes of the tables that `catalog make` writes, and their bands.
pub(crate) const BANDS: [(&str, &str); 8] = [
    ("v", "bessell_v"),
    ("nuv", "galex_nuv"),
    ("u", "sdss_u"),
    ("g", "sdss_g"),
    ("r", "sdss_r"),
    ("i", "sdss_i"),
    ("z", "sdss_z"),
    ("y", "vista_y"),
];
impl Profile {
    /// The profile of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        if name == "custom" {
            return Some(Self::Custom);
        }
        PROFILES.iter().find(|(n, _)| *n == name).map(|(_, p)| *p)
    }
    /// The profile whose columns a file has most of, when it has all that make an object.
    #[must_use]
    pub fn fitting(names: &[&str]) -> Option<(&'static str, Self)> {
        let score = |profile: Self| {
            let columns = profile.columns();
            let there = |c: &Option<ColumnSpec>| c.as_ref().is_none_or(|c| names.contains(&c.name.as_str()));
            let needed = [&columns.ra, &columns.dec, &columns.l, &columns.b, &columns.magnitude, &columns.absolute_magnitude];
            let all = needed.into_iter().all(there);
            let found = columns.entries().iter().filter(|(_, c)| names.contains(&c.name.as_str())).count();
            // One that names a position and a magnitude beside others.
            if all && found >= 4 { found } else { 0 }
        };
        PROFILES.into_iter().map(|(n, p)| (score(p), n, p)).filter(|s| s.0 > 0).max_by_key(|s| s.0).map(|(_, n, p)| (n, p))
    }
    /// Its columns, with magnitudes in a band where the table has those of several.
    #[must_use]
    pub fn columns_in(self, band: Option<&str>) -> Columns {
        let mut columns = self.columns();
        if matches!(self, Self::SkyloopStar | Self::SkyloopGalaxy)
            && let Some((name, _)) = BANDS.iter().find(|(_, of)| Some(*of) == band)
        {
            columns.magnitude = Some(ColumnSpec::new(name, "mag(AB)"));
        }
        columns
    }
    /// Band of its magnitudes.
    #[must_use]
    pub fn band(self) -> Option<&'static str> {
        match self {
            Self::CsstC9Star | Self::CsstC9StarBundle | Self::Trilegal | Self::Galaxia => Some("sdss_g"),
            Self::CsstC9Galaxy | Self::CosmoDc2 | Self::SkyloopGalaxy => Some("sdss_i"),
            Self::SkyloopStar => Some("bessell_v"),
            Self::GaiaDr3 => Some("gaia_g"),
            Self::Custom => None,
        }
    }
    /// Kind of its objects.
    #[must_use]
    pub fn kind(self) -> ObjectKind {
        match self {
            Self::CsstC9Galaxy | Self::CosmoDc2 | Self::SkyloopGalaxy => ObjectKind::Galaxy,
            _ => ObjectKind::Star,
        }
    }
    /// Epoch of its positions \[Julian year\]: our own, and that of Gaia DR3; assumed for the Cycle 9 table, whose bright part is Gaia.
    #[must_use]
    pub fn epoch_year(self) -> f64 {
        if self == Self::SkyloopStar { crate::milky_way::EPOCH_YEAR } else { 2016.0 }
    }
    /// A(band) / E(B-V) that absolute magnitudes lack; 0 where the apparent ones are given.
    #[must_use]
    pub fn extinction_factor(self) -> f64 {
        match self {
            Self::Galaxia => 3.793,
            _ => 0.0,
        }
    }
    /// Its mapping.
    #[must_use]
    pub fn columns(self) -> Columns {
        let column = |name: &str, unit: &str| Some(ColumnSpec::new(name, unit));
        match self {
            Self::CsstC9Star => Columns {
                ra: column("RA", "deg"),
                dec: column("Dec", "deg"),
                magnitude: column("app_sdss_g", "mag(AB)"),
                teff: column("teff", "K"),
                logg: column("grav", "dex"),
                feh: column("feh", "dex"),
                pmra: column("pmra", "mas/yr"),
                pmdec: column("pmdec", "mas/yr"),
                parallax: column("parallax", "mas"),
                radial_velocity: column("RV", "km/s"),
                ..Columns::default()
            },
            Self::CsstC9StarBundle => Columns {
                ra: column("RA", "deg"),
                dec: column("DEC", "deg"),
                magnitude: column("app_sdss_g", "mag(AB)"),
                teff: column("teff", "log10(K)"),
                logg: column("grav", "dex"),
                feh: column("z_met", "Z"),
                pmra: column("pmra", "mas/yr"),
                pmdec: column("pmdec", "mas/yr"),
                parallax: column("parallax", "mas"),
                radial_velocity: column("RV", "km/s"),
                a_v: column("AV", "mag"),
                ..Columns::default()
            },
            Self::CsstC9Galaxy => Columns {
                ra: column("ra", "deg"),
                dec: column("dec", "deg"),
                magnitude: column("mag_csst_i", "mag(AB)"),
                redshift: column("redshift", "1"),
                half_light_radius: column("size", "arcsec"),
                e1: column("ellipticity_true_1", "1"),
                e2: column("ellipticity_true_2", "1"),
                shear1: column("shear_1", "1"),
                shear2: column("shear_2", "1"),
                kappa: column("kappa", "1"),
                bulge_mass: column("bulgemass", "Msun"),
                disk_mass: column("diskmass", "Msun"),
                ..Columns::default()
            },
            Self::GaiaDr3 => Columns {
                id: column("source_id", "1"),
                ra: column("ra", "deg"),
                dec: column("dec", "deg"),
                magnitude: column("phot_g_mean_mag", "mag(Vega)"),
                teff: column("teff_gspphot", "K"),
                logg: column("logg_gspphot", "dex"),
                feh: column("mh_gspphot", "dex"),
                bp_rp: column("bp_rp", "mag"),
                pmra: column("pmra", "mas/yr"),
                pmdec: column("pmdec", "mas/yr"),
                parallax: column("parallax", "mas"),
                radial_velocity: column("radial_velocity", "km/s"),
                epoch: column("ref_epoch", "yr"),
                ..Columns::default()
            },
            Self::Trilegal => Columns {
                magnitude: column("g", "mag(AB)"),
                teff: column("logTe", "log10(K)"),
                logg: column("logg", "dex"),
                feh: column("[M/H]", "dex"),
                distance_modulus: column("m-M0", "mag"),
                a_v: column("Av", "mag"),
                ..Columns::default()
            },
            Self::Galaxia => Columns {
                l: column("glon", "deg"),
                b: column("glat", "deg"),
                absolute_magnitude: column("sdss_g", "mag(AB)"),
                distance: column("rad", "kpc"),
                teff: column("teff", "log10(K)"),
                logg: column("grav", "dex"),
                feh: column("feh", "dex"),
                e_bv: column("exbv_schlegel", "mag"),
                ..Columns::default()
            },
            Self::CosmoDc2 => Columns {
                id: column("galaxy_id", "1"),
                ra: column("ra", "deg"),
                dec: column("dec", "deg"),
                magnitude: column("mag_true_i_lsst", "mag(AB)"),
                redshift: column("redshift", "1"),
                half_light_radius: column("size_disk_true", "arcsec"),
                half_light_radius_minor: column("size_minor_disk_true", "arcsec"),
                bulge_radius: column("size_bulge_true", "arcsec"),
                bulge_radius_minor: column("size_minor_bulge_true", "arcsec"),
                bulge_fraction: column("bulge_to_total_ratio_i", "1"),
                e1: column("ellipticity_1_disk_true", "1"),
                e2: column("ellipticity_2_disk_true", "1"),
                bulge_e1: column("ellipticity_1_bulge_true", "1"),
                bulge_e2: column("ellipticity_2_bulge_true", "1"),
                shear1: column("shear_1", "1"),
                shear2: column("shear_2", "1"),
                kappa: column("convergence", "1"),
                a_v: column("MW_av", "mag"),
                ..Columns::default()
            },
            Self::SkyloopStar => Columns {
                id: column("id", "1"),
                ra: column("ra", "deg"),
                dec: column("dec", "deg"),
                magnitude: column("v", "mag(AB)"),
                teff: column("teff", "K"),
                logg: column("log_g", "dex"),
                feh: column("feh", "dex"),
                e_bv: column("e_bv", "mag"),
                pmra: column("pmra", "mas/yr"),
                pmdec: column("pmdec", "mas/yr"),
                parallax: column("parallax", "mas"),
                radial_velocity: column("radial_velocity", "km/s"),
                ..Columns::default()
            },
            Self::SkyloopGalaxy => Columns {
                id: column("id", "1"),
                ra: column("ra", "deg"),
                dec: column("dec", "deg"),
                magnitude: column("i", "mag(AB)"),
                redshift: column("redshift", "1"),
                half_light_radius: column("half_light_radius", "arcsec"),
                e1: column("e1", "1"),
                e2: column("e2", "1"),
                bulge_radius: column("bulge_radius", "arcsec"),
                bulge_e1: column("bulge_e1", "1"),
                bulge_e2: column("bulge_e2", "1"),
                bulge_fraction: column("bulge_fraction", "1"),
                shear1: column("shear_1", "1"),
                shear2: column("shear_2", "1"),
                kappa: column("kappa", "1"),
                ..Columns::default()
            },
            Self::Custom => Columns::default(),
        }
    }
}
