use super::*;
use std::fs;

fn plan() -> Vec<Pointing> {
    (0..5)
        .map(|k| Pointing {
            target: Target {
                obs_id: 10_100_000_000 + k,
                ra_deg: 359.999_999_999_9 / (k + 1) as f64,
                dec_deg: -89.123_456_789_012_3 + 30.0 * k as f64,
                position_angle_deg: 66.566_7 + 0.1 * k as f64,
                exposure_s: 150.0,
                programme: "wide".into(),
                visit: 1 + k as u32,
            },
            start_mjd: 61_771.0 + 0.002_546_296_296_3 * k as f64,
        })
        .collect()
}

#[test]
fn a_plan_comes_back_unchanged_from_every_format() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["plan.csv", "plan.fits", "plan.parquet"] {
        let path = folder.path().join(name);
        write(&path, &plan()).unwrap();
        assert_eq!(read(&path).unwrap(), plan(), "{name}");
        let bytes = fs::read(&path).unwrap();
        write(&path, &plan()).unwrap();
        assert!(fs::read(&path).unwrap() == bytes, "{name}: the same plan, the same bytes");
        write(&path, &[]).unwrap();
        assert!(read(&path).unwrap().is_empty(), "{name}: a plan may be empty");
    }
}

#[test]
fn faults_of_a_file_name_row_column_value_and_range() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plan.csv");
    write(&path, &plan()).unwrap();
    let good = fs::read_to_string(&path).unwrap();
    let fault = |from: &str, to: &str| {
        assert!(good.contains(from), "{from} in {good}");
        fs::write(&path, good.replacen(from, to, 1)).unwrap();
        read(&path).unwrap_err().to_string().replace(&format!("{}: ", path.display()), "")
    };
    assert_eq!(fault("10100000001", "10100000000"), "row 2: obs_id = 10100000000 is that of row 1 too: numbers are unique");
    assert_eq!(fault("359.9999999999", "361"), "row 1: ra_deg = 361 is outside 0..360 deg");
    assert_eq!(fault("-89.1234567890123", "NaN"), "row 1: dec_deg = NaN is outside -90..90 deg");
    assert_eq!(fault("61771,150", "61771,0"), "row 1: exposure_s = 0 is outside 0.001..100000 s");
    assert_eq!(fault("61771,", "12,"), "row 1: start_mjd = 12 is outside 36934..122000 (years 1960..2192)");
    assert_eq!(fault("wide,3", "wide,three"), "row 3: visit = `three` is outside whole numbers 1..4294967295");
    assert_eq!(fault("10100000002", "-4"), "row 3: obs_id = `-4` is outside whole numbers 0..9223372036854775807");
    assert!(fault("dec_deg", "dec").starts_with("no column `dec_deg`"));
    assert!(fault(",wide,1", "").contains("fields"), "a short row");
}

#[test]
fn what_may_not_be_read_may_not_be_written() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["plan.csv", "plan.fits", "plan.parquet"] {
        let path = folder.path().join(name);
        let mut broken = plan();
        broken[1].target.ra_deg = f64::NAN;
        assert!(write(&path, &broken).unwrap_err().to_string().contains("row 2: ra_deg = NaN"));
        let mut twice = plan();
        twice[4].target.obs_id = twice[0].target.obs_id;
        assert!(write(&path, &twice).unwrap_err().to_string().contains("row 5"));
        assert!(!path.exists(), "nothing is left behind");
    }
    assert!(write(&folder.path().join("plan.txt"), &plan()).unwrap_err().to_string().contains(".parquet"));
    assert!(read(&folder.path().join("none.parquet")).is_err());
}
