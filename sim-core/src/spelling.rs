//! What a misspelt word may have meant: the one place for "did you mean".

/// Single-letter changes (insert, delete, replace) between two words (Levenshtein 1966), upper and lower case alike.
#[must_use]
pub fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.to_lowercase().chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &cb) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(ca != cb);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

/// The known word that `word` was probably meant to be: the nearest one (the first in the alphabet of several), if it
/// is at most a third of the letters away, or two in a short word.
#[must_use]
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let (far, near) = known.into_iter().map(|k| (distance(word, k), k)).min()?;
    (far <= (word.chars().count() / 3).max(2)).then_some(near)
}

/// ``did you mean `x`?`` where a known word is near, else `known: a, b, c`.
#[must_use]
pub fn hint<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    match nearest(word, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "nothing can be given here".into(),
        None => format!("known: {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_counts_single_letter_changes() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("read_nose", "read_noise"), 1);
        assert_eq!((distance("", "abc"), distance("abc", ""), distance("Gain", "gAIN")), (3, 3, 0));
    }

    #[test]
    fn a_typo_finds_its_word_and_nonsense_lists_all() {
        assert_eq!(hint("sigm", ["sigma", "source"]), "did you mean `sigma`?");
        assert_eq!(hint("gian", ["gain", "gain_scatter"]), "did you mean `gain`?");
        assert_eq!(hint("hot_fracton", ["rate", "hot_fraction"]), "did you mean `hot_fraction`?");
        assert_eq!(hint("elephants", ["gain", "rate"]), "known: gain, rate");
        assert_eq!(hint("x", []), "nothing can be given here");
        // Of two equally near, the first in the alphabet: no dependence on the order they are known in.
        assert_eq!(nearest("dat", ["day", "dab"]), Some("dab"));
        assert_eq!(nearest("dat", ["dab", "day"]), Some("dab"));
    }
}
