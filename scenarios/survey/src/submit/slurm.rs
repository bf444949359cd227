//! Slurm: an array of batch jobs.
//!
//! # Signals and codes
//! Slurm warns the script with USR1 before its time is over, and sends TERM when the job is cancelled or preempted. The script forwards both
//! as USR1, which the program takes twice without harm (a TERM reaches it too). The program then ends with 75, and the script has the element
//! begun again: by its own code where the site's `RequeueExit` has 75, by `scontrol requeue` elsewhere; not after TERM, because who
//! cancels wants an end and who preempts requeues. `SLURM_RESTART_COUNT` is a limit. Other codes are the end of the element.
//!
//! # Source
//! The manual pages of sbatch, scontrol and slurm.conf (22.05); behaviour as `peers/survey_slurm.py` sees it.
//!
//! # Limits
//! A process that is killed (code 137) is not requeued: it may need more memory, which `skyloop retry` plans for.

use super::{Engine, Job, Queue, Standing};
use crate::failure::SurveyError;
use crate::program::{command, one_line, say};
use std::fmt::Write as _;
use std::path::Path;

pub(super) const NAME: &str = "slurm";

/// What the command after the elements gets: memory and time are assumed, ten times what 146,000 lines of journals were seen to take.
const AFTER: [&str; 6] = ["--open-mode=append", "--nodes=1", "--ntasks=1", "--cpus-per-task=1", "--mem=2000M", "--time=1:00:00"];

/// What a site's Slurm allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Site {
    /// Elements of an array.
    pub most_elements: u32,
    /// Whether a job that ends with 75 is requeued.
    pub requeues_75: bool,
}

impl Default for Site {
    /// Slurm's own defaults.
    fn default() -> Self {
        Self { most_elements: 1001, requeues_75: false }
    }
}

impl Site {
    /// Asks the site.
    ///
    /// # Errors
    /// When `scontrol` is missing or fails.
    pub fn ask() -> Result<Self, SurveyError> {
        Ok(Self::of(&say("scontrol", &["show", "config"])?))
    }

    /// From the words of `scontrol show config`.
    fn of(config: &str) -> Self {
        let value = |key: &str| {
            let of_line = |line: &str| line.split_once('=').filter(|(k, _)| k.trim() == key).map(|(_, v)| v.trim().to_string());
            config.lines().find_map(of_line)
        };
        let most = value("MaxArraySize").and_then(|v| v.parse().ok()).unwrap_or(Self::default().most_elements);
        // Numbers and ranges of them: 1,74-76.
        let has_75 = |part: &str| match part.split_once('-') {
            Some((a, b)) => matches!((a.parse::<u8>(), b.parse::<u8>()), (Ok(a), Ok(b)) if (a..=b).contains(&75)),
            None => part == "75",
        };
        Self { most_elements: most, requeues_75: value("RequeueExit").is_some_and(|v| v.split(',').any(has_75)) }
    }
}

/// Slurm.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Slurm {
    /// What the site allows.
    pub site: Site,
    /// Partition, account, quality of service and constraint, where given: as options of `sbatch`.
    pub options: Vec<String>,
    /// How often an element may begin again.
    pub restarts: u32,
    /// How long before its end a job is warned \[s\].
    pub warning_s: u32,
}

impl Slurm {
    /// The lines that both kinds of scripts begin with.
    fn head(&self, job: &Job, lines: &[String]) -> Result<String, SurveyError> {
        let mut out = format!("#!/bin/bash\n#SBATCH --job-name={}\n", job.name);
        for line in lines.iter().chain(&self.options) {
            one_line("--sbatch", line)?;
            let _ = writeln!(out, "#SBATCH {}", option(line));
        }
        out.push_str("set -u\n");
        Ok(out)
    }
}

/// An option as sbatch reads it in a script: in double quotes where it has to be.
fn option(option: &str) -> String {
    match option.chars().any(|c| c.is_whitespace() || "\"'\\#".contains(c)) {
        true => format!("\"{}\"", option.replace('\\', "\\\\").replace('"', "\\\"")),
        false => option.into(),
    }
}

/// A path of a log, whose per cent signs are not fields.
fn log(job: &Job, name: &str) -> String {
    let folder = job.run.log().to_string_lossy().replace('%', "%%");
    format!("--output={folder}/{name}")
}

