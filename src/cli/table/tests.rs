use super::*;
use crate::incident::{AttributeValue, tests::with_attributes};

const PLAIN: Layout = Layout {
    width: 100,
    colour: false,
};

fn by(user: &str) -> Incident {
    with_attributes(&[("user", AttributeValue::Text(user.into()))])
}

#[test]
fn fits_the_width() {
    fn check(width: usize, expected: usize) {
        let layout = Layout {
            width,
            colour: false,
        };
        let long = Incident {
            rule_name: "r".repeat(200).into(),
            ..by(&"u".repeat(200))
        };
        assert_eq!(
            console::measure_text_width(&row(layout, &long)),
            expected,
            "{width}"
        );
        assert_eq!(header(layout).len(), expected, "{width}");
        let coloured = row(
            Layout {
                width,
                colour: true,
            },
            &long,
        );
        assert_eq!(console::measure_text_width(&coloured), expected, "{width}");
    }
    check(80, 82);
    check(100, 100);
    check(173, 173);
}

#[test]
fn shows_an_incident() {
    fn check(incident: &Incident, expected: &str) {
        assert_eq!(row(PLAIN, incident), expected);
    }
    check(
        &by("mara@contoso.com"),
        "OPEN      MEDIUM Command on a machine  mara@contoso.com           3 03-01 09:15:02 \
         09:16:00 1a1a1a1a",
    );
    check(
        &by("a very long name of somebody\n日本語"),
        "OPEN      MEDIUM Command on a machine  a very long name of …      3 03-01 09:15:02 \
         09:16:00 1a1a1a1a",
    );
    check(
        &by("日本語\u{1b}[2J日本語日本語日本語"),
        "OPEN      MEDIUM Command on a machine  日本語\\u001b[2J日本…      3 \
         03-01 09:15:02 09:16:00 1a1a1a1a",
    );
}

#[test]
fn says_who_else_what_else_the_title() {
    fn check(attributes: &[(&str, &str)], expected: &str) {
        let attributes: Vec<_> = attributes
            .iter()
            .map(|(name, value)| (*name, AttributeValue::Text((*value).to_owned())))
            .collect();
        assert_eq!(who(&with_attributes(&attributes)), expected);
    }
    check(
        &[
            ("user", "mara"),
            ("srcIpAddr", "192.0.2.7"),
            ("hostName", "vm"),
        ],
        "192.0.2.7 mara",
    );
    check(&[("hostName", "vm"), ("other", "x")], "vm");
    check(&[("other", "x")], "Command run by mara@contoso.com");
}

#[test]
fn prints_the_header_once() {
    let mut out = Vec::new();
    let mut printer = Printer::new(Lines::new(&mut out), PLAIN);
    printer.print(&by("mara")).expect("memory");
    printer.print(&by("jonas")).expect("memory");
    drop(printer);
    let text = String::from_utf8(out).expect("UTF-8");
    assert_eq!(text.lines().count(), 3);
    assert!(text.starts_with("STATUS    LEVEL  RULE"));
}

#[test]
fn colours_by_severity() {
    let coloured = Layout {
        colour: true,
        ..PLAIN
    };
    assert!(row(coloured, &by("mara")).contains("\u{1b}[33mMEDIUM\u{1b}[0m"));
    let severe = Incident {
        severity: 10,
        ..by("mara")
    };
    assert!(row(coloured, &severe).contains("\u{1b}[1;31mHIGH"));
}
