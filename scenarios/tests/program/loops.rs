//! The loop and its commands.

use super::{contents, path, skyloop, text};
use std::path::Path;

#[test]
fn the_smoke_scenario_goes_round_the_loop_and_passes() {
    let folder = tempfile::tempdir().unwrap();
    let out = skyloop(&["demo", "--scenario", "smoke", "--out", path(folder.path())]);
    assert!(out.status.success(), "{}\n{}", text(&out.stdout), text(&out.stderr));
    let last = text(&out.stdout).lines().last().unwrap().to_string();
    let report = last.strip_prefix("report: ").unwrap();
    let html = std::fs::read_to_string(report).unwrap();
    assert!(html.contains("<svg") || html.contains("data:image/png"), "the report has pictures");
    assert!(!html.contains("src=\"http") && !html.contains("href=\"http"), "the report is self-contained");
}

#[test]
fn one_and_two_threads_write_the_same_bytes() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    assert!(skyloop(&["-j", "1", "simulate", "smoke", "--out", path(one.path())]).status.success());
    assert!(skyloop(&["-j", "2", "simulate", "smoke", "--out", path(two.path())]).status.success());
    assert_eq!(contents(one.path()), contents(two.path()));
}

#[test]
fn a_second_run_keeps_finished_units_and_remakes_a_damaged_one() {
    let folder = tempfile::tempdir().unwrap();
    let first = skyloop(&["simulate", "smoke", "--out", path(folder.path())]);
    assert!(first.status.success(), "{}", text(&first.stderr));
    let made = contents(folder.path());
    let again = text(&skyloop(&["simulate", "smoke", "--out", path(folder.path())]).stdout);
    assert!(again.starts_with("0 units made"), "{again}");
    let (name, _) = made.iter().find(|(n, _)| n.starts_with("L0/") && n.ends_with(".fits")).unwrap();
    std::fs::write(folder.path().join(name), b"damaged").unwrap();
    let third = text(&skyloop(&["simulate", "smoke", "--out", path(folder.path())]).stdout);
    assert!(third.starts_with("1 units made"), "{third}");
    assert_eq!(contents(folder.path()), made);
}

#[test]
fn a_product_is_made_again_from_its_manifest_bit_for_bit() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    assert!(skyloop(&["simulate", "smoke", "--out", path(first.path())]).status.success());
    let manifest = contents(first.path()).into_keys().find(|n| n.starts_with("L0/") && n.ends_with(".manifest.json")).unwrap();
    let out = skyloop(&["remake", path(&first.path().join(manifest)), "--out", path(second.path())]);
    assert!(out.status.success(), "{}{}", text(&out.stdout), text(&out.stderr));
    assert!(text(&out.stdout).contains("identical") && !text(&out.stdout).contains("DIFFERENT"));
}

#[test]
fn masters_and_level_1_are_made_again_from_their_manifests_bit_for_bit() {
    let first = tempfile::tempdir().unwrap();
    assert!(skyloop(&["simulate", "smoke", "--out", path(first.path())]).status.success());
    assert!(skyloop(&["reduce", path(first.path())]).status.success());
    let made = contents(first.path());
    let manifest = |word: &str| made.keys().find(|n| n.contains(word) && n.ends_with(".manifest.json")).unwrap();
    for product in made.keys().filter(|n| n.starts_with("calibration/masters/") && n.ends_with(".fits")) {
        assert!(made.contains_key(&format!("{product}.manifest.json")), "{product} has a manifest");
    }
    for (word, products) in [("_MBIAS_", 1), ("_MSHUT_", 1), ("L1/CSST_TESTBENCH_MS_SCIE", 3), ("calibration/L1/CSST_TESTBENCH_MS_DARK", 3)]
    {
        let second = tempfile::tempdir().unwrap();
        let out = skyloop(&["remake", path(&first.path().join(manifest(word))), "--out", path(second.path())]);
        assert!(out.status.success(), "{word}: {}{}", text(&out.stdout), text(&out.stderr));
        let said = text(&out.stdout);
        assert_eq!((said.matches("identical").count(), said.matches("DIFFERENT").count()), (products, 0), "{said}");
    }
    // The inputs are the raw frames and masters as they are.
    let level1: serde_json::Value = serde_json::from_slice(&made[manifest("L1/CSST_TESTBENCH_MS_SCIE")]).unwrap();
    let inputs = level1["inputs"].as_object().unwrap();
    assert_eq!(inputs.len(), 7, "one raw frame, four masters, the mask of defects, how to read the overscan");
    for (name, hash) in inputs {
        assert_eq!(hash.as_str().unwrap(), sim_core::manifest::sha256(&made[name]), "{name}");
    }
    let master: serde_json::Value = serde_json::from_slice(&made[manifest("_MFLAT_")]).unwrap();
    assert_eq!(master["inputs"].as_object().unwrap().len(), 16, "20 calibration frames but the four held out");
}

