//! Header cards: 80 characters of keyword, value and comment, to text and back (FITS Standard 4.0, section 4).

use super::{FitsError, Value};

/// Characters of a card.
pub(super) const CARD: usize = 80;

/// The cards of one keyword: one, or one and its CONTINUE cards.
///
/// Keywords that the standard form cannot hold (longer than eight characters) take the HIERARCH form. Comments lose
/// what does not fit; letters outside ASCII in a comment become `?`.
pub(super) fn encode(key: &str, value: &Value, comment: &str) -> Result<Vec<String>, FitsError> {
    let refuse = |reason: String| FitsError::Keyword { key: key.into(), reason };
    let stem = stem(key).map_err(refuse)?;
    let fixed = stem.len() == 10;
    let value = match value {
        Value::Logical(v) => right(if *v { "T" } else { "F" }, fixed),
        Value::Int(v) => right(&v.to_string(), fixed),
        Value::Real(v) if v.is_finite() => right(&real(*v), fixed),
        Value::Real(v) => return Err(refuse(format!("a header cannot hold {v}: real values are finite"))),
        Value::Text(v) => {
            if let Some(c) = v.chars().find(|c| !printable(*c)) {
                return Err(refuse(format!("text holds {c:?}; allowed are the printable ASCII characters, from blank to ~")));
            }
            return text(&stem, v, comment).map_err(refuse);
        }
    };
    if stem.len() + value.len() > CARD {
        return Err(refuse(format!("keyword and value need {} characters of 80", stem.len() + value.len())));
    }
    Ok(vec![finish(format!("{stem}{value}"), comment)])
}

/// HISTORY cards of a line of any length.
pub(super) fn history(line: &str) -> Vec<String> {
    let line: Vec<char> = ascii(line).chars().collect();
    if line.is_empty() {
        return vec![format!("{:CARD$}", "HISTORY")];
    }
    line.chunks(72).map(|part| format!("{:CARD$}", format!("HISTORY {}", part.iter().collect::<String>()))).collect()
}

/// `KEY     = ` or `HIERARCH LONG KEY = `.
fn stem(key: &str) -> Result<String, String> {
    let standard = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '-' || c == '_';
    if (1..=8).contains(&key.len()) && key.chars().all(standard) {
        return Ok(format!("{key:8}= "));
    }
    let word = |w: &str| !w.is_empty() && w.chars().all(standard);
    if (9..=60).contains(&key.len()) && key.split(' ').all(word) {
        return Ok(format!("HIERARCH {key} = "));
    }
    Err("keywords are 1 to 60 characters of A-Z, 0-9, - and _".into())
}

fn right(value: &str, fixed: bool) -> String {
    if fixed { format!("{value:>20}") } else { value.into() }
}

/// The shortest decimal that reads back to the same bits, always with a decimal point.
fn real(v: f64) -> String {
    let size = v.abs();
    if size == 0.0 || (1e-3..1e15).contains(&size) {
        let plain = format!("{v}");
        return if plain.contains('.') { plain } else { format!("{plain}.0") };
    }
    let text = format!("{v:E}");
    let (mantissa, exponent) = text.split_once('E').unwrap_or((&text, "0"));
    let mantissa = if mantissa.contains('.') { mantissa.to_string() } else { format!("{mantissa}.0") };
    let (sign, digits) = exponent.strip_prefix('-').map_or(("+", exponent), |d| ("-", d));
    format!("{mantissa}E{sign}{digits:0>2}")
}

