use super::Zone;
use crate::event::{Attributes, Event};
use crate::rule::Filter;
use crate::time::parse;

/// The hour and the day of the week that a clock in this zone shows at a time.
fn check(zone: &str, time: &str, hour: i64, day: i64) {
    let holds = |filter: &str, at: &str| {
        let filter = Filter::parse(filter, &mut Attributes::default()).unwrap();
        filter.matches(&Event {
            time: parse(at).unwrap(),
            ..Event::default()
        })
    };
    let own = format!("HourOfDay(time, \"{zone}\") = {hour} AND DayOfWeek(\"{zone}\") = {day}");
    assert!(holds(&own, time), "{own} at {time}");
    let given = format!("HourOfDay(IF(user IS NULL, \"{time}\", user), \"{zone}\") = {hour}");
    assert!(holds(&given, "1999-01-01T00:00:00Z"), "{given}");
}

#[test]
fn clocks_go_by_their_zone_on_both_sides_of_a_change() {
    // Spring: at 02:00 clocks are put to 03:00.
    check("Europe/Berlin", "2026-03-29T00:59:59.999Z", 1, 0);
    check("Europe/Berlin", "2026-03-29T01:00:00Z", 3, 0);
    // Autumn: at 03:00 clocks are put back to 02:00, and the hour comes twice.
    check("Europe/Berlin", "2026-10-24T23:59:59Z", 1, 0);
    check("Europe/Berlin", "2026-10-25T00:00:00Z", 2, 0);
    check("Europe/Berlin", "2026-10-25T00:59:59Z", 2, 0);
    check("Europe/Berlin", "2026-10-25T01:00:00Z", 2, 0);
    check("Europe/Berlin", "2026-10-25T01:59:59Z", 2, 0);
    check("Europe/Berlin", "2026-10-25T02:00:00Z", 3, 0);
    // The South has its summer when the North has winter.
    check("Australia/Sydney", "2026-04-04T15:59:59Z", 2, 0);
    check("Australia/Sydney", "2026-04-04T16:00:00Z", 2, 0);
    check("Australia/Sydney", "2026-04-04T17:00:00Z", 3, 0);
    check("Australia/Sydney", "2026-10-03T16:00:00Z", 3, 0);
    // Half an hour of summer time, and offsets that are no whole hours.
    check("Australia/Lord_Howe", "2026-10-03T15:29:59Z", 1, 0);
    check("Australia/Lord_Howe", "2026-10-03T15:30:00Z", 2, 0);
    check("Asia/Kathmandu", "2026-03-01T18:14:59Z", 23, 0);
    check("Asia/Kathmandu", "2026-03-01T18:15:00Z", 0, 1);
    // Another day than in UTC, on either side.
    check("Pacific/Kiritimati", "2026-02-28T10:00:00Z", 0, 0);
    check("America/Los_Angeles", "2026-03-02T07:59:59Z", 23, 0);
    check("America/Los_Angeles", "2026-03-02T08:00:00Z", 0, 1);
    // A day that was left out: after Thursday, 29 December 2011 came Saturday.
    check("Pacific/Apia", "2011-12-30T09:59:59Z", 23, 4);
    check("Pacific/Apia", "2011-12-30T10:00:00Z", 0, 6);
    // Before the first change that is known, and long after the last one.
    check("America/Los_Angeles", "1970-01-01T00:00:00Z", 16, 3);
    check("Europe/Berlin", "2500-07-01T12:00:00Z", 14, 4);
    check("UTC", "2026-03-02T09:14:05Z", 9, 1);
}

#[test]
fn an_unknown_zone_is_an_error_with_a_hint() {
    let check = |name: &str, expected: &str| {
        let found = Zone::named(name).map(|zone| zone.name().to_owned());
        assert_eq!(
            found.as_ref().err().map(String::as_str),
            Some(expected),
            "{found:?}"
        );
    };
    check(
        "Europe/Berln",
        "unknown time zone `Europe/Berln`: did you mean `Europe/Berlin`?",
    );
    check(
        "berlin",
        "unknown time zone `berlin`: did you mean `Europe/Berlin`?",
    );
    check(
        "New York",
        "unknown time zone `New York`: did you mean `America/New_York`?",
    );
    let none = "; zones have the names of the tz database, such as Europe/Berlin";
    check("", &format!("unknown time zone ``{none}"));
    check(
        "W. Europe Standard Time",
        &format!("unknown time zone `W. Europe Standard Time`{none}"),
    );
    assert!(Zone::named("Etc/Unknown").is_err());
    assert!(Zone::named(&"x".repeat(1_000_000)).unwrap_err().len() < 300);
    assert_eq!(
        Zone::named("eUROPE/berlin").unwrap().name(),
        "Europe/Berlin"
    );
}