#[test]
fn what_cannot_be_made_again_says_why() {
    let (own, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for folder in [&own, &other] {
        assert!(skyloop(&["simulate", "smoke", "--out", path(folder.path())]).status.success());
    }
    assert!(skyloop(&["reduce", path(other.path())]).status.success());
    assert!(skyloop(&["reduce", path(own.path()), "--masters", path(other.path())]).status.success());
    let find = |folder: &Path, word: &str| {
        folder.join(contents(folder).into_keys().find(|n| n.contains(word) && n.ends_with(".manifest.json")).unwrap())
    };
    let again = own.path().join("again");
    let foreign = skyloop(&["remake", path(&find(own.path(), "L1/")), "--out", path(&again)]);
    assert_eq!(foreign.status.code(), Some(2));
    assert!(text(&foreign.stderr).contains("masters of another run"), "{}", text(&foreign.stderr));
    // Frames that came without a scenario.
    std::fs::remove_file(other.path().join("scenario.toml")).unwrap();
    assert!(skyloop(&["reduce", path(other.path())]).status.success());
    let bare = skyloop(&["remake", path(&find(other.path(), "_MBIAS_")), "--out", path(&again)]);
    assert_eq!(bare.status.code(), Some(2));
    assert!(text(&bare.stderr).contains("holds no scenario"), "{}", text(&bare.stderr));
    assert!(!again.exists());
}

/// A scenario text with one replacement, run; returns exit code and message.
fn refused(from: &str, to: &str) -> (i32, String) {
    let folder = tempfile::tempdir().unwrap();
    let base = scenarios::scenario::built_in("smoke").unwrap();
    assert!(base.contains(from), "the scenario has no {from}");
    let scenario = folder.path().join("broken.toml");
    std::fs::write(&scenario, base.replace(from, to)).unwrap();
    let target = folder.path().join("out");
    let out = skyloop(&["simulate", path(&scenario), "--out", path(&target)]);
    let left: Vec<String> = if target.exists() { contents(&target).into_keys().filter(|n| n.ends_with(".fits")).collect() } else { vec![] };
    assert!(left.is_empty(), "half-written products: {left:?}");
    (out.status.code().unwrap(), text(&out.stderr))
}

#[test]
fn bad_scenarios_are_refused_with_key_value_and_range() {
    let cases: &[(&str, &str, &[&str])] = &[
        ("time_s = 150.0", "tine_s = 150.0", &["broken.toml", "tine_s", "did you mean `time_s`"]),
        ("time_s = 150.0", "time_s = -1.0", &["exposure[0].time_s", "-1", "above 0"]),
        ("ra_deg = 150.1", "ra_deg = 400.0", &["pointing.ra_deg", "400", "0..360"]),
        ("number = 1", "number = 77", &["detector.number", "77"]),
        ("instrument = \"testbench\"", "instrument = \"no_such.toml\"", &["no_such.toml"]),
        ("bias = 5", "bias = 1", &["calibration.bias", "1", "3..200"]),
        ("faint = 22.0", "faint = 99.0", &["catalog.bright", "-2..35"]),
        ("start = \"2027-06-26T20:35:58\"", "start = \"yesterday\"", &["exposure[0].start", "yesterday"]),
        ("seed = 7", "", &["seed"]),
        ("seed = 7", "seed = 7\nwith = [\"cosmic_ray\"]", &["with", "cosmic_ray", "off are: trails, ghosts"]),
        ("[pointing]", "[effects.read_noise]\nsigma = -1.0\n\n[pointing]", &["scenario smoke", "read_noise", "sigma", "-1"]),
        ("[pointing]", "[effects.read_noise]\nsigmas = 1.0\n\n[pointing]", &["scenario smoke", "[effects.read_noise]", "sigmas"]),
        ("[pointing]", "[effects.read_noises]\nsigma = 1.0\n\n[pointing]", &["scenario smoke", "read_noises", "did you mean"]),
    ];
    for (from, to, words) in cases {
        let (code, message) = refused(from, to);
        assert_eq!(code, 2, "{to}: {message}");
        for word in *words {
            assert!(message.contains(word), "{to}: no {word:?} in: {message}");
        }
    }
}

#[test]
fn an_unwritable_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, b"").unwrap();
    let out = skyloop(&["simulate", "smoke", "--out", path(&file.join("below"))]);
    assert_eq!(out.status.code(), Some(2));
    assert!(text(&out.stderr).contains("below"), "{}", text(&out.stderr));
}

