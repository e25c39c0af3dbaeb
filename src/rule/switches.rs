//! Comments that are to switch a lint off: `# lint: off no-relations, one tenant, one attacker`.

/// Those in a rule's text, without blanks around them, each on a line of its own.
pub fn comments(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .map(str::trim)
        .filter(|line| order(line).is_some())
}

/// What a comment orders.
pub fn order(line: &str) -> Option<&str> {
    let comment = line.strip_prefix('#')?.trim_start();
    comment.strip_prefix("lint:").map(str::trim)
}
