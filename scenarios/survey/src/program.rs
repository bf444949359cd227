//! Calling programs of batch systems and databases, and quoting for shells.

use crate::failure::SurveyError;
use std::ffi::OsStr;
use std::io::{ErrorKind, Write};
use std::process::{Command, Stdio};

/// What a program says; an error has its words.
pub(crate) fn say<S: AsRef<OsStr>>(program: &str, arguments: &[S]) -> Result<String, SurveyError> {
    feed(program, arguments, &[])
}

/// What a program says to what it is fed; an error has its words.
pub(crate) fn feed<S: AsRef<OsStr>>(program: &str, arguments: &[S], input: &[u8]) -> Result<String, SurveyError> {
    let failed = |reason: String| SurveyError::Program { program: program.into(), reason };
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|e| match e.kind() {
        ErrorKind::NotFound => failed("not found on PATH".into()),
        _ => failed(e.to_string()),
    })?;
    let stdin = child.stdin.take();
    let out = std::thread::scope(|scope| {
        // A program that stops reading says why in its own words.
        scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(input)));
        child.wait_with_output()
    });
    let out = out.map_err(|e| failed(e.to_string()))?;
    if out.status.success() {
        return Ok(String::from_utf8_lossy(&out.stdout).into_owned());
    }
    let words = String::from_utf8_lossy(&out.stderr).trim().replace('\n', "; ");
    Err(failed(if words.is_empty() { out.status.to_string() } else { words }))
}

/// A word as a shell reads it: plain ones as they are, others in single quotes.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.into() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

/// A command as a shell reads it.
pub(crate) fn command(words: &[String]) -> String {
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// Refuses what no line of a script can hold.
pub(crate) fn one_line(key: &'static str, value: &str) -> Result<(), SurveyError> {
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
        let missing = say::<&str>("no-such-program", &[]).unwrap_err().to_string();
        assert!(missing.contains("no-such-program: not found on PATH"), "{missing}");
        let refused = say("sh", &["-c", "echo no such partition >&2; exit 1"]).unwrap_err().to_string();
        assert_eq!(refused, "sh: no such partition");
        // More than a pipe holds, to a program that reads none of it, and to one that reads all.
        let much = vec![b'x'; 1 << 20];
        assert!(feed("sh", &["-c", "exit 0"], &much).unwrap().is_empty());
        assert_eq!(feed("wc", &["-c"], &much).unwrap().trim(), "1048576");
    }
}
