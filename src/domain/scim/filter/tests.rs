//! The grammar on examples of the RFC, of identity providers and of nobody's good will.

use proptest::prelude::*;

use super::*;

fn printed(text: &str) -> String {
    ScimFilter::parse(text).map_or_else(|error| error.to_string(), |filter| filter.to_string())
}

#[test]
fn the_examples_of_the_rfc_are_read() {
    for text in [
        r#"userName Eq "john""#,
        r#"Username eq "john""#,
        r#"userName eq "bjensen""#,
        r#"name.familyName co "O'Malley""#,
        r#"userName sw "J""#,
        r#"urn:ietf:params:scim:schemas:core:2.0:User:userName sw "J""#,
        "title pr",
        r#"meta.lastModified gt "2011-05-13T04:42:34Z""#,
        r#"meta.lastModified ge "2011-05-13T04:42:34Z""#,
        r#"meta.lastModified lt "2011-05-13T04:42:34Z""#,
        r#"meta.lastModified le "2011-05-13T04:42:34Z""#,
        r#"title pr and userType eq "Employee""#,
        r#"title pr or userType eq "Intern""#,
        r#"schemas eq "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User""#,
        r#"userType eq "Employee" and (emails co "example.com" or emails.value co "example.org")"#,
        r#"userType ne "Employee" and not (emails co "example.com" or emails.value co "example.org")"#,
        r#"userType eq "Employee" and (emails.type eq "work")"#,
        r#"userType eq "Employee" and emails[type eq "work" and value co "@example.com"]"#,
        r#"emails[type eq "work" and value co "@example.com"] or ims[type eq "xmpp" and value co "@foo.com"]"#,
    ] {
        let filter = ScimFilter::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(ScimFilter::parse(&filter.to_string()), Ok(filter), "{text}");
    }
}

#[test]
fn and_binds_tighter_than_or_and_parentheses_tighter_than_both() {
    assert_eq!(printed("a pr or b pr and c pr"), "a pr or b pr and c pr");
    let Ok(ScimFilter::Or(either)) = ScimFilter::parse("a pr or b pr and c pr") else { panic!("not an or") };
    assert!(matches!(&either[..], [ScimFilter::Present(_), ScimFilter::And(both)] if both.len() == 2));
    let Ok(ScimFilter::And(both)) = ScimFilter::parse("(a pr or b pr) and not(c pr)") else { panic!("not an and") };
    assert!(matches!(&both[..], [ScimFilter::Or(_), ScimFilter::Not(_)]));
}

