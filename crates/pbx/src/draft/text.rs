//! Small questions about names and words.

/// Characters of a name people give to something.
pub(crate) const MAX_NAME_CHARS: usize = 64;

/// What keeps `name` from being a name people can see and filters can hold.
pub(crate) fn name_complaint(name: &str) -> Option<&'static str> {
    if name.trim().is_empty() {
        return Some("is empty: rows, webhooks and people need a name to show");
    }
    if name.contains(',') {
        return Some("holds a comma, which separates names in the API's filters: write it without");
    }
    if name.chars().any(char::is_control) {
        return Some("holds a control character: write it without");
    }
    if name.chars().count() > MAX_NAME_CHARS {
        return Some("is longer than 64 characters: shorten it");
    }
    None
}

/// Whether `text` is 1 to `longest` characters, all of which `allowed` takes.
pub(crate) fn is_word(text: &str, longest: usize, allowed: fn(char) -> bool) -> bool {
    !text.is_empty() && text.chars().count() <= longest && text.chars().all(allowed)
}

/// Mail addresses in one list.
pub(crate) const MAX_EMAILS: usize = 20;
const MAX_EMAIL_CHARS: usize = 254;

/// Whether `text` is one mail address, and nothing that a mail's header or a list could take for
/// more than that.
pub(crate) fn is_email(text: &str) -> bool {
    let is_plain =
        |char: char| !char.is_control() && !char.is_whitespace() && !"<>,;:\"()".contains(char);
    let Some((local, domain)) = text.split_once('@') else {
        return false;
    };
    !local.is_empty()
        && !domain.is_empty()
        && !domain.contains('@')
        && is_word(text, MAX_EMAIL_CHARS, is_plain)
}

/// Whether `text` is a mail address, alone or behind a plain name in angle brackets.
pub(crate) fn is_sender(text: &str) -> bool {
    let Some((name, address)) = text.split_once('<') else {
        return is_email(text);
    };
    let is_plain = |char: char| !char.is_control() && !"<>,;:\"()@\\".contains(char);
    is_word(name.trim(), MAX_NAME_CHARS, is_plain)
        && address.strip_suffix('>').is_some_and(is_email)
}

/// The known word that `word` is most likely a slip of, if any is near enough.
pub(crate) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let near_enough = word.chars().count() / 3 + 1;
    known
        .iter()
        .map(|candidate| (distance(word, candidate), *candidate))
        .filter(|(distance, _)| *distance <= near_enough)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance, one row at a time.
fn distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.chars().count()).collect();
    for (line, from) in left.chars().enumerate() {
        let mut diagonal = line;
        let mut beside = line + 1;
        for (cell, to) in row.iter_mut().skip(1).zip(right.chars()) {
            let replaced = diagonal + usize::from(from != to);
            diagonal = *cell;
            beside = replaced.min(beside + 1).min(*cell + 1);
            *cell = beside;
        }
        if let Some(first) = row.first_mut() {
            *first = line + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_word() {
        let known = ["ring_seconds", "user", "numbers"];
        assert_eq!(nearest("ring_second", &known), Some("ring_seconds"));
        assert_eq!(nearest("usr", &known), Some("user"));
        assert_eq!(nearest("colour", &known), None);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
    }

    #[test]
    fn names_that_filters_cannot_hold_are_refused() {
        for name in ["", "  ", "Smith, John", "a\nb", &"x".repeat(65)] {
            assert!(name_complaint(name).is_some(), "{name:?}");
        }
        assert_eq!(name_complaint("Zoë Müller-O'Brien"), None);
    }
}
