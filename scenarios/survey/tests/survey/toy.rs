//! A maker of small files, and the process that runs it.

use sim_core::files::write_atomically;
use sim_core::manifest::sha256;
use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;
use survey::executor::{Made, Options, Summary, UnitMaker, run};
use survey::failure::{ErrorClass, UnitError};
use survey::folder::Run;
use survey::manifest::{self, UnitRow};
use survey::record;
use survey::signals::{self, Stop};

/// What is done before a unit is made.
pub type Before<'a> = Box<dyn Fn(&UnitRow) -> Result<(), UnitError> + Sync + 'a>;

/// Makes two files and a record of each unit; the bytes follow from the key alone.
#[derive(Default)]
pub struct Toy<'a> {
    pub folder: Option<&'a Path>,
    /// Time each unit takes beside its writing.
    pub pause: Duration,
    /// Called before anything is written.
    pub before: Option<Before<'a>>,
}

pub fn bytes_of(key: &str, count: usize) -> Vec<u8> {
    (0..count.div_ceil(64)).flat_map(|k| sha256(format!("{key} {k}").as_bytes()).into_bytes()).take(count).collect()
}

impl UnitMaker for Toy<'_> {
    fn make(&self, unit: &UnitRow, stop: &Stop) -> Result<Made, UnitError> {
        if let Some(before) = &self.before {
            before(unit)?;
        }
        std::thread::sleep(self.pause);
        let folder = self.folder.unwrap();
        let mut products = BTreeMap::new();
        for (name, size) in [(unit.path.clone(), 3000 + 500 * (unit.index as usize % 7)), (unit.path.replace("L0/", "truth/"), 900)] {
            if stop.is_asked() {
                return Err(UnitError::interrupted());
            }
            let bytes = bytes_of(&unit.key, size);
            write_atomically(&folder.join(&name), &bytes).map_err(|e| UnitError::new(ErrorClass::of(&e), format!("{name}: {e}")))?;
            products.insert(name, sha256(&bytes));
        }
        let text = serde_json::to_vec(&serde_json::json!({"key": unit.key, "products": products, "maker": "toy"})).unwrap();
        let name = record::path_of(&folder.join(&unit.path));
        write_atomically(&name, &text).map_err(|e| UnitError::new(ErrorClass::of(&e), e.to_string()))?;
        Ok(Made { objects: u64::from(unit.index) })
    }
}

/// Units of exposures of six detectors, an exposure a chunk, planned in a folder.
pub fn plan(folder: &Path, units: u32) -> (Run, Vec<UnitRow>) {
    let rows: Vec<UnitRow> = (0..units)
        .map(|index| UnitRow {
            index,
            chunk: index / 6,
            name: format!("{}/{:02}", 1000 + index / 6, index % 6),
            obs_id: u64::from(1000 + index / 6),
            detector: (index % 6) as u16,
            cost_s: 1.0,
            memory_mb: 100.0,
            band: "g".into(),
            path: format!("L0/{index:05}.dat"),
            key: sha256(&index.to_le_bytes()),
            ..UnitRow::default()
        })
        .collect();
    for sub in ["L0", "truth"] {
        std::fs::create_dir_all(folder.join(sub)).unwrap();
    }
    let run = Run::at(folder);
    manifest::write(&run.units(), &rows).unwrap();
    (run, rows)
}

pub fn options() -> Options {
    Options { memory_mb: 1000.0, threads: 2, rerun_stale: false, max_failures: None }
}

/// Runs all units in this process.
pub fn make_all(run_at: &Run, rows: &[UnitRow], toy: &Toy<'_>, options: &Options) -> Summary {
    run(run_at, &rows.iter().collect::<Vec<_>>(), toy, options, &Stop::new(), &|_| ()).unwrap()
}

/// Products and records with their bytes, by name: what has a name of its own, but not journals.
pub fn whole_files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for sub in ["L0", "truth"] {
        for entry in std::fs::read_dir(folder.join(sub)).unwrap().flatten() {
            let name = entry.file_name().into_string().unwrap();
            if !name.ends_with(".part") {
                files.insert(format!("{sub}/{name}"), std::fs::read(entry.path()).unwrap());
            }
        }
    }
    files
}

/// Environment of a process that runs the toy.
const FOLDER: &str = "SURVEY_TOY_FOLDER";
const PAUSE_MS: &str = "SURVEY_TOY_PAUSE_MS";

/// The process: does nothing unless a test started it.
#[test]
#[ignore = "started by other tests in a process of its own"]
fn toy_process() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let pause = Duration::from_millis(std::env::var(PAUSE_MS).unwrap().parse().unwrap());
    let stop = Stop::new();
    signals::listen(&stop, Duration::from_secs(20)).unwrap();
    let run_at = Run::at(Path::new(&folder));
    let rows = manifest::read(&run_at.units()).unwrap();
    let toy = Toy { folder: Some(run_at.path()), pause, before: None };
    let summary = run(&run_at, &rows.iter().collect::<Vec<_>>(), &toy, &options(), &stop, &|_| ());
    let code = summary.map_or_else(|e| e.exit(), |s| s.exit()).code();
    std::process::exit(i32::from(code));
}

/// Starts a process that makes all units of a folder; `limit` is the largest size of a file \[512 byte\].
pub fn start(folder: &Path, pause_ms: u64, limit: Option<u32>) -> Child {
    let program = std::env::current_exe().unwrap();
    let mut command = match limit {
        None => Command::new(program),
        Some(blocks) => {
            // The signal that the system sends by default is ignored, so that writing fails as on a full disk.
            let mut shell = Command::new("sh");
            shell.args(["-c", &format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"")]).arg(program);
            shell
        }
    };
    command.args(["--exact", "toy::toy_process", "--ignored", "--nocapture", "--test-threads=1"]);
    command.env(FOLDER, folder).env(PAUSE_MS, pause_ms.to_string()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

pub fn send(child: &Child, signal: i32) {
    let _ = Command::new("kill").args([format!("-{signal}"), child.id().to_string()]).stderr(Stdio::null()).status().unwrap();
}

/// Exit code and signal.
pub fn ended(status: ExitStatus) -> (Option<i32>, Option<i32>) {
    (status.code(), status.signal())
}
