use super::{LOOKED_AT_MAX, Omitted, Regexps, TOTAL_MAX};

#[test]
fn looks_at_the_beginning_of_a_long_value() {
    let found = |source: &str, text: &str| {
        let pattern = Regexps::default().compile(source).unwrap();
        let omitted = Omitted::default();
        let is_match = pattern.is_match(text, &omitted);
        assert_eq!(pattern.extract(text, &omitted).is_some(), is_match);
        (is_match, omitted.any())
    };
    let fill = |bytes: usize| "x".repeat(bytes);
    assert_eq!(found("A$", &(fill(LOOKED_AT_MAX - 1) + "a")), (true, false));
    assert_eq!(found("a", &(fill(LOOKED_AT_MAX) + "a")), (false, true));
    // A letter at the end of what is looked at stays whole.
    assert_eq!(found("ä", &(fill(LOOKED_AT_MAX - 1) + "ä")), (false, true));
    assert_eq!(found("^x", &fill(3 * LOOKED_AT_MAX)), (true, true));
}

#[test]
fn an_expression_is_bounded() {
    let check = |source: &str, expected: &str| {
        let error = Regexps::default().compile(source).unwrap_err();
        assert!(error.contains(expected), "{error}");
    };
    check("\\w{1,1000}", "takes more than 2097152 bytes when compiled");
    check(&"a{1,99}".repeat(5_000), "at most 8192 bytes, found 35000");
    check(
        &format!("{}a{}", "(".repeat(2_000), ")".repeat(2_000)),
        "not a regular expression",
    );
    check("(((a{99}){99}){99}){99}", "when compiled");
    for plain in [
        "^svc-[0-9]+$",
        "\\w+@\\w+",
        "\\bcurl\\b.*\\|\\s*(ba)?sh",
        "[\\w.-]{1,40}@",
    ] {
        assert!(Regexps::default().compile(plain).is_ok(), "{plain}");
    }
}

#[test]
fn all_expressions_together_are_bounded() {
    let mut regexps = Regexps::default();
    let mut compiled = 0;
    let error = loop {
        match regexps.compile(&format!("\\w{{1,9}}{compiled}\\w{{1,9}}")) {
            Ok(_) => compiled += 1,
            Err(error) => break error,
        }
    };
    assert!(
        error.contains("regular expressions of this rule set"),
        "{error}"
    );
    // Each is charged at least what it takes.
    assert!(
        (1..=TOTAL_MAX / (32 << 10)).contains(&compiled),
        "{compiled}"
    );
    assert!(regexps.is_spent() && regexps.compile("a").is_err());
    let mut regexps = Regexps::default();
    let usual = |n: &usize| regexps.compile(&format!("^(a)\\b\\w+{n}\\s*$")).is_ok();
    assert!((0..1_000).take_while(usual).count() >= 100);
    assert!(Regexps::of_log().compile("\\w{1,40}0\\w{1,40}").is_ok());
    let mut regexps = Regexps::default();
    let small = (0..2_000).filter(|number| regexps.compile(&format!("^user-{number}-")).is_ok());
    assert_eq!(small.count(), 2_000);
}
