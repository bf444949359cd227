//! `apply` and `correct` on images, for every effect there is.

use super::{contents, path, skyloop, text};
use instruments::effects::registry;
use ndarray::Array2;
use sim_core::fits::{self, Data, Hdu, Header};
use sim_core::table::{Column, ColumnData, Table};
use std::path::{Path, PathBuf};

/// Shape of the test instrument's detectors, and of its raw frames with scans.
const SHAPE: (usize, usize) = (128, 192);
const RAW_SHAPE: (usize, usize) = (140, 216);

/// A folder for images.
struct Bench(tempfile::TempDir);

impl Bench {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
    fn image(&self, name: &str, pixel: impl Fn(usize, usize) -> f32) -> PathBuf {
        self.write(name, Data::F32(Array2::from_shape_fn(SHAPE, |(y, x)| pixel(x, y))))
    }
    fn write(&self, name: &str, data: Data) -> PathBuf {
        fits::write(&self.file(name), &[Hdu::new("", Header::default(), data)]).unwrap();
        self.file(name)
    }
    /// Runs `verb effect input --out name` with the test instrument; exit code and messages.
    fn run(&self, verb: &str, effect: &str, input: &Path, name: &str, more: &[&str]) -> (Option<i32>, String) {
        let out = self.file(name);
        let words = [&[verb, effect, path(input), "--out", path(&out), "--instrument", "testbench"], more].concat();
        let run = skyloop(&words);
        assert_eq!(run.status.success(), out.exists(), "{words:?}: a file exactly when it went well\n{}", text(&run.stderr));
        (run.status.code(), text(&run.stderr))
    }
    /// The same, which must go well; the units written.
    fn done(&self, verb: &str, effect: &str, input: &Path, name: &str, more: &[&str]) -> Vec<Hdu> {
        let (code, message) = self.run(verb, effect, input, name, more);
        assert_eq!(code, Some(0), "{verb} {effect}: {message}");
        fits::read(&self.file(name)).unwrap()
    }
    /// The same, which must be refused with these words.
    fn refused(&self, verb: &str, effect: &str, input: &Path, more: &[&str], words: &[&str]) {
        let (code, message) = self.run(verb, effect, input, "refused.fits", more);
        assert_eq!(code, Some(2), "{verb} {effect} {more:?}: {message}");
        for word in words {
            assert!(message.contains(word), "{verb} {effect} {more:?}: no {word:?} in: {message}");
        }
    }
}

fn pixels(units: &[Hdu]) -> Array2<f32> {
    let image = units.iter().find_map(|u| match &u.data {
        Data::F32(p) => Some(p.clone()),
        Data::U16(p) => Some(p.mapv(f32::from)),
        _ => None,
    });
    image.unwrap()
}

fn unit<'a>(units: &'a [Hdu], name: &str) -> &'a Hdu {
    units.iter().find(|u| u.name == name).unwrap_or_else(|| panic!("no unit {name}"))
}

fn variance(units: &[Hdu]) -> Array2<f32> {
    pixels(std::slice::from_ref(unit(units, "VARIANCE")))
}

fn flags(units: &[Hdu]) -> Array2<i32> {
    match &unit(units, "FLAGS").data {
        Data::I32(bits) => bits.clone(),
        other => panic!("{other:?}"),
    }
}

fn scene(x: usize, y: usize) -> f32 {
    100.25 + (x * 7 + y * 13) as f32
}

/// The largest relative difference.
fn apart(a: &Array2<f32>, b: &Array2<f32>) -> f32 {
    assert_eq!(a.dim(), b.dim());
    a.iter().zip(b).map(|(a, b)| (a - b).abs() / b.abs().max(1.0)).fold(0.0, f32::max)
}

/// Options with which every effect can be applied.
fn needs(effect: &str) -> &'static [&'static str] {
    match effect {
        "sky" | "lamp" | "fringing" => &["--rate", "5"],
        "charge_injection" | "trap_pumping" => &["--rate", "500"],
        _ => &[],
    }
}

