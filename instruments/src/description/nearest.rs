//! What a misspelt word of an instrument file may have meant, as the errors of this module say it.

/// [`sim_core::spelling::hint`] behind a semicolon.
pub(super) fn hint<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    format!("; {}", sim_core::spelling::hint(word, known))
}
