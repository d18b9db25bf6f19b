//! What differs between RE2 and the engine's own syntax. `tests/it/re2.rs` holds far more against RE2 itself.

use super::*;

fn matches(pattern: &str, text: &str) -> bool {
    Re2::new(pattern, AnchorMode::Text).unwrap_or_else(|error| panic!("{pattern}: {error}")).is_match(text)
}

#[test]
fn classes_and_words_are_ascii() {
    assert!(matches(r"^release-\d+$", "release-1") && !matches(r"^release-\d+$", "release-１"));
    assert!(matches(r"^[\w.]+@", "jurgen.x@") && !matches(r"^[\w.]+@", "jürgen@"));
    assert!(matches(r"a\sb", "a b") && !matches(r"a\sb", "a\u{a0}b") && !matches(r"a\sb", "a\u{b}b"));
    assert!(matches(r"\bb", "äb") && !matches(r"^[[:alpha:]]+$", "ä") && matches(r"^\pL+$", "ä"));
    assert!(matches("(?i)^k$", "\u{212a}") && matches("(?i)^[^k]$", "s") && !matches("(?i)^[^k]$", "\u{212a}"));
}

#[test]
fn what_other_dialects_refuse_is_taken() {
    assert!(matches(r"^\Qa.b\E$", "a.b") && !matches(r"^\Qa.b\E$", "axb") && matches(r"\Q[", "["));
    assert!(matches("^a{,2}$", "a{,2}") && matches("^{x}$", "{x}") && matches("^a{01}$", "a{01}"));
    assert!(matches(r"^\C\C$", "ä") && matches("^(?P<year>x)(?<year>y)$", "xy") && matches(r"^\101\x42\x{43}$", "ABC"));
    assert!(matches(r"^[]a]+$", "a]") && matches(r"^[a&&b]+$", "&") && matches(r"^\_\-$", "_-"));
    assert!(matches("(?s:^a.b$)", "a\nb") && matches("(?U)^a+$", "aa") && matches("a{1000}", &"a".repeat(1000)));
}

#[test]
fn lines_have_ends_where_that_is_asked_for() {
    let lines = Re2::new("^b$", AnchorMode::Lines).unwrap();
    assert!(
        lines.is_match("a\nb\nc") && !matches("^b$", "a\nb\nc") && !matches("b$", "b\n") && matches("(?m)b$", "b\n")
    );
}

#[test]
fn what_is_wrong_is_told_in_the_words_of_re2() {
    let said: Vec<String> = [
        "a{1001}",
        "(a{100}){11}",
        "(",
        "a)b",
        "[a",
        "[b-a]",
        "a**",
        "*",
        r"\Z",
        r"\1",
        r"\",
        r"\p{Klingon}",
        "(?=a)",
        "(?x)",
        "(?P<a-b>c)",
        "[[:foo:]]",
        r"\pL{1000}",
    ]
    .map(|pattern| Re2::new(pattern, AnchorMode::Text).unwrap_err().to_string())
    .to_vec();
    insta::assert_snapshot!(said.join("\n"), @r"
    invalid repetition size: {1001}
    invalid repetition size: {11}
    missing ): (
    unexpected ): a)b
    missing ]: [a
    invalid character class range: b-a
    bad repetition operator: **
    no argument for repetition operator: *
    invalid escape sequence: \Z
    invalid escape sequence: \1
    trailing \
    invalid character class range: \p{Klingon}
    invalid perl operator: (?=
    invalid perl operator: (?x
    invalid named capture group: (?P<a-b>
    invalid character class range: [:foo:]
    pattern too large - compile failed
    ");
    let deep = "(?:b*".repeat(300) + &")*".repeat(300);
    assert!(Re2::new(&deep, AnchorMode::Text).unwrap_err().to_string().starts_with("expression nests too deeply"));
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_without_a_panic(pattern in "\\PC*", text in "\\PC*") {
        let _ = Re2::new(&pattern, AnchorMode::Text).map(|regex| regex.is_match(&text));
    }

    #[test]
    fn what_looks_like_syntax_is_read_without_a_panic(pattern in r"([*+?{}()\[\]|^$.,:<>PimsUQEpxd0-9\\-]|[ab]){0,40}") {
        let _ = Re2::new(&pattern, AnchorMode::Lines).map(|regex| regex.is_match("ab"));
    }
}