#[test]
fn every_effect_is_applied_and_asks_for_the_seed_and_the_time_it_uses() {
    let bench = Bench::new();
    let input = bench.image("in.fits", |x, y| scene(x, y) + if (x, y) == (5, 6) { 60_000.0 } else { 0.0 });
    let before = pixels(&fits::read(&input).unwrap());
    for effect in registry::all() {
        let name = effect.name;
        if effect.needs.contains(&registry::Need::History) {
            let (code, message) = bench.run("apply", name, &input, "history.fits", &["--seed", "1", "--time", "10"]);
            assert!(code == Some(2) && message.contains("earlier exposures"), "{name}: {message}");
            continue;
        }
        let with = |out: &str, options: &[&str]| bench.done("apply", name, &input, out, &[needs(name), options].concat());
        let units = with("full.fits", &["--seed", "1", "--time", "10"]);
        assert!(pixels(&units) != before, "{name} does something");
        assert_eq!(units[0].header.text("BUNIT"), Some(if effect.plane == "counts" || name == "digitise" { "adu" } else { "electron" }));
        assert!(units[0].header.history.concat().contains(&format!("apply {name} (testbench detector 1")), "{:?}", units[0].header.history);
        // What can be left out has no influence: else two runs of the same command would not be the same.
        for (option, other, asked) in [("--seed", "2", "--seed"), ("--time", "20", "exposure time")] {
            let rest: &[&str] = if option == "--seed" { &["--time", "10"] } else { &["--seed", "1"] };
            let (code, message) = bench.run("apply", name, &input, &format!("{name}{option}.fits"), &[needs(name), rest].concat());
            if code == Some(0) {
                assert_eq!(pixels(&with("other.fits", &[rest, &[option, other]].concat())), pixels(&units), "{name} without {option}");
            } else {
                assert!(message.contains(asked), "{name}: {message}");
            }
        }
    }
}

#[test]
fn flat_and_shutter_are_undone_by_what_they_do_to_even_light() {
    let bench = Bench::new();
    let (ones, input) = (bench.image("ones.fits", |_, _| 1.0), bench.image("in.fits", scene));
    let before = pixels(&fits::read(&input).unwrap());
    let master = bench.file("master.fits");
    bench.done("apply", "flat", &ones, "master.fits", &[]);
    bench.done("apply", "flat", &input, "flat.fits", &[]);
    let back = bench.done("correct", "flat", &bench.file("flat.fits"), "flat_back.fits", &["--reference", path(&master)]);
    // Three roundings to 24 bits.
    assert!(apart(&pixels(&back), &before) < 3.0 * f32::EPSILON);
    // Excess time of the shutter: (open - 1) t. The master of an exposure of 100 s corrects one of 10 s.
    let open = pixels(&bench.done("apply", "shutter", &ones, "open.fits", &["--time", "100"]));
    bench.write("excess.fits", Data::F32(open.mapv(|v| (v - 1.0) * 100.0)));
    bench.done("apply", "shutter", &input, "shut.fits", &["--time", "10"]);
    let options = ["--time", "10", "--reference", path(&bench.file("excess.fits"))].map(str::to_string);
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let back = bench.done("correct", "shutter", &bench.file("shut.fits"), "shut_back.fits", &options);
    // The master is rounded at 1: eps / 2, times 100 s / 10 s.
    assert!(apart(&pixels(&back), &before) < 10.0 * f32::EPSILON);
}

#[test]
fn dark_and_bias_are_undone_by_what_they_do_to_nothing() {
    let bench = Bench::new();
    let (zeros, input) = (bench.image("zeros.fits", |_, _| 0.0), bench.image("in.fits", scene));
    let before = pixels(&fits::read(&input).unwrap());
    let dark = ["--set", "readout_time=0"];
    let rate = pixels(&bench.done("apply", "dark", &zeros, "d.fits", &[&dark[..], &["--time", "1"]].concat()));
    bench.write("rate.fits", Data::F32(rate.clone()));
    bench.done("apply", "dark", &input, "dark.fits", &[&dark[..], &["--time", "300"]].concat());
    let reference = bench.file("rate.fits");
    let back =
        bench.done("correct", "dark", &bench.file("dark.fits"), "dark_back.fits", &["--time", "300", "--reference", path(&reference)]);
    // Rounded at scene + 300 s of dark: the hottest pixel has the largest step.
    let hottest = rate.iter().fold(0.0_f32, |a, b| a.max(*b)) * 300.0 + 5000.0;
    assert!(apart(&pixels(&back), &before) < 2.0 * f32::EPSILON * hottest / 100.0);
    let bias = ["--seed", "3", "--set", "row_structure_rms=0"];
    bench.done("apply", "bias", &zeros, "b.fits", &bias);
    bench.done("apply", "bias", &input, "bias.fits", &bias);
    let back = bench.done("correct", "bias", &bench.file("bias.fits"), "bias_back.fits", &["--reference", path(&bench.file("b.fits"))]);
    assert!(apart(&pixels(&back), &before) < 4.0 * f32::EPSILON * 5000.0 / 100.0);
}