#[test]
fn names_and_words_of_the_grammar_are_of_any_case() {
    assert_eq!(printed(r#"ID EQ "aB" AND Not (x PR) oR y Ne NULL"#), r#"id eq "aB" and not (x pr) or y ne "NULL""#);
    assert_eq!(printed("not eq 1"), "not eq 1");
}

#[test]
fn values_are_json_or_bare_words() {
    assert_eq!(
        ScimFilter::parse("id eq a-b-c-d"),
        Ok(ScimFilter::Compare(
            AttributePath::parse("id").unwrap(),
            FilterOperator::Equal,
            FilterValue::Text("a-b-c-d".to_owned())
        ))
    );
    assert_eq!(printed(r#"a eq "\u00e9\ud83d\ude00\t\/\"\\""#), "a eq \"é😀\\u0009/\\\"\\\\\"");
    assert_eq!(
        printed("a eq -1.5e+3 or a eq 0 or a eq true or a eq null"),
        "a eq -1.5e+3 or a eq 0 or a eq true or a eq null"
    );
    assert_eq!(
        printed("a eq 007 or a eq 1. or a eq 1e or a eq -"),
        r#"a eq "007" or a eq "1." or a eq "1e" or a eq "-""#
    );
    assert_eq!(printed("a eq 12345678901234567890123"), "a eq 12345678901234567890123");
}

#[test]
fn a_value_path_with_a_sub_attribute_is_one_condition_more_inside() {
    assert_eq!(printed(r#"emails[type eq "work"].value eq "a@b.c""#), r#"emails[type eq "work" and value eq "a@b.c"]"#);
    assert_eq!(
        printed(r#"emails[type eq "work" and primary eq true].value pr"#),
        r#"emails[type eq "work" and primary eq true and value pr]"#
    );
    assert_eq!(printed("e[a pr or b pr].c pr"), "e[(a pr or b pr) and c pr]");
}

#[test]
fn what_gitlab_reads_as_one_equality_is_one() {
    assert_eq!(printed(r#"userName eq "CORP\jdoe""#), r#"username eq "CORP\\jdoe""#);
    assert_eq!(printed("id eq CN=Jane Doe,O=x"), r#"id eq "CN=Jane Doe,O=x""#);
    assert_eq!(printed(r#"id  EQ  "unfinished"#), r#"id eq "unfinished""#);
    let malformed = FilterError::Malformed.to_string();
    assert_eq!(printed(r#"id ne "CORP\jdoe""#), malformed);
    assert_eq!(printed(r#"emails[x eq "CORP\jdoe""#), malformed);
}

#[test]
fn what_is_no_filter_is_refused() {
    for text in [
        "",
        " ",
        "a",
        "a eq",
        "a xx 1",
        "a ne 1 b",
        "(a pr",
        "a pr)",
        "a[b pr",
        "a[]",
        "a pr and",
        "or a pr",
        "not a pr",
        "1a pr",
        "a..b pr",
        "a.b.c pr",
        "x:y pr",
        "a ne \"\\ud800\"",
        "a ne \"\0\"",
        "a ne \"\\u0000\"",
        "a ne \0",
        "é pr",
        "a[b pr]c pr",
        "a[b pr].",
        "a ne \"\\x\"",
        "()",
    ] {
        assert_eq!(ScimFilter::parse(text), Err(FilterError::Malformed), "{text:?}");
    }
}

/// scim-80
#[test]
fn what_is_too_much_is_refused_at_once() {
    assert_eq!(ScimFilter::parse(&"(".repeat(MAX_DEPTH + 1)), Err(FilterError::TooDeep));
    assert_eq!(ScimFilter::parse(&"(".repeat(10_000)), Err(FilterError::TooLong));
    assert_eq!(ScimFilter::parse(&format!("id eq \"{}\"", "x".repeat(100_000))), Err(FilterError::TooLong));
    let terms = |count: usize| vec!["a pr"; count].join(" or ");
    assert!(ScimFilter::parse(&terms(MAX_TERMS)).is_ok());
    assert_eq!(ScimFilter::parse(&terms(MAX_TERMS + 1)), Err(FilterError::TooManyTerms));
    assert_eq!(ScimFilter::parse(&terms(5_000)), Err(FilterError::TooLong));
    assert_eq!(ScimFilter::parse(&vec!["id eq 1"; 65].join(" or ")), Err(FilterError::TooManyTerms));
    let deep = format!("{}a pr{}", "not (".repeat(MAX_DEPTH), ")".repeat(MAX_DEPTH));
    assert!(ScimFilter::parse(&deep).is_ok());
}

fn attribute() -> impl Strategy<Value = AttributePath> {
    ("(urn:[a-z0-9:.]{1,20}[a-z0-9]:)?[a-z$][a-z0-9_-]{0,8}(\\.[a-z$][a-z]{0,5})?")
        .prop_filter_map("not an attribute", |text| AttributePath::parse(&text))
}

fn value() -> impl Strategy<Value = FilterValue> {
    prop_oneof![
        any::<String>().prop_map(|text| FilterValue::Text(text.replace('\0', ""))),
        any::<i64>().prop_map(|number| FilterValue::Number(number.to_string())),
        any::<bool>().prop_map(FilterValue::Boolean),
        Just(FilterValue::Null),
    ]
}

fn any_filter() -> impl Strategy<Value = ScimFilter> {
    let operator = proptest::sample::select(FilterOperator::ALL.map(|(operator, _)| operator).to_vec());
    let term = prop_oneof![
        (attribute(), operator, value())
            .prop_map(|(attribute, operator, value)| ScimFilter::Compare(attribute, operator, value)),
        attribute().prop_map(ScimFilter::Present),
    ];
    term.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 2..4).prop_map(ScimFilter::And),
            proptest::collection::vec(inner.clone(), 2..4).prop_map(ScimFilter::Or),
            inner.clone().prop_map(|filter| ScimFilter::Not(Box::new(filter))),
            (attribute(), inner).prop_map(|(attribute, filter)| ScimFilter::Within(attribute, Box::new(filter))),
        ]
    })
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC*", pieces in proptest::collection::vec(
        proptest::sample::select(vec!["a", " ", "(", ")", "[", "]", ".", "\"", "\\u12", " eq ", " and ", " or ", "not", " pr", "x eq 1"]), 0..60)) {
        let _ = ScimFilter::parse(&text);
        let _ = ScimFilter::parse(&pieces.concat());
    }

    #[test]
    fn what_is_printed_reads_back_the_same(filter in any_filter()) {
        prop_assume!(filter.to_string().len() <= MAX_LENGTH);
        prop_assert_eq!(ScimFilter::parse(&filter.to_string()), Ok(filter));
    }
}
