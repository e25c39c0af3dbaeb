use std::borrow::Cow;

use super::{List, Lists};
use crate::event::{Attributes, Value};
use crate::rule::attribute::Names;
use crate::rule::scope::Scope;
use crate::rule::{Filter, print};

fn list(file: &str, text: &str) -> List {
    let (lists, errors) = Lists::parse(&[(file.to_owned(), text.to_owned())]);
    assert!(errors.is_empty(), "{errors:?}");
    let (_, list) = lists.iter().next().unwrap();
    List::clone(list)
}

#[test]
fn has_what_is_in_the_first_column() {
    let check = |text: &str, value: Value<'_>, expected: bool| {
        for (file, text) in [
            ("x.txt", text.to_owned()),
            ("x.csv", format!("key\n{text}")),
        ] {
            let list = list(file, &text);
            assert_eq!(list.has(&value), expected, "{text}: {value:?}");
            let again = List::from_json(&list.to_json()).unwrap();
            assert_eq!(again, list);
        }
    };
    let text = |text: &'static str| Value::Text(text.into());
    check("Bob\n\n alice \n", text("ALICE"), true);
    check("Bob\nalice\n", text("carol"), false);
    check("200\n5.5", Value::Integer(200), true);
    check("200\n5.5", Value::Float(5.5), true);
    check("true", Value::Bool(true), true);
    check("a", Value::Many(vec![text("b"), text("A")]), true);
    check("10.0.0.0/8\n", text("10.9.9.9"), true);
    check("10.1.2.3/8\n", text("11.9.9.9"), false);
    check("10.0.0.1", text("::ffff:10.0.0.1"), true);
    check("2001:db8::/32", text("2001:DB8:1::2"), true);
    check("10.0.0.0/8\n", text("10.0.0.0/8"), true);
    check("10.0.0.0/8\n", text("alice"), false);
    check("", text("a"), false);
    assert!(!list("x.txt", "# a\na # b").has(&text("# a")));
    assert!(list("x.txt", "\u{feff}a").has(&text("a")));
}

#[test]
fn finds_rows() {
    let table = "Net, Zone ,Owner\n10.0.0.0/8,in,alice\n10.1.0.0/16,lab,\"Bob, Jr.\"\n\
                 10.1.0.0/16,dmz,carol\n10.1.2.3,host,dave\n";
    let table = list("nets.csv", table);
    assert_eq!((table.len(), table.columns().len()), (4, 3));
    let check = |keys: &[&str], owner: Option<&str>| {
        let keys: Vec<Cow<'_, str>> = keys.iter().map(|key| Cow::Borrowed(*key)).collect();
        let found = table.row(&keys).and_then(|row| row.last());
        assert_eq!(found.map(String::as_str), owner, "{keys:?}");
    };
    check(&["10.9.9.9"], Some("alice"));
    check(&["10.1.9.9"], Some("Bob, Jr."));
    check(&["10.1.2.3"], Some("dave"));
    check(&["10.1.9.9", "DMZ"], Some("carol"));
    check(&["10.1.2.3", "in"], Some("alice"));
    check(&["10.1.2.3", "else"], None);
    check(&["11.0.0.1"], None);
    check(&["10.0.0.0/8"], Some("alice"));
}

#[test]
fn order_and_case_mean_nothing_to_a_plain_list() {
    let json = |text| String::from_utf8(list("x.txt", text).to_json()).unwrap();
    assert_eq!(
        json("b\nA\n# c\nB\n"),
        "{\"columns\":[],\"rows\":[[\"a\"],[\"b\"]]}"
    );
}

#[test]
fn says_what_is_wrong() {
    let check = |files: &[(&str, &str)], expected: &str| {
        let files: Vec<_> = files
            .iter()
            .map(|(file, text)| ((*file).to_owned(), (*text).to_owned()))
            .collect();
        let (_, errors) = Lists::parse(&files);
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(errors.join("\n"), expected);
    };
    check(
        &[("lists/my-users.txt", "a")],
        "lists/my-users.txt:1:1: a list's name has letters, digits and _ only: rename `my-users`",
    );
    check(
        &[("a/x.txt", "a"), ("b/x.csv", "n\na")],
        "b/x.csv:1:1: the list `x` is already that of a/x.txt",
    );
    check(
        &[("x.csv", "a,b\n1,2\n3\n")],
        "x.csv:3:1: expected 2 fields, as in the first line, found 1",
    );
    check(
        &[("x.csv", "a,b\n1,2\n,4\n")],
        "x.csv:3:1: the first column of this row, its key, is empty",
    );
    check(
        &[("x.csv", "a,b\n1,\"2\n3,4\n")],
        "x.csv:2:1: a `\"` without another: all that follows would be one field",
    );
    check(
        &[("x.csv", "a,A\n")],
        "x.csv:1:1: two columns are called `A`",
    );
    check(
        &[("x.csv", "")],
        "x.csv:1:1: the first line names the columns, each of them",
    );
    check(
        &[("x.txt", &"a long value\n".repeat(2)), ("y.csv", "a,,b\n")],
        "y.csv:1:1: the first line names the columns, each of them",
    );
    let long: String = (0..60_000)
        .map(|number| format!("user-{number:020}\n"))
        .collect();
    let (_, errors) = Lists::parse(&[("x.txt".to_owned(), long)]);
    assert!(errors[0].message.contains("split it"), "{errors:?}");
}