#[test]
fn digitise_is_undone_by_the_gain_with_scans_and_without() {
    let bench = Bench::new();
    let input = bench.image("in.fits", scene);
    let before = pixels(&fits::read(&input).unwrap());
    for (scans, shape) in [(&[][..], SHAPE), (&["--scans"][..], RAW_SHAPE)] {
        let options = [scans, &["--set", "gain_scatter=0"]].concat();
        let counts = bench.done("apply", "digitise", &input, "counts.fits", &options);
        assert_eq!(pixels(&counts).dim(), shape);
        assert_eq!((counts[0].header.text("BUNIT"), counts[0].header.text("SCANS")), (Some("adu"), (shape == RAW_SHAPE).then_some("full")));
        // 1.5 electron/adu is the nominal gain of the instrument; the scans are known from the header.
        let back = bench.done("correct", "digitise", &bench.file("counts.fits"), "back.fits", &[]);
        assert!(apart(&pixels(&back), &before) <= f32::EPSILON);
        assert!(back[0].header.text("SCANS") != Some("full"));
        let doubled = bench.done("correct", "digitise", &bench.file("counts.fits"), "doubled.fits", &["--set", "gain=3"]);
        assert!(apart(&pixels(&doubled), &before.mapv(|v| 2.0 * v)) <= f32::EPSILON);
    }
}

#[test]
fn what_cannot_be_undone_is_flagged_or_goes_into_the_variance() {
    let bench = Bench::new();
    let bright = bench.image("bright.fits", |x, _| if x == 3 { 70_000.5 } else { 500.5 });
    bench.done("apply", "full_well", &bright, "clipped.fits", &[]);
    let flagged = bench.done("correct", "full_well", &bench.file("clipped.fits"), "flagged.fits", &[]);
    assert_eq!(flags(&flagged).iter().filter(|b| **b != 0).count(), SHAPE.0);
    assert_eq!(pixels(&flagged)[(0, 3)], 50_000.0);
    let whole = bench.done("apply", "adc", &bright, "whole.fits", &[]);
    assert!(matches!(&whole[0].data, Data::U16(p) if p[(0, 3)] == 65_535 && p[(0, 4)] == 500), "halves to even, as 16-bit words");
    let flagged = bench.done("correct", "adc", &bench.file("whole.fits"), "ceiling.fits", &[]);
    assert_eq!(flags(&flagged).iter().filter(|b| **b != 0).count(), SHAPE.0);
    let shot = bench.done("correct", "detect", &bright, "shot.fits", &[]);
    assert_eq!(variance(&shot)[(0, 0)], 500.5);
    // (4 electron / 1.5 electron/adu)^2; a second correction adds to the variance that the first one left.
    let read = bench.done("correct", "read_noise", &bright, "read.fits", &[]);
    assert!((variance(&read)[(7, 7)] - 64.0 / 9.0).abs() < 1e-5);
    let twice = bench.done("correct", "read_noise", &bench.file("read.fits"), "twice.fits", &["--set", "gain=1", "--set", "read_noise=2"]);
    assert!((variance(&twice)[(7, 7)] - 64.0 / 9.0 - 4.0).abs() < 1e-5);
    // Even light is all sky.
    bench.done(
        "apply",
        "sky",
        &bench.image("zeros.fits", |_, _| 0.0),
        "sky.fits",
        &["--rate", "2", "--time", "100", "--set", "gradient=0"],
    );
    let level = bench.done("correct", "sky", &bench.file("sky.fits"), "level.fits", &["--time", "100"]);
    assert!(pixels(&level).iter().all(|v| v.abs() < 0.1));
    bench.refused("correct", "lamp", &bright, &["--time", "1"], &["lamp has no correction", "signal that a flat measures"]);
}