#[test]
fn a_folder_with_frames_of_another_scenario_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    assert!(skyloop(&["simulate", "smoke", "--out", path(folder.path())]).status.success());
    let before = contents(folder.path());
    let scenario = folder.path().join("other.toml");
    let base = scenarios::scenario::built_in("smoke").unwrap();
    std::fs::write(&scenario, base.replace("bias = 5", "bias = 4")).unwrap();
    let out = skyloop(&["simulate", path(&scenario), "--out", path(folder.path())]);
    std::fs::remove_file(&scenario).unwrap();
    let message = text(&out.stderr);
    assert_eq!(out.status.code(), Some(2), "{message}");
    assert!(message.contains("another scenario") && message.contains("_BIAS_"), "{message}");
    assert!(contents(folder.path()) == before, "nothing was written");
}

#[test]
fn cosmic_rays_that_are_switched_on_are_flagged_and_scored() {
    let folder = tempfile::tempdir().unwrap();
    let scenario = folder.path().join("hits.toml");
    let base = scenarios::scenario::built_in("smoke").unwrap();
    std::fs::write(&scenario, base.replace("seed = 7", "seed = 7\nwith = [\"cosmic_rays\"]")).unwrap();
    let (on, off) = (folder.path().join("on"), folder.path().join("off"));
    assert!(skyloop(&["simulate", path(&scenario), "--out", path(&on)]).status.success());
    assert!(skyloop(&["simulate", "smoke", "--out", path(&off)]).status.success());
    let flagged = |out: &Path| {
        assert!(skyloop(&["reduce", path(out)]).status.success());
        let files = scenarios::folder::Folder::fits_files(&out.join("L1"));
        let image = files.iter().find(|f| f.to_string_lossy().contains("_img")).unwrap();
        let header = &sim_core::fits::read(image).unwrap()[1].header;
        (header.i64("STA_CRS").unwrap(), header.i64("CRCOUNT").unwrap())
    };
    let (state, count) = flagged(&on);
    assert!(state == 0 && count > 10, "done, {count} pixels");
    assert_eq!(flagged(&off), (1, -9999), "not asked for: not done, fill value");
    // The other finder, also where the scenario has none; the header says which, and the manifest, for `remake`.
    for (folder, finder, hash) in [(&on, "classical", false), (&off, "network", true)] {
        assert!(skyloop(&["reduce", path(folder), "--cosmic-rays", finder]).status.success());
        let files = scenarios::folder::Folder::fits_files(&folder.join("L1"));
        let image = files.iter().find(|f| f.to_string_lossy().contains("_img")).unwrap();
        let header = &sim_core::fits::read(image).unwrap()[1].header;
        assert_eq!(header.text("CR_MOD"), Some(format!("skyloop-{finder}").as_str()));
        assert!(header.f64("CR_THR").is_some() && header.get("CR_HASH").is_some() == hash);
        let manifest = std::fs::read_to_string(scenarios::folder::Folder::manifest_of(image)).unwrap();
        assert!(manifest.contains(&format!("\"--cosmic-rays\": \"{finder}\"")), "{manifest}");
    }
    let refused = skyloop(&["reduce", path(&on), "--cosmic-rays", "neural"]);
    assert!(!refused.status.success() && text(&refused.stderr).contains("`network` and `classical`"), "{}", text(&refused.stderr));
    // Judged below is what the scenario asks for.
    assert!(flagged(&on).1 > 10);
    // Filled on request: the same flags, other values and a weight where only a cosmic ray is flagged, and nowhere else.
    let product = |part: &str| {
        let files = scenarios::folder::Folder::fits_files(&on.join("L1"));
        let file = files.iter().find(|f| f.to_string_lossy().contains(part)).unwrap();
        match sim_core::fits::read(file).unwrap().swap_remove(1).data {
            sim_core::fits::Data::F32(pixels) => pixels,
            sim_core::fits::Data::U16(pixels) => pixels.mapv(f32::from),
            _ => panic!("{part} is no image"),
        }
    };
    let before = ["_img", "_wht", "_flg"].map(product);
    assert!(skyloop(&["reduce", path(&on), "--fill-cosmic-rays"]).status.success());
    let after = ["_img", "_wht", "_flg"].map(product);
    assert_eq!(before[2], after[2], "flags stay");
    let hit = f32::from(sim_core::flags::official(sim_core::flags::COSMIC_RAY));
    let mut filled = 0;
    for (at, flag) in after[2].indexed_iter() {
        let same = before[0][at].to_bits() == after[0][at].to_bits();
        if *flag == hit {
            assert!(before[1][at] == 0.0 && after[1][at] > 0.0 && after[0][at].is_finite());
            filled += usize::from(!same);
        } else {
            assert!(same && before[1][at] == after[1][at], "{at:?}");
        }
    }
    assert!(filled > 10, "{filled} pixels");
    assert!(flagged(&on).1 > 10);
    let _ = skyloop(&["validate", path(&on)]);
    let report = std::fs::read_to_string(on.join("report/report.json")).unwrap();
    assert!(report.contains("cosmic_ray_recall\"") && report.contains("cosmic_ray_recall_ceiling"));
    let page = std::fs::read_to_string(on.join("report/report.html")).unwrap();
    assert!(
        page.contains("charge &gt; 10 sigma of the local noise") && page.contains("hits of 2 to 4"),
        "the table with its truths and classes"
    );
}

