use crate::event::Attributes;
use crate::rule::lists::Lists;
use crate::rule::{Rule, parse_all, parse_with};

/// A rule of two patterns with this `group_by` and `having` of the first, and more.
fn text(group_by: &str, having: &str, more: &str) -> String {
    format!(
        "id: R\nname: n\nseverity: 5\nwindow: 5m\npatterns:\n  - name: A\n    where: user IS NOT \
         NULL\n    group_by: {group_by}\n    having: {having}\n{more}"
    )
}

fn lists() -> Lists {
    let list = |file: &str, text: &str| (file.to_owned(), text.to_owned());
    Lists::parse(&[
        list("Admins.txt", "alice"),
        list("Owners.csv", "user,team\na,b\n"),
    ])
    .0
}

fn read(text: &str) -> Result<(Rule, Attributes), String> {
    let mut attributes = Attributes::default();
    let files = [("f".to_owned(), text.to_owned())];
    match parse_all(&files, &lists(), &mut attributes) {
        Ok(mut rules) => Ok((rules.pop().unwrap(), attributes)),
        Err(errors) => {
            let all: Vec<String> = errors.iter().map(ToString::to_string).collect();
            Err(all.join("\n"))
        }
    }
}

const DOMAIN: &str = "[user, { domain: 'EXTRACT(user, \"@(.*)$\")' }]";

const USED: &str = "    new: '[domain, user, srcIpAddr] over 1h'
  - name: B
    where: user IS NULL
    group_by:
      - home: IF(LookupTableHas(Owners, user), LookupTableGet(Owners, user, team), user)
condition: A AND B
relations: [A.domain = B.home]
incident:
  title: $domain and $pairs
  attributes: { domain: A.domain, who: A.user, pairs: 'A.COUNT(DISTINCT domain, user)' }
exceptions:
  - { where: 'domain IN (Group@Admins)' }
";

#[test]
fn a_computed_value_is_used_like_an_attribute() {
    let having =
        "COUNT(DISTINCT domain) > 2 AND SUM(IF(user IN (Group@Admins), 1, 0)) / COUNT(*) > 0.9";
    let (rule, attributes) = read(&text(DOMAIN, having, USED)).unwrap();
    assert_eq!(rule.join_key[0].name, "domain");
    let lists: Vec<&str> = rule.lists.iter().map(|(name, _)| name).collect();
    assert_eq!(lists, ["Admins", "Owners"]);
    let meaning = rule.meaning(&attributes);
    for line in [
        " group_by user, domain: EXTRACT(user, \"@(.*)$\")",
        &format!(" having {having}"),
        " new [domain, user, srcIpAddr] over 3600s",
        "key domain 1 0",
        "attribute pairs A.COUNT(DISTINCT domain, user)",
    ] {
        assert!(
            meaning.lines().any(|one| one == line),
            "{line} in\n{meaning}"
        );
    }
    // What is printed, and what is kept, reads as the same.
    let printed = rule.to_yaml(&attributes);
    for text in [&printed, &rule.text] {
        let mut names = Attributes::default();
        let again = parse_with("printed", text, &rule.lists, &mut names).unwrap();
        assert_eq!(again[0].meaning(&names), meaning, "{text}");
        assert_eq!(again[0].to_yaml(&names), printed);
    }
}

#[test]
fn paths_through_certain_elements_may_stand_anywhere() {
    let path = "record.t[k = \"a, \\\"b\\\"]\" AND l = \"x\"].v";
    let group_by = format!("['{path}', {{ d: 'LEN({path})' }}]");
    let having = format!("COUNT(DISTINCT {path}) > 1 AND SUM(IF({path} = 1, 1, 0)) > 2");
    let more = format!(
        "    new: '[{path}, d, user] over 1h'\nincident: {{ attributes: {{ v: 'A.{path}' }} }}\n"
    );
    let (rule, attributes) = read(&text(&group_by, &having, &more)).unwrap();
    let meaning = rule.meaning(&attributes);
    assert!(
        meaning.contains(&format!(" new [{path}, d, user] over 3600s")),
        "{meaning}"
    );
    assert!(
        meaning.contains(&format!("attribute v A.{path}\n")),
        "{meaning}"
    );
    let printed = rule.to_yaml(&attributes);
    let mut names = Attributes::default();
    let again = parse_with("printed", &printed, &rule.lists, &mut names).unwrap();
    assert_eq!(again[0].meaning(&names), meaning, "{printed}");
}

