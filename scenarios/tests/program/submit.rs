//! Handing runs to batch systems that are fakes: what they are called with, and what scripts do.

use super::survey::{code, ends, testbench};
use super::{path, skyloop, text};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Programs that write down what they were called with, each argument in brackets.
struct Cluster {
    folder: tempfile::TempDir,
}

impl Cluster {
    fn new(programs: &[(&str, &str)]) -> Self {
        let cluster = Self { folder: tempfile::tempdir().unwrap() };
        for (name, does) in programs {
            let file = cluster.folder.path().join(name);
            let log = cluster.folder.path().join("calls");
            let record = format!("{{ printf {name}; printf ' [%s]' \"$@\"; echo; }} >> '{}'", log.display());
            fs::write(&file, format!("#!/bin/sh\n{record}\n{does}\n")).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        }
        cluster
    }
    fn slurm(config: &str) -> Self {
        let scontrol = format!("printf '{config}'");
        Self::new(&[
            ("sbatch", "echo remark; echo 41"),
            ("scontrol", &scontrol),
            ("squeue", "printf 'PENDING\\nRUNNING\\nRUNNING\\n'"),
            ("scancel", ""),
        ])
    }
    fn skyloop(&self, args: &[&str]) -> Output {
        let inherited = std::env::var("PATH").unwrap();
        let all = format!("{}:{inherited}", self.folder.path().display());
        Command::new(env!("CARGO_BIN_EXE_skyloop")).args(args).env("PATH", all).output().unwrap()
    }
    /// What the program says, which has to end as expected.
    fn ends(&self, args: &[&str], expected: i32) -> String {
        let out = self.skyloop(args);
        assert_eq!(code(&out), expected, "{args:?}: {}{}", text(&out.stdout), text(&out.stderr));
        text(&out.stdout) + &text(&out.stderr)
    }
    /// Calls since the last time.
    fn calls(&self) -> Vec<String> {
        let log = self.folder.path().join("calls");
        let calls = fs::read_to_string(&log).unwrap_or_default();
        let _ = fs::remove_file(log);
        calls.lines().map(String::from).collect()
    }
}

/// A planned run of twelve units in six chunks, in a folder that shells and batch systems would read otherwise than it is.
fn planned(folder: &Path) -> PathBuf {
    let run = folder.join("it's 10%a run");
    ends(&["plan", &testbench(folder, 7), "--out", path(&run), "--chunks", "6"], 0);
    run
}

#[test]
fn slurm_gets_an_array_that_fits_the_site() {
    let files = tempfile::tempdir().unwrap();
    let run = planned(files.path());
    let cluster = Cluster::slurm("MaxArraySize = 4\\nRequeueExit = (null)\\n");
    let submit = ["submit", path(&run), "--engine", "slurm", "--cpus", "2"];
    // Nothing is touched.
    let dry = cluster.ends(&[&submit[..], &["--dry-run"]].concat(), 0);
    assert!(dry.contains("#SBATCH --array=0-3\n") && dry.contains("4 elements, up to 2 chunks each"), "{dry}");
    assert!(dry.contains("arrays here have at most 4 elements, for 6 chunks"), "{dry}");
    assert_eq!(cluster.calls(), ["scontrol [show] [config]"]);
    assert!(!run.join("submit").exists() && !run.join("log").exists());
    let options = ["--partition", "low", "--account", "sky", "--sbatch=--comment=two words", "--at-once", "3", "--then", "collect"];
    let said = cluster.ends(&[&submit[..], &options].concat(), 0);
    assert!(said.contains("slurm job 41, after it job 41"), "{said}");
    let (script, after) = (run.join("submit/001.slurm.sh"), run.join("submit/001.slurm.after.sh"));
    let (array, collect) = (fs::read_to_string(&script).unwrap(), fs::read_to_string(&after).unwrap());
    let sbatch = format!("sbatch [--parsable] [{}]", path(&script));
    let dependent = format!("sbatch [--parsable] [--dependency=afterany:41] [{}]", path(&after));
    assert_eq!(cluster.calls(), ["scontrol [show] [config]".to_string(), sbatch, dependent]);
    for line in [
        "--array=0-3%3",
        "--open-mode=append",
        "--requeue",
        "--cpus-per-task=2",
        "--time=0:10:00",
        "--signal=B:USR1@120",
        "--partition=low",
        "--account=sky",
        "\"--comment=two words\"",
    ] {
        assert!(array.lines().any(|l| l == format!("#SBATCH {line}")), "{line} in {array}");
    }
    assert!(
        array.contains("10%%a run/log/%5a.log\"\n") && array.contains("scontrol requeue \"${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID\"")
    );
    assert!(array.contains("it'\\''s 10%a run' --chunk \"$SLURM_ARRAY_TASK_ID\" --stride 4 --memory"), "{array}");
    assert!(collect.contains("#SBATCH --partition=low\n") && collect.contains(" collect '"));
    for script in [&script, &after] {
        assert!(Command::new("bash").arg("-n").arg(script).status().unwrap().success());
    }
    // How it stands, and its end: what comes after is cancelled first.
    let status: serde_json::Value = serde_json::from_str(&cluster.ends(&["status", path(&run), "--json", "--queue"], 4)).unwrap();
    assert_eq!((&status["queue"]["queued"], &status["queue"]["running"]), (&1.into(), &2.into()));
    assert!(cluster.ends(&["cancel", path(&run)], 0).contains("1 submissions cancelled"));
    assert_eq!(cluster.calls().iter().filter(|call| *call == "scancel [41]").count(), 2);
}

