use crate::event::Attributes;
use crate::rule::attribute::Names;
use crate::rule::{Aggregate, FilterError, Having, print};

fn parse(text: &str) -> Result<(Having, Vec<Aggregate>, Attributes), Vec<FilterError>> {
    let mut attributes = Attributes::default();
    let mut aggregates = Vec::new();
    let having = Having::parse(text, &mut Names::Event(&mut attributes), &mut aggregates)?;
    Ok((having, aggregates, attributes))
}

/// Canonical form, or the first error as `offset: message`.
fn canonical(text: &str) -> String {
    match parse(text) {
        Ok((having, aggregates, attributes)) => {
            print::having(&having, &aggregates, &|id| print::name(&attributes, id))
        }
        Err(errors) => format!("{}: {}", errors[0].offset, errors[0].message),
    }
}

#[test]
fn reads_every_form() {
    let check = |text: &str, expected| assert_eq!(canonical(text), expected);
    check("count (*)>=1", "COUNT(*) >= 1");
    check("COUNT(distinct USER) > 2.50", "COUNT(DISTINCT user) > 2.5");
    check("count(user) != -1", "COUNT(user) != -1");
    check(
        "SUM(record.a)/SUM(record.b)>=0.5",
        "SUM(record.a) / SUM(record.b) >= 0.5",
    );
    check("1 + 2 * COUNT(*) - 3 < 4", "(1 + (2 * COUNT(*))) - 3 < 4");
    check("(1 + 2) * COUNT(*) < (4)", "(1 + 2) * COUNT(*) < 4");
    check(
        "(AVG(user)>=50 or MIN(user)>=50) AND (COUNT(*)>=2 AND MAX(user) <= 5)",
        "(AVG(user) >= 50 OR MIN(user) >= 50) AND COUNT(*) >= 2 AND MAX(user) <= 5",
    );
    check(
        "COUNT(*) > 1 OR COUNT(*) < 5 AND COUNT(*) = 3",
        "COUNT(*) > 1 OR (COUNT(*) < 5 AND COUNT(*) = 3)",
    );
}

#[test]
fn says_what_is_wrong_and_where() {
    let check = |text: &str, offset: usize, expected: &str| {
        let found = canonical(text);
        let begin = format!("{offset}: ");
        assert!(
            found.starts_with(&begin) && found.contains(expected),
            "{text}: {found}"
        );
    };
    check(
        "",
        0,
        "expected an aggregate such as COUNT(*), found the end",
    );
    check("1 >= 0", 0, "has no aggregate");
    check("COUNT(*) >= 1 AND 5 = 5", 18, "has no aggregate");
    check("COUNT(*)", 0, "expected a test such as COUNT(*) >= 1");
    check("COUNT(*) >= 1 AND COUNT(*)", 18, "found only a number");
    check("(COUNT(*) > 1) + 1 > 2", 0, "found a test");
    check("COUNT(*) > 1 > 2", 13, "expected AND, OR or the end");
    check(
        "SUM(*) > 1",
        4,
        "expected the name of an attribute, found `*`",
    );
    check("COUNT(usr) > 1", 6, "no attribute is called `usr`");
    check("CONT(*) > 1", 0, "did you mean `COUNT`?");
    check(
        "median(user) > 1",
        0,
        "the aggregate MEDIAN is not supported yet",
    );
    check(
        "PCTILE(user, 95) > 1",
        0,
        "the aggregate PCTILE is not supported yet",
    );
    check(
        "AVG(user) > DeviceToCMDBAttr(user)",
        12,
        "not supported yet",
    );
    check(
        "COUNT(*) > 1 FOO",
        13,
        "expected AND, OR or the end, found `FOO`",
    );
    check("(COUNT(*) > 1", 13, "expected `)`");
    check("COUNT(*) > -x", 11, "expected a number after `-`");
    check(&"(".repeat(70), 64, "nested more than 64 deep");
}

#[test]
fn evaluates() {
    // In order of first mention: 6, 2, undefined.
    let check = |text: &str, expected: bool| {
        let (having, ..) = parse(text).expect(text);
        let values = [Some(6.0), Some(2.0), None];
        assert_eq!(having.holds(&|place| values[place]), expected, "{text}");
    };
    check("COUNT(*) >= 6", true);
    check("COUNT(*) > 6", false);
    check("COUNT(*) = 6 AND SUM(user) != 3", true);
    check("COUNT(*) < 6 OR SUM(user) <= 2", true);
    check("COUNT(*) / SUM(user) = 3", true);
    check("COUNT(*) - SUM(user) * 3 = 0", true);
    check("COUNT(*) - SUM(user) - 4 = 0", true);
    check("COUNT(*) / (SUM(user) - 2) != 1", false);
    check("COUNT(*) >= 1 AND SUM(user) >= 1 AND AVG(user) != 1", false);
    check(
        "COUNT(*) >= 1 AND SUM(user) >= 1 AND (AVG(user) < 1 OR AVG(user) >= 1)",
        false,
    );
    check("COUNT(*) >= 1 AND SUM(user) >= 1 OR AVG(user) < 1", true);
}

#[test]
fn knows_what_can_become_false() {
    let check = |text: &str, expected: bool| {
        let (having, aggregates, _) = parse(text).expect(text);
        assert_eq!(having.can_become_false(&aggregates), expected, "{text}");
    };
    check("COUNT(*) >= 5", false);
    check("COUNT(user) > 5 OR COUNT(DISTINCT user) >= 2", false);
    check("SUM(user) > 5 AND MAX(user) >= 2 AND MIN(user) <= 3", false);
    check("5 < COUNT(*)", false);
    check("3 >= MIN(user)", false);
    check("COUNT(*) < 5", true);
    check("5 > COUNT(*)", true);
    check("COUNT(*) = 5", true);
    check("MIN(user) > 5", true);
    check("MAX(user) < 5", true);
    check("AVG(user) >= 5", true);
    check("COUNT(*) >= 5 AND AVG(user) >= 5", true);
    check("SUM(user) / COUNT(*) >= 5", true);
    check("COUNT(user) >= COUNT(*)", true);
}
