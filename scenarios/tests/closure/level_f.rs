//! L-f: references that are wrong by a few per cent are noticed, those that are right are not suspected.

use crate::{reduced, scenario};
use scenarios::folder::Folder;
use scenarios::references;
use sim_core::fits::{self, Data, Hdu};
use sim_core::table::ColumnData;
use std::path::Path;
use validate::Outcome;

/// Copies the references of a folder and lets one be changed.
fn wrong(masters: &Path, out: &Path, code: &str, change: &dyn Fn(&mut Hdu)) {
    std::fs::create_dir_all(out).unwrap();
    let mut changed = 0;
    for entry in std::fs::read_dir(masters).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.ends_with(".fits") && name.contains(code) {
            let mut units = fits::read(&path).unwrap();
            units.iter_mut().for_each(change);
            fits::write(&out.join(&name), &units).unwrap();
            changed += 1;
        } else if path.is_file() {
            std::fs::copy(&path, out.join(&name)).unwrap();
        }
    }
    assert_eq!(changed, 1, "{code}");
}

/// Figures of references that do not hold.
fn suspects(folder: &Path, masters: Option<&Path>) -> Vec<String> {
    let (_, verdict) = references::judge(folder, masters).unwrap();
    assert!(verdict.passed + verdict.failed >= 12, "{}", references::text(&verdict));
    let failed = verdict.lines.iter().filter(|l| l.outcome == Outcome::Fail);
    failed.map(|l| l.criterion.figure.clone().unwrap()).collect()
}

fn scale_column(unit: &mut Hdu, column: &str, factor: f64, only: Option<usize>) {
    if let Data::Table(table) = &mut unit.data
        && let Some(ColumnData::F64(values)) = table.columns.iter_mut().find(|c| c.name == column).map(|c| &mut c.data)
    {
        values.iter_mut().enumerate().filter(|(i, _)| only.is_none_or(|o| o == *i)).for_each(|(_, v)| *v *= factor);
    }
}

fn change_image(unit: &mut Hdu, change: &dyn Fn(f32) -> f32) {
    if let (Data::F32(image), "IMAGE") = (&mut unit.data, unit.name.as_str()) {
        image.mapv_inplace(change);
    }
}

#[test]
fn references_that_are_wrong_by_a_per_cent_are_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let calibration = r#"
[catalog]
kind = "none"

[calibration]
bias = 8
dark = 6
dark_time_s = 900.0
flat = 9
flat_time_s = 20.0
short_flat = 6
short_flat_time_s = 4.0
lamp_electron_s = 1500.0
"#;
    let out = folder.path().join("out");
    reduced(&format!("{}{calibration}", scenario("level_f", 20_261_122, "2030-06-26T20:35:58", (1536, 640), "with = [\"cti\"]")), &out);
    assert_eq!(suspects(&out, None), Vec::<String>::new(), "right references are not suspected");

    let masters = Folder::at(&out).masters();
    let pattern = |factor: f32| move |u: &mut Hdu| change_image(u, &|f| 1.0 + factor * (f - 1.0));
    let image = |factor: f32| move |u: &mut Hdu| change_image(u, &|f| factor * f);
    let gain = |factor: f64, only| move |u: &mut Hdu| scale_column(u, "GAIN", factor, only);
    let traps = |factor: f64| move |u: &mut Hdu| scale_column(u, "DENSITY", factor, None);
    // Several at once, each with the figure that must tell: reducing the exposures is what costs.
    type Wrong<'a> = (&'a str, &'a str, Box<dyn Fn(&mut Hdu)>);
    let cases: [Vec<Wrong<'_>>; 4] = [
        vec![
            ("MBIAS", "amplifier_level", Box::new(gain(1.01, Some(4)))),
            ("MFLAT", "flat_pattern", Box::new(pattern(1.01))),
            ("MDARK", "dark_pattern", Box::new(image(1.03))),
            ("MTRAP", "trails_columns", Box::new(traps(1.01))),
        ],
        vec![
            ("MBIAS", "gain_all", Box::new(gain(1.01, None))),
            ("MFLAT", "flat_level", Box::new(image(1.01))),
            ("MTRAP", "trails_columns", Box::new(traps(0.99))),
        ],
        vec![
            ("MBIAS", "gain_all", Box::new(gain(0.99, None))),
            ("MFLAT", "flat_pattern", Box::new(pattern(0.97))),
            ("MDARK", "dark_pattern", Box::new(image(0.97))),
            ("MTRAP", "trails_columns", Box::new(traps(1.03))),
        ],
        vec![
            ("MBIAS", "amplifier_level", Box::new(gain(0.97, Some(3)))),
            ("MFLAT", "flat_level", Box::new(image(0.97))),
            ("MTRAP", "trails_columns", Box::new(traps(0.97))),
        ],
    ];
    for (number, changes) in cases.iter().enumerate() {
        let mut from = masters.clone();
        for (code, _, change) in changes {
            let to = folder.path().join(format!("wrong_{number}_{code}"));
            wrong(&from, &to, code, change);
            from = to;
        }
        let found = suspects(&out, Some(&from));
        for (code, figure, _) in changes {
            assert!(found.iter().any(|f| f == figure), "case {number}, {code}: {figure} is not among the suspects {found:?}");
        }
    }
}
