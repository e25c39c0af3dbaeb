//! Names and ids of MITRE ATT&CK.

/// Tactics of ATT&CK for enterprises, id and name, in the order in which an attack meets them.
pub const TACTICS: [(&str, &str); 14] = [
    ("TA0043", "Reconnaissance"),
    ("TA0042", "Resource Development"),
    ("TA0001", "Initial Access"),
    ("TA0002", "Execution"),
    ("TA0003", "Persistence"),
    ("TA0004", "Privilege Escalation"),
    ("TA0005", "Defense Evasion"),
    ("TA0006", "Credential Access"),
    ("TA0007", "Discovery"),
    ("TA0008", "Lateral Movement"),
    ("TA0009", "Collection"),
    ("TA0011", "Command and Control"),
    ("TA0010", "Exfiltration"),
    ("TA0040", "Impact"),
];

/// Those that newer versions of ATT&CK have in the place of one of them.
const NEWER: [(&str, &str); 2] = [("TA0005", "Stealth"), ("TA0112", "Defense Impairment")];

/// The id and the name of a tactic, however its name is written.
pub fn tactic(name: &str) -> Option<(&'static str, &'static str)> {
    let letters = |name: &str| -> String {
        let letters = name.chars().filter(char::is_ascii_alphabetic);
        letters.map(|c| c.to_ascii_lowercase()).collect()
    };
    let wanted = letters(name);
    let mut known = TACTICS.into_iter().chain(NEWER);
    known.find(|(_, known)| letters(known) == wanted)
}

/// A tactic's id, if it is one: `TA0002`.
pub fn tactic_id(text: &str) -> Option<String> {
    let text = text.trim().to_ascii_uppercase();
    let digits = text.strip_prefix("TA")?;
    (digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_digit())).then_some(text)
}

/// A technique's id, if it is one: `T1059` or `T1059.006`.
pub fn technique_id(text: &str) -> Option<String> {
    let text = text.trim().to_ascii_uppercase();
    let digits = text.strip_prefix('T')?;
    let (main, sub) = match digits.split_once('.') {
        Some((main, sub)) => (main, Some(sub)),
        None => (digits, None),
    };
    let all = |text: &str, length| text.len() == length && text.bytes().all(|b| b.is_ascii_digit());
    (all(main, 4) && sub.is_none_or(|sub| all(sub, 3))).then_some(text)
}