impl Engine for Slurm {
    fn name(&self) -> &'static str {
        NAME
    }
    fn most_elements(&self) -> u32 {
        self.site.most_elements
    }

    fn text(&self, job: &Job) -> Result<String, SurveyError> {
        let at_once = job.at_once.map(|n| format!("%{n}")).unwrap_or_default();
        let (hours, minutes) = (job.time_s / 3600, job.time_s / 60 % 60);
        let name = if job.list.is_some() { "retry.%5a.log" } else { "%5a.log" };
        let mut out = self.head(
            job,
            &[
                format!("--array=0-{}{at_once}", job.elements - 1),
                log(job, name),
                "--open-mode=append".into(),
                "--requeue".into(),
                "--nodes=1".into(),
                "--ntasks=1".into(),
                format!("--cpus-per-task={}", job.cpus),
                format!("--mem={}M", job.memory_mb),
                format!("--time={hours}:{minutes:02}:00"),
                format!("--signal=B:USR1@{}", self.warning_s),
            ],
        )?;
        let words = job.command("INDEX");
        words.iter().try_for_each(|word| one_line("path", word))?;
        let run = command(&words).replace("--chunk INDEX", "--chunk \"$SLURM_ARRAY_TASK_ID\"");
        let again = match self.site.requeues_75 {
            true => "# The site requeues what ends with 75.\n",
            false => "scontrol requeue \"${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID\" && sleep 60\n",
        };
        let restarts = self.restarts;
        let _ = write!(
            out,
            "\
# USR1 comes before the time is over, TERM when the job is cancelled or preempted. The program hears USR1: what is at work
# comes to an end, and so does the program, with 75.
cancelled=no program=
trap 'kill -USR1 \"$program\" 2>/dev/null' USR1
trap 'cancelled=yes; kill -USR1 \"$program\" 2>/dev/null' TERM
{run} &
program=$!
# A signal ends `wait`, the program goes on: its status is that of the last `wait`.
while kill -0 \"$program\" 2>/dev/null; do wait \"$program\"; done
wait \"$program\"
code=$?
[ \"$code\" -eq 75 ] || exit \"$code\"
[ \"$cancelled\" = no ] || exit 143
if [ \"${{SLURM_RESTART_COUNT:-0}}\" -ge {restarts} ]; then
  echo \"begun {restarts} times again and still interrupted: left for skyloop retry\" >&2
  exit 1
fi
{again}exit 75
"
        );
        Ok(out)
    }

    fn text_after(&self, job: &Job, words: &[String]) -> Result<String, SurveyError> {
        words.iter().try_for_each(|word| one_line("path", word))?;
        let mut lines = vec![log(job, "after.log")];
        lines.extend(AFTER.map(String::from));
        let head = self.head(job, &lines)?;
        Ok(format!("{head}exec {}\n", command(words)))
    }
}

impl Queue for Slurm {
    fn submit(&self, script: &Path, after: Option<&str>) -> Result<String, SurveyError> {
        let mut arguments = vec!["--parsable".to_string()];
        arguments.extend(after.map(|job| format!("--dependency=afterany:{job}")));
        arguments.push(script.to_string_lossy().into_owned());
        let said = say("sbatch", &arguments)?;
        // NUMBER, or NUMBER;CLUSTER; there may be remarks before it.
        let number = said.lines().last().and_then(|line| line.split(';').next()).unwrap_or_default().trim();
        if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
            return Err(SurveyError::Program { program: "sbatch".into(), reason: format!("no number of a job in {said:?}") });
        }
        Ok(number.into())
    }

    fn standing(&self, job: &str) -> Result<Standing, SurveyError> {
        let said = match say("squeue", &["--noheader", "--array", "--format=%T", &format!("--jobs={job}")]) {
            // Slurm forgets jobs some minutes after their end.
            Err(SurveyError::Program { reason, .. }) if reason.contains("Invalid job id") => String::new(),
            other => other?,
        };
        let queued = said.lines().filter(|state| matches!(state.trim(), "PENDING" | "REQUEUED" | "REQUEUE_HOLD" | "CONFIGURING")).count();
        Ok(Standing { queued, running: said.lines().filter(|state| !state.trim().is_empty()).count() - queued })
    }

    fn cancel(&self, job: &str) -> Result<(), SurveyError> {
        match say("scancel", &[job]) {
            Err(SurveyError::Program { reason, .. }) if reason.contains("Invalid job id") => Ok(()),
            other => other.map(drop),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_read_from_its_configuration() {
        let config =
            "Configuration data as of now\nMaxArraySize            = 301\nRequeueExit             = 12,70-80\nRequeueExitHold = 75\n";
        assert_eq!(Site::of(config), Site { most_elements: 301, requeues_75: true });
        assert_eq!(Site::of("RequeueExit = (null)\nRequeueExitHold = 75\n"), Site::default());
    }

    #[test]
    fn options_with_spaces_are_quoted() {
        assert_eq!(option("--mem=3M"), "--mem=3M");
        assert_eq!(option(r#"--comment=a "b" #c\"#), r#""--comment=a \"b\" #c\\""#);
    }
}