#[test]
fn filters_name_lists() {
    let list = |file: &str, text: &str| (file.to_owned(), text.to_owned());
    let (lists, _) = Lists::parse(&[
        list("Admins.txt", "Alice"),
        list("Nets.csv", "net\n10.0.0.0/8"),
        list("Types.txt", "MS_B\nMS_A"),
    ]);
    let check = |text: &str, printed: &str, named: &[&str], types: Option<&[&str]>| {
        let mut attributes = Attributes::default();
        let filter = Filter::parse_with(
            text,
            &mut Names::Event(&mut attributes),
            &mut Scope::of(&lists),
        )
        .unwrap();
        let name = |id| print::name(&attributes, id);
        assert_eq!(print::filter(&filter.expression, &name), printed);
        let found = filter.lists().iter().map(|(name, _)| name);
        assert_eq!(found.collect::<Vec<_>>(), named, "{text}");
        let types = types.map(|types| types.iter().map(|one| (*one).to_owned()).collect());
        assert_eq!(filter.required_event_type(), types, "{text}");
    };
    check(
        "user in (group@Nets, 5, Group@Admins, \"B\")",
        "user IN (\"b\", 5, Group@Admins, Group@Nets)",
        &["Admins", "Nets"],
        None,
    );
    check(
        "NOT user = Group@Admins",
        "user NOT IN (Group@Admins)",
        &["Admins"],
        None,
    );
    check(
        "eventType IN (Group@Types, \"ms_c\")",
        "eventType IN (\"ms_c\", Group@Types)",
        &["Types"],
        Some(&["ms_a", "ms_b", "ms_c"]),
    );
    check(
        "eventType IN (Group@Nets)",
        "eventType IN (Group@Nets)",
        &["Nets"],
        None,
    );
    check(
        "LookupTableHas(Nets, srcIpAddr) AND LEN(user) IN (3, Group@Admins)",
        "LookupTableHas(\"Nets\", srcIpAddr) = 1 AND LEN(user) IN (3, Group@Admins)",
        &["Admins", "Nets"],
        None,
    );
}

#[test]
fn says_where_a_list_is_used_wrongly() {
    let table = ("Owners.csv".to_owned(), "user,team\na,b\n".to_owned());
    let (lists, _) = Lists::parse(&[table]);
    let check = |text: &str, expected: &str| {
        let names = &mut Names::Incident(&["user".to_owned()]);
        let errors = Filter::parse_with(text, names, &mut Scope::of(&lists)).unwrap_err();
        let error = format!("{}: {}", errors[0].offset, errors[0].message);
        assert!(error.starts_with(expected), "{text}: {error}");
    };
    check("user IN (Group@owners)", "9: no list is called `owners`");
    check(
        "LookupTableHas(Owner, user)",
        "15: no list is called `Owner` (lists/Owner.txt or lists/Owner.csv beside the rules): did \
         you mean `Owners`?",
    );
    check(
        "LookupTableGet(Owners, user, tam) = 5",
        "29: `Owners` has no column `tam`: did you mean `team`?",
    );
    check(
        "LookupTableGet(Owners, user) = 5",
        "0: `LookupTableGet` is written LookupTableGet(\"table\", key, .., \"column\")",
    );
    check(
        "LookupTableHas(Owners)",
        "0: `LookupTableHas` is written LookupTableHas(\"table\", key, ..)",
    );
    check(
        "LookupTableHas(Owners, user, user, user)",
        "0: the list `Owners` has at most 2 keys",
    );
    check(
        "LookupTableHas(5, user)",
        "15: expected the name of a lookup table",
    );
    check(
        "LookupTableGet(Owners, user, team)",
        "34: expected an operator",
    );
    check(
        "user > Group@Owners",
        "7: `>` compares numbers, found Group@Owners",
    );
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in proptest::prelude::any::<String>()) {
        for file in ["x.txt", "x.csv"] {
            let (lists, _) = Lists::parse(&[(file.to_owned(), text.clone())]);
            for (_, list) in lists.iter() {
                let again = List::from_json(&list.to_json());
                proptest::prop_assert_eq!(again.as_ref(), Ok(&**list));
            }
        }
    }
}