#[test]
fn a_pair_differs_in_its_effect_alone() {
    let folder = tempfile::tempdir().unwrap();
    let out = skyloop(&["simulate", "smoke", "--out", path(folder.path()), "--pair", "dark", "--pair", "noise"]);
    assert!(out.status.success(), "{}", text(&out.stderr));
    let frame = |of: &str| {
        let level0 = folder.path().join(of).join("L0");
        let files = scenarios::folder::Folder::fits_files(&level0);
        assert_eq!(files.len(), 1, "one science exposure, and no calibration beside it");
        instruments::product::level0::read_level0(&files[0]).unwrap().pixels.mapv(f64::from)
    };
    let (with, light, quiet) = (frame(""), frame("without_dark"), frame("without_noise"));
    assert!(!folder.path().join("without_noise/calibration/L0").read_dir().is_ok_and(|mut d| d.next().is_some()));
    // Draws are quantiles of the same numbers: dark current adds electrons to some pixels and takes none from any.
    let added: Vec<f64> = with.iter().zip(&light).map(|(a, b)| a - b).filter(|d| *d != 0.0).collect();
    assert!(!added.is_empty() && added.iter().all(|d| *d > 0.0), "{} pixels", added.len());
    // Noise: in all pixels, with the mean of the frame unchanged.
    let difference = &with - &quiet;
    let (mean, scatter) = (difference.mean().unwrap(), difference.std(0.0));
    assert!(scatter > 2.0 && mean.abs() < 4.0 * scatter / (difference.len() as f64).sqrt() + 0.05, "{mean} {scatter}");
    let wrong = skyloop(&["simulate", "smoke", "--out", path(&folder.path().join("new")), "--pair", "full_wall"]);
    let message = text(&wrong.stderr);
    assert!(wrong.status.code() == Some(2) && message.contains("--pair full_wall") && message.contains("full_well"), "{message}");
    assert!(!folder.path().join("new").exists(), "nothing was written");
}

#[test]
fn a_truncated_frame_stops_the_reduction_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    assert!(skyloop(&["simulate", "smoke", "--out", path(folder.path())]).status.success());
    let name = contents(folder.path()).into_keys().find(|n| n.starts_with("L0/") && n.ends_with(".fits")).unwrap();
    let file = folder.path().join(&name);
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    let out = skyloop(&["reduce", path(folder.path())]);
    assert_eq!(out.status.code(), Some(2));
    assert!(text(&out.stderr).contains(file.file_name().unwrap().to_str().unwrap()), "{}", text(&out.stderr));
}

#[test]
fn help_schema_completions_and_manual_are_there() {
    for args in [&["--help"][..], &["schema"], &["completions", "bash"], &["man"], &["stamp", "--example"], &["explain", "demo"]] {
        let out = skyloop(args);
        assert!(out.status.success() && out.stdout.len() > 200, "{args:?}: {}", text(&out.stderr));
    }
    let schema: serde_json::Value = serde_json::from_slice(&skyloop(&["schema"]).stdout).unwrap();
    assert!(schema["properties"]["seed"].is_object());
}