fn text(stem: &str, value: &str, comment: &str) -> Result<Vec<String>, String> {
    let quoted = value.replace('\'', "''");
    if stem.len() + 2 + quoted.len().max(8) <= CARD {
        let card = format!("{stem}'{quoted:8}'");
        let card = if stem.len() == 10 { format!("{card:30}") } else { card };
        return Ok(vec![finish(card, comment)]);
    }
    if stem.len() != 10 {
        return Err(format!("keyword and text need {} characters of 80; long text needs a keyword of 8", stem.len() + quoted.len() + 2));
    }
    // 67 characters and the ampersand fill a card; a doubled quote stays together.
    let mut parts = vec![String::new()];
    for c in value.chars() {
        let width = if c == '\'' { 2 } else { 1 };
        if parts.last().map_or(0, String::len) + width > 67 {
            parts.push(String::new());
        }
        if let Some(part) = parts.last_mut() {
            part.push(c);
            if c == '\'' {
                part.push(c);
            }
        }
    }
    let last = parts.len() - 1;
    Ok(parts
        .iter()
        .enumerate()
        .map(|(i, part)| {
            let start = if i == 0 { stem } else { "CONTINUE  " };
            if i == last { finish(format!("{start}'{part}'"), comment) } else { format!("{:CARD$}", format!("{start}'{part}&'")) }
        })
        .collect())
}

fn finish(mut card: String, comment: &str) -> String {
    if !comment.is_empty() && card.len() + 3 < CARD {
        card.push_str(" / ");
        card.push_str(&ascii(comment));
        card.truncate(CARD);
    }
    format!("{card:CARD$}")
}

fn printable(c: char) -> bool {
    matches!(c, ' '..='~')
}

fn ascii(text: &str) -> String {
    text.chars().map(|c| if printable(c) { c } else { '?' }).collect()
}

/// What a card says.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Card {
    /// Keyword, value, comment.
    Keyword(String, Value, String),
    /// Text that goes on from the card before, and a comment.
    Continue(String, String),
    /// A HISTORY line.
    History(String),
    /// Comments, blanks, keywords without value, and what cannot be understood.
    Other,
}

/// Understands a card. Never fails: what is not FITS is [`Card::Other`].
pub(super) fn decode(card: &str) -> Card {
    let card: String = card.chars().map(|c| if printable(c) { c } else { ' ' }).take(CARD).collect();
    if let Some(line) = card.strip_prefix("HISTORY ") {
        return Card::History(line.trim_end().into());
    }
    if let Some(rest) = card.strip_prefix("CONTINUE  ") {
        return match value(rest) {
            Some((Value::Text(text), comment)) => Card::Continue(text, comment),
            _ => Card::Other,
        };
    }
    let (key, rest) = if let Some(rest) = card.strip_prefix("HIERARCH ") {
        match rest.split_once('=') {
            Some((key, rest)) => (key.trim(), rest),
            None => return Card::Other,
        }
    } else {
        // The standard wants a blank after the sign; cfitsio reads values without it, and so must who checks for it.
        match (card.get(..8), card.get(8..9), card.get(9..)) {
            (Some("COMMENT " | "        "), ..) => return Card::Other,
            (Some(key), Some("="), Some(rest)) => (key.trim_end(), rest),
            _ => return Card::Other,
        }
    };
    match value(rest) {
        Some((value, comment)) if !key.is_empty() => Card::Keyword(key.into(), value, comment),
        _ => Card::Other,
    }
}

fn value(rest: &str) -> Option<(Value, String)> {
    let rest = rest.trim_start();
    if let Some(quoted) = rest.strip_prefix('\'') {
        let mut text = String::new();
        let mut after = quoted;
        loop {
            let end = after.find('\'')?;
            text.push_str(&after[..end]);
            after = &after[end + 1..];
            match after.strip_prefix('\'') {
                Some(more) => {
                    text.push('\'');
                    after = more;
                }
                None => return Some((Value::Text(text.trim_end().into()), comment(after))),
            }
        }
    }
    let (word, note) = rest.split_once('/').map_or((rest, ""), |(word, note)| (word, note));
    let word = word.trim();
    let value = match word {
        "" => return None,
        "T" => Value::Logical(true),
        "F" => Value::Logical(false),
        _ => match (word.parse::<i64>(), word.replace(['D', 'd'], "E").parse::<f64>()) {
            (Ok(v), _) => Value::Int(v),
            // "inf" and "nan" are words to Rust, not numbers to FITS.
            (_, Ok(v)) if v.is_finite() && !word.starts_with(char::is_alphabetic) => Value::Real(v),
            _ => Value::Text(word.into()),
        },
    };
    Some((value, note.trim().into()))
}

