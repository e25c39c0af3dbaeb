//! The functions of filters: how each is written, and what it computes.
//!
//! A new function is a variant of [`Plain`], an entry of [`FUNCTIONS`] and a case of
//! [`Plain::of`].

use super::clock::Hand;
use super::plain::Plain;

/// What may stand before a parenthesis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Callable {
    /// A function of values.
    Plain(Plain),
    /// A function of a time, of which the zone is known at load.
    Clock(Hand),
    /// `IF`: its first argument is a filter.
    If,
    /// `EXTRACT`: its second argument is a regular expression, read at load.
    Extract,
    /// `LookupTableHas`: its first argument is a list.
    Has,
    /// `LookupTableGet`: its first argument is a list, its last a column.
    Get,
    /// `NetLookup`: its first argument is a table of networks, its last a column.
    Net,
}

/// A filter over `user`, that attribute's value as JSON (none: absent), and whether the filter
/// holds for it at 09:14:05 UTC on Monday, 2 March 2026.
pub type Example = (&'static str, Option<&'static str>, bool);

/// How a function is written, for the parser, the reference and the tests.
pub struct FunctionDoc {
    /// What is documented.
    pub callable: Callable,
    /// As filters write it; letter case does not matter.
    pub name: &'static str,
    /// Its arguments, as the reference and error messages show them.
    pub arguments: &'static str,
    /// The least number of arguments.
    pub least: usize,
    /// The greatest number of arguments.
    pub most: usize,
    /// In the reference.
    pub meaning: &'static str,
    /// The first is shown in the reference; all are tests.
    pub examples: &'static [Example],
}

