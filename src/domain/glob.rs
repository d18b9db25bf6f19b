//! Patterns in which `*` stands for any run of characters, as GitLab's branch filters and banners have them.

/// Whether the whole text fits the pattern.
#[must_use]
pub fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let head = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(head) else { return false };
    let Some(tail) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_run() {
        for (pattern, text, expected) in [
            ("main", "main", true),
            ("main", "mainly", false),
            ("", "", true),
            ("*", "", true),
            ("*", "a/b", true),
            ("release/*", "release/1/x", true),
            ("release/*", "release", false),
            ("*-stable", "1-2-stable", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c", false),
            ("ab*ba", "aba", false),
            ("a.b", "axb", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_pattern_is_tried_without_a_panic(pattern in "[a-c*é]{0,8}", text in "[a-cé]{0,8}") {
            proptest::prop_assert!(matches("*", &text));
            let _ = matches(&pattern, &text);
        }
    }
}
