//! A catalogue of one's own, as a file and as a partition.

use super::{path, skyloop, text};
use sim_core::fits::{self, Data};
use std::fmt::Write;
use std::path::Path;

/// Stars about the pointing of the scenario `smoke`, a bad one among them, and many elsewhere.
fn stars(file: &Path) {
    let mut rows = String::from("source_id,ra,dec,phot_g_mean_mag,bp_rp\n");
    for k in 0..2000_u32 {
        let (i, j) = (f64::from(k % 40) / 40.0 - 0.5, f64::from(k / 40 % 50) / 50.0 - 0.5);
        let (ra, dec) = if k % 2 == 0 { (150.1 + 0.02 * i, 2.2 + 0.02 * j) } else { (360.0 * (i + 0.5), 170.0 * j) };
        writeln!(rows, "{},{ra},{dec},{},0.8", k + 1, 18.0 + f64::from(k % 7) * 0.3).unwrap();
    }
    rows.push_str("5001,150.1,2.2,99,0.8\n5002,150.1,95,18,0.8\n");
    std::fs::write(file, rows).unwrap();
}

fn scenario(folder: &Path, name: &str, catalogue: &Path) -> std::path::PathBuf {
    let smoke = include_str!("../../data/smoke.toml");
    let (head, rest) = smoke.split_once("[catalog]").unwrap();
    let calibration = rest.find("[calibration]").unwrap();
    assert!(calibration > 0);
    let own = format!(
        "{head}[catalog]\nkind = \"file\"\n[catalog.file]\npath = \"{}\"\nprofile = \"gaia_dr3\"\non_bad_row = \"skip\"\n",
        catalogue.display()
    );
    let file = folder.join(name);
    std::fs::write(&file, own).unwrap();
    file
}

/// Ids of the truth table, and the rows skipped according to the manifest.
fn simulated(scenario: &Path, out: &Path) -> (Vec<i64>, u64) {
    let done = skyloop(&["simulate", path(scenario), "--out", path(out), "--quiet"]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    let contents = super::contents(out);
    let truth = contents.keys().find(|n| n.starts_with("truth/") && n.ends_with(".fits")).unwrap();
    let mut ids = Vec::new();
    for hdu in fits::read(&out.join(truth)).unwrap() {
        if let Data::Table(table) = hdu.data
            && let Some(column) = table.columns.iter().find(|c| c.name == "OBJ_ID")
            && let sim_core::table::ColumnData::I64(found) = &column.data
        {
            ids.extend(found);
        }
    }
    ids.sort_unstable();
    let manifest = contents.iter().find(|(n, _)| n.starts_with("L0") && n.ends_with(".manifest.json")).unwrap().1;
    let manifest: serde_json::Value = serde_json::from_slice(manifest).unwrap();
    let skipped = manifest["skipped"].as_object().map_or(0, |m| m.values().filter_map(serde_json::Value::as_u64).sum());
    (ids, skipped)
}

#[test]
fn a_file_and_the_partition_made_of_it_put_the_same_stars_on_the_detector() {
    let folder = tempfile::tempdir().unwrap();
    let (file, partition) = (folder.path().join("stars.csv"), folder.path().join("stars"));
    stars(&file);
    let stopped = skyloop(&["catalog", "convert", path(&file), "--out", path(&partition)]);
    assert!(stopped.status.code() == Some(2) && !partition.exists());
    let said = text(&stopped.stderr);
    assert!(said.contains("stars.csv") && said.contains("row 2002") && said.contains("`dec`"), "{said}");
    let done = skyloop(&["catalog", "convert", path(&file), "--out", path(&partition), "--on-error", "skip", "--cell-rows", "300"]);
    assert!(done.status.success() && text(&done.stdout).contains("2001 written"), "{}{}", text(&done.stdout), text(&done.stderr));
    let (ids, skipped) = simulated(&scenario(folder.path(), "file.toml", &file), &folder.path().join("a"));
    assert!(ids.len() > 20, "{}", ids.len());
    // Of the file the star of magnitude 99 and the declination of 95 deg; of the partition the first, which has a place.
    assert_eq!(skipped, 2);
    assert_eq!(simulated(&scenario(folder.path(), "partition.toml", &partition), &folder.path().join("b")), (ids, 1));
    // A cell that is listed and has no file stops a check, or is counted.
    let lost = super::contents(&partition).into_keys().find(|n| n.contains("Npix=")).unwrap();
    std::fs::remove_file(partition.join(&lost)).unwrap();
    let stopped = skyloop(&["catalog", "check", path(&partition)]);
    assert!(stopped.status.code() == Some(2) && text(&stopped.stderr).contains(&lost), "{}", text(&stopped.stderr));
    let counted = skyloop(&["catalog", "check", path(&partition), "--on-error", "skip"]);
    assert!(counted.status.code() == Some(1) && text(&counted.stdout).contains("1 cells of the partition have no file"));
}

#[test]
fn a_catalogue_is_looked_into_checked_and_plotted() {
    let folder = tempfile::tempdir().unwrap();
    let (file, svg) = (folder.path().join("stars.csv"), folder.path().join("stars.svg"));
    stars(&file);
    let found = skyloop(&["catalog", "inspect", path(&file), "--json"]);
    let found: serde_json::Value = serde_json::from_slice(&found.stdout).unwrap();
    assert_eq!((found["rows"].as_u64(), found["profile"].as_str()), (Some(2002), Some("gaia_dr3")));
    let checked = skyloop(&["catalog", "check", path(&file), "--on-error", "skip"]);
    assert!(checked.status.code() == Some(1) && text(&checked.stdout).contains("2 skipped"), "{}", text(&checked.stdout));
    let stopped = skyloop(&["catalog", "check", path(&file)]);
    assert!(stopped.status.code() == Some(2) && text(&stopped.stderr).contains("row 2001"), "{}", text(&stopped.stderr));
    let drawn = skyloop(&["catalog", "plot", path(&file), "--out", path(&svg), "--cone", "150.1,2.2,0.05"]);
    assert!(drawn.status.success() && std::fs::read_to_string(&svg).unwrap().starts_with("<svg"), "{}", text(&drawn.stderr));
    for (arguments, word) in [
        (vec!["catalog", "plot", path(&file), "--out", path(&svg), "--cone", "1,2"], "three numbers"),
        (vec!["catalog", "plot", path(&file), "--out", "stars.png"], "ends with .svg"),
        (vec!["catalog", "check", path(&file), "--profile", "gaia_dr9"], "gaia_dr3"),
        (vec!["catalog", "check", path(&file), "--column", "ra"], "QUANTITY=NAME:UNIT"),
        (vec!["catalog", "check", path(&file), "--column", "pmra=bp_rp:furlong"], "mas/yr"),
    ] {
        let refused = skyloop(&arguments);
        assert!(refused.status.code() == Some(2) && text(&refused.stderr).contains(word), "{arguments:?}: {}", text(&refused.stderr));
    }
}