#[test]
fn networks_and_ranges_mean_their_addresses() {
    let check = |text: &str, inside: &[&str], outside: &[&str]| {
        for (file, text) in [
            ("x.txt", text.to_owned()),
            ("x.csv", format!("key,more\n{text},a\n")),
        ] {
            let list = list(file, &text);
            let again = List::from_json(&list.to_json()).unwrap();
            let has = |address: &&str| again.has(&Value::Text((*address).into()));
            assert!(inside.iter().all(has), "{text}");
            assert!(!outside.iter().any(has), "{text}");
        }
    };
    check(
        "198.51.100.0/255.255.255.0",
        &["198.51.100.9"],
        &["198.51.101.9"],
    );
    check(
        "203.0.113.1-203.0.113.9",
        &["203.0.113.1", "::ffff:203.0.113.9"],
        &["203.0.113.10"],
    );
    check("203.0.113.*", &["203.0.113.255"], &["203.0.114.0"]);
    check(
        "::ffff:192.0.2.0/120",
        &["192.0.2.7", "::ffff:192.0.2.7"],
        &["192.0.3.7"],
    );
    check("2001:db8::-2001:db8::5", &["2001:DB8::5"], &["2001:db8::6"]);
    let table = list(
        "x.csv",
        "net,zone\n10.0.0.0-10.0.0.255,range\n10.0.0.0/25,half\n",
    );
    let zone = |address: &'static str| table.row(&[address.into()]).map(|row| row[1].clone());
    assert_eq!(zone("10.0.0.1"), Some("half".to_owned()));
    assert_eq!(zone("10.0.0.200"), Some("range".to_owned()));
}

#[test]
fn lines_are_read_as_people_write_them() {
    let check = |text: &str, value: &'static str, expected: bool| {
        assert_eq!(
            list("x.txt", text).has(&Value::Text(value.into())),
            expected,
            "{text:?}"
        );
    };
    check(
        "\u{feff}# all\r\n  10.0.0.0/8\t# the office\r\n",
        "10.9.9.9",
        true,
    );
    check("alice # the boss\n", "alice", true);
    check("alice #\n", "alice", true);
    check("Room #5\n", "room #5", true);
    check("C#\n", "c#", true);
    check("\\arkei/*\n", "ARKEI/*", true);
    check("\\\\server\\share\n", "\\\\server\\share", true);
    check("\\300.1.1.1\n", "300.1.1.1", true);
}

#[test]
fn every_line_that_would_match_nothing_is_an_error() {
    let lines = "198.51.100.0/255.255.255.0\n203.0.113.1-203.0.113.9\n203.0.113.*\n10.0.0.0/33\n  \
                 300.1.1.1\nok\narkei/*\n";
    let found = |file: &str, text: String| {
        let (_, errors) = Lists::parse(&[(file.to_owned(), text)]);
        let places = errors.iter().map(|error| (error.line, error.column));
        assert!(
            errors
                .iter()
                .all(|error| error.message.contains("would match nothing"))
        );
        places.collect::<Vec<_>>()
    };
    assert_eq!(
        found("lists/Nets.txt", lines.to_owned()),
        [(4, 1), (5, 3), (7, 1)]
    );
    assert_eq!(
        found("lists/Nets.csv", format!("net\n{lines}")),
        [(5, 1), (6, 1), (8, 1)]
    );
    let (_, errors) = Lists::parse(&[("x.txt".to_owned(), "a\nb\u{1b}[2J\nc\u{202e}".to_owned())]);
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert!(
        errors[0].starts_with("x.txt:2:2: found the control") && errors.len() == 2,
        "{errors:?}"
    );
}

#[test]
fn ranges_are_bounded() {
    let ranges = |count: u32| -> String {
        let range = |n: u32| format!("2001:db8:{n:x}::1-2001:db8:{n:x}:ffff:ffff:ffff:ffff:fffe\n");
        (0..count).map(range).collect()
    };
    assert!(list("x.txt", &ranges(100)).has(&Value::Text("2001:db8:63::5".into())));
    let (lists, errors) = Lists::parse(&[("x.txt".to_owned(), ranges(1_000))]);
    assert!(
        errors[0].message.contains("more than 100000 networks"),
        "{errors:?}"
    );
    assert!(lists.iter().all(|(_, list)| list.is_empty()));
    let table = format!(
        "{}\n",
        (0..300)
            .map(|n| format!("c{n}"))
            .collect::<Vec<_>>()
            .join(",")
    );
    let (_, errors) = Lists::parse(&[("x.csv".to_owned(), table)]);
    assert!(
        errors[0].message.contains("at most 256 columns"),
        "{errors:?}"
    );
}