#[test]
fn a_raw_frame_is_reduced_step_by_step_with_the_masters_of_its_run() {
    let bench = Bench::new();
    let run = bench.file("run");
    for verb in [&["simulate", "smoke", "--out"][..], &["reduce"]] {
        let out = skyloop(&[verb, &[path(&run)]].concat());
        assert!(out.status.success(), "{}", text(&out.stderr));
    }
    let names: Vec<String> = contents(&run).into_keys().collect();
    let find = |word: &str| run.join(names.iter().find(|n| n.contains(word) && n.ends_with(".fits")).unwrap());
    let (bias, dark, flat, shutter) = (find("_MBIAS_"), find("_MDARK_"), find("_MFLAT_"), find("_MSHUT_"));
    let overscan = find("_MOSCN_");
    let mut input = find("_SCIE_");
    assert!(path(&input).contains("L0"));
    let steps = [("adc", None), ("bias", Some(&bias)), ("read_noise", Some(&bias)), ("digitise", Some(&bias)), ("full_well", None)];
    let rest = [("detect", None), ("dark", Some(&dark)), ("shutter", Some(&shutter)), ("flat", Some(&flat))];
    for (i, (effect, master)) in steps.into_iter().chain(rest).enumerate() {
        let mut reference: Vec<&str> = master.map(|m| vec!["--reference", path(m)]).unwrap_or_default();
        if effect == "bias" {
            reference.extend(["--overscan", path(&overscan)]);
            bench.refused("correct", "adc", &find("_SCIE_"), &["--overscan", path(&overscan)], &["--overscan", "adc reads no overscan"]);
            bench.refused("correct", "bias", &input, &["--overscan", path(&dark)], &["--overscan", "_MDARK_", "WALK"]);
        }
        bench.done("correct", effect, &input, &format!("{i}.fits"), &reference);
        input = bench.file(&format!("{i}.fits"));
    }
    // Without scans the world coordinates of the window are those of the array.
    let header = fits::read_headers(&input).unwrap().swap_remove(1).1;
    let level1_header = fits::read_headers(&find("_img_L1_")).unwrap().swap_remove(1).1;
    assert_eq!(sim_core::wcs::Wcs::read(&header).unwrap(), sim_core::wcs::Wcs::read(&level1_header).unwrap());
    assert!(header.get("CTYPE1T").is_none() && header.get("WCSNAMET").is_none());
    // The same as the pipeline's level 1: electrons over 150 s, the time of the header.
    let ours = pixels(&fits::read(&input).unwrap()).mapv(|v| v / 150.0);
    let level1 = pixels(&fits::read(&find("_img_L1_")).unwrap());
    assert!(apart(&ours, &level1) < 1e-5, "{}", apart(&ours, &level1));
}