#[test]
fn how_it_is_computed_is_a_part_of_the_meaning() {
    let meaning = |group_by: &str, having: &str| {
        let (rule, attributes) = read(&text(group_by, having, "")).unwrap();
        rule.meaning(&attributes)
    };
    let having = "COUNT(*) > 1";
    let one = meaning("[{ d: LEN(user) }]", having);
    assert_eq!(one, meaning("[ {d: len( USER )} ]", having));
    assert_ne!(one, meaning("[{ e: LEN(user) }]", having));
    assert_ne!(one, meaning("[{ d: TRIM(user) }]", having));
    let sum = |value: &str| meaning("[user]", &format!("SUM({value}) > 1"));
    assert_eq!(sum("record.n"), sum("(record.n)"));
    assert_ne!(sum("record.n"), sum("record.n + 1"));
}

/// The first error of a rule with these is where `at` stands first.
fn check_error(group_by: &str, having: &str, at: &str, expected: &str) {
    let text = text(group_by, having, "");
    let found = read(&text).unwrap_err();
    let mut lines = (1..).zip(text.lines());
    let place = lines.find_map(|(number, line)| Some((number, line.find(at)? + 1)));
    let (line, column) = place.unwrap();
    let begin = format!("f:{line}:{column}: {expected}");
    assert!(
        found.starts_with(&begin),
        "{group_by} {having}\n{found}\n{begin}"
    );
}

#[test]
fn errors_say_what_is_wrong_and_where() {
    let check = check_error;
    let count = "COUNT(*) > 1";
    check(
        "[{ d: 'EXTRACT(usr, \"@(.*)$\")' }]",
        count,
        "usr",
        "no attribute is called `usr`; did you mean `user`",
    );
    let one = "expected one name and what it stands for, in quotes where that has commas";
    check("[{ d: LEN(user), e: LEN(user) }]", count, "{ d", one);
    check("[{}]", count, "{}", one);
    let check_name = |name: &str, expected: &str| {
        check(&format!("[{{ {name}: LEN(user) }}]"), count, name, expected);
    };
    check_name("userAgent", "`userAgent` is an attribute of events");
    check_name("'a b'", "`a b` is not a name");
    check_name(
        "severity_band",
        "`severity_band` is a field of every incident",
    );
    check_name("And", "`And` is an operator");
    check(
        "[{ d: LEN(user) }, { D: user }]",
        count,
        "D: u",
        "`D` is in this list twice",
    );
    check(
        "[{ d: 5 }]",
        count,
        "5 }",
        "this value reads nothing of the event",
    );
    check(
        "[{ d: user = 5 }]",
        count,
        "= 5",
        "expected a value, found a test",
    );
    check(
        "[{ d: [user] }]",
        count,
        "[user]",
        "expected a computed value such as",
    );
    let unknown = "no attribute is called `d`";
    check("[{ d: LEN(user) }, { e: LEN(d) }]", count, "d) }", unknown);
    let within = "`d` is computed in group_by: within a computed value write how";
    check("[{ d: LEN(user) }]", "SUM(d + 1) > 1", "d + 1", within);
    check(
        "[user]",
        "SUM(LEN(usr)) > 1",
        "usr)",
        "no attribute is called `usr`",
    );
    let other = "  - name: B\n    where: user IS NULL\n    group_by: [d]\n";
    let found = read(&text("[{ d: LEN(user) }]", count, other)).unwrap_err();
    assert!(
        found.starts_with("f:12:16: no attribute is called `d`"),
        "{found}"
    );
}
