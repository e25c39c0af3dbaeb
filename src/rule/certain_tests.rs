use crate::event::Attributes;
use crate::rule::Having;
use crate::rule::attribute::Names;
use crate::rule::formula::Reads;

/// The errors of a `having`, each with its place.
fn errors(text: &str) -> String {
    let mut names = Attributes::default();
    let parsed = Having::parse(text, &mut Names::Event(&mut names), &mut Reads::default());
    let errors = parsed.err().unwrap_or_default();
    let errors = errors
        .iter()
        .map(|e| format!("{}: {}", e.offset, e.message));
    errors.collect::<Vec<_>>().join("\n")
}

#[test]
fn what_can_never_hold_is_an_error() {
    let check = |text: &str, offsets: &[usize]| {
        let found = errors(text);
        let places = found.lines().map(|line| line.split_once(": ").unwrap().0);
        let places: Vec<usize> = places.map(|place| place.parse().unwrap()).collect();
        assert_eq!(places, offsets, "{text}: {found}");
        assert!(
            found.lines().all(|line| line.contains("never hold")),
            "{found}"
        );
    };
    check("COUNT(*) < 1", &[0]);
    check("COUNT(*) <= 0", &[0]);
    check("COUNT(*) = 0", &[0]);
    check("COUNT(*) = 2.5", &[0]);
    check("1 > COUNT(*)", &[0]);
    check("COUNT(*) + 1 < 2", &[0]);
    check("COUNT(*) * 0 > 1", &[0]);
    check("0 - COUNT(*) > 0", &[0]);
    check("COUNT(user) < 0", &[0]);
    check("COUNT(DISTINCT user) < 0", &[0]);
    check("STDDEV(record.a) < 0", &[0]);
    check("COUNT(*) > 5 OR COUNT(*) < 1", &[16]);
    check("COUNT(*) >= 10 AND COUNT(*) < 5", &[0]);
    check("COUNT(*) > 4 AND COUNT(*) < 5", &[0]);
    check("COUNT(*) > 5 AND COUNT(*) = 5", &[0]);
    check("COUNT(*) = 5 AND COUNT(*) != 5", &[0]);
    check("SUM(record.a) > 5 AND 5 > SUM(record.a)", &[0]);
    check(
        "MAX(record.a) > 5 AND (COUNT(*) > 9 AND MAX(record.a) <= 5)",
        &[0],
    );
    check(
        "MAX(record.a) > 5 AND (MAX(record.a) < 1 OR MAX(record.a) < 2)",
        &[0],
    );
    check("COUNT(*) > 9 OR COUNT(*) > 5 AND COUNT(*) < 3", &[16]);
    // One error for one fault.
    check("COUNT(*) > 9 AND COUNT(*) < 1", &[17]);
}

#[test]
fn what_may_hold_is_none() {
    for text in [
        "COUNT(*) >= 1",
        "COUNT(*) <= 1",
        "COUNT(*) != 1",
        "COUNT(user) < 1",
        "COUNT(user) = 0",
        "COUNT(DISTINCT user) = 0",
        "COUNT(*) >= 5 AND COUNT(*) <= 5",
        "COUNT(*) > 4 AND COUNT(*) < 6",
        "COUNT(*) * 0.1 >= 0.1 AND COUNT(*) * 0.1 <= 0.1",
        "SUM(record.a) < 0",
        "SUM(record.a) > 5 AND SUM(record.b) < 5",
        "AVG(record.a) > 5 AND AVG(record.a) < 5.000001",
        "SUM(record.a) / COUNT(*) < 0 - 7",
        "COUNT(*) >= 10 OR COUNT(*) < 5",
        "(COUNT(*) > 5 OR SUM(record.a) > 1) AND (COUNT(*) < 5 OR SUM(record.a) > 2)",
        "PCTCHANGE(record.a) < 0 - 50",
    ] {
        assert_eq!(errors(text), "", "{text}");
    }
}