#[test]
fn the_script_of_slurm_passes_signals_on_and_begins_again_at_most_so_often() {
    let files = tempfile::tempdir().unwrap();
    let run = planned(files.path());
    let cluster = Cluster::slurm("MaxArraySize = 1001\\n");
    cluster.ends(&["submit", path(&run), "--engine", "slurm", "--restarts", "2"], 0);
    // A program that needs a moment to come to its end.
    let program = "#!/bin/bash\ntrap 'sleep 0.2; exit 75' USR1\necho \"$@\" >> \"$0.args\"\ntouch \"$0.up\"\nfor i in {1..200}; do sleep 0.05; done\n";
    let fake = files.path().join("program");
    fs::write(&fake, program).unwrap();
    fs::set_permissions(&fake, fs::Permissions::from_mode(0o755)).unwrap();
    let script = fs::read_to_string(run.join("submit/001.slurm.sh")).unwrap();
    let script = script.replace(env!("CARGO_BIN_EXE_skyloop"), path(&fake)).replace("sleep 60", "true");
    let element = |restarts: &str, signals: &[&str]| {
        let (up, _) = (files.path().join("program.up"), cluster.calls());
        let _ = fs::remove_file(&up);
        let inherited = std::env::var("PATH").unwrap();
        let mut child = Command::new("bash")
            .args(["-c", &script])
            .env("PATH", format!("{}:{inherited}", cluster.folder.path().display()))
            .envs([("SLURM_ARRAY_JOB_ID", "41"), ("SLURM_ARRAY_TASK_ID", "5"), ("SLURM_RESTART_COUNT", restarts)])
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        while !up.exists() {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        for signal in signals {
            Command::new("kill").args([format!("-{signal}"), child.id().to_string()]).status().unwrap();
        }
        (child.wait().unwrap().code(), cluster.calls())
    };
    let requeued = vec!["scontrol [requeue] [41_5]".to_string()];
    assert_eq!(element("0", &["USR1"]), (Some(75), requeued.clone()));
    // Twice at nearly the same moment: the status is still the program's.
    assert_eq!(element("1", &["USR1", "USR1"]), (Some(75), requeued));
    assert_eq!(element("2", &["USR1"]), (Some(1), vec![]), "begun again often enough");
    assert_eq!(element("0", &["TERM"]), (Some(143), vec![]), "who cancels wants an end");
    let words = fs::read_to_string(files.path().join("program.args")).unwrap();
    assert!(words.lines().count() == 4 && words.lines().all(|line| line.contains("10%a run --chunk 5 --memory ")), "{words}");
    // A site that requeues by itself.
    let cluster = Cluster::slurm("MaxArraySize = 1001\\nRequeueExit = 75\\n");
    assert!(!cluster.ends(&["submit", path(&run), "--engine", "slurm", "--dry-run"], 0).contains("scontrol requeue"));
}

#[test]
fn what_is_submitted_again_is_the_list_as_it_was() {
    let files = tempfile::tempdir().unwrap();
    let run = planned(files.path());
    ends(&["run", path(&run), "--chunk", "1", "--stride", "4"], 0);
    let status: serde_json::Value = serde_json::from_str(&ends(&["status", path(&run), "--json"], 4)).unwrap();
    assert_eq!((&status["chunks_done"], &status["done"]), (&2.into(), &4.into()), "chunks 1 and 5");
    assert!(ends(&["run", path(&run), "--chunk", "4", "--stride", "4"], 2).contains("0..3"));
    let cluster = Cluster::slurm("MaxArraySize = 1001\\n");
    cluster.ends(&["submit", path(&run), "--engine", "slurm", "--retry"], 3);
    ends(&["retry", path(&run), "--chunks", "2"], 0);
    cluster.ends(&["submit", path(&run), "--engine", "slurm", "--retry"], 0);
    // Another list does not change what was submitted.
    ends(&["run", path(&run), "--retry", "--chunk", "0"], 0);
    ends(&["retry", path(&run), "--chunks", "1"], 0);
    let list = run.join("submit/001.units.parquet");
    assert!(fs::read_to_string(run.join("submit/001.slurm.sh")).unwrap().contains("/submit/001.units.parquet' --chunk"));
    ends(&["run", path(&run), &format!("--retry={}", path(&list)), "--chunk", "1"], 0);
    assert!(ends(&["status", path(&run)], 0).contains("complete"));
}

#[test]
fn hyperqueue_gets_the_program_without_a_shell_between() {
    let files = tempfile::tempdir().unwrap();
    let run = planned(files.path());
    let info = r#"echo '[{"info": {"task_stats": {"waiting": 3, "running": 2, "finished": 1}}}]'"#;
    let cluster = Cluster::new(&[("hq", &format!("case \"$*\" in *info*) {info};; *submit*) echo 7;; esac"))]);
    let said = cluster.ends(&["submit", path(&run), "--engine", "hq", "--elements", "3", "--hq=--max-fails=9"], 0);
    assert!(said.contains("hq job 7"), "{said}");
    let calls = cluster.calls();
    let (words, log) = (calls[1].clone(), format!("[--stdout={}/log/%{{TASK_ID}}.%{{INSTANCE_ID}}.log]", path(&run)));
    assert!(
        words.starts_with("hq [--output-mode=quiet] [submit] [--name=skyloop-it-s-10-a-run] [--array=0-2] [--cpus=4] [--resource=mem=")
    );
    assert!(words.contains(&log) && words.contains("[--max-fails=9] [--] ["), "{words}");
    assert!(words.contains(&format!("[run] [{}] [--chunk] [env] [--stride] [3]", path(&run))), "{words}");
    let status: serde_json::Value = serde_json::from_str(&cluster.ends(&["status", path(&run), "--json", "--queue"], 4)).unwrap();
    assert_eq!((&status["queue"]["queued"], &status["queue"]["running"]), (&3.into(), &2.into()));
    cluster.ends(&["cancel", path(&run)], 0);
    assert_eq!(cluster.calls().last().unwrap(), "hq [job] [cancel] [7]");
}

#[test]
fn kubernetes_gets_an_indexed_job() {
    let files = tempfile::tempdir().unwrap();
    let run = planned(files.path());
    let claim = ["--image", "registry.example/skyloop:0.1", "--volume-claim", "sky/runs/a"];
    let out = skyloop(&[&["submit", path(&run), "--engine", "k8s", "--at-once", "2", "--memory", "2.456"], &claim[..]].concat());
    assert_eq!(code(&out), 0, "{}", text(&out.stderr));
    assert_eq!(text(&out.stdout), include_str!("job.yaml"));
    assert!(!run.join("submit").exists());
    // The keys of a store come from a secret.
    ends(&["plan", &testbench(files.path(), 7), "--out", path(&run), "--chunks", "6", "--store", "s3://skyloop/wide"], 0);
    let asked = [&["submit", path(&run), "--engine", "k8s", "--at-once", "2", "--memory", "2.456"], &claim[..]].concat();
    assert!(text(&skyloop(&asked).stderr).contains("--secret"));
    let out = skyloop(&[&asked[..], &["--secret", "store-keys"]].concat());
    assert!(!text(&out.stderr).contains("--secret"));
    let with_keys = include_str!("job.yaml").replace(
        "          image: \"registry",
        "          envFrom:\n            - secretRef:\n                name: store-keys\n          image: \"registry",
    );
    assert_eq!(text(&out.stdout), with_keys);
}

#[test]
fn what_cannot_be_submitted_is_said() {
    let files = tempfile::tempdir().unwrap();
    let run = planned(files.path());
    fn with<'a>(run: &'a Path, more: &[&'a str]) -> Vec<&'a str> {
        [&["submit", path(run)], more].concat()
    }
    let without = |args: &[&str]| {
        let out = Command::new(env!("CARGO_BIN_EXE_skyloop")).args(args).env("PATH", files.path()).output().unwrap();
        (code(&out), text(&out.stderr))
    };
    let (exit, said) = without(&with(&run, &["--engine", "slurm"]));
    assert!(exit == 1 && said.contains("scontrol: not found on PATH"), "{said}");
    assert!(without(&with(&run, &["--engine", "hq"])).1.contains("hq: not found on PATH"));
    // A script can be looked at anywhere.
    let (exit, said) = without(&with(&run, &["--engine", "slurm", "--dry-run"]));
    assert!(exit == 0 && said.contains("Slurm's defaults"), "{said}");
    let cluster = Cluster::slurm("MaxArraySize = 1001\\n");
    assert!(cluster.ends(&with(&run, &["--engine", "hq", "--partition", "a"]), 2).contains("--partition is not for --engine hq"));
    assert!(cluster.ends(&with(&run, &["--engine", "slurm", "--memory", "0.2"]), 2).contains("MB and more: a unit is expected to need"));
    cluster.ends(&with(&run, &["--engine", "slurm", "--elements", "0"]), 2);
    cluster.ends(&with(&run, &["--engine", "k8s"]), 2);
    assert!(cluster.ends(&["cancel", path(&run)], 3).contains("nothing was submitted from here"));
    cluster.ends(&["submit", path(files.path()), "--engine", "slurm"], 3);
    // The site refuses: the record of a job that is none is not written.
    let refusing = Cluster::new(&[("scontrol", ""), ("sbatch", "echo invalid partition >&2; exit 1")]);
    assert!(refusing.ends(&with(&run, &["--engine", "slurm"]), 1).contains("sbatch: invalid partition"));
    assert!(!run.join("submit/001.json").exists());
}

/// Calls of the program in a text, each with the words after it.
fn calls_in(text: &str) -> Vec<Vec<String>> {
    let mut calls = Vec::new();
    for line in text.replace("arguments ", "skyloop ").lines() {
        let plain: String = line.chars().filter(|c| !"[]{}\",'`;()|".contains(*c)).collect();
        let mut words = plain.split_whitespace().peekable();
        while let Some(word) = words.next() {
            if word.eq_ignore_ascii_case("skyloop") {
                let mut call = Vec::new();
                while let Some(word) = words.next_if(|w| !w.eq_ignore_ascii_case("skyloop") && *w != "&&" && *w != ">>") {
                    call.push(word.to_string());
                }
                calls.push(call);
            }
        }
    }
    calls
}

#[test]
fn examples_for_other_engines_name_commands_and_flags_that_exist() {
    let help = text(&skyloop(&["--help"]).stdout);
    let list = help.split("Commands:").nth(1).unwrap().split("Options:").next().unwrap();
    // Names stand two places from the margin, what they do further in.
    let names = list.lines().filter(|l| l.starts_with("  ") && !l.starts_with("   "));
    let commands: Vec<&str> = names.filter_map(|l| l.split_whitespace().next()).collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    for (file, runs) in [("README.md", 1), ("Snakefile", 1), ("main.nf", 1), ("skyloop.pbs", 1), ("skyloop.sub", 1)] {
        let mut found = 0;
        for call in calls_in(&fs::read_to_string(folder.join(file)).unwrap()) {
            let Some(command) = call.iter().take(4).find(|word| commands.contains(&word.as_str())) else { continue };
            let help = text(&skyloop(&[command, "--help"]).stdout);
            for flag in call.iter().filter(|word| word.starts_with("--")).map(|word| word.trim_end_matches('.')) {
                assert!(help.split_whitespace().any(|w| w == flag), "{file}: {command} has no {flag}");
            }
            found += usize::from(command == "run" && call.iter().any(|word| word == "--chunk"));
        }
        assert!(found >= runs, "{file} runs no chunk");
    }
    let bash = Command::new("bash").arg("-n").arg(folder.join("skyloop.pbs")).status().unwrap();
    assert!(bash.success());
}
