use crate::event::{Attribute, Attributes, Event, Value};
use crate::rule::Filter;

/// The filter over `user` and `targetUser`.
fn check(filter: &str, user: Option<Value<'_>>, target: Option<Value<'_>>, expected: bool) {
    let mut attributes = Attributes::default();
    attributes.intern(Attribute::Named("user"));
    attributes.intern(Attribute::Named("targetUser"));
    let parsed = Filter::parse(filter, &mut attributes).expect(filter);
    let values = vec![user, target];
    let event = Event {
        values,
        ..Event::default()
    };
    assert_eq!(parsed.matches(&event), expected, "{filter} on {event:?}");
}

fn text(text: &str) -> Option<Value<'_>> {
    Some(Value::Text(text.into()))
}

fn list(texts: &[&'static str]) -> Option<Value<'static>> {
    let values = texts.iter().map(|text| Value::Text((*text).into()));
    Some(Value::Many(values.collect()))
}

#[test]
fn attributes_are_compared_with_each_other() {
    let integer = |value| Some(Value::Integer(value));
    check("user = targetUser", text("Alice"), text("aLICE"), true);
    check("user = targetUser", text("alice"), text("bob"), false);
    check("user != targetUser", text("alice"), text("bob"), true);
    check("user = targetUser", text("5.0"), integer(5), true);
    check("user = targetUser", text("5.0"), text("5"), false);
    check(
        "user = targetUser",
        Some(Value::Bool(true)),
        text("TRUE"),
        true,
    );
    check(
        "user = targetUser",
        text("::ffff:10.0.0.1"),
        text("10.0.0.1"),
        true,
    );
    check("user = targetUser", text("::1"), text("::2"), false);
    // What is absent differs from every value, also from another absent one.
    check("user = targetUser", None, None, false);
    check("user != targetUser", None, None, true);
    check("user != targetUser", text("alice"), None, true);
    check("user < targetUser", text("9"), integer(10), true);
    check("user < targetUser", text("a"), text("b"), false);
    check("NOT user < targetUser", text("a"), text("b"), true);
    check(
        "user >= targetUser",
        integer(10),
        Some(Value::Float(10.0)),
        true,
    );
    // One value of a list is enough; two lists have no order in which to try them.
    check("user = targetUser", text("b"), list(&["a", "B"]), true);
    check("user = targetUser", list(&["a", "b"]), text("b"), true);
    check("user != targetUser", list(&["a", "b"]), text("b"), false);
    check("user = targetUser", list(&["a"]), list(&["a"]), false);
}

#[test]
fn arithmetic() {
    let integer = |value| Some(Value::Integer(value));
    check("user * 2 >= targetUser + 1", integer(3), integer(5), true);
    check("(user + targetUser) * 2 = 16", integer(3), integer(5), true);
    check("user - targetUser - 1 = -3", integer(3), integer(5), true);
    check("user - (targetUser - 1) = -1", integer(3), integer(5), true);
    check("user / targetUser = 0.6", integer(3), integer(5), true);
    check("user / targetUser IS NULL", integer(3), integer(0), true);
    check("user / targetUser != 1", integer(3), integer(0), true);
    check(
        "user + 1 = 9007199254740993",
        text("9007199254740992"),
        None,
        true,
    );
    check("user + 1 > 9e18", integer(i64::MAX), None, true);
    check(
        "user / targetUser > 0",
        integer(i64::MIN),
        integer(-1),
        true,
    );
    check("user + 1 = 1", text("x"), None, false);
    check("10 - user > 5", integer(4), None, true);
    check("5 < user", integer(6), None, true);
    check("\"alice\" = user", text("Alice"), None, true);
    check("-1 < user", integer(0), None, true);
    check("user * 2 IN (4, \"6\")", list(&["1", "3"]), None, true);
    check("(user) = \"alice\"", text("alice"), None, true);
    check(
        "(user = 1 OR (targetUser) = 2) AND user + 1 = 2",
        integer(1),
        None,
        true,
    );
    check("user + targetUser = 3", list(&["1"]), list(&["2"]), false);
}

#[test]
fn what_grows_too_long_is_undefined() {
    let grown = |times: usize| {
        let open = "REPLACE(".repeat(times);
        let close = ", \"a\", \"aaaaaaaaaaaaaaaa\")".repeat(times);
        format!("LEN({open}user{close}) IS NULL")
    };
    let long = "a".repeat(1_000);
    check(&grown(1), text(&long), None, false);
    check(&grown(2), text(&long), None, true);
    check(&grown(50), text(&long), None, true);
    check(&grown(50), text("b"), None, false);
    let of_list = |count: usize| {
        let values = vec![Value::Text("a".repeat(4_000).into()); count];
        Some(Value::Many(values))
    };
    check(&grown(1), of_list(100), None, false);
    check(&grown(1), of_list(1_000), None, true);
}
