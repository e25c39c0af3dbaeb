//! Why records were refused, in words for machines and for people.

/// Why a record was refused. Goes into the dead letter's `reason` header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reject {
    /// The bytes are not JSON, and repair did not help.
    NotJson,
    /// They are not UTF-8 either.
    NotUtf8,
    /// The message is UTF-16.
    Utf16,
    /// The text ends within the record.
    Truncated,
    /// A string, number, boolean or null stands where a record should.
    NotAnObject,
    /// Nested deeper than [`Limits::nesting`](super::Limits::nesting).
    TooDeep,
    /// The message is blank.
    Empty,
    /// What stands around the records is broken: some may be missing.
    BrokenEnvelope,
    /// Beyond [`Limits::records`](super::Limits::records).
    TooManyRecords,
    /// Beyond [`Limits::message_bytes`](super::Limits::message_bytes).
    MessageTooLarge,
    /// Neither the record nor its message says when it happened.
    NoTime,
    /// What rules read of it does not fit into a message.
    MatchTooLarge,
}

/// How many reasons there are.
const REASONS: usize = 12;

impl Reject {
    /// Every reason there is.
    pub const ALL: [Reject; REASONS] = [
        Reject::NotJson,
        Reject::NotUtf8,
        Reject::Utf16,
        Reject::Truncated,
        Reject::NotAnObject,
        Reject::TooDeep,
        Reject::Empty,
        Reject::BrokenEnvelope,
        Reject::TooManyRecords,
        Reject::MessageTooLarge,
        Reject::NoTime,
        Reject::MatchTooLarge,
    ];

    /// The reason as headers, counters and reports name it. Never changes.
    pub fn reason(self) -> &'static str {
        match self {
            Reject::NotJson => "not-json",
            Reject::NotUtf8 => "not-utf8",
            Reject::Utf16 => "utf-16",
            Reject::Truncated => "truncated",
            Reject::NotAnObject => "not-an-object",
            Reject::TooDeep => "too-deep",
            Reject::Empty => "empty",
            Reject::BrokenEnvelope => "broken-envelope",
            Reject::TooManyRecords => "too-many-records",
            Reject::MessageTooLarge => "message-too-large",
            Reject::NoTime => "no-time",
            Reject::MatchTooLarge => "match-too-large",
        }
    }

    /// The reason in words, for a person.
    pub fn explanation(self) -> &'static str {
        match self {
            Reject::NotJson => "the record is not JSON and could not be repaired",
            Reject::NotUtf8 => "the record is not UTF-8, and without the bad bytes it is not JSON",
            Reject::Utf16 => "the message is UTF-16; only UTF-8 is read",
            Reject::Truncated => "the message ends within the record",
            Reject::NotAnObject => "a record must be a JSON object; this is another value",
            Reject::TooDeep => "the record is nested deeper than the limit",
            Reject::Empty => "the message is empty",
            Reject::BrokenEnvelope => {
                "the JSON around the records is broken; records may be missing from this message"
            }
            Reject::TooManyRecords => "the message holds more records than the limit",
            Reject::MessageTooLarge => "the message is larger than the limit",
            Reject::NoTime => "neither the record nor its message says when it happened",
            Reject::MatchTooLarge => "its matches are larger than a message may be",
        }
    }
}

impl std::fmt::Display for Reject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.reason())
    }
}

/// How many records were refused for each reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ByReason([u64; REASONS]);

impl ByReason {
    /// One of `reject`, nothing else.
    pub fn one(reject: Reject) -> ByReason {
        let mut counts = ByReason::default();
        counts.count(reject);
        counts
    }

    /// Counts one more of `reject`.
    pub fn count(&mut self, reject: Reject) {
        if let Some(count) = self.0.get_mut(reject as usize) {
            *count += 1;
        }
    }

    /// Adds what was counted elsewhere.
    pub fn add(&mut self, more: &ByReason) {
        for (count, more) in self.0.iter_mut().zip(more.0) {
            *count += more;
        }
    }

    /// The reasons that were given, with how often each was.
    pub fn given(&self) -> impl Iterator<Item = (Reject, u64)> {
        let all = Reject::ALL.into_iter().zip(self.0);
        all.filter(|(_, count)| *count > 0)
    }

    /// How many records were refused.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

/// What was refused: one record, or neighbours of one message between which none was good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Why the first of them was.
    pub reason: Reject,
    /// Of the first, what was found, where that helps: printable, and short. May be empty.
    pub detail: String,
    /// How many of them were refused, and why.
    pub counts: ByReason,
}

impl Refused {
    /// One record.
    pub fn one(reason: Reject, detail: String) -> Refused {
        Refused {
            reason,
            detail,
            counts: ByReason::one(reason),
        }
    }

    /// How many records these are.
    pub fn count(&self) -> u64 {
        self.counts.total()
    }
}

impl std::fmt::Display for Refused {
    /// In words, for a person: printable, and short.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.reason.explanation())?;
        if !self.detail.is_empty() {
            write!(f, ": {}", self.detail)?;
        }
        if self.count() > 1 {
            let given = self.counts.given();
            let given: Vec<String> = given
                .map(|(reject, count)| format!("{reject} {count}"))
                .collect();
            let count = self.count();
            write!(f, " ({count} records refused: {})", given.join(", "))?;
        }
        Ok(())
    }
}