#[test]
fn images_of_any_type_and_extension_give_the_same_answer() {
    let bench = Bench::new();
    let whole = Array2::from_shape_fn(SHAPE, |(y, x)| (200 + x + 3 * y) as u16);
    let expected = pixels(&bench.done("apply", "flat", &bench.write("u16.fits", Data::U16(whole.clone())), "u.fits", &[]));
    let f32s = whole.mapv(f32::from);
    for (name, data) in [
        ("f32.fits", Data::F32(f32s.clone())),
        ("f64.fits", Data::F64(whole.mapv(f64::from))),
        ("i32.fits", Data::I32(whole.mapv(i32::from))),
    ] {
        assert_eq!(pixels(&bench.done("apply", "flat", &bench.write(name, data), &format!("{name}.out.fits"), &[])), expected, "{name}");
    }
    // An extension: its own keywords, those of the primary header, and a word on what is not copied.
    let mut primary = Header::default();
    primary.set("EXPTIME", 77.0, "");
    primary.set("OBJECT", "field", "");
    let mut header = Header::default();
    header.set("BUNIT", "electrons", "");
    let table = Table { name: "NOTES".into(), columns: vec![Column::new("A", "", "", ColumnData::I32(vec![1]))] };
    let units = [
        Hdu::primary(primary),
        Hdu::new("OTHER", Header::default(), Data::F32(Array2::zeros((4, 4)))),
        Hdu::new("SCI", header, Data::F32(f32s)),
        Hdu::new("NOTES", Header::default(), Data::Table(table)),
    ];
    let input = bench.file("multi.fits");
    fits::write(&input, &units).unwrap();
    let (code, message) = bench.run("apply", "flat", &input, "sci.fits", &["--ext", "sci"]);
    assert_eq!(code, Some(0), "{message}");
    assert!(message.contains("not copied to the output: OTHER, NOTES") && message.contains("77 s"), "{message}");
    let out = fits::read(&bench.file("sci.fits")).unwrap();
    assert_eq!(pixels(&out), expected);
    assert_eq!((out[0].header.text("OBJECT"), out[1].name.as_str(), out.len()), (Some("field"), "SCI", 2));
    assert_eq!(bench.run("apply", "flat", &input, "first.fits", &[]).0, Some(0));
    assert_eq!(pixels(&fits::read(&bench.file("first.fits")).unwrap()).dim(), (4, 4));
    bench.refused("apply", "flat", &input, &["--ext", "9"], &["--ext 9", "SCI", "OTHER (image)", "NOTES (table)"]);
    bench.refused("apply", "flat", &input, &["--ext", "NOTES"], &["is a table"]);
    // A cut-out has the pixels of the whole.
    let cut = bench.write("cut.fits", Data::U16(whole.slice(ndarray::s![20..60, 30..100]).to_owned()));
    let part = pixels(&bench.done("apply", "flat", &cut, "part.fits", &["--origin", "30,20"]));
    assert_eq!(part, expected.slice(ndarray::s![20..60, 30..100]));
}

