//! What a misspelt word may have meant.

/// Edits (insert, delete, replace) between two words, in lower case.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.to_lowercase().chars().collect(), b.to_lowercase().chars().collect());
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(ca != cb);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

/// `; did you mean ...?` when a known word is near, else `; known: ...`.
pub(super) fn hint<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let near = known.iter().map(|k| (distance(word, k), *k)).min();
    match near {
        Some((d, k)) if d <= (word.chars().count() / 3).max(2) => format!("; did you mean `{k}`?"),
        _ if known.is_empty() => "; nothing can be given here".into(),
        _ => format!("; known: {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_finds_its_word_and_nonsense_lists_all() {
        assert_eq!(hint("sigm", ["sigma", "source"]), "; did you mean `sigma`?");
        assert_eq!(hint("gian", ["gain", "gain_scatter"]), "; did you mean `gain`?");
        assert_eq!(hint("hot_fracton", ["rate", "hot_fraction"]), "; did you mean `hot_fraction`?");
        assert_eq!(hint("xyz", ["gain"]), "; known: gain");
    }
}
