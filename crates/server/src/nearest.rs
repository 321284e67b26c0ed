//! The known word most like a mistyped one, for error texts.

/// Words less alike than this are no help (1 is equal).
const LEAST_LIKENESS: f64 = 0.6;

/// The known word most like `written`, if any is like it at all.
pub fn nearest<'a>(written: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|word| (strsim::normalized_damerau_levenshtein(written, word), word))
        .filter(|(likeness, _)| *likeness >= LEAST_LIKENESS)
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .map(|(_, word)| word)
}

/// `, did you mean …?`, or nothing.
pub fn suggestion(nearest: Option<&str>) -> String {
    nearest
        .map(|word| format!(", did you mean `{word}`?"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_likely_word_is_suggested() {
        let known = ["ring_seconds", "number", "name"];
        let of = |written| nearest(written, known.into_iter());
        assert_eq!(of("ring_second"), Some("ring_seconds"));
        assert_eq!(of("nmae"), Some("name"), "two letters changed places");
        assert_eq!(of("numbre"), Some("number"));
        assert_eq!(of("colour"), None);
    }
}