#[test]
fn mistakes_are_refused_with_what_was_meant_and_nothing_is_written() {
    let bench = Bench::new();
    let input = bench.image("in.fits", scene);
    bench.write("big.fits", Data::F32(Array2::zeros((300, 301))));
    bench.write("raw.fits", Data::F32(Array2::zeros(RAW_SHAPE)));
    bench.write("cube.fits", Data::Cube(ndarray::Array3::zeros((2, 8, 8))));
    let bytes = std::fs::read(&input).unwrap();
    std::fs::write(bench.file("short.fits"), &bytes[..30_000]).unwrap();
    std::fs::write(bench.file("text.fits"), b"no FITS").unwrap();
    type Case<'a> = (&'a str, &'a str, &'a str, &'a [&'a str], &'a [&'a str]);
    let cases: &[Case<'_>] = &[
        ("apply", "fat", "in", &[], &["there is no effect `fat`", "did you mean `flat`", "read_noise"]),
        ("apply", "flat", "in", &["--set", "prnu=0.1"], &["effects.flat.prnu", "known: large_scale_amplitude [1], prnu_rms [1]"]),
        ("apply", "flat", "in", &["--set", "prnu_rm=0.1"], &["did you mean `prnu_rms`"]),
        ("apply", "flat", "in", &["--set", "prnu_rms=5"], &["effects.flat.prnu_rms = 5 is outside 0..0.2"]),
        ("apply", "flat", "in", &["--set", "prnu_rms=a"], &["--set prnu_rms=a", "not a number"]),
        ("apply", "flat", "in", &["--set", "prnu_rms"], &["KEY=VALUE"]),
        ("apply", "flat", "in", &["--set", "prnu_rms=0.1", "--set", "prnu_rms=0.2"], &["prnu_rms is given twice"]),
        ("apply", "adc", "in", &["--set", "bits=12.5"], &["bits = 12.5 is outside 1..16"]),
        ("apply", "flat", "big", &[], &["301 x 300", "192 x 128", "--origin"]),
        ("apply", "adc", "raw", &[], &["--scans"]),
        ("apply", "dark", "raw", &["--time", "1"], &["correct digitise"]),
        ("apply", "adc", "in", &["--scans"], &["must be 216 x 140", "192 x 128"]),
        ("apply", "flat", "in", &["--origin", "1"], &["--origin", "X0,Y0"]),
        ("apply", "flat", "in", &["--origin", "18446744073709551615,0"], &["does not lie on"]),
        ("apply", "flat", "in", &["--detector", "9"], &["--detector 9", "1, 2"]),
        ("apply", "flat", "cube", &[], &["cube.fits", "no image of two axes", "0 (cube)"]),
        ("apply", "flat", "short", &[], &["short.fits", "truncated"]),
        ("apply", "flat", "text", &[], &["text.fits", "not a FITS file"]),
        ("apply", "flat", "missing", &[], &["missing.fits", "No such file"]),
        ("apply", "sky", "in", &["--time", "1"], &["sky needs the sky background", "--rate"]),
        ("apply", "sky", "in", &["--time", "1", "--rate", "-3"], &["--rate -3", "0..10000000"]),
        ("apply", "sky", "in", &["--time", "nan", "--rate", "3"], &["--time = NaN", "0..100000"]),
        ("apply", "flat", "in", &["--rate", "3"], &["--rate", "flat has no rate"]),
        ("apply", "flat", "in", &["--reference", "x.fits"], &["--reference is for `correct`"]),
        ("correct", "flat", "in", &[], &["a master flat", "--reference"]),
        ("correct", "flat", "in", &["--set", "gain=1"], &["--set gain", "takes no numbers"]),
        ("correct", "digitise", "in", &["--set", "gain=0"], &["gain = 0 electron/adu", "0.001..1000"]),
        ("correct", "digitise", "in", &["--set", "read_noise=1"], &["the correction of digitise takes gain"]),
        ("correct", "dark", "in", &["--reference", "x.fits"], &["exposure time"]),
        ("correct", "flat", "in", &["--seed", "1"], &["draws nothing"]),
    ];
    for (verb, effect, name, options, words) in cases {
        bench.refused(verb, effect, &bench.file(&format!("{name}.fits")), options, words);
    }
    let small = bench.write("small.fits", Data::F32(Array2::ones((10, 10))));
    bench.refused("correct", "flat", &input, &["--reference", path(&small)], &["(10, 10)", "(128, 192)"]);
    bench.refused("correct", "sky", &input, &["--time", "1", "--reference", path(&small)], &["takes no master"]);
    bench.refused("correct", "digitise", &input, &["--reference", path(&small)], &["AMPLIFIERS"]);
    let once = text(&skyloop(&["apply", "flat", path(&bench.file("missing.fits")), "--out", "x.fits"]).stderr);
    assert_eq!(once.matches("No such file").count(), 1, "a cause is said once: {once}");
}

#[test]
fn another_unit_the_input_itself_and_what_is_no_file_are_refused() {
    let bench = Bench::new();
    let mut header = Header::default();
    header.set("BUNIT", "adu", "");
    let input = bench.file("in.fits");
    fits::write(&input, &[Hdu::new("", header, Data::F32(Array2::zeros(SHAPE)))]).unwrap();
    bench.refused("apply", "flat", &input, &[], &["BUNIT = 'adu'", "flat needs an image in electron"]);
    assert_eq!(bench.run("apply", "adc", &input, "counts.fits", &[]).0, Some(0));
    let before = contents(bench.0.path());
    let itself = skyloop(&["apply", "adc", path(&input), "--out", path(&input), "--instrument", "testbench"]);
    assert!(itself.status.code() == Some(2) && text(&itself.stderr).contains("this is the input"), "{}", text(&itself.stderr));
    let nowhere = skyloop(&["apply", "adc", path(&input), "--out", path(&bench.file("no/out.fits")), "--instrument", "testbench"]);
    assert!(nowhere.status.code() == Some(2) && text(&nowhere.stderr).contains("there is no folder"), "{}", text(&nowhere.stderr));
    let socket = bench.file("socket");
    let _socket = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let special = skyloop(&["apply", "adc", path(&input), "--out", path(&socket), "--instrument", "testbench"]);
    assert!(special.status.code() == Some(2) && text(&special.stderr).contains("not a file"), "{}", text(&special.stderr));
    assert!(!std::fs::metadata(&socket).unwrap().is_file());
    std::fs::remove_file(&socket).unwrap();
    assert!(contents(bench.0.path()) == before);
}
