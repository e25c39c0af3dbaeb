//! The oracle against cases worked out by hand.

use crate::world::World;

use super::final_incidents;

/// 2026-03-02T10:00:00Z.
const BEGIN: i64 = 1_772_445_600_000;

/// The rest of a rule after its window, the events as "milliseconds:OPERATION user address", and
/// the incidents as "first..last seconds, events, windows: evidence by pattern and second".
fn check(window: i64, rest: &str, events: &[&str], expected: &[&str]) {
    let mut world = World::new(BEGIN + 86_400_000, 1, 1);
    let rule = format!("id: R\nname: R\nseverity: 5\nwindow: {window}s\n{rest}");
    let plan = world.plan(&rule);
    for event in events {
        let (time, what) = event.split_once(':').unwrap();
        let mut words = what.split(' ');
        let mut word = || words.next().unwrap_or("-");
        let (operation, user, address) = (word(), word(), word());
        let time = watchfire::time::rfc3339(BEGIN + time.parse::<i64>().unwrap());
        let record = format!(
            r#"{{"time":"{time}","operationName":"{operation}","callerIpAddress":"{address}",
            "identity":{{"claims":{{"upn":"{user}"}}}}}}"#
        );
        world.produce(0, record.into_bytes());
    }
    let found: Vec<String> = final_incidents(world.all_matches(&plan))
        .iter()
        .map(|incident| {
            let second = |time: i64| (time - BEGIN).div_euclid(1000);
            let evidence: Vec<String> = incident
                .evidence
                .iter()
                .map(|e| format!("{}{}", e.pattern, second(e.time)))
                .collect();
            format!(
                "{}..{} {} {}: {}",
                second(incident.first_seen),
                second(incident.last_seen),
                incident.event_count,
                incident.trigger_count,
                evidence.join(" ")
            )
        })
        .collect();
    assert_eq!(found, expected, "{rest}\n{events:?}");
}

/// Patterns A, B and C for the operations a, b and c, with a condition.
fn patterns(condition: &str) -> String {
    let mut text = "patterns:\n".to_owned();
    for name in ["A", "B", "C"] {
        if condition.split([' ', '(', ')']).any(|word| word == name) {
            let operation = name.to_lowercase();
            text += &format!(
                "  - {{ name: {name}, where: 'eventType = \"MS_EvtHub_{operation}\"' }}\n"
            );
        }
    }
    format!("{text}condition: {condition}\n")
}

#[test]
fn operators() {
    let and = patterns("A AND B");
    check(10, &and, &["0:a", "9999:b"], &["9..9 2 1: A0 B9"]);
    check(10, &and, &["0:b", "9999:a"], &["9..9 2 1: A9 B0"]);
    check(10, &and, &["999:a", "10000:b"], &[]);
    let or = patterns("A OR B");
    check(10, &or, &["0:a", "5000:b"], &["0..5 2 1: A0 B5"]);
    let then = patterns("A FOLLOWED_BY B");
    check(10, &then, &["0:a", "9999:b"], &["9..9 2 1: A0 B9"]);
    check(10, &then, &["0:b", "9999:a"], &[]);
    check(10, &then, &["900:a", "100:b"], &[]);
    check(10, &then, &["100:a", "900:b"], &["0..0 2 1: A0 B0"]);
    check(10, &then, &["100:a", "100:b"], &["0..0 2 1: A0 B0"]);
    // The window of the pair reaches back from its first pane.
    check(
        10,
        &then,
        &["0:b", "5000:a", "9000:b"],
        &["9..9 3 1: A5 B0 B9"],
    );
    let never = patterns("A NOT_FOLLOWED_BY B");
    check(10, &never, &["0:a", "9999:b"], &[]);
    check(10, &never, &["0:a", "10000:b"], &["0..0 1 1: A0"]);
    check(10, &never, &["900:a", "100:b"], &["0..0 1 1: A0"]);
    check(10, &never, &["100:a", "100:b"], &[]);
    check(10, &never, &["0:b", "5000:a"], &["5..5 1 1: A5"]);
    let without = patterns("A AND_NOT B");
    check(10, &without, &["0:b", "9999:a"], &[]);
    check(10, &without, &["0:a", "9999:b"], &[]);
    check(
        10,
        &without,
        &["0:b", "10000:a", "20000:b"],
        &["10..10 1 1: A10"],
    );
}