/// Every function, in the order of the reference.
pub const FUNCTIONS: &[FunctionDoc] = &[
    FunctionDoc {
        callable: Callable::Plain(Plain::Len),
        name: "LEN",
        arguments: "text",
        least: 1,
        most: 1,
        meaning: "its number of characters",
        examples: &[
            ("LEN(user) > 4", Some("\"alice\""), true),
            ("LEN(user) = 4", Some("\"äöüß\""), true),
            ("LEN(user) = 2", Some("42"), true),
            ("len(user) >= 0", None, false),
            ("LEN(user) != 3", None, true),
            ("LEN(user) IS NULL", None, true),
            ("LEN(user) = 3", Some("[\"ab\", \"abc\"]"), true),
        ],
    },
    FunctionDoc {
        callable: Callable::Plain(Plain::ToLower),
        name: "TO_LOWER",
        arguments: "text",
        least: 1,
        most: 1,
        meaning: "the text with its ASCII letters in lower case",
        examples: &[("TO_LOWER(user) REGEXP \"^a\"", Some("\"Alice\""), true)],
    },
    FunctionDoc {
        callable: Callable::Plain(Plain::ToUpper),
        name: "TO_UPPER",
        arguments: "text",
        least: 1,
        most: 1,
        meaning: "the text with its ASCII letters in upper case",
        examples: &[("TO_UPPER(user) = \"ALICE\"", Some("\"Alice\""), true)],
    },
    FunctionDoc {
        callable: Callable::Plain(Plain::Trim),
        name: "TRIM",
        arguments: "text",
        least: 1,
        most: 1,
        meaning: "the text without blanks at its ends",
        examples: &[
            ("TRIM(user) = \"alice\"", Some("\" alice\\t\""), true),
            ("LEN(TRIM(user)) = 0", Some("\"  \""), true),
        ],
    },
    FunctionDoc {
        callable: Callable::Plain(Plain::LeftTrim),
        name: "LTRIM",
        arguments: "text",
        least: 1,
        most: 1,
        meaning: "the text without blanks at its beginning",
        examples: &[("LTRIM(user) = \"alice \"", Some("\" alice \""), true)],
    },
    FunctionDoc {
        callable: Callable::Plain(Plain::RightTrim),
        name: "RTRIM",
        arguments: "text",
        least: 1,
        most: 1,
        meaning: "the text without blanks at its end",
        examples: &[("RTRIM(user) = \" alice\"", Some("\" alice \""), true)],
    },
    FunctionDoc {
        callable: Callable::Plain(Plain::Replace),
        name: "REPLACE",
        arguments: "text, old, new",
        least: 3,
        most: 3,
        meaning: "the text with every `old` in it, letter case aside, replaced by `new`",
        examples: &[
            (
                "REPLACE(user, \"@contoso.com\", \"\") = \"alice\"",
                Some("\"alice@Contoso.com\""),
                true,
            ),
            ("REPLACE(user, \"\", \"x\") = \"a\"", Some("\"a\""), true),
            (
                "REPLACE(user, \"é\", \"e\") = \"ete\"",
                Some("\"été\""),
                true,
            ),
        ],
    },
    FunctionDoc {
        callable: Callable::Plain(Plain::SubStr),
        name: "SUB_STR",
        arguments: "text, start[, length]",
        least: 2,
        most: 3,
        meaning: "the characters from `start`, counted from 1, at most `length` of them",
        examples: &[
            (
                "SUB_STR(user, 1, 4) = \"svc-\"",
                Some("\"SVC-backup\""),
                true,
            ),
            ("SUB_STR(user, 3) = \"ü\"", Some("\"xyü\""), true),
            ("SUB_STR(user, 9, 2) = \"\"", Some("\"abc\""), true),
            ("SUB_STR(user, 0, 2) IS NULL", Some("\"abc\""), true),
        ],
    },
    FunctionDoc {
        callable: Callable::Extract,
        name: "EXTRACT",
        arguments: "text, \"regular expression\"",
        least: 2,
        most: 2,
        meaning: "what its first group, or without groups all of it, matches; letter case is \
                  ignored",
        examples: &[
            (
                "EXTRACT(user, \"@(.*)$\") != \"contoso.com\"",
                Some("\"eve@evil.example\""),
                true,
            ),
            ("EXTRACT(user, \"[0-9]+\") > 41", Some("\"svc-42\""), true),
            ("EXTRACT(user, \"[0-9]+\") IS NULL", Some("\"svc\""), true),
            ("EXTRACT(user, \"a(b)?\") IS NULL", Some("\"ac\""), true),
        ],
    },
    FunctionDoc {
        callable: Callable::Plain(Plain::ToInteger),
        name: "TO_INTEGER",
        arguments: "a",
        least: 1,
        most: 1,
        meaning: "the whole part of a number or of text that spells one",
        examples: &[
            ("TO_INTEGER(user) = 4", Some("\"4.9\""), true),
            ("TO_INTEGER(user) * 2 >= 9", Some("\"4.9\""), false),
            ("TO_INTEGER(user) = -4", Some("-4.9"), true),
            ("TO_INTEGER(user) IS NULL", Some("\"four\""), true),
            ("TO_INTEGER(user) IS NULL", Some("1e300"), true),
        ],
    },
    FunctionDoc {
        callable: Callable::Plain(Plain::ToDouble),
        name: "TO_DOUBLE",
        arguments: "a",
        least: 1,
        most: 1,
        meaning: "a number, also from text that spells one",
        examples: &[
            ("TO_DOUBLE(user) / 2 = 2.25", Some("\"4.5\""), true),
            ("TO_DOUBLE(user) IS NULL", Some("true"), true),
        ],
    },
    FunctionDoc {
        callable: Callable::Plain(Plain::ToString),
        name: "TO_STRING",
        arguments: "a",
        least: 1,
        most: 1,
        meaning: "a number, `true` or `false` as text",
        examples: &[
            ("TO_STRING(user) STARTS_WITH \"40\"", Some("404"), true),
            ("TO_STRING(user) = \"true\"", Some("true"), true),
        ],
    },
    FunctionDoc {
        callable: Callable::Plain(Plain::Log),
        name: "LOG",
        arguments: "number",
        least: 1,
        most: 1,
        meaning: "its natural logarithm; undefined unless the number is greater than 0",
        examples: &[
            ("LOG(user) > 4.6", Some("100"), true),
            ("LOG(user) IS NULL", Some("0"), true),
        ],
    },
    FunctionDoc {
        callable: Callable::Clock(Hand::HourOfDay),
        name: "HourOfDay",
        arguments: "[time][, \"zone\"]",
        least: 0,
        most: 2,
        meaning: "the hour, 0 to 23, of the event (`time`, or nothing), or of a time such as \
                  `record.properties.createdDateTime`; in UTC, or in this time zone",
        examples: &[
            ("HourOfDay(time, \"Europe/Berlin\") = 10", None, true),
            ("HourOfDay() BETWEEN (8, 17)", None, true),
            ("HourOfDay(time) = 9", None, true),
            ("hourofday(\"america/new_york\") = 4", None, true),
            (
                "HourOfDay(user, \"Europe/Berlin\") = 0",
                Some("\"2026-07-02T22:00:00Z\""),
                true,
            ),
            (
                "HourOfDay(user, \"Asia/Tokyo\") = 8",
                Some("[\"late\", \"2026-03-02T23:59:59Z\"]"),
                true,
            ),
            (
                "HourOfDay(user) = 23",
                Some("\"2026-03-02T23:59:59Z\""),
                true,
            ),
            (
                "HourOfDay(user) = 22",
                Some("\"2026-03-02T23:59:59+01:00\""),
                true,
            ),
            ("HourOfDay(user) IS NULL", Some("\"late\""), true),
        ],
    },
    FunctionDoc {
        callable: Callable::Clock(Hand::DayOfWeek),
        name: "DayOfWeek",
        arguments: "[time][, \"zone\"]",
        least: 0,
        most: 2,
        meaning: "the day, 0 (Sunday) to 6 (Saturday), of the event, or of a time; in UTC, or in \
                  this time zone",
        examples: &[
            ("DayOfWeek(time, \"Europe/Berlin\") IN (0, 6)", None, false),
            ("DayOfWeek() IN (0, 6)", None, false),
            ("DayOfWeek(\"America/New_York\") = 1", None, true),
            (
                "DayOfWeek(user, \"Pacific/Auckland\") = 2",
                Some("\"2026-03-02T12:00:00Z\""),
                true,
            ),
            ("DayOfWeek() = 1", None, true),
            (
                "DayOfWeek(user) = 0",
                Some("\"2026-03-01T00:00:00Z\""),
                true,
            ),
            (
                "DayOfWeek(user) = 3",
                Some("\"1969-12-31T23:59:59Z\""),
                true,
            ),
        ],
    },
    FunctionDoc {
        callable: Callable::If,
        name: "IF",
        arguments: "filter, a, b",
        least: 3,
        most: 3,
        meaning: "`a` if the filter holds, else `b`",
        examples: &[
            (
                "LEN(user) > IF(user STARTS_WITH \"svc-\", 30, 20)",
                Some("\"svc-1234567890123456789\""),
                false,
            ),
            ("IF(user IS NULL, \"none\", user) = \"none\"", None, true),
            ("IF(user = 5 AND (user < 6), 1, 2) = 1", Some("5"), true),
        ],
    },
    FunctionDoc {
        callable: Callable::Has,
        name: "LookupTableHas",
        arguments: "\"table\", key, ..",
        least: 2,
        most: usize::MAX,
        meaning: "1 if a row of the table begins with these keys, else 0; alone it is a test",
        examples: &[
            ("LookupTableHas(\"Owners\", user)", Some("\"ALICE\""), true),
            ("NOT LookupTableHas(Owners, user)", Some("\"eve\""), true),
            ("LookupTableHas(\"Owners\", user) = 0", None, true),
            (
                "LookupTableHas(\"Owners\", user, \"lab\") = 1",
                Some("\"bob\""),
                true,
            ),
            (
                "LookupTableHas(\"Owners\", user, \"hr\")",
                Some("\"bob\""),
                false,
            ),
            (
                "LookupTableHas(\"Owners\", user)",
                Some("\"10.1.2.3\""),
                true,
            ),
            (
                "LookupTableHas(\"Owners\", user)",
                Some("[\"eve\", \"bob\"]"),
                true,
            ),
        ],
    },
    FunctionDoc {
        callable: Callable::Get,
        name: "LookupTableGet",
        arguments: "\"table\", key, .., \"column\"",
        least: 3,
        most: usize::MAX,
        meaning: "the value in this column of the row that begins with these keys; undefined if \
                  there is none, or nothing in it",
        examples: &[
            (
                "LookupTableGet(\"Owners\", user, \"limit\") < 10",
                Some("\"Alice\""),
                true,
            ),
            (
                "LookupTableGet(Owners, user, Team) = \"lab\"",
                Some("\"bob\""),
                true,
            ),
            (
                "LookupTableGet(\"Owners\", user, \"limit\") IS NULL",
                Some("\"bob\""),
                true,
            ),
            (
                "LookupTableGet(\"Owners\", user, \"team\") IS NULL",
                Some("\"eve\""),
                true,
            ),
            (
                "LookupTableGet(\"Owners\", user, \"team\") != \"hr\"",
                None,
                true,
            ),
        ],
    },
    FunctionDoc {
        callable: Callable::Net,
        name: "NetLookup",
        arguments: "\"table\", address, \"column\"",
        least: 3,
        most: 3,
        meaning: "what a [table of networks](#tables-of-networks) says in this column of the \
                  closest network that has the address; undefined if there is none, or nothing \
                  in it",
        examples: &[
            (
                "NetLookup(\"asn\", user, \"organization\") = \"Example Hosting\"",
                Some("\"198.51.100.7\""),
                true,
            ),
            (
                "NetLookup(asn, user, organization) = \"example access\"",
                Some("\"198.51.100.130\""),
                true,
            ),
            (
                "NetLookup(\"asn\", user, \"asn\") IN (64500, 64502)",
                Some("\"::ffff:198.51.100.7\""),
                true,
            ),
            (
                "NetLookup(\"asn\", user, \"asn\") = 64502",
                Some("\"2001:DB8:0::1\""),
                true,
            ),
            (
                "NetLookup(\"asn\", user, \"asn\") IS NULL",
                Some("\"203.0.113.1\""),
                true,
            ),
            (
                "NetLookup(\"asn\", user, \"asn\") IS NULL",
                Some("\"alice\""),
                true,
            ),
            ("NetLookup(\"asn\", user, \"asn\") > 0", None, false),
            (
                "NetLookup(\"asn\", user, \"asn\") = 64501",
                Some("[\"alice\", \"198.51.100.255\"]"),
                true,
            ),
        ],
    },
];

/// Why FortiSIEM's other functions are not here, and what to use.
pub const ELSEWHERE: &[(&str, &str)] = &[(
    "DeviceToCMDBAttr",
    "there is no CMDB: keep what it would say in a lookup table, and use LookupTableGet",
)];

/// The name of a function.
pub fn name(callable: Callable) -> &'static str {
    let doc = FUNCTIONS.iter().find(|doc| doc.callable == callable);
    doc.map_or("", |doc| doc.name)
}

#[cfg(test)]
#[path = "functions_tests.rs"]
mod tests;
