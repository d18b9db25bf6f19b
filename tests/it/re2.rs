//! The dialect of push rules, held against RE2 itself: google-re2, which `tests/conformance/ask_re2.py` asks.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use gatehouse::domain::re2::{Anchors, Regex};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

/// Expressions that people write, and those at which dialects part.
const PATTERNS: &[&str] = &[
    "", "a", "^$", "^", "$", ".", "^.$", "a|b", "|", "a|", "()", "(a)(b)", "(?:a|b)+", "a*", "a+?", "a??", "(|a)+", "(a*)*",
    r"^release-\d+$", r"^[\w.]+@", r"^[\w.%+-]+@example\.com$", r"^[A-Z]+-\d+", r"(?i)wip", r"^(feature|hotfix)\/.+", r"^v\d",
    r"(jar|exe)$", r"\.(pem|key)$", r"^[a-z0-9\-]{2,15}$", r"^JIRA\-\d+ ", r"(?i)^(?-i)a", r"(?i:a)b", r"(?i)[a-k]", r"(?i)\x6b",
    r"\d", r"\D", r"\w", r"\W", r"\s", r"\S", r"\b", r"\B", r"a\b", r"\bb", r"^\B", r"\B$", r"\A", r"\z", r"\Z", r"\h", r"\R", r"\G",
    r"\Qa.b\E", r"\Q", r"\Qa", r"\Q\E", r"\Q\E*", r"a\Q\E*", r"a*\Q\E*", r"\Qa{2}\E{2}", r"\E", r"\Q[\E]", r"a\Q|\Eb", r"\Q\\E",
    "{", "}", "]", "a{", "a}", "a{b}", "a{,2}", "a{1", "a{1,", "a{1,2", "a{ 1}", "a{1 }", "a{01}", "a{0}", "a{1}", "a{2}", "a{2,}",
    "a{2,3}", "a{2,1}", "a{1000}", "a{1001}", "a{0,1000}", "a{0,1001}", "a{1000,}", "a{1001,}", "a{99999999999}", "{2}", "{,2}",
    "(a{10}){10}", "(a{100}){10}", "(a{100}){11}", "((a{10}){10}){10}", "((a{10}){10}){11}", "(a{2,}){500}", "(a{2,}){501}",
    "(a*){1000}", "(a{0}){1000}", "(a{1000}){1}", "(a{1000}){0,2}", "(a{1000}|b){2}", "a{2}{3}", "a**", "a*+", "a+*", "a???", "a{2}??",
    "*", "+", "?", "a|*", "(*)", "(?i)*", "^*", "$+", r"\b*", "(?:)*", "**", "*?", "*??", "(?:*)", "a(?i)*", "|*", "^{2}",
    "(", ")", "((", "())", ")(", "a|)", "(a", "(?:a", "(?i:a", "(?P<n>a", "[", "[a", "[]", "[^]", "[^", "[a-", "[[:alpha:", "[[:alpha:]",
    "[]a]", "[^]a]", "[]-a]", "[a-]", "[-a]", "[--a]", "[+--]", "[a-a-z]", "[z-a]", "[%--]", "[a&&b]", "[a~~b]", "[a--b]", "[[a]", "[a[b]c]",
    "[[:alpha:]]", "[[:^alpha:]]", "[^[:alpha:]]", "[[:word:]]", "[[:space:]]", "[[:ALPHA:]]", "[[:foo:]]", "[:alpha:]", "[[:alpha:][:digit:]]",
    "[[:ascii:]]", "[[:blank:]]", "[[:cntrl:]]", "[[:graph:]]", "[[:lower:]]", "[[:print:]]", "[[:punct:]]", "[[:upper:]]", "[[:xdigit:]]",
    "[[:alnum:]]", "[[:digit:]]", "[[:a", "(?i)[[:lower:]]", "(?i)[[:^lower:]]", "(?i)[^[:upper:]]", "(?i)[^k]", "(?i)[^s-t]",
    r"[\d]", r"[\D]", r"[^\d]", r"[\w-]", r"[\d-z]", r"[a-\d]", r"[\s\S]", r"[\W\w]", r"[^\W]", r"[\b]", r"[\Q]", r"[\]]", r"[a-\]]", r"[\x41-\x{5a}]",
    r"\pN", r"\pL", r"\PL", r"\p{L}", r"\p{Lu}", r"\p{^Lu}", r"\P{^Lu}", r"\p{Greek}", r"\p{greek}", r"\p{Han}", r"\p{Latin}", r"\p{Any}", r"\P{Any}",
    r"\p{Alphabetic}", r"\p{LC}", r"\p{Cn}", r"\p{Cs}", r"\p{C}", r"\pC", r"\p", r"\p{", r"\p{}", r"\p{^}", r"\pé", r"\p{Lu", r"[\p{Lu}]", r"[^\pL]",
    r"[\p{Foo}]", r"(?i)\p{Lu}", r"(?i)[\p{Lu}]", r"(?i)\P{Lu}", r"\p{Zs}", r"\p{Common}", r"\p{Inherited}", r"\p{Sc}", r"\p{Letter}", r"\p{Old_Italic}",
    r"\p{OldItalic}", r"\p{sc=Greek}", r"\p{Nd}", r"\p{Pc}", r"\p{Yi}", r"\p{Zyyy}", r"\pZ", r"\pM", r"\p{Co}",
    r"\C", r"^\C$", r"^\C\C$", r"\C*", r"[\C]", r"\x41", r"\x{41}", r"\x{}", r"\x{g}", r"\x4", r"\x", r"\xzz", r"\x{10FFFF}", r"\x{110000}", r"\x{D800}",
    r"[\x{D800}]", r"[^\x{D800}-\x{DFFF}]", r"[\x{D000}-\x{E000}]", r"\0", r"\00", r"\000", r"\0000", r"\1", r"\12", r"\101", r"\777", r"\8", r"\9", r"\08",
    r"\a", r"\f", r"\n", r"\r", r"\t", r"\v", r"\e", r"\c", r"\cA", r"\u0041", r"\N", r"\K", r"\X", r"\_", r"\-", r"\ ", r"\/", r"\@", r"\<", r"\é", r"\{", r"\}",
    r"\", r"a\", r"\\", r"[\", r"[a\", r"\.", r"[\.]", r"\x{1F600}", "😀", "[😀-😂]", "é", "(?i)é", "(?i)ß", "(?i)ſ", "(?i)K", "(?i)İ", "(?i)σ", "(?i)ǆ",
    "(?i)", "(?i", "(?", "(?)", "(?:)", "(?i)a", "(?-i)a", "(?i-i)a", "(?im-s)a.b", "(?s).", "(?s-s).", "(?U)a+", "(?i-)", "(?--i)", "(?i-U)a", "(?x)a b", "(?n)a",
    "(?^)", "(?#c)a", "(?a)", "(?u)a", "(?m)^b$", "(?m)^$", "(?m)$^", "(?m:^b)$", "(?s)^.*$", "(?ms)^.$", "(?is)k.", "(?-m)^b", "(?i)(?-i:k)", "((?i)k)k",
    "(?=a)", "(?!a)", "(?<=a)", "(?<!a)", "(?>a)", "(?|a)", "(?P=n)", "(?P>n)", "(?P<n>a)", "(?<n>a)", "(?P<1>a)", "(?<é>a)", "(?<a-b>c)", "(?P<>a)", "(?<>a)",
    "(?P<n", "(?<n", "(?P", "(?P<", "(?<", "(?P<n>a)(?P<n>b)", "(?<n >a)", "(?P<a b>c)", "(?P'n'a)", "(*a)", "(?R)", "(?1)", "a++", "a?+", "a{2}+",
    "(?i)strasse", "^[^@]+@[^@]+$", r"^(\d{3})-\d{4}$", r"^\S+$", r"\bfix(es)?\b #\d+", r"^Merge branch", r"[^\x00-\x7F]", r"^[[:ascii:]]*$",
    r"^\s*$", r"\s+$", r"^.{1,50}$", r"^[^\n]*\n\n", r"(?s)^.{0,10}\z", r"^([a-z]+/)?[a-z-]+$", r"^(?:(?:a|b)|(?:c|d))$", r"(a|b|)c", r"\d{1,3}(\.\d{1,3}){3}",
    r"\pL{1000}", r"[a-z]{1000}", r"(?:\w{10}){100}", r".{1000}", r"(\pL{30}){30}",
];

/// Texts in which characters stand that one dialect counts in and another does not.
const TEXTS: &[&str] = &[
    "", "a", "b", "ab", "ba", "aa", "aaa", "k", "K", "\u{212a}", "s", "ſ", "ß", "é", "É", "e\u{301}", "1", "１", "٣", "½", "_", "-", "release-1", "release-１",
    "release-1\u{3000}", "jurgen@", "jürgen@example.com", "a b", "a\u{a0}b", "a\u{3000}b", "a\u{85}b", "a\u{b}b", "a\tb", "a\nb", "a\n", "\na", "\n", "a\n\nb", "\r\n",
    "a.b", "axb", "a{2}", "a{,2}", "{", "}", "]", "[", "a{01}", "\\", "ä", "äb", "bä", "α", "Σ", "ς", "漢", "😀", "\u{1f601}", "İ", "i", "ǆ", "ǅ", "Ⅷ", "\u{378}", "\u{e000}", "$", "€",
    "JIRA-1 x", "WIP", "wip", "Merge branch 'x'", "fixes #12", "secret.pem", "\u{10ffff}", "\0", "\u{7f}", "aaaaaaaaaa", "192.168.0.1", "ABC-12 Add",
];

/// Where `bin/test` puts RE2; it says so in `SCIM2`, for both checkers share a folder.
fn python() -> Option<PathBuf> {
    let beside = |scim2: &Path| scim2.with_file_name("python3");
    if let Some(scim2) = std::env::var_os("SCIM2") {
        return Some(beside(Path::new(&scim2)));
    }
    let usual = Path::new(env!("CARGO_MANIFEST_DIR")).join(".gatehouse/conformance/bin/scim2");
    usual.exists().then(|| beside(&usual))
}

/// What RE2 says to each pattern and its texts.
fn asked(python: &Path, questions: &Value) -> Vec<(Option<String>, Vec<bool>)> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/ask_re2.py");
    let mut child = Command::new(python).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let question = questions.to_string();
    let writer = std::thread::spawn(move || stdin.write_all(question.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "RE2 did not answer");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Pieces of expressions, and now and then what is none.
fn generated(random: &mut StdRng) -> String {
    const PIECES: &[&str] = &[
        "a", "b", "k", "1", "_", "é", "ſ", " ", "-", ".", "^", "$", "|", "|", "(", "(", ")", ")", "(?:", "(?i)", "(?i:", "(?-i)", "(?s)", "(?m)", "(?U)", "(?P<n>", "*", "+", "?",
        "*?", "{2}", "{2,}", "{0,2}", "{,2}", "{", "}", "[ab]", "[^a]", "[^k]", "[a-k]", "[[:alpha:]]", "[[:^word:]_]", "[\\d_]", "[\\W]", "[^\\S]", "[]", "[^\\n", "]", "\\d", "\\D", "\\w",
        "\\W", "\\s", "\\S", "\\b", "\\B", "\\A", "\\z", "\\C", "\\Q.", "\\E", "\\pL", "\\PN", "\\p{Lu}", "\\p{^Greek}", "\\x41", "\\x{e9}", "\\n", "\\.", "\\\\", "\\1", "\\_",
    ];
    (0..random.random_range(1..9)).map(|_| PIECES[random.random_range(0..PIECES.len())]).collect()
}

fn text(random: &mut StdRng) -> String {
    const PIECES: &[&str] = &[
        "a", "b", "k", "K", "\u{212a}", "1", "１", "_", "é", "É", "ſ", "s", " ", "\u{a0}", "-", ".", "\n", "{", "}", "]", "\\", "α", "A", "a{,2}", "\u{b}",
    ];
    (0..random.random_range(0..6)).map(|_| PIECES[random.random_range(0..PIECES.len())]).collect()
}

#[test]
fn push_rules_mean_what_they_mean_to_re2() {
    let Some(python) = python() else {
        println!("skipped: bin/test installs RE2");
        return;
    };
    let mut random = StdRng::seed_from_u64(18);
    let mut questions: Vec<(String, Vec<String>)> = Vec::new();
    for pattern in PATTERNS {
        let texts = TEXTS.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        questions.push(((*pattern).to_owned(), texts.clone()));
        questions.push((format!("(?m){pattern}"), texts));
    }
    for _ in 0..3000 {
        let pattern = generated(&mut random);
        questions.push((pattern, (0..12).map(|_| text(&mut random)).collect()));
    }
    let answers = asked(&python, &json!(questions));
    let (mut differences, mut taken) = (Vec::new(), 0);
    for ((pattern, texts), (refusal, matches)) in questions.iter().zip(answers) {
        match (Regex::new(pattern, Anchors::Text), refusal) {
            (Ok(regex), None) => {
                taken += 1;
                for (text, expected) in texts.iter().zip(matches) {
                    if regex.is_match(text) != expected {
                        differences.push(format!("{pattern:?} and {text:?}: RE2 says {expected}"));
                    }
                }
            }
            // RE2 says this where a text ends too soon.
            (Err(_), Some(refusal)) if refusal == "invalid UTF-8" => {}
            (Err(error), Some(refusal)) if error.to_string() == refusal => {}
            (Err(error), refusal) => differences.push(format!("{pattern:?}: {error}; RE2 says {refusal:?}")),
            (Ok(_), Some(refusal)) => differences.push(format!("{pattern:?} is taken; RE2 says {refusal}")),
        }
    }
    println!("{} expressions, {taken} of them taken", questions.len());
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
}
