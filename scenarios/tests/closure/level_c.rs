//! L-c: one effect with noise, calibrated from exposures with the same effect: pulls of the reduced frame against the truth.

use crate::{reduced, scenario};
use scenarios::judge::judge;
use std::path::Path;

const CRITERIA: &str = r#"
[[criterion]]
measure = "residual_pull_mean"
scope = "frame"
min = -0.02
max = 0.02
allow_sigma = 3.0
required = true
source = "closure level L-c"

[[criterion]]
measure = "residual_pull_std"
scope = "frame"
min = 0.98
max = 1.02
allow_sigma = 3.0
required = true
source = "closure level L-c"

[[criterion]]
measure = "closure_pull_mean"
scope = "calibration"
min = -0.02
max = 0.02
allow_sigma = 3.0
required = true
source = "closure level L-c"

[[criterion]]
measure = "closure_pull_std"
scope = "calibration"
min = 0.98
max = 1.02
allow_sigma = 3.0
required = true
source = "closure level L-c"
"#;

/// Goes round the loop with one effect; what does not hold, as text.
fn failures(effect: &str, folder: &Path) -> String {
    let criteria = folder.join("level_c.toml");
    std::fs::write(&criteria, CRITERIA).unwrap();
    let with = if effect.is_empty() { String::new() } else { format!("with = [\"{effect}\"]") };
    let calibration = r#"
[catalog]
kind = "star_grid"
spacing_pixel = 120.0
bright = 19.0
faint = 25.0

[calibration]
bias = 8
dark = 6
dark_time_s = 600.0
flat = 7
flat_time_s = 20.0
short_flat = 5
short_flat_time_s = 4.0
lamp_electron_s = 1500.0
ramp_times_s = [1.0, 2.0, 8.0, 12.0, 16.0, 26.0, 32.0, 38.0, 44.0]
"#;
    let text = format!("{}{calibration}", scenario("level_c", 20_261_121, "2028-06-26T20:35:58", (512, 512), &with));
    let out = folder.join("out");
    reduced(&text, &out);
    let judged = judge(&out, Some(&criteria), true).unwrap();
    if judged.passed {
        return String::new();
    }
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(out.join("report/report.json")).unwrap()).unwrap();
    let lines = report["verdict"]["lines"].as_array().unwrap();
    let failed = lines.iter().filter(|l| l["outcome"] != "pass");
    failed.map(|l| format!("{effect}: {} of {}: {}\n", l["criterion"]["measure"], l["subject"], l["measure"])).collect()
}

#[test]
fn pulls_are_those_of_noise_with_any_one_effect() {
    let effects = [
        "",
        "cti",
        "brighter_fatter",
        "non_linearity",
        "crosstalk",
        "bias_drift",
        "correlated_noise",
        "defects",
        "bad_columns",
        "bleeding",
        "cosmic_rays",
    ];
    let failed: String = effects
        .iter()
        .map(|effect| {
            let folder = tempfile::tempdir().unwrap();
            failures(effect, folder.path())
        })
        .collect();
    assert!(failed.is_empty(), "{failed}");
}
