//! JSON laid out for people, its members in the order in which they came: that of the contract.

/// The same JSON with a line for each member and item.
pub(super) fn pretty(json: &str) -> String {
    let mut layout = Layout {
        text: String::with_capacity(json.len() * 2),
        depth: 0,
    };
    let mut characters = json.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' => layout.copy_string(&mut characters),
            '{' | '[' => {
                layout.text.push(character);
                layout.depth += 1;
                if !matches!(characters.peek(), Some('}' | ']')) {
                    layout.new_line();
                }
            }
            '}' | ']' => {
                layout.depth = layout.depth.saturating_sub(1);
                if !layout.text.ends_with(['{', '[']) {
                    layout.new_line();
                }
                layout.text.push(character);
            }
            ',' => {
                layout.text.push(',');
                layout.new_line();
            }
            ':' => layout.text.push_str(": "),
            space if space.is_ascii_whitespace() => {}
            plain => layout.text.push(plain),
        }
    }
    layout.text
}

struct Layout {
    text: String,
    depth: usize,
}

impl Layout {
    /// Up to the quotation mark that ends it.
    fn copy_string(&mut self, characters: &mut impl Iterator<Item = char>) {
        self.text.push('"');
        let mut is_escaped = false;
        for character in characters {
            self.text.push(character);
            if character == '"' && !is_escaped {
                return;
            }
            is_escaped = character == '\\' && !is_escaped;
        }
    }

    fn new_line(&mut self) {
        self.text.push('\n');
        self.text.push_str(&"  ".repeat(self.depth));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_keep_their_order_and_texts_their_letters() {
        let json = r#"{"z":"a, \"{b}\": \\","a":[1,{"k":null}],"e":[],"o":{}}"#;
        let expect = r#"{
  "z": "a, \"{b}\": \\",
  "a": [
    1,
    {
      "k": null
    }
  ],
  "e": [],
  "o": {}
}"#;
        assert_eq!(pretty(json), expect);
        assert_eq!(pretty(expect), expect, "laid out already");
    }
}
