//! Calling the programs of batch systems, and quoting for shells.

use crate::failure::SurveyError;
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::process::{Command, Stdio};

/// What a program says; an error has its words.
pub(super) fn say<S: AsRef<OsStr>>(program: &str, arguments: &[S]) -> Result<String, SurveyError> {
    let failed = |reason: String| SurveyError::Engine { program: program.into(), reason };
    let out = Command::new(program).args(arguments).stdin(Stdio::null()).output().map_err(|e| match e.kind() {
        ErrorKind::NotFound => failed("not found on PATH; this command belongs on a machine of the cluster".into()),
        _ => failed(e.to_string()),
    })?;
    if out.status.success() {
        return Ok(String::from_utf8_lossy(&out.stdout).into_owned());
    }
    let words = String::from_utf8_lossy(&out.stderr).trim().replace('\n', "; ");
    Err(failed(if words.is_empty() { out.status.to_string() } else { words }))
}

/// A word as a shell reads it: plain ones as they are, others in single quotes.
pub(super) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.into() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

/// A command as a shell reads it.
pub(super) fn command(words: &[String]) -> String {
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// Refuses what no line of a script can hold.
pub(super) fn one_line(key: &'static str, value: &str) -> Result<(), SurveyError> {
    match value.chars().any(char::is_control) {
        true => Err(SurveyError::Range { key, value: format!("{value:?}"), range: "a text without line breaks".into() }),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_back_what_was_quoted() {
        let words = ["printf", "%s|", "plain/path", "two words", "it's", "$HOME `x` \"y\" \\", ""].map(String::from);
        assert_eq!(say("sh", &["-c".to_string(), command(&words)]).unwrap(), "plain/path|two words|it's|$HOME `x` \"y\" \\||");
    }

    #[test]
    fn a_missing_program_and_a_refusal_are_told_apart() {
        let missing = say::<&str>("no-such-program-of-a-batch-system", &[]).unwrap_err().to_string();
        assert!(missing.contains("no-such-program-of-a-batch-system: not found on PATH"), "{missing}");
        let refused = say("sh", &["-c", "echo no such partition >&2; exit 1"]).unwrap_err().to_string();
        assert_eq!(refused, "sh: no such partition");
    }
}
