//! The attributes that have a FortiSIEM name, and where they come from: made of schemas/attributes/
//! when the program is built.

use std::borrow::Cow;

use serde::Deserialize;

/// An attribute that has a FortiSIEM name.
#[derive(Debug)]
pub struct KnownAttribute {
    /// In its canonical spelling.
    pub name: &'static str,
    /// What it says of an event.
    pub meaning: &'static str,
    /// Raised when its meaning changes.
    pub version: u32,
    /// Whether it never has several values.
    pub(super) single: bool,
}

/// A text of a table: of the program's own, or read from a file.
pub type Text = Cow<'static, str>;

/// Several of them.
pub type Texts = Cow<'static, [Text]>;

/// Categories whose records have the same places.
#[derive(Clone, Debug)]
pub struct Family {
    /// As its file is called.
    pub name: Text,
    /// What these records are.
    pub about: Text,
    /// Where their form is described.
    pub source: Text,
    /// A `*` at the end stands for any text.
    pub categories: Texts,
    /// A record of no known category that has something at one of these places belongs here.
    pub(crate) has: Texts,
    pub(crate) attributes: Cow<'static, [Sources]>,
}

/// Where a family has an attribute.
#[derive(Clone, Debug)]
pub(crate) struct Sources {
    pub(crate) attribute: Text,
    /// Whether the steps of the general family do not follow.
    pub(crate) alone: bool,
    /// In the order of trust.
    pub(crate) steps: Cow<'static, [Step]>,
}

/// Places of a value, in the order of trust, and how it is made.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) derivation: Derivation,
    /// What the derivation needs besides: the segment before the one that is meant, a prefix, a
    /// name.
    pub(crate) word: Text,
    /// Of a list of keys and values, the key whose value is meant; of accounts, the domain's.
    pub(crate) key: Text,
    /// The step counts only if one of these places has one of the texts of `is`, or without them
    /// anything.
    pub(crate) when: Texts,
    pub(crate) is: Texts,
    /// `{claims}` stands for the places where the claims of a token are kept.
    pub(crate) paths: Texts,
}

/// A step on the way to an attribute, with the slots of its places.
pub(crate) struct Compiled {
    pub(crate) given: Step,
    pub(crate) when: Vec<u16>,
    /// In the order of trust.
    pub(crate) slots: Vec<u16>,
}

/// A value as it stands, wherever that is.
pub(crate) const AS_IS: Step = Step {
    derivation: Derivation::AsIs,
    word: Cow::Borrowed(""),
    key: Cow::Borrowed(""),
    when: Cow::Borrowed(&[]),
    is: Cow::Borrowed(&[]),
    paths: Cow::Borrowed(&[]),
};

/// How a raw value becomes an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Derivation {
    /// As it stands.
    AsIs,
    /// The text of the whole record.
    Record,
    /// When it happened.
    Time,
    /// A text without outer blanks, unless it is empty.
    Text,
    /// Who acted: a name or an id, unless it is nobody's. A guest's is that of the home directory.
    Principal,
    /// The same, if it is a mail address.
    Mail,
    /// An id, unless it is all zeros; GUIDs with dashes.
    Id,
    /// The name of a database's user, without what stands behind in brackets.
    DatabaseUser,
    /// The sign-in names of the accounts among an alert's entities.
    Account,
    /// A display name.
    DisplayName,
    /// An operation's name as an event type.
    EventType,
    /// An event type of several parts.
    Joined,
    /// The same, as it is for records that are not Azure's: the prefix and the parts.
    OwnEventType,
    /// An operation's name that the step gives itself, where one of the places has anything.
    Named,
    /// An IP address in its usual spelling, without a port; of a list the first.
    Address,
    /// The first IP address within a text.
    FoundAddress,
    /// A number, also from a string.
    Number,
    /// A category of the activity log; the verbs of old records are `Administrative`.
    EventCategory,
    /// `Success` or `Failure`; a phase that is neither gives nothing.
    Outcome,
    /// The same of an error code: 0 is success.
    ErrorCode,
    /// The same of an HTTP status, as a number or in words.
    HttpOutcome,
    /// The same of a truth value.
    Truth,
    /// The same of the status text of storage, where all but success is an error.
    StorageOutcome,
    /// The same of what a firewall did: allowed or denied.
    Verdict,
    /// The same of an action whose name ends with it: LogonFailed, or of a message.
    ActionOutcome,
    /// Whose session it is, of which a message of PostgreSQL speaks.
    SessionUser,
    /// From where it comes.
    SessionAddress,
    /// Whether it was let in.
    SessionOutcome,
    /// A status as a number where it is one.
    StatusCode,
    /// A level by its word, also from its number.
    Level,
    /// FortiSIEM's severity, 1 to 10, for a level.
    Severity,
    /// The id of a resource, without slashes behind it.
    ResourceId,
    /// The last segment of a resource's id.
    ResourceName,
    /// The segment of an id behind a given one.
    Segment,
}

/// Where the claims of a token are kept: activity log, Key Vault, REST and Log Analytics.
pub(super) const CLAIMS: [&str; 4] = ["identity.claims", "identity.claim", "claims", "claims_d"];

include!(concat!(env!("OUT_DIR"), "/attributes.rs"));

/// Bytes of a category that is looked up; all that are known are shorter.
const CATEGORY_MAX: usize = 64;

/// The family of a category, compared without regard to ASCII case.
pub(crate) fn of_category(category: &str) -> Option<usize> {
    let mut lower = [0; CATEGORY_MAX];
    let lower = lower.get_mut(..category.len())?;
    lower.copy_from_slice(category.as_bytes());
    lower.make_ascii_lowercase();
    named(lower).or_else(|| {
        let of_family = |end: Option<usize>, wildcard: &[u8]| {
            let head = lower.get(..end?)?;
            named(&[head, wildcard].concat())
        };
        let dash = memchr::memchr(b'-', lower);
        let point = memchr::memrchr(b'.', lower);
        of_family(dash, b"-*").or_else(|| of_family(point, b".*"))
    })
}

/// The family of a category in lower case.
fn named(category: &[u8]) -> Option<usize> {
    let order = |text: &[u8]| {
        text.len()
            .cmp(&category.len())
            .then_with(|| text.cmp(category))
    };
    let place = CATEGORIES.binary_search_by(|known| order(known.0.as_bytes()));
    CATEGORIES.get(place.ok()?).map(|(_, family)| *family)
}
