use crate::event::Attributes;
use crate::rule::attribute::Names;
use crate::rule::formula::Reads;
use crate::rule::lists::Lists;
use crate::rule::scope::Scope;
use crate::rule::{Aggregate, Filter, FilterError, Having, Pattern, print};

fn parse(text: &str) -> Result<(Having, Vec<Aggregate>, Attributes), Vec<FilterError>> {
    let mut attributes = Attributes::default();
    let mut reads = Reads::default();
    let having = Having::parse(text, &mut Names::Event(&mut attributes), &mut reads)?;
    Ok((having, reads.aggregates, attributes))
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
    check("median(user)>=mode(user)", "MEDIAN(user) >= MODE(user)");
    check(
        "pctile(user,99.9)>pctile95(user)",
        "PCTILE(user, 99.9) > PCTILE(user, 95)",
    );
    check("PCTILE(50, user) > 1", "PCTILE(user, 50) > 1");
    check(
        "PCTILE(2*user, 50) > MAX((user))",
        "PCTILE(2 * user, 50) > MAX(user)",
    );
    check(
        "sum(if(USER=\"X\" , 1,0))/count(*)>0.9",
        "SUM(IF(user = \"x\", 1, 0)) / COUNT(*) > 0.9",
    );
    check(
        "count(distinct user,srcipaddr , len(user)) > 2",
        "COUNT(DISTINCT user, srcIpAddr, LEN(user)) > 2",
    );
    check("COUNT(user + 1) > 2", "COUNT(user + 1) > 2");
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

/// The first error of a text, which begins at `offset`.
fn check_error(text: &str, offset: usize, expected: &str) {
    let found = canonical(text);
    let begin = format!("{offset}: ");
    assert!(
        found.starts_with(&begin) && found.contains(expected),
        "{text}: {found}"
    );
}

#[test]
fn says_what_is_wrong_with_what_is_computed() {
    check_error(
        "SUM(user = \"a\") > 1",
        9,
        "expected a value, found a test: IF(test, 1, 0) makes one of it",
    );
    check_error("SUM((user = 1)) > 1", 4, "expected a value, found a test");
    check_error("SUM(1 + 2) > 1", 4, "reads nothing of the event");
    check_error(
        "COUNT(DISTINCT user, ) > 1",
        21,
        "or a computed value, found `)`",
    );
    check_error("SUM(user, user) > 1", 8, "expected `)`, found `,`");
    check_error("SUM(LEN(usr)) > 1", 8, "no attribute is called `usr`");
    check_error("SUM(IF(user = 1, 2)) > 1", 18, "expected `,`, found `)`");
    check_error("SUM(EXTRACT(user, \"(\")) > 1", 18, "regular expression");
    check_error(
        "MAX(HourOfDay(time, \"Europe/Brelin\")) > 1",
        20,
        "did you mean `Europe/Berlin`?",
    );
}

#[test]
fn says_what_is_wrong_and_where() {
    let check = check_error;
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
        "expected the name of an attribute, or a computed value, found `*`",
    );
    check("COUNT(usr) > 1", 6, "no attribute is called `usr`");
    check("CONT(*) > 1", 0, "did you mean `COUNT`?");
    check(
        "EMA(2, user) > 1",
        0,
        "EMA cannot be used: a rule knows its window",
    );
    check(
        "ph_func_DIFF_STAT_AVG_1(SUM(user), 2.0) >= 0",
        0,
        "no statistical profiles are kept here",
    );
    check(
        "AVG(user) > DeviceToCMDBAttr(user)",
        12,
        "DeviceToCMDBAttr cannot be used: there is no CMDB here",
    );
    let percent = "expected a number from 0 to 100, with at most three decimals, found";
    check("PCTILE(user, 100.1) > 1", 13, percent);
    check("PCTILE(user, 99.9999) > 1", 13, percent);
    check("PCTILE(user, -1) > 1", 13, percent);
    check("PCTILE(user, user) > 1", 13, percent);
    check("PCTILE(user) > 1", 11, "expected `,`");
    check("PCTILE95(user, 1) > 1", 13, "expected `)`");
    check("MEDIAN(*) > 1", 7, "expected the name of an attribute");
    check(
        "COUNT(DISTINCT user) > 1e6",
        0,
        "up to 1000000 different values",
    );
    check(
        "5 < COUNT(DISTINCT user) / 9e6",
        0,
        "up to 1000000 different values",
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
    for function in [
        "FIRST",
        "LAST",
        "MODE",
        "MEDIAN",
        "PCTILE95",
        "STDDEV",
        "VARIANCE",
        "PCTCHANGE",
    ] {
        check(&format!("{function}(user) > 5"), true);
        check(&format!("COUNT(*) > 5 OR {function}(user) < 5"), true);
    }
    check("COUNT(*) * 2 >= 5", true);
    check("COUNT(*) - COUNT(user) > 5", true);
    check("COUNT(*) != 5", true);
    check("COUNT(*) >= 5 AND AVG(user) >= 5", true);
    check("SUM(user) / COUNT(*) >= 5", true);
    check("COUNT(user) >= COUNT(*)", true);
}

#[test]
fn keeps_as_many_values_as_are_compared() {
    let check = |text: &str, expected: &[u32]| {
        let (names, mut reads) = (&mut Attributes::default(), Reads::default());
        let (names, lists) = (&mut Names::Event(names), Lists::default());
        let scope = &mut Scope::of_log(&lists);
        let having = Having::parse_with(text, names, &mut reads, scope).expect(text);
        let mut pattern = Pattern {
            name: "P".into(),
            filter: Filter::parse("user IS NULL", &mut Attributes::default()).unwrap(),
            group_by: Vec::new(),
            aggregates: reads.aggregates,
            formulas: reads.formulas,
            having,
            new: None,
        };
        assert_eq!(pattern.caps(100), expected, "{text}");
        pattern.having = Having::And(vec![pattern.having.clone()]);
        assert_eq!(pattern.caps(100), expected, "{text}");
    };
    check("COUNT(DISTINCT user) >= 5", &[100]);
    check("COUNT(DISTINCT user) >= 500", &[502]);
    check("500.5 > COUNT(DISTINCT user)", &[503]);
    check("COUNT(DISTINCT user) >= -500", &[100]);
    check("COUNT(*) >= 500 OR COUNT(DISTINCT user) < 200", &[100, 202]);
    check(
        "COUNT(DISTINCT user) > 5 AND COUNT(DISTINCT user) < 300",
        &[302],
    );
    check("COUNT(DISTINCT user) * 2 + 100 > 1000", &[452]);
    check("1000 - COUNT(DISTINCT user) < 100 - 50", &[952]);
    check("1 / COUNT(DISTINCT user) < 0.001", &[1002]);
    check("COUNT(DISTINCT user) / 3 > 100", &[302]);
    check("COUNT(DISTINCT user) * 0 > 1", &[100]);
    check("COUNT(DISTINCT user) / COUNT(*) > 0.5", &[100, 100]);
    check("MEDIAN(user) > 1000", &[100]);
}