fn comment(after: &str) -> String {
    after.trim_start().strip_prefix('/').unwrap_or("").trim().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(value: Value) -> Value {
        let cards = encode("KEY", &value, "c").unwrap();
        assert!(cards.iter().all(|c| c.len() == CARD));
        let Card::Keyword(key, mut read, _) = decode(&cards[0]) else { panic!("{cards:?}") };
        assert_eq!(key, "KEY");
        for card in &cards[1..] {
            let (Value::Text(text), Card::Continue(more, _)) = (&mut read, decode(card)) else { panic!("{card}") };
            assert_eq!(text.pop(), Some('&'));
            text.push_str(&more);
        }
        read
    }

    #[test]
    fn cards_look_as_the_standard_prints_them() {
        let card = |value, comment| encode("KEY", &value, comment).unwrap().remove(0);
        assert_eq!(card(Value::Logical(true), "yes").trim_end(), "KEY     =                    T / yes");
        assert_eq!(card(Value::Int(-5), "").trim_end(), "KEY     =                   -5");
        assert_eq!(card(Value::Text("it's".into()), "s").trim_end(), "KEY     = 'it''s   '           / s");
        assert_eq!(card(Value::Real(150.0), "[s]").trim_end(), "KEY     =                150.0 / [s]");
        assert_eq!(card(Value::Real(-8.17455836176e-6), "").trim_end(), "KEY     =   -8.17455836176E-06");
    }

    #[test]
    fn every_real_reads_back_to_the_same_bits() {
        for v in [0.0, -0.0, 1.0 / 3.0, f64::MAX, f64::MIN_POSITIVE, 5e-324, 1e15, 1e22, -1.885_020_837_073_94e-5, 60_000.000_011_574_07] {
            let Value::Real(read) = round(Value::Real(v)) else { panic!("{v} came back as another type") };
            assert_eq!(read.to_bits(), v.to_bits(), "{v}");
        }
    }

    #[test]
    fn long_text_with_quotes_continues_without_loss() {
        for length in [66, 67, 68, 69, 134, 135, 400] {
            let text: String = (0..length).map(|i| if i % 5 == 0 { '\'' } else { 'x' }).collect();
            assert_eq!(round(Value::Text(text.clone())), Value::Text(text));
        }
        assert_eq!(round(Value::Text(String::new())), Value::Text(String::new()));
    }

    #[test]
    fn what_a_header_cannot_hold_is_refused_by_name() {
        for (key, value) in [
            ("KEY", Value::Real(f64::NAN)),
            ("KEY", Value::Real(f64::INFINITY)),
            ("KEY", Value::Text("caf\u{e9}".into())),
            ("key", Value::Int(1)),
            ("", Value::Int(1)),
        ] {
            let error = encode(key, &value, "").unwrap_err().to_string();
            assert!(error.starts_with(&format!("keyword {key}: ")), "{error}");
        }
    }

    #[test]
    fn a_long_keyword_takes_the_hierarch_form() {
        let card = encode("ESO DET CHIP1 ID", &Value::Int(7), "c").unwrap().remove(0);
        assert_eq!(decode(&card), Card::Keyword("ESO DET CHIP1 ID".into(), Value::Int(7), "c".into()));
    }

    #[test]
    fn rubbish_is_not_understood_and_does_no_harm() {
        for card in ["", "KEY", "KEY     = 'open", "KEY     = ", "HIERARCH x", "CONTINUE  5", "COMMENT = 5", "        = 5", "\u{0}\u{1}"] {
            assert_eq!(decode(card), Card::Other, "{card}");
        }
        assert_eq!(decode("K       = 1.5D2 / c"), Card::Keyword("K".into(), Value::Real(150.0), "c".into()));
        assert_eq!(decode("K       = NaN"), Card::Keyword("K".into(), Value::Text("NaN".into()), String::new()));
    }
}