#[test]
fn unless() {
    let unless = patterns("A FOLLOWED_BY B UNLESS C");
    let found = &["5..5 2 1: A0 B5"];
    check(10, &unless, &["0:a", "5000:b"], found);
    check(10, &unless, &["0:a", "3000:c", "5000:b"], &[]);
    // What comes with one of the two, or beyond them, is not between.
    check(10, &unless, &["400:a", "400:c", "5000:b"], found);
    check(10, &unless, &["0:a", "5000:b", "5000:c"], found);
    check(10, &unless, &["100:c", "400:a", "5100:b", "5900:c"], found);
    check(10, &unless, &["400:a", "401:c", "5100:b"], &[]);
    check(10, &unless, &["400:a", "5099:c", "5100:b"], &[]);
    // Of a pane's events the last A and the first B count, and any C.
    let again = ["0:a", "300:c", "400:a", "5000:b"];
    check(10, &unless, &again, &["5..5 3 1: A0 A0 B5"]);
    let again = ["0:a", "5100:b", "5200:c", "5300:b"];
    check(10, &unless, &again, &["5..5 3 1: A0 B5 B5"]);
    check(10, &unless, &["400:a", "300:c", "500:c", "5000:b"], &[]);
    // Within one second FOLLOWED_BY alone decides.
    check(
        10,
        &unless,
        &["100:a", "200:c", "300:b"],
        &["0..0 2 1: A0 B0"],
    );
    // What was before is parted from what comes after; what comes later begins anew.
    let anew = ["0:a", "2000:c", "3000:a", "5000:b"];
    check(10, &unless, &anew, &["5..5 3 1: A0 A3 B5"]);
    let twice = ["0:a", "2000:b", "3000:c", "5000:b"];
    check(10, &unless, &twice, &["2..2 2 1: A0 B2"]);
}

#[test]
fn unless_between_combinations() {
    // It belongs to the FOLLOWED_BY before it.
    let first = "A FOLLOWED_BY B UNLESS C FOLLOWED_BY A";
    let chain = patterns(first);
    let found = &["6..6 3 1: A0 A6 B2"];
    check(10, &chain, &["0:a", "2000:b", "4000:c", "6000:a"], found);
    check(10, &chain, &["0:a", "1000:c", "2000:b", "6000:a"], &[]);
    // All of what must not come between lies between.
    let pair = patterns("A FOLLOWED_BY B UNLESS (C FOLLOWED_BY C)");
    let found = &["5..5 2 1: A0 B5"];
    check(10, &pair, &["0:a", "1000:c", "5000:b", "6000:c"], found);
    check(10, &pair, &["0:a", "1000:c", "4000:c", "5000:b"], &[]);
    // A pair that began in A's own second is between the two, one that began before is not.
    let around = ["0:c", "500:a", "1000:c", "5000:b"];
    check(10, &pair, &around, &[]);
    let around = ["0:c", "1500:a", "2000:c", "5000:b"];
    check(10, &pair, &around, &["5..5 2 1: A1 B5"]);
    // A pair that spans what must not come between is stopped by what lies before its own last.
    let then = patterns("A FOLLOWED_BY (B FOLLOWED_BY B) UNLESS C");
    check(10, &then, &["0:a", "2000:b", "3000:c", "5000:b"], &[]);
    let found = &["5..5 3 1: A0 B2 B5"];
    check(10, &then, &["0:a", "2000:b", "5000:b", "6000:c"], found);
}

#[test]
fn an_event_does_not_follow_itself() {
    let both = "
patterns:
  - { name: A, where: 'eventType IN (\"MS_EvtHub_a\", \"MS_EvtHub_ab\")' }
  - { name: B, where: 'eventType IN (\"MS_EvtHub_b\", \"MS_EvtHub_ab\")' }
";
    let then = format!("{both}condition: A FOLLOWED_BY B\n");
    check(10, &then, &["0:ab"], &[]);
    check(10, &then, &["0:ab", "0:ab"], &["0..0 2 1: A0 A0 B0 B0"]);
    check(10, &then, &["0:ab", "1:ab"], &["0..0 2 1: A0 A0 B0 B0"]);
    check(10, &then, &["0:ab", "5000:ab"], &["5..5 2 1: A0 A5 B0 B5"]);
    check(10, &then, &["0:ab", "0:b"], &["0..0 2 1: A0 B0 B0"]);
    check(10, &then, &["1:ab", "0:b"], &[]);
    let silent = patterns("A NOT_FOLLOWED_BY A");
    check(10, &silent, &["0:a", "9000:a"], &["9..9 2 1: A0 A9"]);
    check(10, &silent, &["0:a", "10000:a"], &["0..10 2 2: A0 A10"]);
    let never = format!("{both}condition: A NOT_FOLLOWED_BY B\n");
    check(10, &never, &["0:ab"], &["0..0 1 1: A0"]);
    check(10, &never, &["0:ab", "0:ab"], &[]);
    check(10, &never, &["1:ab", "0:b"], &["0..0 1 1: A0"]);
}

