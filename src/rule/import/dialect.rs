//! Which tool a rule comes from.

/// A tool whose rules are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dialect {
    /// FortiSIEM: XML, or the page of a rule's documentation.
    FortiSiem,
    /// Sigma: YAML.
    Sigma,
    /// Elastic's detection rules: TOML.
    Elastic,
    /// Microsoft Sentinel's analytics rules: YAML.
    Sentinel,
}

/// So much of a file is looked at to tell what it is.
const LOOKED_AT_MAX: usize = 64 << 10;

impl Dialect {
    /// All of them.
    pub const ALL: [Dialect; 4] = [
        Dialect::FortiSiem,
        Dialect::Sigma,
        Dialect::Elastic,
        Dialect::Sentinel,
    ];

    /// As the command line has it.
    pub fn name(self) -> &'static str {
        match self {
            Dialect::FortiSiem => "fortisiem",
            Dialect::Sigma => "sigma",
            Dialect::Elastic => "elastic",
            Dialect::Sentinel => "sentinel",
        }
    }

    /// As people write it.
    pub fn title(self) -> &'static str {
        match self {
            Dialect::FortiSiem => "FortiSIEM",
            Dialect::Sigma => "Sigma",
            Dialect::Elastic => "Elastic",
            Dialect::Sentinel => "Microsoft Sentinel",
        }
    }

    /// Endings of files that are looked for in directories.
    pub fn endings(self) -> &'static [&'static str] {
        match self {
            Dialect::FortiSiem => &["xml", "txt"],
            Dialect::Sigma | Dialect::Sentinel => &["yml", "yaml"],
            Dialect::Elastic => &["toml"],
        }
    }

    /// That of a text, by what only its rules have.
    pub fn of(text: &str) -> Option<Dialect> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let start = text.trim_start();
        let looked_at = start
            .char_indices()
            .nth(LOOKED_AT_MAX)
            .map_or(start, |(end, _)| start.get(..end).unwrap_or_default());
        if start.starts_with('<') {
            let known = ["<Rule", "<DataRequest", "<SubPattern"];
            let is_known = known.iter().any(|tag| looked_at.contains(tag));
            return is_known.then_some(Dialect::FortiSiem);
        }
        let mut has = [false; 5];
        let [rule, query, detection, kql, page] = &mut has;
        for line in looked_at.lines() {
            let line = line.trim_end();
            if line.starts_with("patterns:") {
                return None;
            }
            *rule |= line == "[rule]";
            *query |= line.starts_with("query:");
            *detection |= [
                "detection:",
                "correlation:",
                "filter:",
                "logsource:",
                "action: global",
            ]
            .iter()
            .any(|key| line.starts_with(key));
            *kql |= [
                "requiredDataConnectors:",
                "relevantTechniques:",
                "triggerOperator:",
                "queryFrequency:",
                "kind:",
                "triggerThreshold:",
            ]
            .iter()
            .any(|key| line.starts_with(key));
            *page |= line.trim_start().starts_with("Rule ID");
        }
        match has {
            [true, _, _, _, _] => Some(Dialect::Elastic),
            [_, _, true, _, _] => Some(Dialect::Sigma),
            [_, true, _, true, _] => Some(Dialect::Sentinel),
            [_, _, _, _, true] => Some(Dialect::FortiSiem),
            _ => None,
        }
    }
}
