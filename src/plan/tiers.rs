//! What the tiers of Event Hubs have room for, and which of them a configuration needs.

use crate::time::{DAY, Second, hours};

/// What a tier has room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tier {
    /// As Azure calls it.
    pub name: &'static str,
    /// Event hubs of a namespace.
    pub hubs: usize,
    /// Partitions of an event hub.
    pub partitions: u32,
    /// Partitions of a namespace; `None`: as many as its event hubs may have.
    pub partitions_in_all: Option<u32>,
    /// How long an event hub keeps messages, at most.
    pub retention: Second,
    /// Whether brokers run transactions.
    pub transactions: bool,
    /// Whether producers may pack what they send with gzip.
    pub gzip: bool,
}

/// The smallest tier that speaks Kafka's protocol.
pub const STANDARD: Tier = Tier {
    name: "Standard",
    hubs: 10,
    partitions: 32,
    partitions_in_all: None,
    retention: 7 * DAY,
    transactions: false,
    gzip: false,
};

/// The tiers, the smallest first; Premium and Dedicated with one unit.
const TIERS: [Tier; 3] = [
    STANDARD,
    Tier {
        name: "Premium",
        hubs: 100,
        partitions: 100,
        partitions_in_all: Some(200),
        retention: 90 * DAY,
        transactions: true,
        gzip: true,
    },
    Tier {
        name: "Dedicated",
        hubs: 1000,
        partitions: 1024,
        partitions_in_all: Some(2000),
        retention: 90 * DAY,
        transactions: true,
        gzip: true,
    },
];

/// An event hub that an application uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hub {
    /// Its name.
    pub name: String,
    /// How many partitions it has, or is to have.
    pub partitions: u32,
    /// How long it must keep messages, and why; `None`: that is not known.
    pub kept: Option<Kept>,
}

/// How long an event hub must keep messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// So long.
    pub seconds: Second,
    /// Who needs it.
    pub by: String,
}

/// What an application needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// All event hubs that it uses.
    pub hubs: Vec<Hub>,
    /// It is to deliver exactly once.
    pub transactions: bool,
    /// How its producers pack what they send, if they do.
    pub compression: Option<String>,
}

impl Needs {
    /// Which tier is needed, and why no smaller one will do.
    pub fn tier(&self) -> String {
        let mut before: Vec<String> = Vec::new();
        for tier in &TIERS {
            let lacks = self.beyond(tier);
            if lacks.is_empty() {
                return match before.is_empty() {
                    true => format!("the tier {} is enough", tier.name),
                    false => format!("the tier {} is needed: {}", tier.name, before.join("; ")),
                };
            }
            before = lacks;
        }
        format!("no tier of Event Hubs is enough: {}", before.join("; "))
    }

    /// What is more than a tier has room for.
    fn beyond(&self, tier: &Tier) -> Vec<String> {
        let mut beyond = Vec::new();
        let name = tier.name;
        if self.hubs.len() > tier.hubs {
            let (wanted, hubs) = (self.hubs.len(), tier.hubs);
            beyond.push(format!("{wanted} event hubs ({name}: {hubs})"));
        }
        for hub in &self.hubs {
            if hub.partitions > tier.partitions {
                beyond.push(format!(
                    "{} partitions of {} ({name}: {})",
                    hub.partitions, hub.name, tier.partitions
                ));
            }
            let kept = hub.kept.as_ref();
            if let Some(kept) = kept.filter(|kept| kept.seconds > tier.retention) {
                beyond.push(format!(
                    "{} must keep messages for {}, for {} ({name}: {})",
                    hub.name,
                    hours(kept.seconds),
                    kept.by,
                    hours(tier.retention),
                ));
            }
        }
        let in_all: u32 = self.hubs.iter().map(|hub| hub.partitions).sum();
        if let Some(most) = tier.partitions_in_all.filter(|most| in_all > *most) {
            beyond.push(format!(
                "{in_all} partitions in all ({name}: {most} a unit)"
            ));
        }
        if self.transactions && !tier.transactions {
            beyond.push(format!(
                "delivery = \"exactly_once\" ({name} runs no transactions)"
            ));
        }
        match self.compression.as_deref() {
            None | Some("none") => (),
            Some("gzip") if tier.gzip => (),
            Some(other) => beyond.push(format!(
                "compression with {other} ({name} takes {})",
                if tier.gzip { "gzip alone" } else { "none" }
            )),
        }
        beyond
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hub(name: &str, partitions: u32, days: i64) -> Hub {
        Hub {
            name: name.to_owned(),
            partitions,
            kept: Some(Kept {
                seconds: days * DAY,
                by: "R".to_owned(),
            }),
        }
    }

    #[test]
    fn the_smallest_tier_that_is_enough_is_named_with_what_the_others_lack() {
        let check = |hubs: Vec<Hub>, transactions, compression: Option<&str>, expected: &str| {
            let needs = Needs {
                hubs,
                transactions,
                compression: compression.map(str::to_owned),
            };
            assert_eq!(needs.tier(), expected);
        };
        let small = || vec![hub("a", 32, 7), hub("b", 1, 1)];
        check(small(), false, None, "the tier Standard is enough");
        check(small(), false, Some("none"), "the tier Standard is enough");
        check(
            small(),
            true,
            Some("gzip"),
            "the tier Premium is needed: delivery = \"exactly_once\" (Standard runs no \
             transactions); compression with gzip (Standard takes none)",
        );
        check(
            vec![hub("a", 33, 8)],
            false,
            None,
            "the tier Premium is needed: 33 partitions of a (Standard: 32); a must keep messages \
             for 8d, for R (Standard: 7d)",
        );
        let many = |count| (0..count).map(|_| hub("a", 1, 1)).collect();
        check(
            many(11),
            false,
            None,
            "the tier Premium is needed: 11 event hubs (Standard: 10)",
        );
        check(
            many(201),
            false,
            None,
            "the tier Dedicated is needed: 201 event hubs (Premium: 100); 201 partitions in all \
             (Premium: 200 a unit)",
        );
        check(
            vec![hub("a", 1, 91)],
            false,
            Some("zstd"),
            "no tier of Event Hubs is enough: a must keep messages for 91d, for R (Dedicated: \
             90d); compression with zstd (Dedicated takes gzip alone)",
        );
    }
}