#[test]
fn chains() {
    let chain = patterns("A FOLLOWED_BY B FOLLOWED_BY C");
    check(
        10,
        &chain,
        &["0:a", "5000:b", "9000:c"],
        &["9..9 3 1: A0 B5 C9"],
    );
    check(10, &chain, &["0:a", "5000:b", "12000:c"], &[]);
    check(
        10,
        &chain,
        &["0:a", "4000:a", "5000:b", "12000:c"],
        &["12..12 4 1: A0 A4 B5 C12"],
    );
    // C absent after the pair; B absent between is another rule.
    let pair = patterns("(A FOLLOWED_BY B) NOT_FOLLOWED_BY C");
    check(10, &pair, &["0:a", "5000:b", "9000:c"], &[]);
    // The window of an absence ends with that of what came before it.
    check(
        10,
        &pair,
        &["0:a", "5000:b", "10000:c"],
        &["5..5 2 1: A0 B5"],
    );
    let nested = patterns("A NOT_FOLLOWED_BY (B FOLLOWED_BY C)");
    check(10, &nested, &["0:a", "5000:b", "9000:c"], &[]);
    check(
        10,
        &nested,
        &["0:a", "5000:b", "10000:c"],
        &["0..0 1 1: A0"],
    );
    // Absence within absence: B is excused by C.
    let excused = patterns("A AND_NOT (B NOT_FOLLOWED_BY C)");
    check(10, &excused, &["0:a", "1000:b"], &[]);
    check(
        10,
        &excused,
        &["0:a", "1000:b", "2000:c"],
        &["0..0 1 1: A0"],
    );
}

#[test]
fn episodes() {
    let each = "patterns:\n  - { name: A, where: 'eventType = \"MS_EvtHub_a\"' }\n";
    check(10, each, &["0:a", "10000:a"], &["0..10 2 2: A0 A10"]);
    check(
        10,
        each,
        &["0:a", "11000:a"],
        &["0..0 1 1: A0", "11..11 1 1: A11"],
    );
    let midnight = 14 * 3_600_000;
    let before = format!("{}:a", midnight - 1);
    let after = format!("{midnight}:a");
    let two = [
        "50399..50399 1 1: A50399",
        "50400..50400 2 1: A50399 A50400",
    ];
    check(10, each, &[&before, &after], &two);
    let three = format!(
        "{}    having: COUNT(*) >= 3\n",
        each.replace(" }", "\n")
            .replace("{ ", "")
            .replace(", where", "\n    where")
    );
    let events: Vec<String> = (0..10).map(|n| format!("{}:a", n * 1000)).collect();
    let events: Vec<&str> = events.iter().map(String::as_str).collect();
    check(10, &three, &events, &["2..9 10 1: A0 A1 A2"]);
    let clear = format!(
        "{each}  - {{ name: Z, where: 'eventType = \"MS_EvtHub_z\"' }}\n\
         clear: {{ when: Z, quiet: 60s }}\n"
    );
    check(
        10,
        &clear,
        &["0:a", "5000:z", "8000:a"],
        &["0..0 1 1: A0", "8..8 2 1: A0 A8"],
    );
    check(
        10,
        &clear,
        &["0:a", "8000:z", "8000:a"],
        &["0..8 2 1: A0 A8"],
    );
    check(
        10,
        &clear,
        &["0:a", "0:z", "8000:a"],
        &["0..0 1 1: A0", "8..8 2 1: A0 A8"],
    );
}

#[test]
fn values_that_are_new() {
    let new = "
patterns:
  - name: A
    where: eventType = \"MS_EvtHub_a\"
    group_by: [user]
    new: '[user, srcIpAddr] over 100s'
";
    let events = ["0:a u 10.0.0.1", "50000:a u 10.0.0.1", "60000:a u 10.0.0.2"];
    check(10, new, &events, &["0..0 1 1: A0", "60..60 1 1: A60"]);
    // A period that is over to the millisecond.
    let events = ["0:a u 10.0.0.1", "100000:a u 10.0.0.1"];
    check(10, new, &events, &["0..0 1 1: A0"]);
    let events = ["0:a u 10.0.0.1", "100001:a u 10.0.0.1"];
    check(10, new, &events, &["0..0 1 1: A0", "100..100 1 1: A100"]);
    // At one millisecond both are new; each seen again prolongs the period.
    let events = [
        "0:a u 10.0.0.1",
        "0:a u 10.0.0.1",
        "90000:a u 10.0.0.1",
        "180000:a u 10.0.0.1",
    ];
    check(10, new, &events, &["0..0 2 1: A0 A0"]);
}

#[test]
fn keys_and_groups() {
    let related = "
patterns:
  - { name: A, where: 'eventType = \"MS_EvtHub_a\"', group_by: [user] }
  - { name: B, where: 'eventType = \"MS_EvtHub_b\"', group_by: [srcIpAddr] }
condition: A FOLLOWED_BY B
relations: [A.user = B.srcIpAddr]
";
    check(10, related, &["0:a 10.0.0.2", "5000:b x 10.0.0.1"], &[]);
    // Each group is counted by itself; the others' events count all the same.
    let finer = "
patterns:
  - name: A
    where: eventType = \"MS_EvtHub_a\"
    group_by: [user, srcIpAddr]
    having: COUNT(*) >= 2
  - { name: B, where: 'eventType = \"MS_EvtHub_b\"', group_by: [user] }
relations: [A.user = B.user]
";
    check(
        10,
        finer,
        &["0:a u 10.0.0.1", "1000:a u 10.0.0.2", "2000:b u"],
        &[],
    );
    let events = [
        "0:a u 10.0.0.1",
        "1000:a u 10.0.0.2",
        "2000:a u 10.0.0.1",
        "3000:b u",
    ];
    check(10, finer, &events, &["3..3 4 1: A0 A1 A2 B3"]);
}
