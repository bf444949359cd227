//! The truth of a unit: what the sources gave, written as soon as they are drawn, then what its chain did.

use super::{Lit, Made};
use crate::folder::Folder;
use crate::sky::Skipped;
use crate::unit::{Plan, Unit};
use anyhow::Context as _;
use instruments::effects::trails::trail_table;
use instruments::optics::slitless;
use sim_core::exposure::ExposureKind;
use sim_core::files::write_atomically;
use sim_core::fits::{Data, Hdu, Header, Writer};
use sim_core::hits::{HitPixel, hit_table};
use sim_core::sparse::Sparse;
use sim_core::truth::object_table;
use std::path::PathBuf;

/// A truth file on its way to the disk: it has its name when it is whole, and there is none where nothing is to be kept.
pub struct TruthFile {
    path: PathBuf,
    primary: Hdu,
    /// World coordinates of the window.
    image: Header,
    writer: Option<Writer>,
}

impl TruthFile {
    /// The file of a unit, with nothing in it.
    fn new(plan: &Plan, unit: &Unit, lit: &Lit, folder: &Folder) -> Self {
        let level0 = unit.level0_path(folder, &plan.instrument.name);
        let mut header = Header::default();
        header.set(
            "L0FILE",
            level0.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default(),
            "level-0 file this is the truth of",
        );
        header.set("SKYELEC", lit.exposure.sky_electron_s, "[electron/s/pixel] sky before any response");
        header.set("WINX0", unit.window.x0 as i64, "[pixel] first column of the window, 0-based");
        header.set("WINY0", unit.window.y0 as i64, "[pixel] first row of the window, 0-based");
        let mut image = Header::default();
        lit.wcs.shifted(unit.window.x0 as f64, unit.window.y0 as f64).write(&mut image);
        Self { path: folder.truth_of(&level0), primary: Hdu::primary(header), image, writer: None }
    }

    fn add(&mut self, name: &str, header: Header, data: Data) -> anyhow::Result<Data> {
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => none.insert(Writer::begin(&self.path, &self.primary)?),
        };
        let hdu = Hdu::new(name, header, data);
        writer.add(&hdu)?;
        Ok(hdu.data)
    }

    /// An image of electrons, which comes back.
    fn add_electrons(&mut self, name: &str, data: Data) -> anyhow::Result<Data> {
        let mut header = self.image.clone();
        header.set("BUNIT", "electron", "unit of the pixels");
        self.add(name, header, data)
    }

    /// Begins the truth of a unit whose sources alone were drawn: objects, orders and spectra, and the expected electrons.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn begin(plan: &Plan, unit: &Unit, lit: &mut Lit, folder: &Folder) -> anyhow::Result<Self> {
        let mut file = Self::new(plan, unit, lit, folder);
        let keep = plan.scenario.truth;
        if unit.exposure.kind != ExposureKind::Science {
            return Ok(file);
        }
        let bare = Header::default;
        if keep.objects {
            file.add("OBJECTS", bare(), Data::Table(object_table(&lit.truth)))?;
        }
        if let Some(spectra) = lit.spectra.take() {
            if keep.objects {
                file.add("ORDERS", bare(), Data::Table(slitless::order_table(&spectra.orders)))?;
                file.add("SPECTRA", bare(), Data::Table(slitless::spectrum_table(&spectra.pixels)))?;
            }
            if !spectra.images.is_empty() {
                let (own, others): (Vec<_>, Vec<_>) = spectra.images.into_iter().unzip();
                file.add("ORDER_BOXES", bare(), Data::Table(slitless::cutout_table(&own)))?;
                let mut header = Header::default();
                header.set("BUNIT", "electron", "unit of the pixels");
                file.add("ORDER_OWN", header.clone(), Data::F32(slitless::in_a_row(own.iter().map(|c| &c.own))))?;
                file.add("ORDER_OTHERS", header, Data::F32(slitless::in_a_row(others.iter())))?;
            }
        }
        if keep.noiseless {
            let pixels = std::mem::take(&mut lit.light.pixels);
            if let Data::F32(pixels) = file.add_electrons("NOISELESS", Data::F32(pixels))? {
                lit.light.pixels = pixels;
            }
        }
        Ok(file)
    }
}

/// Writes the rest of a unit's truth; its names, and the rows of the catalogue that cannot be used, by cause.
///
/// # Errors
/// When a file cannot be written.
pub fn finish_truth(
    plan: &Plan,
    unit: &Unit,
    made: Made,
    folder: &Folder,
    observer: &mut dyn FnMut(&str),
) -> anyhow::Result<(Vec<PathBuf>, Skipped)> {
    let Made { truth_file: mut file, saturated, cosmic_rays, trails, ledger, skipped, .. } = made;
    let keep = plan.scenario.truth;
    let mut products = Vec::new();
    if let Some(mask) = saturated {
        file.add("SATURATED", file.image.clone(), Data::Sparse(mask))?;
    }
    if let Some(truth) = cosmic_rays {
        if keep.objects {
            file.add("COSMIC_RAYS", Header::default(), Data::Table(hit_table(truth.rows())))?;
        }
        if let Some(pixels) = truth.pixels() {
            let image = |value: fn(&HitPixel) -> u32| {
                let pixels = pixels.iter().map(|pixel| (pixel.place, value(pixel).cast_signed()));
                Data::Sparse(Sparse::new(unit.window.shape(), pixels.collect()))
            };
            file.add_electrons("CR_ELECTRONS", image(|pixel| pixel.electrons))?;
            file.add("CR_OWNER", file.image.clone(), image(|pixel| pixel.owner))?;
        }
    }
    if let Some(truth) = trails {
        if keep.objects {
            file.add("TRAILS", Header::default(), Data::Table(trail_table(&truth.rows)))?;
        }
        if let Some(electrons) = truth.electrons {
            file.add_electrons("TRAIL_ELECTRONS", Data::F32(electrons))?;
        }
    }
    if let Some(writer) = file.writer {
        writer.finish()?;
        products.push(file.path);
        observer("write truth");
    }
    if keep.ledger && unit.exposure.kind == ExposureKind::Science {
        let path = folder.ledger_of(&unit.level0_path(folder, &plan.instrument.name));
        write_atomically(&path, serde_json::to_string_pretty(&ledger)?.as_bytes()).with_context(|| path.display().to_string())?;
        products.push(path);
    }
    Ok((products, skipped))
}
